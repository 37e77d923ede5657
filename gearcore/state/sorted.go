package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// sorted is a record of a piece with what it is sorted by, so that most comparisons look at no record.
type sorted struct {
	word uint64 // the first bytes of the key behind what all keys of its table have in common
	head uint32 // table and group
	ref  uint32
}

// shared is what the keys of one table have in common.
type shared struct {
	key []byte // one of them
	n   int    // bytes
}

// sorted returns the records in the order of their keys in pebble.
func (p *piece) sorted() []sorted {
	common := p.common()
	all := make([]sorted, len(p.refs))
	grouped := true
	for i, r := range p.refs {
		rec := p.record(r)
		table := recTable(rec)
		all[i] = sorted{firstWord(recKey(rec)[common[table].n:]), uint32(table)<<16 | uint32(r.group), uint32(i)}
		grouped = grouped && (i == 0 || all[i-1].head <= all[i].head)
	}
	byKey := func(a, b sorted) int {
		if a.word != b.word {
			return cmp.Compare(a.word, b.word)
		}
		return bytes.Compare(recKey(p.record(p.refs[a.ref])), recKey(p.record(p.refs[b.ref])))
	}
	if !grouped {
		slices.SortFunc(all, func(a, b sorted) int {
			if a.head != b.head {
				return cmp.Compare(a.head, b.head)
			}
			return byKey(a, b)
		})
		return all
	}
	for rest := all; len(rest) > 0; { // segments are in order of their groups
		n := 1
		for n < len(rest) && rest[n].head == rest[0].head {
			n++
		}
		slices.SortFunc(rest[:n], byKey)
		rest = rest[n:]
	}
	return all
}

// common finds what the keys of each table have in common, by the table's number.
func (p *piece) common() []shared {
	var all []shared
	for _, r := range p.refs {
		rec := p.record(r)
		key, table := recKey(rec), int(recTable(rec))
		if table >= len(all) {
			all = append(all, make([]shared, table+1-len(all))...)
		}
		c := &all[table]
		if c.key == nil {
			c.key, c.n = key, len(key)
			continue
		}
		n := min(c.n, len(key))
		if !bytes.Equal(c.key[:n], key[:n]) {
			for n = 0; c.key[n] == key[n]; n++ {
			}
		}
		c.n = n
	}
	return all
}

// firstWord is the first eight bytes of b as a number, as if zeros followed.
func firstWord(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var w [8]byte
	copy(w[:], b)
	return binary.BigEndian.Uint64(w[:])
}
