package ackers

// table is a hash map from non-zero 64-bit keys to V: open addressing with linear probing, deletion by shifting back
// (no tombstones), at most 3/4 full. It allocates only to grow. Keys are random ids, so a multiplication is hash
// enough. Pointers into it are valid until the next put or remove. The zero table is empty.
type table[V any] struct {
	slots []slot[V] // a power of two of them; key 0 is free
	n     int
	shift uint
}

type slot[V any] struct {
	key uint64
	val V
}

const minSlots = 64

func (t *table[V]) home(key uint64) int { return int((key * 0x9e3779b97f4a7c15) >> t.shift) }

// find returns the value of key, or nil.
func (t *table[V]) find(key uint64) *V {
	if t.n == 0 || key == 0 {
		return nil
	}
	mask := len(t.slots) - 1
	for i := t.home(key); ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.key == key {
			return &s.val
		}
		if s.key == 0 {
			return nil
		}
	}
}

// put returns the value of key, adding a zero one if there is none.
func (t *table[V]) put(key uint64) (v *V, fresh bool) {
	if 4*(t.n+1) > 3*len(t.slots) {
		t.resize(max(minSlots, 2*len(t.slots)))
	}
	mask := len(t.slots) - 1
	for i := t.home(key); ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.key == key {
			return &s.val, false
		}
		if s.key == 0 {
			s.key = key
			t.n++
			return &s.val, true
		}
	}
}

// remove deletes key if it is there.
func (t *table[V]) remove(key uint64) {
	if t.n == 0 {
		return
	}
	mask := len(t.slots) - 1
	i := t.home(key)
	for t.slots[i].key != key {
		if t.slots[i].key == 0 {
			return
		}
		i = (i + 1) & mask
	}
	t.n--
	// Close the gap: an entry further on in the run moves into it unless its home lies behind the gap.
	for j := (i + 1) & mask; t.slots[j].key != 0; j = (j + 1) & mask {
		if (j-t.home(t.slots[j].key))&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = slot[V]{}
}

func (t *table[V]) resize(n int) {
	old := t.slots
	t.slots = make([]slot[V], n)
	t.n = 0
	t.shift = 64
	for m := n; m > 1; m >>= 1 {
		t.shift--
	}
	for i := range old {
		if old[i].key != 0 {
			v, _ := t.put(old[i].key)
			*v = old[i].val
		}
	}
}

// shrink gives memory back after a burst.
func (t *table[V]) shrink() {
	if len(t.slots) > minSlots && 8*t.n < len(t.slots) {
		t.resize(max(minSlots, len(t.slots)/2))
	}
}
