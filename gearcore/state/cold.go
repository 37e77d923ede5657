package state

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// What a table does about entries that are in pebble only.

// diskKey appends the key of k in pebble.
func (t *table[K, V]) diskKey(buf []byte, k *K) []byte {
	buf = appendDiskKey(buf, t.id, uint16(t.keys.Group(k, t.store.cfg.Hash)), nil)
	buf, err := t.keys.Append(buf, k)
	if err != nil {
		t.store.fail(fmt.Errorf("write key %v of %s: %w", *k, t.name, err))
	}
	return buf
}

// load brings the entry of k into memory, if there is one.
func (t *table[K, V]) load(k K, h uint64) (i uint32, ok bool) {
	ok = t.onDisk(k, func(val []byte) { i = t.thaw(k, h, val) })
	return i, ok
}

// onDisk calls f with what pebble has of k, and says whether it has anything.
func (t *table[K, V]) onDisk(k K, f func(val []byte)) bool {
	t.store.healthy()
	t.scratch = t.diskKey(t.scratch[:0], &k)
	val, closer, err := t.store.disk.db.Get(t.scratch)
	if err == pebble.ErrNotFound {
		return false
	}
	if err != nil {
		t.store.fail(err)
	}
	f(val)
	if err := closer.Close(); err != nil {
		t.store.fail(err)
	}
	return true
}

// peek returns a copy of the entry of k, wherever it is, and leaves it there; the zero entry if there is none or that has expired.
func (t *table[K, V]) peek(k K) (e entry[K, V]) {
	if i, ok := t.locate(k, t.hash(k)); ok {
		e = *t.at(i)
	} else if t.store.disk != nil && !t.pinned {
		t.onDisk(k, func(val []byte) {
			if err := t.decode(&e, val); err != nil {
				t.store.fail(fmt.Errorf("read key %v of %s: %w", k, t.name, err))
			}
			e.flags = live
		})
	}
	if e.flags&gone != 0 || e.expires != 0 && e.expires <= t.ttl.now(t.store) && !t.ageless(&e) {
		return entry[K, V]{}
	}
	return e
}

// thaw makes an entry of what pebble has.
func (t *table[K, V]) thaw(k K, h uint64, val []byte) uint32 {
	i := t.slot()
	e := t.at(i)
	if err := t.decode(e, val); err != nil {
		t.store.fail(fmt.Errorf("read key %v of %s: %w", k, t.name, err))
	}
	e.key = t.owned(k)
	e.flags = live | used
	t.insert(h, i)
	t.count++
	t.checkGrowth()
	if t.linked != nil {
		t.linked(i)
	}
	return i
}

// decode reads everything but the key.
func (t *table[K, V]) decode(e *entry[K, V], val []byte) error {
	if len(val) < 5 {
		return fmt.Errorf("%w: %d bytes", ErrCorrupt, len(val))
	}
	e.seq = binary.LittleEndian.Uint32(val)
	flags, rest := val[4], val[5:]
	if flags&flagExpires != 0 {
		if len(rest) < 8 {
			return fmt.Errorf("%w: %d bytes", ErrCorrupt, len(val))
		}
		e.expires, rest = int64(binary.LittleEndian.Uint64(rest)), rest[8:]
	}
	r := codec.NewReader(rest, ErrCorrupt)
	r.Texts = &t.texts
	t.read(&r, &e.val)
	return r.Err
}

// scan calls f with the entries in pebble whose keys there begin with prefix.
func (s *Store) scan(prefix []byte, f func(key, val []byte) bool) {
	s.healthy()
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; ; i-- {
		if end[i]++; end[i] != 0 || i == 0 {
			end = end[:i+1]
			break
		}
	}
	it, err := s.disk.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: end})
	if err != nil {
		s.fail(err)
	}
	for more := it.First(); more; more = it.Next() {
		if !f(it.Key(), it.Value()) {
			break
		}
	}
	err = it.Error()
	if closed := it.Close(); err == nil {
		err = closed
	}
	if err != nil {
		s.fail(err)
	}
}

// loadBelow brings the entries into memory whose written keys begin with prefix, behind table and group.
func (t *table[K, V]) loadBelow(prefix []byte) {
	t.store.scan(prefix, func(key, val []byte) bool {
		k := t.parseKey(key[diskHead:])
		h := t.hash(k)
		if _, ok := t.locate(k, h); !ok {
			t.thaw(k, h, val)
		}
		return true
	})
}

func (t *table[K, V]) parseKey(b []byte) (k K) {
	r := codec.NewReader(b, ErrCorrupt)
	r.Texts = &t.texts
	if t.readKey(&r, &k); r.Err != nil {
		t.store.fail(fmt.Errorf("read a key of %s: %w", t.name, r.Err))
	}
	return k
}

// eachCold calls f with the live entries that are in pebble only. They are copies.
func (t *table[K, V]) eachCold(f func(e *entry[K, V]) bool) {
	now := int64(0)
	if t.ttl.After > 0 {
		now = t.ttl.now(t.store)
	}
	t.store.scan(binary.BigEndian.AppendUint16(nil, t.id), func(key, val []byte) bool {
		var e entry[K, V]
		e.key = t.parseKey(key[diskHead:])
		if _, ok := t.locate(e.key, t.hash(e.key)); ok {
			return true
		}
		if err := t.decode(&e, val); err != nil {
			t.store.fail(fmt.Errorf("read key %v of %s: %w", e.key, t.name, err))
		}
		if e.expires != 0 && e.expires <= now && !t.ageless(&e) {
			return true
		}
		return f(&e)
	})
}

// expire deletes an entry, by its key in pebble, if it has expired.
func (t *table[K, V]) expire(key []byte) { t.find(t.parseKey(key[diskHead:])) }

// evict takes up to n clean entries out of memory, those first that were not used since it passed them last.
func (t *table[K, V]) evict(n int) {
	if t.pinned {
		return
	}
	for looked := uint32(0); n > 0 && looked < 2*t.end; looked++ {
		if t.hand >= t.end {
			t.hand = 0
		}
		i := t.hand
		t.hand++
		e := t.at(i)
		switch {
		case e.flags&(live|gone|dirty) != live:
		case e.flags&used != 0:
			e.flags &^= used
		default:
			if t.unlinked != nil {
				t.unlinked(i)
			}
			t.count--
			t.vacate(e, i)
			n--
		}
	}
}

// copyAll adds the clean entries from slot i on to p, until that is large, and the pieces they are of to seqs.
func (t *table[K, V]) copyAll(p *piece, seqs []uint32, i uint32) ([]uint32, uint32, error) {
	for ; i < t.end && p.bytes < spillPiece; i++ {
		e := t.at(i)
		if e.flags&(live|gone|dirty) != live {
			continue
		}
		rec, err := t.encode(t.scratch, e)
		if err != nil {
			return seqs, i, err
		}
		t.scratch = rec
		p.add(rec)
		seqs = append(seqs, e.seq)
	}
	return seqs, i, nil
}

func (t *table[K, V]) inMemory() bool { return t.pinned }
