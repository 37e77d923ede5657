package multilang

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
)

const (
	maxStates    = 64
	maxStateName = 255
	maxLife      = 1 << 48 // milliseconds of a TTL: more than 8,000 years
)

// stateDecl is a state as the child declares it.
type stateDecl struct {
	name string
	kind stateKind
	ttl  state.TTL
}

type stateKind string

const (
	stateValue  stateKind = "value"
	stateList   stateKind = "list"
	stateMap    stateKind = "map"
	stateTimers stateKind = "timers" // by event time
	stateClock  stateKind = "clock"  // timers by the clock of this machine
)

func (k stateKind) known() bool {
	switch k {
	case stateValue, stateList, stateMap, stateTimers, stateClock:
		return true
	}
	return false
}

// byEventTime says whether d does anything by event time.
func (d *stateDecl) byEventTime() bool { return d.kind == stateTimers || d.ttl.EventTime }

// readStates takes a list of [name, kind] or [name, kind, options].
func readStates(v gearcore.Value) ([]stateDecl, error) {
	if v.Kind() != gearcore.KindList || len(v.List()) > maxStates {
		return nil, wrongType("states", fmt.Sprintf("a list of at most %d states", maxStates), v)
	}
	var out []stateDecl
	for _, e := range v.List() {
		if e.Kind() != gearcore.KindList || len(e.List()) < 2 || len(e.List()) > 3 {
			return nil, wrongType("states", "lists of a name, a kind and perhaps options", e)
		}
		d := stateDecl{name: strings.Clone(e.List()[0].Str()), kind: stateKind(strings.Clone(e.List()[1].Str()))}
		switch {
		case d.name == "" || len(d.name) > maxStateName:
			return nil, fmt.Errorf("a state has a name of %d bytes, want 1 to %d", len(d.name), maxStateName)
		case !d.kind.known():
			return nil, fmt.Errorf("state %s is of kind %q: value, list, map, timers and clock are known", d.name, d.kind)
		case slices.ContainsFunc(out, func(o stateDecl) bool { return o.name == d.name }):
			return nil, fmt.Errorf("two states are called %s", d.name)
		}
		if len(e.List()) == 3 {
			if err := d.options(e.List()[2]); err != nil {
				return nil, fmt.Errorf("state %s: %w", d.name, err)
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// options takes {"ttl": milliseconds, "event": by event time, "read": reading prolongs}.
func (d *stateDecl) options(v gearcore.Value) error {
	if v.Kind() != gearcore.KindMap {
		return wrongType("options", "a map", v)
	}
	for _, p := range v.Map() {
		switch name := p.Key.Str(); name {
		case "ttl":
			n, ok := wholeNumber(p.Val)
			if !ok || n < 1 || n > maxLife {
				return wrongType(name, "milliseconds from 1 on", p.Val)
			}
			d.ttl.After = time.Duration(min(n, int64(1<<63-1)/int64(time.Millisecond))) * time.Millisecond
		case "event", "read":
			if p.Val.Kind() != gearcore.KindBool {
				return wrongType(name, "true or false", p.Val)
			}
			if name == "event" {
				d.ttl.EventTime = p.Val.Bool()
			} else {
				d.ttl.OnRead = p.Val.Bool()
			}
		default:
			return fmt.Errorf("option %q is not known: there are ttl, event and read", name)
		}
	}
	switch {
	case d.ttl == state.TTL{}:
	case d.ttl.After == 0:
		return fmt.Errorf("options of a ttl without one")
	case d.kind == stateTimers || d.kind == stateClock:
		return fmt.Errorf("timers have no ttl: they go when they are due")
	case d.kind == stateList && d.ttl.OnRead:
		return fmt.Errorf("elements of a list live from when they came, whether they are read or not")
	}
	return nil
}
