package sim

// table is a hash map from non-zero 64-bit keys to V: open addressing with linear probing, deletion by shifting back
// (no tombstones), at most half full. It allocates only to grow. Blocks of consecutive keys stay together, blocks are
// spread: a spout numbers its roots in order, so most accesses hit memory that was just used. Places are valid until
// the next put or remove. The zero table is empty.
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

const blockBits = 4

func (t *table[V]) home(key uint64) int {
	return int(key>>blockBits*0x9e3779b97f4a7c15>>t.shift<<blockBits | key&(1<<blockBits-1))
}

// find returns the place of key, -1 if it is not there.
func (t *table[V]) find(key uint64) int {
	if t.n == 0 || key == 0 {
		return -1
	}
	mask := len(t.slots) - 1
	for i := t.home(key); ; i = (i + 1) & mask {
		switch t.slots[i].key {
		case key:
			return i
		case 0:
			return -1
		}
	}
}

// put returns the place of key, adding it with a zero value if it is not there.
func (t *table[V]) put(key uint64) (at int, fresh bool) {
	if 2*(t.n+1) > len(t.slots) {
		t.resize(max(minSlots, 2*len(t.slots)))
	}
	mask := len(t.slots) - 1
	for i := t.home(key); ; i = (i + 1) & mask {
		switch t.slots[i].key {
		case key:
			return i, false
		case 0:
			t.slots[i].key = key
			t.n++
			return i, true
		}
	}
}

// remove deletes what is at place i.
func (t *table[V]) remove(i int) {
	mask := len(t.slots) - 1
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
	t.shift = 64 + blockBits
	for m := n; m > 1; m >>= 1 {
		t.shift--
	}
	for i := range old {
		if old[i].key != 0 {
			at, _ := t.put(old[i].key)
			t.slots[at].val = old[i].val
		}
	}
}

// shrink gives memory back after a burst.
func (t *table[V]) shrink() {
	if len(t.slots) > minSlots && 8*t.n < len(t.slots) {
		t.resize(max(minSlots, len(t.slots)/2))
	}
}
