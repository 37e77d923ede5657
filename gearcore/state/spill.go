package state

import (
	"cmp"
	"fmt"
	"unsafe"
)

// spillPiece is how much goes to the disk at once.
const spillPiece = 32 << 20

// healthy panics if the disk has failed meanwhile.
func (s *Store) healthy() {
	if err := s.disk.error(); err != nil {
		s.fail(err)
	}
}

// Trim keeps the Store within its memory: beyond Config.Memory what changed goes to the disk, and what was not used for long leaves memory. Call it
// between records; it costs nothing where there is nothing to do. The first time it takes as long as writing the whole state does.
func (s *Store) Trim() (err error) {
	if !s.checkSize || s.cfg.Dir == "" {
		return nil
	}
	defer Rescue(&err)
	s.checkSize = false
	if s.broken != nil {
		return s.broken
	}
	if s.memory() <= s.cfg.Memory {
		return nil
	}
	if s.disk == nil {
		if err := s.spill(); err != nil {
			return err
		}
	}
	if _, err := s.cut(false); err != nil {
		return err
	}
	for _, t := range s.tables {
		if over := s.memory() - s.cfg.Memory*3/4; over > 0 {
			size := max(1, t.memory()/int64(max(1, t.entries())))
			t.evict(int(min(over/size+1, int64(t.entries()))))
		}
	}
	return nil
}

// memory estimates what the entries take in memory.
func (s *Store) memory() int64 {
	n := int64(0)
	for _, t := range s.tables {
		n += t.memory()
	}
	return n
}

// memory counts an entry's slot, its cells in the index, and what its record has as that many bytes again in memory.
func (t *table[K, V]) memory() int64 {
	return t.liveBytes() + int64(t.count)*int64(unsafe.Sizeof(entry[K, V]{})+16)
}

func (t *table[K, V]) checkGrowth() {
	if t.count%t.store.lim.growth == 0 {
		t.store.checkSize = true
	}
}

// spill begins a disk with everything that is in memory and not changed; what is changed follows with the next piece.
func (s *Store) spill() error {
	d, err := openDisk(s.cfg.Dir)
	if err != nil {
		return s.broke(err)
	}
	s.disk = d
	for _, t := range s.tables {
		for i := uint32(0); i < t.slots(); {
			p := &piece{}
			var seqs []uint32
			if seqs, i, err = t.copyAll(p, nil, i); err == nil {
				err = d.ingest(p, func(n int) uint32 { return seqs[n] })
			}
			if err != nil {
				return s.broke(err)
			}
		}
	}
	s.cycle = cycle{}
	return nil
}

// broke breaks the Store and returns why.
func (s *Store) broke(err error) error {
	s.broken = cmp.Or(s.broken, fmt.Errorf("state of %s: %w", s.cfg.Name, err))
	return s.broken
}

// Close gives back what the Store holds beside memory. It is not used afterwards.
func (s *Store) Close() error {
	if s.disk == nil {
		return nil
	}
	d := s.disk
	s.disk = nil
	return d.release()
}

func (t *table[K, V]) slots() uint32 { return t.end }
