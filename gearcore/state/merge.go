package state

import (
	"unsafe"

	"github.com/gearstorm/gearstorm/gearcore"
)

// merged are the newest records of several pieces, in order of their groups.
type merged struct {
	pieces []*piece
	order  []place
	bytes  int64
}

// place is where a record is: the ref-th of the pieces' piece.
type place struct{ piece, ref uint32 }

// ident tells the records of different entries apart. The key is a view of a record.
type ident struct {
	table uint16
	key   string
}

func (m *merged) record(i int) []byte {
	at := m.order[i]
	p := m.pieces[at.piece]
	return p.record(p.refs[at.ref])
}

// merge takes of each entry what the last of ps says, which are in order of age. bottom says that there is nothing older: then
// deletions need not be remembered.
func merge(ps []*piece, bottom bool) *merged {
	m := &merged{pieces: ps}
	total := 0
	for _, p := range ps {
		total += len(p.refs)
	}
	var seen map[ident]struct{}
	if len(ps) > 1 {
		seen = make(map[ident]struct{}, total)
	}
	kept := make([]place, 0, total)
	var starts [gearcore.KeyGroups + 1]int
	for n := len(ps) - 1; n >= 0; n-- {
		for i, r := range ps[n].refs {
			rec := ps[n].record(r)
			if seen != nil {
				key := recKey(rec)
				id := ident{recTable(rec), unsafe.String(unsafe.SliceData(key), len(key))}
				if _, ok := seen[id]; ok {
					continue
				}
				seen[id] = struct{}{}
			}
			if bottom && recFlags(rec)&flagGone != 0 {
				continue
			}
			kept = append(kept, place{uint32(n), uint32(i)})
			starts[r.group+1]++
			m.bytes += int64(len(rec))
		}
	}
	for g := 1; g < len(starts); g++ {
		starts[g] += starts[g-1]
	}
	m.order = make([]place, len(kept))
	for _, at := range kept {
		g := ps[at.piece].refs[at.ref].group
		m.order[starts[g]] = at
		starts[g]++
	}
	return m
}

// view is the records from i to before j as a piece, which shares their bytes.
func (m *merged) view(i, j int) *piece {
	p := &piece{refs: make([]ref, 0, j-i)}
	chunks := make([]uint32, len(m.pieces)) // where those of a piece begin
	for n, q := range m.pieces {
		chunks[n] = uint32(len(p.chunks))
		p.chunks = append(p.chunks, q.chunks...)
	}
	for _, at := range m.order[i:j] {
		r := m.pieces[at.piece].refs[at.ref]
		r.chunk += chunks[at.piece]
		p.refs = append(p.refs, r)
	}
	return p
}

// each returns what gives one record after the other, nil at the end.
func (m *merged) each() func() []byte {
	at := 0
	return func() []byte {
		if at == len(m.order) {
			return nil
		}
		at++
		return m.record(at - 1)
	}
}

// piece copies what was merged, to let the pieces go.
func (m *merged) piece() *piece {
	p := &piece{first: m.pieces[0].first, seq: m.pieces[len(m.pieces)-1].seq}
	for i := range m.order {
		p.add(m.record(i))
	}
	return p
}
