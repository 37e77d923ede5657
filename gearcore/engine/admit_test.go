package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// stalled is the way to a task elsewhere that has no credit: what is pushed waits.
type stalled struct{ queue []*gearcore.Batch }

func (s *stalled) Push(b *gearcore.Batch) bool { s.queue = append(s.queue, b); return true }
func (s *stalled) HasRoom() bool               { return true }
func (s *stalled) Notify(wake func())          { wake() }

// listing is a bolt that lists the numbers it gets, in order.
func listing(got *[]int64) func(dag.Task) any {
	return executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
		*got = append(*got, t.Int(0))
		c.Ack(t)
		return nil
	})
}

// listed is a topology of src and a bolt that lists what it gets, and that bolt's executor.
func listed(t *testing.T, src *counter, got *[]int64) (Config, []dag.Executor) {
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("sink", dag.Bolt, 1, 1, listing(got), from("src", dag.Shuffle))
	cfg := top.config(t)
	return cfg, spans(cfg.Plan, "sink", [2]int{0, 0})
}

// upTo returns 0 to n-1.
func upTo(n int64) (out []int64) {
	for v := range n {
		out = append(out, v)
	}
	return out
}

// TestWhatWaitedForALinkComesFirst moves a task to the worker of its sender: what waited for the link, what the sender sent by the link
// after the change, and what it delivers itself are executed in that order.
func TestWhatWaitedForALinkComesFirst(t *testing.T) {
	src := &counter{}
	var got []int64
	cfg, sink := listed(t, src, &got)
	cfg.Local = without(cfg.Local, sink)
	link := &stalled{}
	cfg.Remote = func(gearcore.TaskID) Outlet { return link }
	d, clock := newDriver(t, cfg)
	d.Activate()
	emit := func(n int64) {
		src.limit += n
		clock.now.Add(int64(time.Second)) // the source is asked again
		d.Fire()
		settle(t, d)
	}
	for range 3 {
		emit(10)
	}
	if len(link.queue) < 3 {
		t.Fatalf("%d batches wait for the link", len(link.queue))
	}
	apply(t, d.Engine, Change{Version: 1, Add: sink, Hold: true})
	late := link.queue[len(link.queue)-1]
	if !d.TakeBack(late, false) {
		t.Fatal("the task is not here")
	}
	emit(10)
	if len(got) > 0 {
		t.Fatalf("%d tuples are executed before it is admitted", len(got))
	}
	for _, b := range link.queue[:len(link.queue)-1] {
		if !d.TakeBack(b, true) {
			t.Fatal("the task is not here")
		}
	}
	emit(10)
	d.Admit()
	settle(t, d)
	emit(10)
	if !slices.Equal(got, upTo(60)) {
		t.Errorf("executed are %v", got)
	}
	if !d.Quiet() {
		t.Error("something is still under way")
	}
	d.Close()
}

// TestNextChangeAdmits: who was not admitted is by the next change.
func TestNextChangeAdmits(t *testing.T) {
	var got []int64
	cfg, sink := listed(t, &counter{limit: 10}, &got)
	cfg.Local = without(cfg.Local, sink)
	link := &stalled{}
	cfg.Remote = func(gearcore.TaskID) Outlet { return link }
	d, _ := newDriver(t, cfg)
	d.Activate()
	settle(t, d)
	apply(t, d.Engine, Change{Version: 1, Add: sink, Hold: true})
	for _, b := range link.queue {
		d.TakeBack(b, true)
	}
	settle(t, d)
	apply(t, d.Engine, Change{Version: 2})
	settle(t, d)
	if !slices.Equal(got, upTo(10)) {
		t.Errorf("executed are %v", got)
	}
	d.Close()
}

// TestLeaverLingers: what comes over links for a task that has left is executed here for a while, then passed on.
func TestLeaverLingers(t *testing.T) {
	var got []int64
	cfg, sink := listed(t, &counter{}, &got)
	away := &farAway{}
	cfg.Remote = func(gearcore.TaskID) Outlet { return away }
	d, clock := newDriver(t, cfg)
	d.Activate()
	settle(t, d)
	next := int64(0)
	deliver := func(plan uint64) {
		b := &gearcore.Batch{Target: sink[0].First, From: 3, Plan: plan}
		b.Append(0, 3, []gearcore.Value{gearcore.Long(next)}, nil)
		next++
		if err := d.Deliver(b); err != nil {
			t.Fatal(err)
		}
		settle(t, d)
	}
	deliver(1)
	done := apply(t, d.Engine, Change{Version: 2, Remove: sink})
	settle(t, d)
	deliver(1)
	deliver(2)
	if !slices.Equal(got, upTo(3)) || len(away.all()) > 0 {
		t.Errorf("executed are %v, passed on %v", got, away.all())
	}
	clock.now.Add(int64(defaultDrain / 2))
	d.Fire()
	settle(t, d)
	select {
	case <-done:
	default:
		t.Error("it stays for longer than half of the time it has")
	}
	deliver(2)
	if !slices.Equal(got, upTo(3)) || !slices.Equal(away.all(), []int64{3}) {
		t.Errorf("later executed are %v, passed on %v", got, away.all())
	}
	d.Close()
}

// TestLeaverDoesNotKeepItsHeirWaiting: one that lingers leaves when its task comes back.
func TestLeaverDoesNotKeepItsHeirWaiting(t *testing.T) {
	var got []int64
	cfg, sink := listed(t, &counter{}, &got)
	cfg.Remote = func(gearcore.TaskID) Outlet { return &farAway{} }
	d, _ := newDriver(t, cfg)
	d.Activate()
	settle(t, d)
	apply(t, d.Engine, Change{Version: 1, Remove: sink})
	settle(t, d)
	if d.Leaving() != 1 {
		t.Fatal("it does not linger")
	}
	apply(t, d.Engine, Change{Version: 2, Add: sink})
	settle(t, d)
	if d.Leaving() != 0 || !d.AtWork() {
		t.Errorf("%d leave, the heir is open: %v", d.Leaving(), d.AtWork())
	}
	d.Close()
}
