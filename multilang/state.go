package multilang

import (
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/state"
)

// State of components in other languages. It is kept here, in a state.Store, with all that this brings: incremental checkpoints by key
// group, another number of tasks, a disk below. A child names its states when it answers the handshake, and sees those of the key of the tuple
// at hand: the values of the fields by which its input is grouped. What it is to read comes with the tuple, so no question ever goes from the child to
// here: a key that the child has not got is sent along, and from then on the child's copy is the newest, until the place of the key (a small
// number) is given to another one. That happens only while no tuple of the key is unsettled.
//
// What the child changes comes back in front of the acks of the tuples that it is of, what was changed often since the last frame only once. So when
// nothing is unsettled, which is when a checkpoint is made, all changes are here.
//
// Timers that are due go to the child as tuples do and are acked by it (state_timers.go). What has a time to live goes to it with the moment of its end, since
// its copy has to end as well. Event time is told when it goes on, which is when nothing is unsettled: so both sides have the same at any change.

const (
	keysHeld      = 1 << 14 // keys whose state a child has, unless more are in use
	maxFieldsHeld = 1 << 10 // streams whose key fields are remembered
)

// states is the state of a task whose child declares some. It belongs to the executor.
type states struct {
	decls   []stateDecl
	limit   int // of the bytes that a key has in all states
	store   *state.Store
	handles []stateHandle
	keys    keyCache
	hash    gearcore.HashMode
	fields  map[gearcore.StreamID][]int // of the key in tuples of a stream; empty: they have none
	wiring  *Wiring
	timers  timers
	mark    gearcore.Watermark // event time; 0: not known
	vals    []gearcore.Value   // scratch
	scratch []byte
	ref     keyRef // scratch
}

// newStates makes the empty state of a task. What a key has is bounded by the bytes of a message.
func newStates(ctx *gearcore.Context, w *Wiring, decls []stateDecl, message int) (*states, error) {
	if err := checkKeyed(ctx, w); err != nil {
		return nil, err
	}
	store, err := state.New(state.ConfigOf(ctx, ctx.Component))
	if err != nil {
		return nil, err
	}
	s := &states{decls: decls, limit: message, store: store, hash: ctx.Layout.Hash, wiring: w, fields: map[gearcore.StreamID][]int{}}
	s.keys.reset()
	for i, d := range decls {
		if d.byEventTime() && !hasEventTime(ctx) {
			return nil, fmt.Errorf("state %s of component %s goes by event time, and the topology has none (gearstorm.event.time)", d.name, ctx.Component)
		}
		h := newHandle(store, d)
		if t, ok := h.(*timerHandle); ok {
			t.index = i
			s.timers.handles = append(s.timers.handles, t)
		}
		s.handles = append(s.handles, h)
	}
	return s, store.Err()
}

// checkpointed says whether the topology has checkpoints.
func checkpointed(ctx *gearcore.Context) bool {
	interval := ctx.Conf["gearstorm.checkpoint.interval.ms"]
	return interval != nil && fmt.Sprint(interval) != "0"
}

// hasEventTime says whether the edges of the topology carry watermarks.
func hasEventTime(ctx *gearcore.Context) bool {
	return checkpointed(ctx) || fmt.Sprint(ctx.Conf["gearstorm.event.time"]) == "true"
}

// checkKeyed refuses a component without an input that has a key, or with one whose keys are not in groups where that matters.
func checkKeyed(ctx *gearcore.Context, w *Wiring) error {
	checkpoints, keyed := checkpointed(ctx), false
	for source, streams := range w.Sources {
		for stream, g := range streams {
			if checkpoints && g.Kind == dag.Fields {
				return fmt.Errorf("component %s keeps state in checkpoints, and its input from stream %s of %s is grouped by %s: "+
					"group it by groups of keys (KeyGroups, in YAML KEY_GROUPS), so that the state of a key is where its tuples come", ctx.Component, stream, source, g.Kind)
			}
			keyed = keyed || hasKey(g)
		}
	}
	if !keyed {
		return fmt.Errorf("component %s keeps state by key, and no input of it is grouped by fields", ctx.Component)
	}
	return nil
}

// hasKey says whether tuples that are grouped so have a key which is in one task only.
func hasKey(g dag.Grouping) bool { return g.Kind == dag.Fields || g.Kind == dag.KeyGroups }

// keyOf returns the place of the key of t, for the tuple in slot at of the ones in flight, with its content if the child has not got it.
// The result is good until the next call.
func (s *states) keyOf(t gearcore.Tuple, at uint32) (*keyRef, error) {
	fields := s.fieldsOf(t)
	if len(fields) == 0 {
		s.ref = keyRef{number: -1}
		return &s.ref, nil
	}
	s.vals = s.vals[:0]
	for _, i := range fields {
		s.vals = append(s.vals, normalKey(t.Values()[i], s.hash))
	}
	return s.placeOf(s.vals, at)
}

// placeOf is keyOf for a key that is known.
func (s *states) placeOf(key []gearcore.Value, at uint32) (*keyRef, error) {
	n, fresh, err := s.keys.hold(key, at)
	if err != nil {
		return nil, err
	}
	if s.ref = (keyRef{number: n}); !fresh {
		return &s.ref, nil
	}
	content := make([]gearcore.Value, len(s.handles))
	s.store.Peek(func() {
		for i, h := range s.handles {
			content[i] = h.content(s.keys.slots[n].key)
		}
	})
	s.ref.content = gearcore.List(content)
	return &s.ref, nil
}

// normalKey makes whole numbers of all sizes the same key, as the hash of values does.
func normalKey(v gearcore.Value, mode gearcore.HashMode) gearcore.Value {
	switch v.Kind() {
	case gearcore.KindByte, gearcore.KindShort, gearcore.KindInt:
		if mode == gearcore.HashByValue {
			return gearcore.Long(v.Int())
		}
	}
	return v
}

// fieldsOf returns where in t the fields of its key are.
func (s *states) fieldsOf(t gearcore.Tuple) []int {
	id := t.Row().Stream
	fields, ok := s.fields[id]
	if ok {
		return fields
	}
	if g := s.wiring.Sources[t.Component()][t.Stream()]; hasKey(g) {
		names := s.wiring.SourceFields[t.Component()][t.Stream()]
		for _, f := range g.Fields {
			if i := slices.Index(names, f); i >= 0 && i < len(t.Values()) {
				fields = append(fields, i)
			}
		}
	}
	if len(s.fields) < maxFieldsHeld {
		s.fields[id] = fields
	}
	return fields
}

// change is what a child changes: a state of a key, and a number whose meaning is that of the kind.
type change struct {
	key   int32
	state int32
	n     int64
}

// set stores one of the three numbers.
func (c *change) set(at int, v gearcore.Value) error {
	n, ok := wholeNumber(v)
	if !ok || v.IsNull() || n < 0 || at < 2 && n != int64(int32(n)) {
		return wrongType("a change of state", "small numbers", v)
	}
	switch at {
	case 0:
		c.key = int32(n)
	case 1:
		c.state = int32(n)
	default:
		c.n = n
	}
	return nil
}

// apply makes a change.
func (s *states) apply(c change, vals []gearcore.Value) error {
	if int(c.state) >= len(s.handles) {
		return fmt.Errorf("state %d of %d", c.state, len(s.handles))
	}
	key, ok := s.keys.held(c.key)
	if !ok {
		return fmt.Errorf("key %d, which the child has not got", c.key)
	}
	if err := s.room(c, key, vals); err != nil {
		return err
	}
	if err := s.handles[c.state].change(key, c.n, vals); err != nil {
		return fmt.Errorf("state %s: %w", s.decls[c.state].name, err)
	}
	return nil
}
