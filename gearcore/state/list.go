package state

import (
	"math"

	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// listChunk is how many elements of a list are kept, and written in checkpoints, together.
const listChunk = 16

// List is a handle of a list by key, which grows at its end and shrinks at its front. A checkpoint costs the chunks that changed.
type List[K comparable, V any] struct {
	spans  *table[K, listSpan]
	chunks *table[Pair[K, uint64], []V]
}

// listSpan says which elements a list has, by numbers that never change.
type listSpan struct{ First, End uint64 }

// NewList registers the handle name with s.
func NewList[K comparable, V any](s *Store, name string, keys KeyCodec[K], vals Codec[V], opts ...Option) *List[K, V] {
	l := &List[K, V]{
		spans:  newTable(s, "list", name, keys, listSpans{}, opts),
		chunks: newTable(s, "chunks", name+"#", Pairs(keys, Codec[uint64](Ints[uint64]())), Slices(vals), opts),
	}
	s.handles = append(s.handles, handle{name, "list", l.get})
	return l
}

// Append puts x at the end of k's list.
func (l *List[K, V]) Append(k K, x ...V) {
	e, _ := l.spans.ensure(k)
	for i := range x {
		c := l.room(k, &e.val)
		c.val = append(c.val, x[i])
		e.val.End++
	}
}

// room returns the chunk for what comes next. Chunks end by themselves (WithTTL): where one has, with fewer elements than go into it, the list goes on
// with the next; where one has outlived its list it is begun anew.
func (l *List[K, V]) room(k K, s *listSpan) *entry[Pair[K, uint64], []V] {
	at := Pair[K, uint64]{k, s.End / listChunk}
	c, fresh := l.chunks.ensure(at)
	if fresh && s.End%listChunk > 0 {
		l.chunks.delete(at)
		at.Sub++
		s.End = at.Sub * listChunk
		c, _ = l.chunks.ensure(at)
	}
	if s.End%listChunk == 0 {
		c.val = make([]V, 0, listChunk)
	}
	return c
}

// find is find of spans. It has the list of k begin with the first element that is there, since chunks end by themselves (WithTTL), the oldest first.
// That is found anew after a restore, and not written.
func (l *List[K, V]) find(k K) (*entry[K, listSpan], uint32) {
	e, i := l.spans.find(k)
	if e == nil || l.chunks.ttl.After == 0 {
		return e, i
	}
	l.chunks.store.Peek(func() {
		for s := &e.val; s.First < s.End && l.from(k, s.First) == nil; {
			s.First = min(s.First-s.First%listChunk+listChunk, s.End)
		}
	})
	return e, i
}

// from returns the elements of k from at on that are in its chunk, nil if that has expired.
func (l *List[K, V]) from(k K, at uint64) []V {
	c, _ := l.chunks.find(Pair[K, uint64]{k, at / listChunk})
	if c == nil || at%listChunk >= uint64(len(c.val)) {
		return nil
	}
	return c.val[at%listChunk:]
}

// Len is how many elements k has.
func (l *List[K, V]) Len(k K) int {
	if e, _ := l.find(k); e != nil {
		return int(e.val.End - e.val.First)
	}
	return 0
}

// Get returns element i of k, 0 being the first.
func (l *List[K, V]) Get(k K, i int) (V, bool) {
	var none V
	e, _ := l.find(k)
	if e == nil || i < 0 || uint64(i) >= e.val.End-e.val.First {
		return none, false
	}
	if vals := l.from(k, e.val.First+uint64(i)); vals != nil {
		return vals[0], true
	}
	return none, false
}

// Each calls f with the elements of k in order until f returns false. f must not change k.
func (l *List[K, V]) Each(k K, f func(i int, x V) bool) {
	e, _ := l.find(k)
	if e == nil {
		return
	}
	first, end := e.val.First, e.val.End
	for at := first; at < end; {
		vals := l.from(k, at)
		if vals == nil { // it has expired
			at += listChunk - at%listChunk
			continue
		}
		for _, x := range vals[:min(uint64(len(vals)), end-at)] {
			if !f(int(at-first), x) {
				return
			}
			at++
		}
	}
}

// DropFirst removes the first n elements of k, or all if there are no more than that.
func (l *List[K, V]) DropFirst(k K, n int) {
	e, i := l.find(k)
	if e == nil || n <= 0 {
		return
	}
	from, to := e.val.First, min(e.val.First+uint64(n), e.val.End)
	last := to / listChunk
	if to == e.val.End {
		last = (to + listChunk - 1) / listChunk
		l.spans.remove(e, i)
	} else {
		l.spans.touch(e, i)
		e.val.First = to
	}
	for c := from / listChunk; c < last; c++ {
		l.chunks.delete(Pair[K, uint64]{k, c})
	}
}

// Delete removes k's list.
func (l *List[K, V]) Delete(k K) { l.DropFirst(k, math.MaxInt) }

// EachKey calls f with the keys that have a list, in no order, until f returns false.
func (l *List[K, V]) EachKey(f func(k K) bool) {
	l.spans.each(func(e *entry[K, listSpan]) bool { return f(e.key) })
}

type listSpans struct{}

func (listSpans) Schema() string { return "span" }

func (listSpans) Append(buf []byte, v *listSpan) ([]byte, error) {
	u := ints[uint64]{}
	buf, _ = u.Append(buf, &v.First)
	return u.Append(buf, &v.End)
}

func (listSpans) Reader(schema string) (Read[listSpan], error) {
	if schema != "span" {
		return nil, schemaError[listSpan](schema, "span")
	}
	return func(r *codec.Reader, v *listSpan) {
		if v.First, v.End = r.Uvarint(), r.Uvarint(); v.First > v.End {
			r.Fail("a list from %d to %d", v.First, v.End)
		}
	}, nil
}

// Slices is the codec of a slice of what c writes.
func Slices[V any](c Codec[V]) Codec[[]V] { return slicesOf[V]{c} }

type slicesOf[V any] struct{ c Codec[V] }

func (s slicesOf[V]) Schema() string { return "[" + s.c.Schema() + "]" }

func (s slicesOf[V]) Append(buf []byte, v *[]V) (_ []byte, err error) {
	buf = codec.AppendLen(buf, len(*v))
	for i := range *v {
		if buf, err = s.c.Append(buf, &(*v)[i]); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

func (s slicesOf[V]) Reader(schema string) (Read[[]V], error) {
	if len(schema) < 2 || schema[0] != '[' || schema[len(schema)-1] != ']' {
		return nil, schemaError[[]V](schema, s.Schema())
	}
	read, err := s.c.Reader(schema[1 : len(schema)-1])
	if err != nil {
		return nil, err
	}
	return func(r *codec.Reader, v *[]V) {
		n := r.Uvarint()
		if n > maxElements {
			r.Fail("a list of %d elements", n)
			return
		}
		list := make([]V, 0, min(n, 64))
		for ; n > 0 && r.Err == nil; n-- {
			var x V
			read(r, &x)
			list = append(list, x)
		}
		*v = list
	}, nil
}

// maxElements bounds what is believed about the length of a slice or map whose elements may take no bytes.
const maxElements = 1 << 24
