package state

import (
	"fmt"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// tableLoader reads the records of one table in one segment. It writes each into the slot where it stays.
type tableLoader[K comparable, V any] struct {
	t     *table[K, V]
	key   Read[K]
	val   Read[V]
	r     codec.Reader // of all keys and values: one for each would be on the heap
	texts gearcore.Chunk
	buf   []byte

	to      *arrived[K, V] // nil: there is none yet
	gone    []uint32
	records int64
	bytes   int64
}

// arrived are entries of which the index does not know yet.
type arrived[K comparable, V any] struct {
	entries *[slabSize]entry[K, V]
	hashes  [slabSize]uint64
	first   uint32 // slot of the first
	n       int    // how many there are
}

// arrivals are what all loaders of a table have brought since it was empty.
type arrivals[K comparable, V any] struct {
	mu   sync.Mutex // over the table's slabs too, while there are loaders
	all  []*arrived[K, V]
	part []*arrived[K, V] // with room left, and nobody fills them
	gone []uint32         // slots of deleted entries
}

func (t *table[K, V]) loader(info tableInfo) (loader, error) {
	if info.Kind != t.kind {
		return nil, fmt.Errorf("it was a %s and is registered as a %s", info.Kind, t.kind)
	}
	l := &tableLoader[K, V]{t: t, r: codec.NewReader(nil, ErrCorrupt)}
	l.r.Texts = &l.texts
	var err error
	if l.key, err = t.keys.Reader(info.Key); err != nil {
		return nil, fmt.Errorf("its key: %w", err)
	}
	if l.val, err = t.vals.Reader(info.Value); err != nil {
		return nil, fmt.Errorf("its value: %w", err)
	}
	return l, nil
}

func (l *tableLoader[K, V]) take(recs [][]byte, seq uint32) error {
	for _, rec := range recs {
		if l.to == nil || l.to.n == slabSize {
			l.to = l.t.room()
		}
		n := l.to.n
		e := &l.to.entries[n]
		if err := l.entry(rec, e); err != nil {
			return fmt.Errorf("handle %q: %w", l.t.name, err)
		}
		e.seq = seq
		l.to.hashes[n] = l.t.hash(e.key)
		l.to.n++
		if e.flags&gone != 0 {
			l.gone = append(l.gone, l.to.first+uint32(n))
		}
		l.bytes += int64(len(rec))
	}
	l.records += int64(len(recs))
	return nil
}

func (l *tableLoader[K, V]) done() {
	a := &l.t.arrivals
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.to != nil && l.to.n < slabSize {
		a.part = append(a.part, l.to)
	}
	a.gone = append(a.gone, l.gone...)
	l.t.sampled += l.records
	l.t.sampledBytes += l.bytes
	l.to, l.gone, l.records, l.bytes = nil, nil, 0, 0
}

// room returns a slab with free slots, for one loader.
func (t *table[K, V]) room() *arrived[K, V] {
	a := &t.arrivals
	if r := a.left(); r != nil {
		return r
	}
	r := &arrived[K, V]{entries: new([slabSize]entry[K, V])}
	a.mu.Lock()
	defer a.mu.Unlock()
	r.first = t.end
	t.end += slabSize
	t.slabs = append(t.slabs, r.entries)
	a.all = append(a.all, r)
	return r
}

// left returns a slab that another loader has not filled, if there is one.
func (a *arrivals[K, V]) left() *arrived[K, V] {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.part)
	if n == 0 {
		return nil
	}
	r := a.part[n-1]
	a.part = a.part[:n-1]
	return r
}

func (l *tableLoader[K, V]) entry(rec []byte, e *entry[K, V]) error {
	r := &l.r
	r.Reset(recKey(rec))
	l.key(r, &e.key)
	if len(r.Rest) > 0 {
		r.Fail("a key has %d bytes too many", len(r.Rest))
	}
	if r.Err != nil {
		return r.Err
	}
	e.flags = live
	if recFlags(rec)&flagGone != 0 {
		e.flags |= gone
		return nil
	}
	var value []byte
	e.expires, value = recRest(rec)
	r.Reset(value)
	l.val(r, &e.val)
	if len(r.Rest) > 0 {
		r.Fail("a value has %d bytes too many", len(r.Rest))
	}
	return r.Err
}

func (l *tableLoader[K, V]) again(rec []byte) ([]byte, error) {
	var e entry[K, V]
	if err := l.entry(rec, &e); err != nil {
		return nil, fmt.Errorf("handle %q: %w", l.t.name, err)
	}
	var err error
	l.buf, err = l.t.encode(l.buf, &e)
	return l.buf, err
}
