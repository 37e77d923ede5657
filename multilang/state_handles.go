package multilang

import (
	"fmt"
	"math"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
)

// stateHandle is one state of a child's component.
type stateHandle interface {
	// content is what k has. Null: nothing. With a TTL the moment of its end follows each thing, in milliseconds since 1970.
	//
	//	value   the value; with a TTL a list of the value and its end
	//	list    a list of the elements; with a TTL a list of the number of the first one, and of elements and their ends, in turns
	//	map     a list of keys and values, in turns; with a TTL of keys, values and ends
	//	timers  null
	content(k state.Key) gearcore.Value
	// change changes that. Nothing is kept of vals.
	//
	//	value   vals has the value, or none: there is none any more
	//	list    the first n elements go, and vals comes behind the others. With a TTL vals has a number, from which to before number n elements go, and the
	//	        number of the first of the elements that follow it
	//	map     n above 0: all entries go first. vals are keys and values, in turns; null: the entry goes
	//	timers  vals are moments and whether they are set, in turns
	change(k state.Key, n int64, vals []gearcore.Value) error
	// grows says whether such a change can make what a key has larger, replaces whether nothing is left of what there was.
	grows(n int64, vals []gearcore.Value) bool
	replaces(n int64) bool
}

func newHandle(s *state.Store, d stateDecl) stateHandle {
	ages, ttl := d.ttl.After > 0, state.WithTTL(d.ttl)
	switch d.kind {
	case stateList:
		if ages {
			return seriesHandle{state.NewSeries(s, d.name, state.Keys(), state.Values(), ttl)}
		}
		return listHandle{state.NewList(s, d.name, state.Keys(), state.Values())}
	case stateMap:
		return mapHandle{state.NewMap(s, d.name, state.Keys(), state.Codec[state.Key](state.Keys()), state.Values(), ttl), ages}
	case stateTimers, stateClock:
		return &timerHandle{q: state.NewTimers(s, d.name, state.Keys()), clock: d.kind == stateClock}
	}
	return valueHandle{state.NewValue(s, d.name, state.Keys(), state.Values(), ttl), ages}
}

type valueHandle struct {
	v    *state.Value[state.Key, gearcore.Value]
	ages bool
}

func (h valueHandle) content(k state.Key) gearcore.Value {
	v, ok := h.v.Get(k)
	if ok && h.ages {
		return gearcore.List([]gearcore.Value{v, gearcore.Long(h.v.End(k))})
	}
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

// seriesHandle is a list with a TTL.
type seriesHandle struct {
	q *state.Series[state.Key, gearcore.Value]
}

func (h seriesHandle) content(k state.Key) gearcore.Value {
	all := h.q.All(k)
	if len(all) == 0 {
		return gearcore.Null()
	}
	out := append(make([]gearcore.Value, 0, 1+2*len(all)), gearcore.Long(all[0].Number))
	for _, e := range all {
		out = append(out, e.Value, gearcore.Long(e.End))
	}
	return gearcore.List(out)
}

func (h seriesHandle) change(k state.Key, n int64, vals []gearcore.Value) error {
	if len(vals) < 2 {
		return fmt.Errorf("%d values for a list with a ttl, want two numbers and elements", len(vals))
	}
	from, ok1 := wholeNumber(vals[0])
	first, ok2 := wholeNumber(vals[1])
	if !ok1 || !ok2 || from < 0 || first < 0 || n > maxMoment || first > maxMoment {
		return fmt.Errorf("elements from %s to %d go, and more come from %s on", vals[0].Text(), n, vals[1].Text())
	}
	h.q.Drop(k, from, n)
	for i, v := range vals[2:] {
		h.q.Set(k, first+int64(i), keep(v))
	}
	return nil
}

type mapHandle struct {
	m    *state.Map[state.Key, state.Key, gearcore.Value]
	ages bool
}

func (h mapHandle) content(k state.Key) gearcore.Value {
	var out []gearcore.Value
	h.m.Each(k, func(sub state.Key, v *gearcore.Value) bool {
		out = append(append(out, sub.Values()...), *v)
		if h.ages {
			out = append(out, gearcore.Long(h.m.End(k, sub)))
		}
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
