package engine

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// ledger is what sinks have made visible, over all rollbacks.
type ledger struct {
	mu    sync.Mutex
	shown map[int64]int
	total atomic.Int64
}

// eachOnce fails the test if one of the first n values was not shown, or more than once.
func (l *ledger) eachOnce(t *testing.T, n int64) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for v := range n {
		if l.shown[v] != 1 {
			t.Fatalf("%d was shown %d times", v, l.shown[v])
		}
	}
}

// shower is a sink that shows what it got once the checkpoint counts.
type shower struct {
	*ledger
	now  []int64
	held map[uint64][]int64
}

func (s *shower) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (s *shower) Close()                                            {}
func (s *shower) NoRetain()                                         {}
func (s *shower) Execute(t gearcore.Tuple, _ *gearcore.Collector) error {
	s.now = append(s.now, t.Int(0))
	return nil
}

// Freeze keeps what is held in memory: the worker that has it is not lost in this test.
func (s *shower) Freeze(epoch uint64) (gearcore.Frozen, error) {
	s.held[epoch], s.now = s.now, nil
	return number(0), nil
}
func (s *shower) Commit(epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, vs := range s.held {
		if k <= epoch {
			for _, v := range vs {
				s.shown[v]++
			}
			s.total.Add(int64(len(vs)))
			delete(s.held, k)
		}
	}
}
func (s *shower) Restore(r *gearcore.Recovery) error {
	s.now = nil
	s.Commit(r.Epoch)
	s.held = map[uint64][]int64{}
	return nil
}

// stream is a source of 0, 1, 2 and so on, up to a limit that the test raises.
type stream struct {
	script
	limit *atomic.Int64
}

func (s *stream) Next(c *gearcore.Collector) error {
	if int64(s.at) >= s.limit.Load() {
		return gearcore.ErrIdle
	}
	c.Emit(int64(s.at))
	s.at++
	return nil
}
func (s *stream) Watermark() gearcore.Watermark { return gearcore.Watermark(s.at + 1) }

// A pipeline on run loops is rolled back again and again while checkpoints are made, and shows everything once.
func TestExactlyOnceOnRunLoops(t *testing.T) {
	const n, steps = 200_000, 8 // each part comes once another checkpoint counts
	var limit atomic.Int64
	limit.Store(n / steps)
	out := &ledger{shown: map[int64]int{}}
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &stream{limit: &limit} })
	top.add("mid", dag.Bolt, 3, 3, func(dag.Task) any {
		return &adder{save: func() error { time.Sleep(time.Millisecond); return nil }}
	}, from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 2, 2, func(dag.Task) any { return &shower{ledger: out, held: map[uint64][]int64{}} }, from("mid", dag.Fields, "a"))
	cfg := top.config(t)
	cfg.Loops = 2
	generations, commits, lostAt := 0, 0, 0
	k := coordinate(t, cfg)
	k.until("everything is shown", func() bool { return out.total.Load() == n }, func() {
		generations, commits = k.noted[checkpoint.NoticeGo], k.noted[checkpoint.NoticeCommit]
		limit.Store(min(int64(commits+1)*n/steps, n))
		if commits > lostAt && generations < 6 {
			lostAt = commits
			k.Lost("the test wants it")
		}
	})
	out.eachOnce(t, n)
	if generations < 2 || commits < 2 {
		t.Errorf("%d generations and %d checkpoints", generations, commits)
	}
}
