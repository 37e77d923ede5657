package state

import (
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// tableLoader reads the records of one table in one segment.
type tableLoader[K comparable, V any] struct {
	t     *table[K, V]
	key   Read[K]
	val   Read[V]
	texts gearcore.Chunk
	buf   []byte
}

func (t *table[K, V]) loader(info tableInfo) (loader, error) {
	if info.Kind != t.kind {
		return nil, fmt.Errorf("it was a %s and is registered as a %s", info.Kind, t.kind)
	}
	l := &tableLoader[K, V]{t: t}
	var err error
	if l.key, err = t.keys.Reader(info.Key); err != nil {
		return nil, fmt.Errorf("its key: %w", err)
	}
	if l.val, err = t.vals.Reader(info.Value); err != nil {
		return nil, fmt.Errorf("its value: %w", err)
	}
	return l, nil
}

// loaded are decoded records.
type loaded[K comparable, V any] struct {
	seq     uint32
	bytes   int
	entries []entry[K, V]
	hashes  []uint64
}

func (l *tableLoader[K, V]) decode(recs [][]byte, seq uint32) (any, error) {
	b, _ := l.t.spare.Get().(*loaded[K, V])
	if b == nil {
		b = &loaded[K, V]{}
	}
	b.seq, b.bytes = seq, 0
	b.entries, b.hashes = slices.Grow(b.entries, len(recs))[:len(recs)], slices.Grow(b.hashes, len(recs))[:len(recs)]
	for i, rec := range recs {
		if err := l.entry(rec, &b.entries[i]); err != nil {
			return nil, fmt.Errorf("handle %q: %w", l.t.name, err)
		}
		b.bytes += len(rec)
		b.hashes[i] = l.t.hash(b.entries[i].key)
	}
	return b, nil
}

func (l *tableLoader[K, V]) entry(rec []byte, e *entry[K, V]) error {
	r := codec.NewReader(recKey(rec), ErrCorrupt)
	r.Texts = &l.texts
	l.key(&r, &e.key)
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
	r = codec.NewReader(value, ErrCorrupt)
	r.Texts = &l.texts
	l.val(&r, &e.val)
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

func (l *tableLoader[K, V]) apply(batch any) {
	b := batch.(*loaded[K, V])
	t := l.t
	t.index.touch(b.hashes)
	for n := range b.entries {
		in := &b.entries[n]
		i, ok := t.locate(in.key, b.hashes[n])
		if !ok {
			i = t.slot()
			t.insert(b.hashes[n], i)
		} else if t.at(i).seq >= b.seq {
			continue
		}
		in.seq = b.seq
		*t.at(i) = *in
	}
	t.sampled += int64(len(b.entries))
	t.sampledBytes += int64(b.bytes)
	clear(b.entries)
	b.entries, b.hashes = b.entries[:0], b.hashes[:0]
	t.spare.Put(b)
}

// settle takes up what was applied, when all of it was.
func (t *table[K, V]) settle() {
	for i := range t.end {
		e := t.at(i)
		if e.flags&gone != 0 {
			t.vacate(e, i)
			continue
		}
		t.count++
		if t.linked != nil {
			t.linked(i)
		}
	}
}
