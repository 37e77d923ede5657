package state

import (
	"cmp"
	"fmt"
	"hash/maphash"

	"github.com/gearstorm/gearstorm/gearcore"
)

// An entry is found through an index from its key to its slot, and stays in that slot for as long as it is in memory: a
// value is changed where it lies, what has changed is a list of slots, and the collector sees few objects.
const (
	slabBits = 8
	slabSize = 1 << slabBits
)

type entry[K comparable, V any] struct {
	key     K
	val     V
	expires int64  // by the clock of the table's TTL; 0: never
	seq     uint32 // the newest piece with a record of it; 0: there is none
	flags   uint8
}

const (
	live  = 1 << iota // the slot is in use
	dirty             // changed since the last piece
	gone              // deleted; kept until a piece says so
	used              // read or changed since the eviction's hand passed
)

// table is what all handles are made of.
type table[K comparable, V any] struct {
	store *Store
	id    uint16
	name  string
	kind  string
	keys  KeyCodec[K]
	vals  Codec[V]
	ttl   TTL
	// pinned tables are never evicted from memory: what is not in it does not exist.
	pinned bool
	// linked and unlinked, if any, hear of each slot that comes into use and goes out of it, cleared of all that do at once.
	linked, unlinked func(i uint32)
	cleared          func()

	index index
	slabs []*[slabSize]entry[K, V]
	free  []uint32
	end   uint32   // slots from here were never used
	dirts []uint32 // slots that are dirty, some of them no more
	count int      // live and not gone

	// What an entry takes as a record, for estimates.
	sampledBytes, sampled int64
	read                  Read[V]
	readKey               Read[K]
	owned                 func(k K) K    // makes k independent of what it was made of
	texts                 gearcore.Chunk // of what is loaded from the disk
	hand                  uint32         // of the eviction
	swept                 uint32         // of the sweep for what has expired
	arrivals              arrivals[K, V] // of a Restore
	scratch               []byte
}

func newTable[K comparable, V any](s *Store, kind, name string, keys KeyCodec[K], vals Codec[V], opts []Option) *table[K, V] {
	t := &table[K, V]{store: s, name: name, kind: kind, keys: keys, vals: vals, index: index{seed: maphash.MakeSeed()}}
	for _, o := range opts {
		o(&t.ttl)
	}
	s.register(t)
	for _, c := range []any{keys, vals} {
		if c, ok := c.(interface{ Err() error }); ok && c.Err() != nil {
			s.refuse(fmt.Errorf("handle %q: %w", name, c.Err()))
		}
	}
	t.prepare()
	return t
}

// prepare finds out how what was written by t itself is read.
func (t *table[K, V]) prepare() {
	var err, keyErr error
	t.read, err = t.vals.Reader(t.vals.Schema())
	t.readKey, keyErr = t.keys.Reader(t.keys.Schema())
	if err = cmp.Or(err, keyErr); err != nil {
		t.store.refuse(fmt.Errorf("handle %q: %w", t.name, err))
	}
	t.owned = func(k K) K { return k }
	if c, ok := t.keys.(interface{ Own(K) K }); ok {
		t.owned = c.Own
	}
}

func (t *table[K, V]) at(i uint32) *entry[K, V] { return &t.slabs[i>>slabBits][i&(slabSize-1)] }

// find returns the entry of k, nil if it has none or that has expired.
func (t *table[K, V]) find(k K) (*entry[K, V], uint32) {
	h := t.hash(k)
	i, ok := t.locate(k, h)
	if !ok {
		if t.store.disk == nil || t.pinned {
			return nil, 0
		}
		if i, ok = t.load(k, h); !ok {
			return nil, 0
		}
	}
	e := t.at(i)
	if e.flags&gone != 0 {
		return nil, 0
	}
	if e.expires != 0 {
		now := t.ttl.now(t.store)
		if t.over(e, i, now) {
			t.remove(e, i)
			return nil, 0
		}
		t.extend(e, i, now)
	}
	if e.flags&used == 0 {
		e.flags |= used
	}
	return e, i
}

// ensure returns the entry of k, dirty, and whether it is new.
func (t *table[K, V]) ensure(k K) (*entry[K, V], bool) {
	e, i := t.find(k)
	fresh := e == nil
	if fresh {
		e, i = t.create(k)
	}
	t.touch(e, i)
	return e, fresh
}

// create makes the entry of k, which has none, or a deleted one.
func (t *table[K, V]) create(k K) (*entry[K, V], uint32) {
	h := t.hash(k)
	i, ok := t.locate(k, h)
	if !ok {
		i = t.slot()
		t.insert(h, i)
		e := t.at(i)
		e.key = t.owned(k)
		if t.store.disk != nil {
			e.seq = 1 // the disk may have it
		}
	}
	e := t.at(i)
	e.flags = e.flags&dirty | live | used
	t.count++
	if t.linked != nil {
		t.linked(i)
	}
	t.checkGrowth()
	return e, i
}

func (t *table[K, V]) slot() uint32 {
	if n := len(t.free); n > 0 {
		i := t.free[n-1]
		t.free = t.free[:n-1]
		return i
	}
	if t.end&(slabSize-1) == 0 {
		t.slabs = append(t.slabs, new([slabSize]entry[K, V]))
	}
	t.end++
	return t.end - 1
}

// touch says that e is being changed.
func (t *table[K, V]) touch(e *entry[K, V], i uint32) {
	if e.flags&dirty == 0 {
		e.flags |= dirty
		t.dirts = append(t.dirts, i)
	}
	if t.ttl.After > 0 {
		e.expires = t.ttl.now(t.store) + t.ttl.After.Milliseconds()
	}
}

func (t *table[K, V]) delete(k K) bool {
	e, i := t.find(k)
	if e == nil {
		return false
	}
	t.remove(e, i)
	return true
}

// remove makes e gone; where a piece has a record of it, until the next piece has its end.
func (t *table[K, V]) remove(e *entry[K, V], i uint32) {
	if t.unlinked != nil {
		t.unlinked(i)
	}
	t.count--
	if e.seq == 0 {
		t.vacate(e, i)
		return
	}
	var none V
	e.val, e.expires = none, 0
	e.flags |= gone
	if e.flags&dirty == 0 {
		e.flags |= dirty
		t.dirts = append(t.dirts, i)
	}
}

// vacate takes the slot of e, which nothing links to any more, out of use. It may still be listed as dirty, which means nothing then.
func (t *table[K, V]) vacate(e *entry[K, V], i uint32) {
	h := t.hash(e.key)
	t.index.part(h).remove(uint32(h), i)
	*e = entry[K, V]{}
	t.free = append(t.free, i)
}

// each calls f with every live entry until it returns false; f may delete the entry, not others, and must not change e.
func (t *table[K, V]) each(f func(e *entry[K, V]) bool) {
	now := int64(0)
	if t.ttl.After > 0 {
		now = t.ttl.now(t.store)
	}
	for i := range t.end {
		e := t.at(i)
		if e.flags&(live|gone) != live {
			continue
		}
		if t.over(e, i, now) {
			t.remove(e, i)
			continue
		}
		if !f(e) {
			return
		}
	}
	if t.store.disk != nil && !t.pinned {
		t.eachCold(f)
	}
}

// reset forgets everything.
func (t *table[K, V]) reset() {
	t.index.parts = [indexParts]part{}
	t.slabs, t.free, t.dirts, t.end, t.count, t.hand, t.swept = nil, nil, nil, 0, 0, 0, 0
	t.arrivals.all, t.arrivals.part, t.arrivals.gone = nil, nil, nil
	if t.cleared != nil {
		t.cleared()
	}
}

// liveBytes estimates what the entries in memory take as records.
func (t *table[K, V]) liveBytes() int64 {
	if t.sampled == 0 {
		return int64(t.count) * 32
	}
	return int64(float64(t.count) * float64(t.sampledBytes) / float64(t.sampled))
}

// sample counts the size of one more record. What was long ago counts less.
func (t *table[K, V]) sample(bytes int) {
	t.sampledBytes += int64(bytes)
	if t.sampled++; t.sampled == 1<<16 {
		t.sampled, t.sampledBytes = t.sampled/2, t.sampledBytes/2
	}
}

// describe is the table's row in the header of a segment.
func (t *table[K, V]) describe() tableInfo {
	return tableInfo{ID: t.id, Name: t.name, Kind: t.kind, Key: t.keys.Schema(), Value: t.vals.Schema()}
}

func (t *table[K, V]) path() (name string, id uint16) { return t.name, t.id }
