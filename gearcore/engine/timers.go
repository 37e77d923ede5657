package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// timer is one thing to do at a time: tell x what, or tick it.
type timer struct {
	at     time.Duration
	x      *executor      // nil: what the engine holds is looked at
	what   event          // 0: a tick
	every  time.Duration  // again after this; 0: once
	order  uint64         // among equal times: first come, first served
	tick   gearcore.Value // what a tick says, and its stream
	stream gearcore.StreamID
}

// timers is the one heap of an engine, earliest first.
type timers struct {
	mu    sync.Mutex
	heap  []timer // guarded by mu
	order uint64  // guarded by mu

	taken bool // guarded by mu: changed is due

	earliest atomic.Int64 // of heap; 0: it is empty. Written with mu
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
		ts.changed()
	}
}

// changed tells what is first now.
func (ts *timers) changed() {
	ts.taken = false
	if len(ts.heap) == 0 {
		ts.earliest.Store(0)
		return
	}
	at := ts.heap[0].at
	ts.earliest.Store(max(int64(at), 1))
	ts.alarm(at)
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

// due removes and returns the earliest timer if its time has come. It is called until there is none.
func (ts *timers) due(now time.Duration) (timer, bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.heap) == 0 || ts.heap[0].at > now {
		if ts.taken {
			ts.changed()
		}
		return timer{}, false
	}
	ts.taken = true
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
	return t, true
}

// fire does what is due at now. It gives the executors that are to run because of it to ready.
func (e *Engine) fire(now time.Duration, ready func(*executor)) {
	for {
		t, ok := e.timers.due(now)
		if !ok {
			return
		}
		if t.x == nil {
			e.expireEarly(now)
			continue
		}
		if t.every > 0 && t.x.isGone() {
			continue
		}
		if t.what == evLeave {
			t.x.rescue()
		}
		if t.what == 0 {
			t.x.tick(t.tick, t.stream, ready)
		} else if t.x.told(t.what) {
			ready(t.x)
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
func (x *executor) tick(v gearcore.Value, stream gearcore.StreamID, ready func(*executor)) {
	x.mu.Lock()
	if x.ticks > 0 || x.closed {
		x.mu.Unlock()
		return
	}
	x.ticks = int32(len(x.tasks))
	x.mu.Unlock()
	for _, t := range x.tasks {
		b := &gearcore.Batch{Layout: x.e.plan().Layout, Target: t.id, From: gearcore.SystemTask}
		b.Append(stream, gearcore.SystemTask, []gearcore.Value{v}, nil)
		b.Size = b.Bytes()
		b.Done = x.ticked
		if _, woken := x.put(b, x.arrived(nil)); woken {
			ready(x)
		}
	}
}

func (x *executor) ticked(*gearcore.Batch) {
	x.mu.Lock()
	x.ticks--
	x.mu.Unlock()
}
