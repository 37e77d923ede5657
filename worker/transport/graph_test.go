package transport

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// nextLayout is testLayout with a stream more, and task 6 in the place of 5.
func nextLayout() *gearcore.Layout {
	l := testLayout()
	l.Streams = append(l.Streams, gearcore.Stream{Component: "more", Name: "default", Fields: []string{"word"}})
	l.Components[6], l.Components[7] = "sink", "more"
	delete(l.Components, 5)
	l.Gone = map[gearcore.TaskID]string{5: "sink"}
	return l
}

// onStream is a batch of rows of one stream.
func onStream(l *gearcore.Layout, stream gearcore.StreamID, target gearcore.TaskID, texts ...string) *gearcore.Batch {
	b := &gearcore.Batch{Layout: l, Target: target, From: 7}
	for _, s := range texts {
		b.Append(stream, 7, []gearcore.Value{gearcore.Str(s)}, nil)
	}
	return b
}

// later makes e go over to version 3 of the graph, which goes with those from from on.
func (e *end) later(from int64) {
	a := Assignment{ID: "1-2", Epoch: 1, Plan: 9}
	e.SetAssignment(a)
	e.SetGraph(Graph{Version: 3, From: from, Layout: nextLayout()})
}

// TestVersionsThatGoTogether: workers of two versions of a graph speak if the later one says that they may, whoever dials.
func TestVersionsThatGoTogether(t *testing.T) {
	for _, c := range []struct {
		from  int64
		speak bool
	}{{0, false}, {3, false}, {2, true}, {1, true}} {
		old := start(t, "old", func(c *Config) { c.Graph = 2 })
		late := start(t, "late", func(cfg *Config) { cfg.Graph, cfg.GraphFrom, cfg.Layout = 3, c.from, nextLayout() })
		for _, way := range [][2]*end{{old, late}, {late, old}} {
			a, b := way[0], way[1]
			refused := b.Stats().HandshakesRefused.Load()
			a.to(b.Addr().String(), 4)
			a.Outlet(4).Push(batch(testLayout(), 4, "0"))
			if c.speak {
				await(t, "the tuple is there", func() bool { return b.count() == 1 })
			} else {
				await(t, "the link is refused", func() bool { return b.Stats().HandshakesRefused.Load() > refused+1 })
			}
			if got := b.count() == 1; got != c.speak {
				t.Errorf("from %d: %d tuples are there", c.from, b.count())
			}
		}
		old.stop()
		late.stop()
	}
}

// TestWhatComesForALaterVersionWaits: frames for tasks and of streams that the receiver does not know yet, and those behind them for the
// same task, are delivered in order once it does; others are not held up.
func TestWhatComesForALaterVersionWaits(t *testing.T) {
	a, b := start(t, "a", func(c *Config) { c.Graph = 2 }), start(t, "b", func(c *Config) { c.Graph = 2 })
	addr := b.Addr().String()
	a.to(addr, 2, 4, 5)
	a.Outlet(5).Push(batch(testLayout(), 5, "0"))
	await(t, "they are connected", func() bool { return b.count() == 1 })
	a.later(2)
	a.to(addr, 2, 4, 6)
	const n = 12
	for i := range n {
		a.Outlet(6).Push(onStream(nextLayout(), 0, 6, strconv.Itoa(i)))
		a.Outlet(4).Push(onStream(nextLayout(), gearcore.StreamID(3*((i+1)%2)), 4, strconv.Itoa(i))) // every other one is new
		a.Outlet(2).Push(onStream(nextLayout(), 0, 2, strconv.Itoa(i)))
	}
	await(t, "what needs nothing new is there", func() bool { return len(b.of(2)) == n })
	if len(b.of(6)) != 0 || len(b.of(4)) != 0 {
		t.Errorf("%d tuples for a task that is to come, %d on a stream or behind one", len(b.of(6)), len(b.of(4)))
	}
	b.later(2)
	await(t, "all are there", func() bool { return len(b.of(6)) == n && len(b.of(4)) == n })
	var want []string
	for i := range n {
		want = append(want, strconv.Itoa(i))
	}
	if !slices.Equal(b.of(6), want) || !slices.Equal(b.of(4), want) {
		t.Errorf("they came as %v and %v", b.of(6), b.of(4))
	}
	if a.lost.Load()+b.lost.Load() != 0 || b.Stats().UndeliveredTuples.Load() != 0 {
		t.Errorf("%d and %d are lost, %d not delivered", a.lost.Load(), b.lost.Load(), b.Stats().UndeliveredTuples.Load())
	}
	a.Outlet(5).Push(batch(nextLayout(), 5, "late"))
	a.to(addr, 4, 5, 6)
	await(t, "what comes for a task that is gone is delivered", func() bool { return len(b.of(5)) == 2 })
	if b.early.some.Load() || len(b.early.of) != 0 {
		t.Errorf("%v is still held", b.early.of)
	}
}

// TestWhatWaitsForTooLongIsGivenUp: a later version that never comes.
func TestWhatWaitsForTooLongIsGivenUp(t *testing.T) {
	a := start(t, "a", func(c *Config) { c.Graph = 2 })
	b := start(t, "b", func(c *Config) { c.Graph, c.EarlyTimeout = 2, 20*time.Millisecond })
	a.later(2)
	a.to(b.Addr().String(), 4, 6)
	const n = 40 // more than the credit of a target
	for i := range n {
		a.Outlet(6).Push(onStream(nextLayout(), 0, 6, strconv.Itoa(i)))
	}
	await(t, "all are given up", func() bool { return b.lost.Load() == n })
	if _, ok := b.errs.Load(errEarly.Error()); !ok || b.count() != 0 {
		t.Errorf("%d are delivered", b.count())
	}
	a.Outlet(4).Push(batch(testLayout(), 4, "0"))
	await(t, "the link goes on", func() bool { return b.count() == 1 })
}

// TestStrangeNumbersAreNoLaterVersion: a peer of the same plan cannot mean tasks and streams that nobody has.
func TestStrangeNumbersAreNoLaterVersion(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	a.to(b.Addr().String(), 4, 6)
	a.Outlet(6).Push(onStream(nextLayout(), 0, 6, "0"))
	await(t, "the frame is refused", func() bool { return a.lost.Load() == 1 })
	a.Outlet(4).Push(onStream(nextLayout(), 3, 4, "1"))
	a.Outlet(4).Push(batch(testLayout(), 4, "2"))
	await(t, "the next one is there", func() bool { return b.count() == 1 })
	if got := a.Stats().LostTuples.Load(); b.early.some.Load() || got == 0 {
		t.Errorf("%d lost", got)
	}
}
