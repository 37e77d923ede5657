package engine

import (
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// timer is one thing to do at a time: tell x what, or tick it.
type timer struct {
	at    time.Duration
	x     *executor
	what  event          // 0: a tick
	every time.Duration  // again after this; 0: once
	tick  gearcore.Value // what a tick says
	order uint64         // among equal times: first come, first served
}

// timers is the one heap of an engine, earliest first.
type timers struct {
	mu    sync.Mutex
	heap  []timer // guarded by mu
	order uint64  // guarded by mu
	// alarm is told the earliest time whenever it changes, with mu held. Set before first use.
	alarm func(at time.Duration)
}

func (a *timer) before(b *timer) bool {
	return a.at < b.at || a.at == b.at && a.order < b.order
}

func (ts *timers) add(t timer) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.order++
	t.order = ts.order
	ts.heap = append(ts.heap, t)
	i := len(ts.heap) - 1
	for i > 0 {
		p := (i - 1) / 2
		if !ts.heap[i].before(&ts.heap[p]) {
			break
		}
		ts.heap[i], ts.heap[p] = ts.heap[p], ts.heap[i]
		i = p
	}
	if i == 0 {
		ts.alarm(t.at)
	}
}

// next returns the earliest time.
func (ts *timers) next() (at time.Duration, ok bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.heap) == 0 {
		return 0, false
	}
	return ts.heap[0].at, true
}

// due removes and returns the earliest timer if its time has come.
func (ts *timers) due(now time.Duration) (timer, bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.heap) == 0 || ts.heap[0].at > now {
		return timer{}, false
	}
	t := ts.heap[0]
	last := len(ts.heap) - 1
	ts.heap[0] = ts.heap[last]
	ts.heap[last] = timer{}
	ts.heap = ts.heap[:last]
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			break
		}
		if c+1 < last && ts.heap[c+1].before(&ts.heap[c]) {
			c++
		}
		if !ts.heap[c].before(&ts.heap[i]) {
			break
		}
		ts.heap[i], ts.heap[c] = ts.heap[c], ts.heap[i]
		i = c
	}
	if len(ts.heap) > 0 {
		ts.alarm(ts.heap[0].at)
	}
	return t, true
}

// fire does what is due at now.
func (e *Engine) fire(now time.Duration) {
	for {
		t, ok := e.timers.due(now)
		if !ok {
			return
		}
		if t.what == 0 {
			t.x.tick(t.tick, e.tick)
		} else {
			t.x.tell(t.what, nil)
		}
		if t.every > 0 {
			// A clock that jumped does not cause a burst.
			t.at = max(t.at+t.every, now)
			e.timers.add(t)
		}
	}
}

// tick puts one tick tuple for every task into the inbox, behind what waits there, unless the last ticks are still
// in it.
func (x *executor) tick(v gearcore.Value, stream gearcore.StreamID) {
	x.mu.Lock()
	if x.ticks > 0 || x.closed {
		x.mu.Unlock()
		return
	}
	x.ticks = len(x.tasks)
	x.mu.Unlock()
	for _, t := range x.tasks {
		b := &gearcore.Batch{Layout: x.e.plan.Layout, Target: t.id, From: gearcore.SystemTask}
		b.Append(stream, gearcore.SystemTask, []gearcore.Value{v}, nil)
		b.Size = b.Bytes()
		b.Done = x.ticked
		x.deliver(b, nil)
	}
}

func (x *executor) ticked(*gearcore.Batch) {
	x.mu.Lock()
	x.ticks--
	x.mu.Unlock()
}
