package stream

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore/state"
)

// State is where a Processor keeps what it knows by key. It belongs to one task. Handles are made of it when the Processor is; each of
// them is of the key whose value or timer is being handled.
type State[K comparable] struct {
	store   *state.Store
	keys    state.KeyCodec[K]
	key     K
	handles map[string]any // by name: a Processor that is made anew after a rollback finds its handles again
	err     error          // the first mistake
}

func newState[K comparable](s *state.Store, keys state.KeyCodec[K]) *State[K] {
	return &State[K]{store: s, keys: keys, handles: map[string]any{}}
}

// handleOf returns the handle of that name, which make makes the first time, with the codec of V.
func handleOf[H, V any, K comparable](s *State[K], name string, make func(state.Codec[V]) H) H {
	if h, ok := s.handles[name]; ok {
		if typed, same := h.(H); same {
			return typed
		}
		s.fail(fmt.Errorf("two handles of state are called %q", name))
	}
	c, err := StateCodec[V]()
	if err != nil {
		s.fail(fmt.Errorf("handle %q of state: %w", name, err))
	}
	h := make(c)
	s.handles[name] = h
	return h
}

func (s *State[K]) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// Value is a value of the present key.
type Value[K comparable, V any] struct {
	s *State[K]
	v *state.Value[K, V]
}

// NewValue returns the value called name. opts may give it an end (state.WithTTL). V is made of exported fields (StateCodec).
func NewValue[V any, K comparable](s *State[K], name string, opts ...state.Option) *Value[K, V] {
	return handleOf(s, name, func(c state.Codec[V]) *Value[K, V] {
		return &Value[K, V]{s, state.NewValue(s.store, name, s.keys, c, opts...)}
	})
}

// Get returns the value and whether there is one. What is inside (slices, maps) is changed by Update only.
func (v *Value[K, V]) Get() (V, bool) { return v.v.Get(v.s.key) }

// Set makes x the value.
func (v *Value[K, V]) Set(x V) { v.v.Set(v.s.key, x) }

// Update lets f change the value in place; without one it gets a zero value first.
func (v *Value[K, V]) Update(f func(x *V)) { v.v.Update(v.s.key, f) }

// Delete removes the value.
func (v *Value[K, V]) Delete() { v.v.Delete(v.s.key) }

// List is a list of the present key, which grows at its end and shrinks at its front.
type List[K comparable, V any] struct {
	s *State[K]
	l *state.List[K, V]
}

// NewList returns the list called name.
func NewList[V any, K comparable](s *State[K], name string, opts ...state.Option) *List[K, V] {
	return handleOf(s, name, func(c state.Codec[V]) *List[K, V] {
		return &List[K, V]{s, state.NewList(s.store, name, s.keys, c, opts...)}
	})
}

// Append puts x at the end.
func (l *List[K, V]) Append(x ...V) { l.l.Append(l.s.key, x...) }

// Len is how many elements there are.
func (l *List[K, V]) Len() int { return l.l.Len(l.s.key) }

// Each calls f with the elements in order until it returns false. f must not change the list.
func (l *List[K, V]) Each(f func(i int, x V) bool) { l.l.Each(l.s.key, f) }

// DropFirst removes the first n elements, or all if there are no more than that.
func (l *List[K, V]) DropFirst(n int) { l.l.DropFirst(l.s.key, n) }

// Delete removes the list.
func (l *List[K, V]) Delete() { l.l.Delete(l.s.key) }

// Table is a map of the present key, whose entries are kept one by one.
type Table[K, M comparable, V any] struct {
	s *State[K]
	m *state.Map[K, M, V]
}

// NewTable returns the map called name.
func NewTable[M comparable, V any, K comparable](s *State[K], name string, opts ...state.Option) *Table[K, M, V] {
	subs, err := StateCodec[M]()
	if err != nil {
		s.fail(fmt.Errorf("handle %q of state: its keys: %w", name, err))
	}
	return handleOf(s, name, func(c state.Codec[V]) *Table[K, M, V] {
		return &Table[K, M, V]{s, state.NewMap(s.store, name, s.keys, subs, c, opts...)}
	})
}

// Get returns the entry of sub and whether there is one.
func (m *Table[K, M, V]) Get(sub M) (V, bool) { return m.m.Get(m.s.key, sub) }

// Set makes x the entry of sub.
func (m *Table[K, M, V]) Set(sub M, x V) { m.m.Set(m.s.key, sub, x) }

// Update lets f change the entry of sub in place; without one it gets a zero value first.
func (m *Table[K, M, V]) Update(sub M, f func(x *V)) { m.m.Update(m.s.key, sub, f) }

// Delete removes the entry of sub.
func (m *Table[K, M, V]) Delete(sub M) { m.m.Delete(m.s.key, sub) }

// Each calls f with the entries, in no order, until it returns false. f may delete the one it is given.
func (m *Table[K, M, V]) Each(f func(sub M, x *V) bool) { m.m.Each(m.s.key, f) }

// Clear removes all entries.
func (m *Table[K, M, V]) Clear() { m.m.Clear(m.s.key) }
