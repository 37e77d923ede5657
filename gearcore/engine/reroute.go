package engine

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// What comes for a task that no plan has any more is emitted anew, row by row, to the tasks that its component has now, by the
// grouping of the stream. There is no more of it than was under way when the plan changed. Where nobody takes it, because the component is
// gone or does not hear of the stream any more, the tree fails; a tuple that is not tracked is dropped and counted (Engine.Homeless). In a topology with checkpoints nothing comes that counts: behind
// the marker of a birth nobody sends to tasks that went with it.

// heirs is the Outlet to a task that is gone.
type heirs struct{ x *executor }

func (h heirs) Push(b *gearcore.Batch) bool { h.x.e.reroute(b); return true }
func (heirs) HasRoom() bool                 { return true }
func (heirs) Notify(wake func())            { wake() }

// homeless is what becomes of tuples for tasks that are gone.
type homeless struct {
	dropped atomic.Uint64 // not tracked, and nobody took them

	mu    sync.Mutex
	of    *dag.Plan                                      // guarded by mu: whose routes picks are
	picks map[*dag.Route]func(vals []gearcore.Value) int // guarded by mu
}

// Homeless returns how many tuples that were not tracked were dropped because the component they were for is gone.
func (e *Engine) Homeless() uint64 { return e.homeless.dropped.Load() }

// reroute emits the tuples of b, whose target is gone, anew.
func (e *Engine) reroute(b *gearcore.Batch) {
	if len(b.Acks) > 0 || b.From == gearcore.SystemTask || e.isEnding() {
		finish(b)
		return
	}
	r := e.roster.Load()
	var settled []gearcore.Ack
	var out []*gearcore.Batch
	at := map[gearcore.TaskID]*gearcore.Batch{}
	for i := range b.Rows {
		t := b.Tuple(i)
		if t.Row().Flags&gearcore.RowSettled != 0 {
			continue
		}
		to, op := e.heirOf(r, b.Target, t)
		if op != 0 {
			settled = e.endRow(settled, t, op)
			continue
		}
		c := at[to]
		if c == nil {
			c = &gearcore.Batch{Layout: r.plan.Layout, Target: to, From: b.From}
			at[to], out = c, append(out, c)
		}
		c.Append(t.Row().Stream, t.SourceTask(), own(t.Values()), t.Roots())
	}
	if len(settled) > 0 {
		e.Settle(settled)
	}
	finish(b)
	for _, c := range out {
		c.Size = c.Bytes()
		e.passOn(nil, c)
	}
}

// endRow notes what becomes of a tuple that nobody gets.
func (e *Engine) endRow(acks []gearcore.Ack, t gearcore.Tuple, op gearcore.AckOp) []gearcore.Ack {
	roots := t.Roots()
	if len(roots) == 0 && op == gearcore.AckFail {
		e.homeless.dropped.Add(1)
	}
	for _, r := range roots {
		acks = append(acks, gearcore.Ack{Root: r.Root, Val: r.Edge, Op: op})
	}
	return acks
}

// heirOf returns which task gets a tuple that was for a task which is gone; or what becomes of it if none does.
func (e *Engine) heirOf(r *roster, gone gearcore.TaskID, t gearcore.Tuple) (gearcore.TaskID, gearcore.AckOp) {
	name := r.plan.Layout.Gone[gone]
	routes := r.plan.Routes[t.Row().Stream]
	i := slices.IndexFunc(routes, func(o dag.Route) bool { return o.Target.Name == name })
	if i < 0 || len(routes[i].Tasks) == 0 {
		return 0, gearcore.AckFail
	}
	o, place := &routes[i], r.places[gone]
	switch o.Grouping.Kind {
	case dag.All: // each of the tasks there were had one of its own
		if place >= len(o.Tasks) {
			return 0, gearcore.AckDone
		}
		return o.Tasks[place], 0
	case dag.Direct, dag.Custom, dag.Foreign: // whoever chose it did so by its place
		return o.Tasks[place%len(o.Tasks)], 0
	}
	return o.Tasks[e.homeless.pick(e, r, o, t.Values())], 0
}

// heirOf returns the task that has the place of one that is gone, among those that its component has now, and the route to it; nil, 0
// if the component is gone too or does not hear of o any more. Code that goes on may know tasks by their old numbers.
func (o *output) heirOf(r *roster, gone gearcore.TaskID) (*route, gearcore.TaskID) {
	for i := range o.routes {
		if to := &o.routes[i]; to.plan.Target.Name == r.plan.Layout.Gone[gone] && len(to.tasks) > 0 {
			return to, to.tasks[r.places[gone]%len(to.tasks)]
		}
	}
	return nil, 0
}

// pick chooses by a grouping of r.
func (h *homeless) pick(e *Engine, r *roster, o *dag.Route, vals []gearcore.Value) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of != r.plan {
		h.of, h.picks = r.plan, map[*dag.Route]func([]gearcore.Value) int{}
	}
	f := h.picks[o]
	if f == nil {
		turn := 0
		f = func([]gearcore.Value) int { turn++; return turn % len(o.Tasks) }
		if p, err := dag.NewPartitioner(o, r.plan.Graph.Hash, mix(e.cfg.Seed)); p != nil && err == nil {
			f = p.Pick
		}
		h.picks[o] = f
	}
	return f(vals)
}

// own returns copies of values that hold nothing of the batch they come from: that may be used again.
func own(vals []gearcore.Value) []gearcore.Value {
	out := make([]gearcore.Value, len(vals))
	for i, v := range vals {
		out[i] = ownValue(v)
	}
	return out
}

func ownValue(v gearcore.Value) gearcore.Value {
	switch v.Kind() {
	case gearcore.KindString:
		return gearcore.Str(strings.Clone(v.Str()))
	case gearcore.KindBytes:
		return gearcore.Bytes(slices.Clone(v.Bytes()))
	case gearcore.KindList:
		return gearcore.List(own(v.List()))
	case gearcore.KindMap:
		ps := slices.Clone(v.Map())
		for i := range ps {
			ps[i].Key, ps[i].Val = ownValue(ps[i].Key), ownValue(ps[i].Val)
		}
		return gearcore.Map(ps)
	}
	return v
}
