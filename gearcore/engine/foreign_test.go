package engine

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// abroad is a batch task whose other side is a goroutine: it holds at most a few batches, sends odd numbers to one
// task and even ones to another, and fails what divides by fail the first time it comes.
type abroad struct {
	to      []gearcore.TaskID
	fail    int64
	c       *gearcore.Async
	work    chan held
	done    chan struct{}
	out     int
	worst   int
	misused atomic.Pointer[error]
	failed  map[int64]bool
	opened  atomic.Int32
}

type held struct {
	b    *gearcore.Batch
	nums []int64
}

const abroadRoom = 4

func (a *abroad) Open(_ *gearcore.Context, c *gearcore.Collector) error {
	a.c, a.work, a.done, a.failed = c.Async(), make(chan held, abroadRoom+1), make(chan struct{}), map[int64]bool{}
	a.opened.Add(1)
	go a.run()
	return nil
}

func (a *abroad) ExecuteBatch(b *gearcore.Batch, c *gearcore.Collector) {
	h := held{b: &gearcore.Batch{Layout: b.Layout, Target: b.Target, From: b.From}}
	for i := range b.Rows {
		t := b.Tuple(i)
		h.b.Append(b.Rows[i].Stream, b.Rows[i].Source, nil, t.Roots())
		h.nums = append(h.nums, t.Int(0))
	}
	a.out++
	a.worst = max(a.worst, a.out)
	if a.out == abroadRoom {
		c.Pause()
	}
	a.work <- h
}

func (a *abroad) run() {
	defer close(a.done)
	for h := range a.work {
		err := a.c.Do(0, func(c *gearcore.Collector) { a.back(h, c) })
		if err != nil {
			return
		}
	}
}

func (a *abroad) back(h held, c *gearcore.Collector) {
	a.out--
	c.Resume()
	for i, v := range h.nums {
		t := h.b.Tuple(i)
		if a.fail > 0 && v%a.fail == 0 && !a.failed[v] {
			a.failed[v] = true
			c.Fail(t)
			continue
		}
		to := a.to[v&1:][:1]
		if err := c.SendTo(gearcore.Emission{Anchors: []gearcore.Tuple{t}}, to, []gearcore.Value{gearcore.Long(v)}); err != nil {
			a.misused.Store(&err)
		}
		c.Ack(t)
	}
}

func (a *abroad) Close() {
	a.opened.Add(-1)
	close(a.work)
	<-a.done
}

// parity is a sink that wants numbers of one parity by its place.
type parity struct {
	tracker
	wrong atomic.Int64
}

func (p *parity) task(d dag.Task) any {
	return &bolt{execute: func(t gearcore.Tuple, c *gearcore.Collector) error {
		if int(t.Int(0)&1) != d.Index {
			p.wrong.Add(1)
		}
		return p.sink(t, c)
	}}
}

// TestBatchTask runs a bolt that takes whole batches, settles them later and routes by itself.
func TestBatchTask(t *testing.T) {
	const n = 20_000
	src := &counter{limit: n, track: true}
	a := &abroad{fail: 7}
	var arrived parity
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("away", dag.Bolt, 1, 1, func(dag.Task) any { return a }, from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 2, 2, arrived.task, from("away", dag.Shuffle))
	cfg := top.config(t)
	a.to = cfg.Plan.TasksOf("sink")
	h := newErrorsSeen()
	cfg.Hooks = h
	e, stop := begin(t, cfg)
	eventually(t, "all are acked", func() bool { return src.acked.Load() == n && e.PendingRoots() == 0 })
	stop()
	arrived.each(t, n, 1, 1)
	if want := int64((n + 6) / 7); src.failed.Load() != want {
		t.Errorf("%d tuples failed, want %d", src.failed.Load(), want)
	}
	if arrived.wrong.Load() != 0 {
		t.Errorf("%d tuples went to another task than was named", arrived.wrong.Load())
	}
	if err := a.misused.Load(); err != nil {
		t.Error(*err)
	}
	if a.worst > abroadRoom {
		t.Errorf("%d batches were out at once, more than %d", a.worst, abroadRoom)
	}
	if a.opened.Load() != 0 {
		t.Error("the task was not closed")
	}
	away := cfg.Plan.TasksOf("away")[0]
	if got := h.get(func() int { return h.emitted[away] }); got != n {
		t.Errorf("%d emits were counted, want %d", got, n)
	}
	if got := h.get(func() int { return h.executed[away] }); got != n+int(src.failed.Load()) {
		t.Errorf("%d executed were counted, want %d", got, n+int(src.failed.Load()))
	}
}

// rude is a batch task that panics, and emits to whom it may not.
type rude struct{ emit func(c *gearcore.Collector) }

func (*rude) Open(*gearcore.Context, *gearcore.Collector) error       { return nil }
func (r *rude) ExecuteBatch(_ *gearcore.Batch, c *gearcore.Collector) { r.emit(c) }
func (*rude) Close()                                                  {}

func TestBatchTaskMisuse(t *testing.T) {
	var sunk atomic.Int64
	src := &counter{limit: 1}
	errs := make(chan error, 3)
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("away", dag.Bolt, 1, 1, func(d dag.Task) any {
		return &rude{emit: func(c *gearcore.Collector) {
			one := []gearcore.Value{gearcore.Long(1)}
			errs <- c.SendTo(gearcore.Emission{}, []gearcore.TaskID{d.ID}, one)
			errs <- c.SendTo(gearcore.Emission{}, nil, nil)
			errs <- c.SendTo(gearcore.Emission{Stream: 3}, nil, one)
			panic("rude")
		}}
	}, from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 1, 1, counts(&sunk), from("away", dag.Shuffle))
	cfg := top.config(t)
	h := newErrorsSeen()
	cfg.Hooks = h
	start(t, cfg)
	for _, want := range []string{"does not subscribe", "0 values for the 1 declared", "no stream at position 3"} {
		if err := <-errs; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("misuse gave %v, want %q", err, want)
		}
	}
	eventually(t, "the panic is reported once", func() bool { return h.get(func() int { return len(h.errs) }) == 1 })
}
