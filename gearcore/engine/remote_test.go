package engine

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// pipe is a bounded queue towards one remote executor, drained by a goroutine into the other engine.
type pipe struct {
	mu      sync.Mutex
	cond    sync.Cond
	queue   []*gearcore.Batch
	used    int
	worst   int // most batches of tuples at once
	bound   int
	waiters []func()
	closed  bool
	from    *Engine
	to      *Engine
	sent    ackers.Outstanding
	seq     uint64
	proxies ackers.Proxies
	book    uint64
}

func newPipe(bound int) *pipe {
	p := &pipe{bound: bound}
	p.cond.L = &p.mu
	return p
}

func (p *pipe) Push(b *gearcore.Batch) bool {
	c := &gearcore.Batch{Target: b.Target, From: b.From, Rows: slices.Clone(b.Rows), Vals: slices.Clone(b.Vals)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seq++
	c.Seq = p.seq
	p.sent.Sent(p.seq, b, 0, len(b.Rows), nil)
	for i := range c.Rows {
		if r := &c.Rows[i]; r.RootLen == 0 {
			r.RootOff = 0
		} else {
			r.RootOff, r.RootLen = uint32(len(c.Roots)), 1
			c.Roots = append(c.Roots, gearcore.RootEdge{})
		}
	}
	b.Done(b)
	p.used++
	p.worst = max(p.worst, p.used)
	c.Done = p.credit
	p.queue = append(p.queue, c)
	p.cond.Signal()
	return p.used < p.bound
}

// owner takes the results of what came by the pipe; drain passes them back.
func (p *pipe) owner(acks []gearcore.Ack) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range acks {
		p.proxies.Settle(a.Root, a.Op)
	}
	p.cond.Signal()
}

func (p *pipe) credit(*gearcore.Batch) {
	p.mu.Lock()
	p.used--
	var ws []func()
	if 2*p.used <= p.bound {
		ws, p.waiters = p.waiters, nil
	}
	p.mu.Unlock()
	for _, w := range ws {
		w()
	}
}

func (p *pipe) HasRoom() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used < p.bound
}

func (p *pipe) Notify(wake func()) {
	p.mu.Lock()
	if 2*p.used > p.bound {
		p.waiters = append(p.waiters, wake)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	wake()
}

func (p *pipe) drain(t *testing.T) {
	for {
		p.mu.Lock()
		for len(p.queue) == 0 && !p.closed && !p.proxies.Fresh() {
			p.cond.Wait()
		}
		var acks []gearcore.Ack
		n, results := p.proxies.Next(nil, 1000)
		p.proxies.Confirm(n)
		for _, r := range results {
			acks = p.sent.Settle(r, acks)
		}
		var b *gearcore.Batch
		if len(p.queue) > 0 {
			b = p.queue[0]
			p.queue = p.queue[1:]
			p.proxies.Open(b.Seq, p.book, b.Roots)
		}
		closed := p.closed
		p.mu.Unlock()
		p.from.Settle(acks)
		if b == nil {
			if closed {
				return
			}
			continue
		}
		if err := p.to.Deliver(b); err != nil && !errors.Is(err, gearcore.ErrClosed) {
			t.Errorf("deliver: %v", err)
		}
	}
}

func (p *pipe) close() {
	p.mu.Lock()
	p.closed = true
	p.cond.Broadcast()
	p.mu.Unlock()
}

// Two workers: a route spans local and remote tasks, acks go both ways, a slow remote bolt holds the source back.
func TestTwoWorkers(t *testing.T) {
	const n = 30_000 / raced.Fewer
	src := &counter{limit: n, track: true}
	var seen tracker
	var order atomic.Int64
	top := newTopology(2)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("pass", dag.Bolt, 4, 4, executes(passOn), from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 2, 2, executes(func(tp gearcore.Tuple, c *gearcore.Collector) error {
		if tp.Component() != "pass" || tp.Fields()[0] != "a" {
			order.Add(1)
		}
		return seen.sink(tp, c)
	}), from("pass", dag.Fields, "a"))
	cfg := top.config(t)
	var local [2][]dag.Executor
	for i, x := range cfg.Plan.Executors {
		local[i%2] = append(local[i%2], x)
	}
	owner := map[gearcore.TaskID]int{}
	pipes := map[gearcore.TaskID]*pipe{}
	for i, l := range local {
		for _, x := range l {
			owner[x.First] = i
			pipes[x.First] = newPipe(3)
		}
	}
	var engines [2]*Engine
	var wg sync.WaitGroup
	for i := range engines {
		c := cfg
		c.Local = local[i]
		c.BatchRows = 32
		c.Remote = func(task gearcore.TaskID) Outlet { return pipes[task] }
		e, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		engines[i] = e
		wg.Go(func() {
			if err := e.Run(t.Context()); err != nil {
				t.Errorf("worker %d: %v", i, err)
			}
		})
	}
	for first, p := range pipes {
		p.from, p.to = engines[1-owner[first]], engines[owner[first]]
		p.book = p.to.OpenBook(&p.proxies.Counts, p.owner)
		wg.Go(func() { p.drain(t) })
	}
	for _, e := range engines {
		e.Activate()
	}
	eventually(t, "all acked", func() bool { return src.acked.Load() == n })
	for first, p := range pipes {
		p.mu.Lock()
		if p.sent.Len() != 0 || p.proxies.Len() != 0 {
			t.Errorf("to task %d: %d rows outstanding, %d proxies after the end", first, p.sent.Len(), p.proxies.Len())
		}
		p.mu.Unlock()
	}
	seen.each(t, n, 1, 1)
	if order.Load() > 0 {
		t.Errorf("%d tuples do not know where they come from", order.Load())
	}
	for first, p := range pipes {
		if p.worst > 3+1 {
			t.Errorf("up to %d batches on the way to task %d, bound 3", p.worst, first)
		}
	}
	for _, e := range engines {
		e.end()
	}
	for _, p := range pipes {
		p.close()
	}
	wg.Wait()
}

func TestDeliverRefusesWhatIsNotForIt(t *testing.T) {
	var done atomic.Int64
	var seen tracker
	top := newTopology(1) // task 1
	top.add("bolt", dag.Bolt, 1, 1, executes(seen.sink), from("src", dag.Shuffle))
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	e, stop := begin(t, top.config(t))
	sid, _ := e.plan().Stream("src", "default")
	batch := func(target gearcore.TaskID, rows, acks int) *gearcore.Batch {
		b := &gearcore.Batch{Target: target, Done: func(*gearcore.Batch) { done.Add(1) }}
		for range rows {
			b.Append(sid, 3, []gearcore.Value{gearcore.Long(5)}, nil)
		}
		for range acks {
			b.Acks = append(b.Acks, gearcore.Ack{Root: 7, Val: 1, Op: gearcore.AckDone})
		}
		return b
	}
	for _, c := range []struct {
		name       string
		target     gearcore.TaskID
		rows, acks int
		want       error
	}{
		{"unknown task", 9, 1, 0, ErrUnknownTask}, {"acks for a bolt", 2, 0, 1, ErrUnknownTask},
		{"tuples for a spout", 3, 1, 0, ErrUnknownTask}, {"tuples for an acker", 1, 1, 0, ErrUnknownTask},
		{"both for a bolt", 2, 1, 1, ErrUnknownTask}, {"acks for an acker", 1, 0, 3, ErrUnknownTask}, {"acks for a spout", 3, 0, 2, ErrUnknownTask},
		{"tuples", 2, 3, 0, nil}, {"an empty batch", 2, 0, 0, nil},
	} {
		before := done.Load()
		if err := e.Deliver(batch(c.target, c.rows, c.acks)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		} else if err == nil {
			eventually(t, c.name+" consumed", func() bool { return done.Load() == before+1 })
		}
	}
	if seen.total.Load() != 3 {
		t.Errorf("%d tuples arrived, want 3", seen.total.Load())
	}
	stop()
	if done.Load() != 2 {
		t.Errorf("Done was called %d times for 2 batches", done.Load())
	}
}

// Batches that come before the tasks are open wait; those left at the end are given back.
func TestDeliverBeforeAndAfter(t *testing.T) {
	var done, seen atomic.Int64
	gate := make(chan struct{})
	top := newTopology(0)
	top.add("bolt", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error { <-gate; seen.Add(1); return nil }), from("src", dag.Shuffle))
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	e, err := New(top.config(t))
	if err != nil {
		t.Fatal(err)
	}
	sid, _ := e.plan().Stream("src", "default")
	for range 10 {
		b := &gearcore.Batch{Target: 1, Done: func(*gearcore.Batch) { done.Add(1) }}
		b.Append(sid, 2, []gearcore.Value{gearcore.Long(5)}, nil)
		if err := e.Deliver(b); err != nil {
			t.Fatal(err)
		}
	}
	if st := e.Stats()[0]; st.Batches != 10 || st.State == "running" {
		t.Errorf("before the activation: %+v", st)
	}
	finished := make(chan error, 1)
	go func() { finished <- e.Run(t.Context()) }()
	e.Activate()
	gate <- struct{}{}
	eventually(t, "one arrived", func() bool { return seen.Load() == 1 })
	e.end()
	close(gate)
	if err := <-finished; err != nil {
		t.Fatal(err)
	}
	if done.Load() != 10 {
		t.Errorf("Done was called for %d of 10 batches", done.Load())
	}
}

// Values that cannot leave the process are refused before anything is sent.
func TestObjectsDoNotGoToOtherWorkers(t *testing.T) {
	vals := []gearcore.Value{gearcore.Obj(1), gearcore.List([]gearcore.Value{gearcore.Obj(1)}),
		gearcore.Map([]gearcore.Pair{{Key: gearcore.Str("k"), Val: gearcore.Obj(1)}})}
	var errs []error
	src := &once{f: func(c *gearcore.Collector) {
		for _, v := range vals {
			_, err := c.TrySend(gearcore.Emission{}, []gearcore.Value{v})
			errs = append(errs, err)
		}
	}}
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("zink", dag.Bolt, 1, 1, executes(passOn), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.Local = cfg.Local[:1]
	cfg.Remote = func(gearcore.TaskID) Outlet { return nowhere{} }
	start(t, cfg)
	eventually(t, "asked", func() bool { return src.done.Load() })
	for i, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "cannot go to another worker") {
			t.Errorf("value %d: %v", i, err)
		}
	}
}
