package multilang

import (
	"fmt"
	"math"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
)

// stateHandle is one state of a child's component.
type stateHandle interface {
	// content is what k has: a value, a list of a list's elements, a list of a map's entries with their keys, in turns. Null: nothing.
	content(k state.Key) gearcore.Value
	// change changes that. Nothing is kept of vals.
	//
	//	value  vals has the value, or none: there is none any more
	//	list   the first n elements go, and vals comes behind the others
	//	map    n above 0: all entries go first. vals are keys and values, in turns; null: the entry goes
	change(k state.Key, n int64, vals []gearcore.Value) error
}

func newHandle(s *state.Store, d stateDecl) stateHandle {
	switch d.kind {
	case stateList:
		return listHandle{state.NewList(s, d.name, state.Keys(), state.Values())}
	case stateMap:
		return mapHandle{state.NewMap(s, d.name, state.Keys(), state.Codec[state.Key](state.Keys()), state.Values())}
	}
	return valueHandle{state.NewValue(s, d.name, state.Keys(), state.Values())}
}

type valueHandle struct {
	v *state.Value[state.Key, gearcore.Value]
}

func (h valueHandle) content(k state.Key) gearcore.Value {
	v, _ := h.v.Get(k)
	return v
}

func (h valueHandle) change(k state.Key, _ int64, vals []gearcore.Value) error {
	switch {
	case len(vals) > 1:
		return fmt.Errorf("%d values at once", len(vals))
	case len(vals) == 0 || vals[0].IsNull():
		h.v.Delete(k)
	default:
		h.v.Set(k, keep(vals[0]))
	}
	return nil
}

type listHandle struct {
	l *state.List[state.Key, gearcore.Value]
}

func (h listHandle) content(k state.Key) gearcore.Value {
	n := h.l.Len(k)
	if n == 0 {
		return gearcore.Null()
	}
	out := make([]gearcore.Value, 0, n)
	h.l.Each(k, func(_ int, v gearcore.Value) bool {
		out = append(out, v)
		return true
	})
	return gearcore.List(out)
}

func (h listHandle) change(k state.Key, n int64, vals []gearcore.Value) error {
	h.l.DropFirst(k, int(min(n, math.MaxInt32)))
	for i := range vals {
		h.l.Append(k, keep(vals[i]))
	}
	return nil
}

type mapHandle struct {
	m *state.Map[state.Key, state.Key, gearcore.Value]
}

func (h mapHandle) content(k state.Key) gearcore.Value {
	var out []gearcore.Value
	h.m.Each(k, func(sub state.Key, v *gearcore.Value) bool {
		out = append(append(out, sub.Values()...), *v)
		return true
	})
	if out == nil {
		return gearcore.Null()
	}
	return gearcore.List(out)
}

func (h mapHandle) change(k state.Key, n int64, vals []gearcore.Value) error {
	if n > 0 {
		h.m.Clear(k)
	}
	if len(vals)%2 != 0 {
		return fmt.Errorf("%d keys and values", len(vals))
	}
	for i := 0; i < len(vals); i += 2 {
		switch vals[i].Kind() {
		case gearcore.KindString, gearcore.KindInt, gearcore.KindLong:
		default:
			return fmt.Errorf("a %s as key of an entry: texts and whole numbers are known", vals[i].Kind())
		}
		sub, err := state.KeyOf(vals[i])
		switch {
		case err != nil:
			return err
		case vals[i+1].IsNull():
			h.m.Delete(k, sub)
		default:
			h.m.Set(k, sub, keep(vals[i+1]))
		}
	}
	return nil
}
