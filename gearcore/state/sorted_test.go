package state

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestSortedIsTheOrderOfDiskKeys sorts records of keys that share beginnings, are prefixes of each other, or have zeros at their ends.
func TestSortedIsTheOrderOfDiskKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 200 {
		p := &piece{}
		grouped, tables := round%2 == 0, 1+rng.IntN(3)
		group := 0
		for range rng.IntN(300) {
			if grouped {
				group += rng.IntN(2)
			} else {
				group = rng.IntN(5)
			}
			key := make([]byte, rng.IntN(12))
			for i := range key {
				key[i] = byte(rng.IntN(3))
			}
			if round%3 == 0 {
				key = append([]byte("shared-"), key...)
			}
			rec := append(make([]byte, recordHead), key...)
			binary.LittleEndian.PutUint32(rec, uint32(len(rec)-4))
			binary.LittleEndian.PutUint16(rec[4:], uint16(group))
			binary.LittleEndian.PutUint16(rec[6:], uint16(rng.IntN(tables)))
			binary.LittleEndian.PutUint16(rec[9:], uint16(len(key)))
			p.add(rec)
		}
		all := p.sorted()
		if len(all) != len(p.refs) {
			t.Fatalf("round %d: %d of %d records", round, len(all), len(p.refs))
		}
		seen := map[uint32]bool{}
		var last []byte
		for i, o := range all {
			rec := p.record(p.refs[o.ref])
			key := appendDiskKey(nil, recTable(rec), recGroup(rec), recKey(rec))
			if i > 0 && bytes.Compare(last, key) > 0 {
				t.Fatalf("round %d: %x before %x", round, last, key)
			}
			last = key
			seen[o.ref] = true
		}
		if len(seen) != len(all) {
			t.Fatalf("round %d: %d different records of %d", round, len(seen), len(all))
		}
	}
}
