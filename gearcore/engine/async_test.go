package engine

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Helpers on goroutines of their own emit and ack for a bolt, which pauses while too many are out.
func TestAsyncFromManyGoroutines(t *testing.T) {
	const n, helpers = 20_000, 8
	src := &counter{limit: n, track: true}
	var seen tracker
	work := make(chan gearcore.Tuple, n)
	var async *gearcore.Async
	var wg sync.WaitGroup
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("helped", dag.Bolt, 1, 1, func(dag.Task) any {
		out := 0
		return &bolt{
			open: func(c *gearcore.Collector) error {
				async = c.Async()
				for range helpers {
					wg.Go(func() {
						for tp := range work {
							err := async.Emit(gearcore.Emission{Anchors: []gearcore.Tuple{tp}}, []gearcore.Value{tp.Value(0)})
							err = errors.Join(err, async.Do(0, func(c *gearcore.Collector) {
								c.Ack(tp)
								if out--; out < 50 {
									c.Resume()
								}
							}))
							if err != nil {
								return
							}
						}
					})
				}
				return nil
			},
			execute: func(t gearcore.Tuple, c *gearcore.Collector) error {
				if out++; out >= 100 {
					c.Pause()
				}
				work <- t
				return nil
			},
		}
	}, from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 1, 1, executes(seen.sink), from("helped", dag.Shuffle))
	_, stop := begin(t, top.config(t))
	eventually(t, "all acked", func() bool { return src.acked.Load() == n })
	seen.each(t, n, 1, 1)
	stop()
	close(work)
	wg.Wait()
	if err := async.Ack(gearcore.Tuple{}); !errors.Is(err, gearcore.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// What one goroutine posts runs in the order of the calls.
func TestAsyncKeepsOrder(t *testing.T) {
	var got []int
	var async atomic.Pointer[gearcore.Async]
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	top.add("bolt", dag.Bolt, 1, 1, func(dag.Task) any {
		return &bolt{open: func(c *gearcore.Collector) error { async.Store(c.Async()); return nil }}
	}, from("src", dag.Shuffle))
	start(t, top.config(t))
	eventually(t, "open", func() bool { return async.Load() != nil })
	done := make(chan struct{})
	for i := range 1000 {
		if err := async.Load().Do(1, func(*gearcore.Collector) {
			if got = append(got, i); i == 999 {
				close(done)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	<-done
	for i, v := range got {
		if i != v {
			t.Fatalf("closure %d ran as number %d", v, i)
		}
	}
}

// A poster waits at the byte cap; the executor's own run never does; the end sets all free.
func TestAsyncByteCap(t *testing.T) {
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	defer open()
	src := &counter{limit: 1}
	var own atomic.Int64
	var async atomic.Pointer[gearcore.Async]
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("bolt", dag.Bolt, 1, 1, executes(func(_ gearcore.Tuple, c *gearcore.Collector) error {
		for range 10 { // ten times the cap, from the run itself
			if err := c.Async().Do(maxPosted, func(*gearcore.Collector) { own.Add(1) }); err != nil {
				return err
			}
		}
		async.Store(c.Async())
		<-gate
		return nil
	}), from("src", dag.Shuffle))
	e, stop := begin(t, top.config(t))
	eventually(t, "the bolt got through", func() bool { return async.Load() != nil })
	var through, refused atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 2 {
				err := async.Load().Do(maxPosted, func(*gearcore.Collector) {})
				if err == nil {
					through.Add(1)
				} else if errors.Is(err, gearcore.ErrClosed) {
					refused.Add(1)
				}
			}
		})
	}
	x := e.executorOf(e.plan().TasksOf("bolt")[0])
	eventually(t, "three posters wait", func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.posters == 3
	})
	if through.Load() != 0 {
		t.Errorf("%d posts got through a full queue", through.Load())
	}
	go stop() // waits for the bolt
	open()
	wg.Wait()
	if through.Load()+refused.Load() != 6 {
		t.Errorf("%d through, %d refused, of 6", through.Load(), refused.Load())
	}
	stop()
}

// A paused source gets no Next, but its acks; Async emits while it is paused, and Resume brings it back.
func TestPausedSource(t *testing.T) {
	var async atomic.Pointer[gearcore.Async]
	var nexts atomic.Int64
	src := &paused{nexts: &nexts, async: &async}
	top := newTopology(1)
	var seen tracker
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("sink", dag.Bolt, 1, 1, executes(seen.sink), from("src", dag.Shuffle))
	start(t, top.config(t))
	eventually(t, "asked once", func() bool { return nexts.Load() == 1 })
	for i := range int64(10) {
		if err := async.Load().Emit(gearcore.Emission{ID: gearcore.Long(i)}, []gearcore.Value{gearcore.Long(i)}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "acked while paused", func() bool { return src.acked.Load() == 10 })
	if nexts.Load() != 1 {
		t.Errorf("asked %d times while paused", nexts.Load())
	}
	if err := async.Load().Do(0, func(c *gearcore.Collector) { c.Resume() }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "asked again", func() bool { return nexts.Load() == 2 })
}

type paused struct {
	counter
	nexts *atomic.Int64
	async *atomic.Pointer[gearcore.Async]
}

func (s *paused) Next(c *gearcore.Collector) error {
	s.async.Store(c.Async())
	c.Pause()
	s.nexts.Add(1)
	return nil
}

// A bolt that pauses in the middle of a batch gets the rest of it after Resume, in order.
func TestPauseInsideABatch(t *testing.T) {
	const n = 5000
	src := &counter{limit: n}
	var last, bad, resumes atomic.Int64
	last.Store(-1)
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("bolt", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
		if t.Int(0) != last.Load()+1 {
			bad.Add(1)
		}
		last.Store(t.Int(0))
		if t.Int(0)%7 == 0 {
			c.Pause()
			a := c.Async()
			go a.Do(0, func(c *gearcore.Collector) { resumes.Add(1); c.Resume() })
		}
		return nil
	}), from("src", dag.Shuffle))
	start(t, top.config(t))
	eventually(t, "all arrived", func() bool { return last.Load() == n-1 })
	if bad.Load() > 0 || resumes.Load() < n/7 {
		t.Errorf("%d out of order, %d resumes", bad.Load(), resumes.Load())
	}
}
