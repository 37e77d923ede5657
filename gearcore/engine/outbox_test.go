package engine

import (
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// fickle has no room when it is asked twice, by an emit and at the end of its run, and calls the sender back at once,
// before the run has ended: the tightest race between a sender that gives up and a receiver that makes room.
type fickle struct {
	asked int
	got   []int64
	wakes int
}

func (f *fickle) Push(b *gearcore.Batch) bool {
	for i := range b.Rows {
		f.got = append(f.got, b.Tuple(i).Int(0))
	}
	f.asked = 0
	b.Done(b)
	return false
}
func (f *fickle) HasRoom() bool {
	f.asked++
	return f.asked > 2
}
func (f *fickle) Notify(wake func()) {
	f.wakes++
	wake()
}

func TestRoomThatIsBackBeforeTheRunEnds(t *testing.T) {
	const n = 1000
	src := &counter{limit: n}
	out := &fickle{}
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("zink", dag.Bolt, 1, 1, executes(passOn), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.Local = cfg.Local[:1]
	cfg.Remote = func(gearcore.TaskID) Outlet { return out }
	newDriver(t, cfg) // runs until nothing is ready, with no timer ever fired
	if int64(len(out.got)) != n {
		t.Fatalf("%d of %d tuples were sent before the source fell asleep", len(out.got), n)
	}
	for i, v := range out.got {
		if v != int64(i) {
			t.Fatalf("tuple %d came as number %d", v, i)
		}
	}
	if out.wakes == 0 {
		t.Error("the source never waited")
	}
}

func TestInboxWakesSendersAtHalf(t *testing.T) {
	top := newTopology(0)
	top.add("bolt", dag.Bolt, 1, 1, executes(passOn), from("src", dag.Shuffle))
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	cfg := top.config(t)
	cfg.InboxBatches, cfg.InboxBytes = 4, 1000
	d, _ := newDriver(t, cfg)
	x := d.executorOf(1)
	in := inlet{to: x, by: d.executorOf(2)}
	wakes := 0
	in.Notify(func() { wakes++ })
	if wakes != 1 {
		t.Fatal("an empty inbox did not wake at once")
	}
	var held []*gearcore.Batch
	push := func(size int) bool {
		b := &gearcore.Batch{Target: 1, Size: size}
		held = append(held, b)
		return in.Push(b)
	}
	for i, want := range []bool{true, true, true, false, false} {
		if got := push(10); got != want {
			t.Errorf("room after batch %d: %v", i+1, got)
		}
	}
	if in.HasRoom() {
		t.Error("room in a full inbox")
	}
	in.Notify(func() { wakes++ })
	for i, want := range []int{1, 1, 2, 2, 2} {
		x.consumed(held[i])
		if wakes != want {
			t.Errorf("%d wakes after %d of 5 batches were consumed, want %d", wakes-1, i+1, want-1)
		}
	}
	if !in.HasRoom() || push(1000) || in.HasRoom() {
		t.Error("the bound in bytes does not hold")
	}
}
