package state

import (
	"encoding/binary"
	"fmt"
)

// A piece is what changed between two Freezes, as records in memory. It never changes once it is made.
//
// A record is its length in 4 bytes (of what follows), group and table in 2 each, flags, the length of the key in 2, the
// key, the moment it expires in 8 if the flag says so, and the value; nothing behind the key for a record of a deletion. All numbers
// are little endian.
type piece struct {
	first, seq uint32 // the pieces it holds: it may be several
	chunks     [][]byte
	refs       []ref
	bytes      int64
}

// ref is where a record is.
type ref struct {
	chunk, off uint32
	group      uint16
}

const (
	recordHead = 11
	pieceChunk = 1 << 20
	// maxRecord bounds a record, and maxKey its key.
	maxRecord = 64 << 20
	maxKey    = 1<<16 - 1

	flagGone    = 1
	flagExpires = 2
)

// record returns the bytes of the record at r.
func (p *piece) record(r ref) []byte {
	c := p.chunks[r.chunk][r.off:]
	return c[:4+binary.LittleEndian.Uint32(c)]
}

// add copies a record.
func (p *piece) add(rec []byte) {
	last := len(p.chunks) - 1
	if last < 0 || len(p.chunks[last])+len(rec) > cap(p.chunks[last]) {
		p.chunks = append(p.chunks, make([]byte, 0, max(p.nextChunk(), len(rec))))
		last++
	}
	p.refs = append(p.refs, ref{uint32(last), uint32(len(p.chunks[last])), recGroup(rec)})
	p.chunks[last] = append(p.chunks[last], rec...)
	p.bytes += int64(len(rec))
}

// nextChunk lets small pieces stay small.
func (p *piece) nextChunk() int { return int(min(max(p.bytes, 4<<10), pieceChunk)) }

func recGroup(rec []byte) uint16 { return binary.LittleEndian.Uint16(rec[4:]) }
func recTable(rec []byte) uint16 { return binary.LittleEndian.Uint16(rec[6:]) }
func recFlags(rec []byte) byte   { return rec[8] }
func recKey(rec []byte) []byte {
	return rec[recordHead : recordHead+int(binary.LittleEndian.Uint16(rec[9:]))]
}

// recRest is what is behind the key: when it expires, 0 if never, and its value.
func recRest(rec []byte) (expires int64, value []byte) {
	rest := rec[recordHead+len(recKey(rec)):]
	if recFlags(rec)&flagExpires != 0 {
		return int64(binary.LittleEndian.Uint64(rest)), rest[8:]
	}
	return 0, rest
}

// checkRecord returns the record that b begins with, or an error if there is none: everything that the functions above
// take for granted.
func checkRecord(b []byte) ([]byte, error) {
	if len(b) < recordHead {
		return nil, fmt.Errorf("%w: it ends in the middle of a record", ErrCorrupt)
	}
	n := uint64(binary.LittleEndian.Uint32(b)) + 4
	if n < recordHead || n > uint64(len(b)) {
		return nil, fmt.Errorf("%w: a record of %d bytes in %d", ErrCorrupt, n, len(b))
	}
	rec := b[:n:n]
	need := recordHead + int(binary.LittleEndian.Uint16(rec[9:]))
	if recFlags(rec)&flagExpires != 0 {
		need += 8
	}
	if need > len(rec) {
		return nil, fmt.Errorf("%w: a key goes past its record", ErrCorrupt)
	}
	return rec, nil
}

// encode makes the record of e in buf.
func (t *table[K, V]) encode(buf []byte, e *entry[K, V]) ([]byte, error) {
	buf = append(buf[:0], make([]byte, recordHead)...)
	buf, err := t.keys.Append(buf, &e.key)
	if err != nil {
		return nil, fmt.Errorf("write key %v of %s: %w", e.key, t.name, err)
	}
	key := len(buf) - recordHead
	if key > maxKey {
		return nil, fmt.Errorf("write a key of %s: it takes %d bytes, %d are allowed", t.name, key, maxKey)
	}
	group := t.keys.Group(&e.key, t.store.cfg.Hash)
	if group < t.store.first || group > t.store.last {
		return nil, fmt.Errorf("key %v of %s is in key group %d, but this task has %d to %d: "+
			"its records have to be routed by exactly this key", e.key, t.name, group, t.store.first, t.store.last)
	}
	flags := byte(0)
	switch {
	case e.flags&gone != 0:
		flags = flagGone
	default:
		if e.expires != 0 {
			flags = flagExpires
			buf = binary.LittleEndian.AppendUint64(buf, uint64(e.expires))
		}
		if buf, err = t.vals.Append(buf, &e.val); err != nil {
			return nil, fmt.Errorf("write the value of key %v of %s: %w", e.key, t.name, err)
		}
	}
	if len(buf) > maxRecord {
		return nil, fmt.Errorf("write key %v of %s: it takes %d bytes, %d are allowed", e.key, t.name, len(buf), maxRecord)
	}
	binary.LittleEndian.PutUint32(buf, uint32(len(buf)-4))
	binary.LittleEndian.PutUint16(buf[4:], uint16(group))
	binary.LittleEndian.PutUint16(buf[6:], t.id)
	buf[8] = flags
	binary.LittleEndian.PutUint16(buf[9:], uint16(key))
	return buf, nil
}

// collect moves what has changed into p.
func (t *table[K, V]) collect(p *piece) error {
	for n, i := range t.dirts {
		e := t.at(i)
		if e.flags&dirty == 0 {
			continue
		}
		rec, err := t.encode(t.scratch, e)
		if err != nil {
			t.dirts = t.dirts[n:]
			return err
		}
		t.scratch = rec
		p.add(rec)
		if e.flags&gone != 0 {
			t.vacate(e, i)
			continue
		}
		e.flags &^= dirty
		e.seq = p.seq
		t.sample(len(rec))
	}
	t.dirts = t.dirts[:0]
	return nil
}

// again writes entries from slot i on that the pieces since one have no record of, until budget is used up. It returns where to go on, and
// what is left of the budget.
func (t *table[K, V]) again(p *piece, i uint32, since uint32, budget int64) (uint32, int64, error) {
	for ; i < t.end && budget > 0; i++ {
		budget -= 8
		e := t.at(i)
		if e.flags&(live|gone) != live || e.seq >= since {
			continue
		}
		rec, err := t.encode(t.scratch, e)
		if err != nil {
			return i, budget, err
		}
		t.scratch = rec
		p.add(rec)
		e.seq = p.seq
		budget -= int64(len(rec))
	}
	return i, budget, nil
}
