package state

import (
	"cmp"
	"slices"
)

// Series is a handle of a list by key whose elements end one by one (WithTTL), each counted from when it was put there. Elements have numbers, which whoever
// puts them there gives them, growing from the front to the end. An element takes as much as an entry of a Map; a List takes a fraction, and ends by chunks.
type Series[K comparable, V any] struct{ m *Map[K, int64, V] }

// NewSeries registers the handle name with s.
func NewSeries[K comparable, V any](s *Store, name string, keys KeyCodec[K], vals Codec[V], opts ...Option) *Series[K, V] {
	q := &Series[K, V]{newMap(s, "series", name, keys, Codec[int64](Ints[int64]()), vals, opts)}
	s.handles = append(s.handles, handle{name, "list", q.get})
	return q
}

// Element is one of a Series.
type Element[V any] struct {
	Number int64
	Value  V
	End    int64 // when it expires, in milliseconds by the clock of the TTL; 0: never
}

// Set makes x element n of k.
func (q *Series[K, V]) Set(k K, n int64, x V) { q.m.Set(k, n, x) }

// All returns the elements of k, in order.
func (q *Series[K, V]) All(k K) []Element[V] {
	var all []Element[V]
	q.m.Each(k, func(n int64, x *V) bool {
		all = append(all, Element[V]{Number: n, Value: *x})
		return true
	})
	for i := range all {
		all[i].End = q.m.End(k, all[i].Number)
	}
	slices.SortFunc(all, func(a, b Element[V]) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

// fewElements is up to where elements are deleted one by one, however many there are.
const fewElements = 64

// Drop removes the elements of k from number first to before number end.
func (q *Series[K, V]) Drop(k K, first, end int64) {
	if end-first <= fewElements {
		for n := first; n < end; n++ {
			q.m.Delete(k, n)
		}
		return
	}
	q.m.Each(k, func(n int64, _ *V) bool {
		if n >= first && n < end {
			q.m.Delete(k, n)
		}
		return true
	})
}

func (q *Series[K, V]) get(key string) (any, bool, error) {
	all, err := parseAll(q.m.t.keys, key)
	if err != nil {
		return nil, false, err
	}
	list := []any{}
	for i := 0; i < len(all) && len(list) == 0; i++ {
		for _, e := range q.All(all[i].Key) {
			if len(list) == maxShown {
				break
			}
			list = append(list, plain(e.Value))
		}
	}
	return list, len(list) > 0, nil
}
