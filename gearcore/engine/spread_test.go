package engine

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// partitions is a source of numbers and four bolts that count them, the first of which is closed until open.
type partitions struct {
	src  *counter
	got  [4]atomic.Int64
	cfg  Config
	open func()
}

func newPartitions(t *testing.T, limit int64, k dag.GroupingKind) *partitions {
	p := &partitions{src: &counter{limit: limit}}
	gate := make(chan struct{})
	p.open = sync.OnceFunc(func() { close(gate) })
	top := newTopology(0)
	in := from("src", k)
	if k == dag.Fields {
		in.Grouping.Fields = []string{"a"}
	}
	top.add("sink", dag.Bolt, 4, 4, func(d dag.Task) any {
		return &bolt{execute: func(gearcore.Tuple, *gearcore.Collector) error {
			if d.Index == 0 {
				<-gate
			}
			p.got[d.Index].Add(1)
			return nil
		}}
	}, in)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return p.src })
	p.cfg = top.config(t)
	p.cfg.InboxBatches, p.cfg.BatchRows = 4, 64
	return p
}

func (p *partitions) run(t *testing.T) *Engine {
	e := start(t, p.cfg)
	t.Cleanup(p.open) // before the engine is stopped
	return e
}

func (p *partitions) total() (n int64) {
	for i := range p.got {
		n += p.got[i].Load()
	}
	return n
}

// A closed partition stops the source of a fields grouping, which has no choice, but only after its siblings got what can
// wait for it; and what waits is bounded.
func TestClosedPartitionStopsItsSiblingsLate(t *testing.T) {
	const n = 200_000
	p := newPartitions(t, n, dag.Fields)
	e := p.run(t)
	eventually(t, "the source is blocked", func() bool { return e.Stats()[4].State == "blocked" })
	emitted := p.src.emitted.Load()
	// A quarter goes to the closed one: its inbox with a batch over its bound and the one that is executed, what waits,
	// of 56 bytes each, and the batch that is filled. What waits may be for the siblings too.
	if bound := int64(4 * (64*(4+1+1+1+1) + maxWaiting/56)); emitted > bound {
		t.Errorf("%d tuples were emitted, want at most %d", emitted, bound)
	}
	eventually(t, "the siblings got theirs", func() bool { return p.total() > emitted*2/3 && p.total() > maxWaiting/56 })
	p.open()
	eventually(t, "all arrived", func() bool { return p.total() == n })
	for i := range p.got {
		if got := p.got[i].Load(); got != n/4 {
			t.Errorf("task %d got %d tuples of %d", i, got, n/4)
		}
	}
}

// Large tuples for a closed partition are bounded by their bytes.
func TestWhatWaitsIsBoundedInBytes(t *testing.T) {
	const size = 16 << 10
	var emitted atomic.Int64
	gate := make(chan struct{})
	big := make([]byte, size)
	top := newTopology(0)
	top.add("sink", dag.Bolt, 64, 64, executes(func(gearcore.Tuple, *gearcore.Collector) error { <-gate; return nil }), from("src", dag.Fields, "a"))
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any {
		return &nexter{next: func(c *gearcore.Collector) error {
			emitted.Add(1)
			big = slices.Clone(big)
			big[emitted.Load()%64]++
			c.Emit(big)
			return nil
		}}
	})
	cfg := top.config(t)
	cfg.InboxBatches, cfg.Loops = 1, 64 // every sink blocks a loop
	e := start(t, cfg)
	t.Cleanup(func() { close(gate) })
	eventually(t, "the source is blocked", func() bool { return e.Stats()[64].State == "blocked" })
	// Each sink has a batch in its hands, one or two in its inbox and one that is filled.
	if got, bound := emitted.Load()*size, int64(64*4*maxBatchBytes+maxWaiting+maxBatchBytes); got > bound {
		t.Errorf("%d bytes were emitted against sinks that take none, want at most %d", got, bound)
	}
}

// A closed partition does not stop a shuffle at all, and gets its share when it is open again; with load-aware messaging
// off it does stop it.
func TestShufflePassesOverAClosedPartition(t *testing.T) {
	for _, k := range []dag.GroupingKind{dag.Shuffle, dag.LocalOrShuffle} {
		t.Run(k.String(), func(t *testing.T) {
			p := newPartitions(t, 1<<40, k)
			e := p.run(t)
			eventually(t, "the siblings go on", func() bool { return p.total() > 200_000 })
			if st := e.Stats()[0]; st.Batches > 4+1 || p.got[0].Load() > 0 {
				t.Errorf("the closed one: %+v, %d tuples", st, p.got[0].Load())
			}
			p.open()
			base := p.total()
			eventually(t, "all get something", func() bool { return p.got[0].Load() > (p.total()-base)/8 && p.total() > base+100_000 })
		})
	}
	t.Run("plain", func(t *testing.T) {
		p := newPartitions(t, 1<<40, dag.Shuffle)
		p.cfg.PlainShuffle = true
		e := p.run(t)
		eventually(t, "the source is blocked", func() bool { return e.Stats()[4].State == "blocked" })
	})
}

func TestShuffleIsEven(t *testing.T) {
	const n = 400_000
	p := newPartitions(t, n, dag.Shuffle)
	p.open()
	newDriver(t, p.cfg) // on loops of their own it would be as even as these are given time
	if p.total() != n {
		t.Fatalf("%d of %d tuples arrived", p.total(), n)
	}
	for i := range p.got {
		if got := p.got[i].Load(); got < n/8 || got > n/2 {
			t.Errorf("task %d got %d of %d tuples", i, got, n)
		}
	}
}

// Cheap tuples stay with one receiver until its batch is full or the run ends, expensive ones and those of components
// that work in the background go to one receiver after the other.
func TestStickyShuffle(t *testing.T) {
	for _, c := range []struct {
		name string
		cost time.Duration
		want []int // tuples by task, sorted, of a burst of 12
	}{
		{"not known", 0, []int{3, 3, 3, 3}},
		{"cheap", 100, []int{0, 0, 0, 12}},
		{"in between", 10 * time.Microsecond, []int{0, 2, 5, 5}},
		{"expensive", time.Millisecond, []int{3, 3, 3, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			top := newTopology(0)
			src := &counter{limit: 0}
			got := make([]int, 4)
			top.add("sink", dag.Bolt, 4, 4, func(d dag.Task) any {
				return &bolt{execute: func(gearcore.Tuple, *gearcore.Collector) error { got[d.Index]++; return nil }}
			}, from("src", dag.Shuffle))
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return burst{src} })
			d, clock := newDriver(t, top.config(t))
			for _, x := range d.executors()[:4] {
				x.cost.Store(int64(c.cost))
			}
			src.limit = 12
			clock.advance(t, d, time.Second)
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("the tasks got %v of 12 tuples in a run, want %v", got, c.want)
			}
		})
	}
}

func TestCostOfATuple(t *testing.T) {
	x := &executor{run: &run{}}
	for _, c := range []struct {
		tuples int
		took   time.Duration
		hidden bool
		want   int64
	}{
		{0, time.Millisecond, false, 0}, // nothing executed, nothing learned
		{100, 100 * time.Microsecond, false, 1000},
		{1, 5 * time.Microsecond, false, 2000},
		{1000, 0, false, 1501},
		{100, 100 * time.Microsecond, true, int64(stickyTime)},
	} {
		x.until, x.now, x.executed, x.hidden = runTime, c.took, c.tuples, c.hidden
		if x.measure(); x.cost.Load() != c.want || x.executed != 0 {
			t.Errorf("after %d tuples in %v the cost is %d, want %d", c.tuples, c.took, x.cost.Load(), c.want)
		}
	}
}

// Local tasks first, until they have too much to do.
func TestShuffleKeepsLocal(t *testing.T) {
	for _, c := range []struct {
		kind      dag.GroupingKind
		overflows bool
	}{{dag.Shuffle, true}, {dag.LocalOrShuffle, false}} {
		t.Run(c.kind.String(), func(t *testing.T) {
			far := &counting{}
			p := newPartitions(t, 1<<40, c.kind)
			p.cfg.Local = slices.Delete(slices.Clone(p.cfg.Local), 1, 4) // one sink, and the source
			p.cfg.Remote = func(gearcore.TaskID) Outlet { return far }
			p.open()
			p.run(t)
			eventually(t, "the local one gets tuples", func() bool { return p.got[0].Load() > 1000 })
			if c.overflows {
				return
			}
			eventually(t, "more", func() bool { return p.got[0].Load() > 50_000 })
			if n := far.n.Load(); n > 0 {
				t.Errorf("%d tuples left the worker", n)
			}
		})
	}
	far := &counting{}
	p := newPartitions(t, 1<<40, dag.Shuffle) // the local one is closed
	p.cfg.Local = slices.Delete(slices.Clone(p.cfg.Local), 1, 4)
	p.cfg.Remote = func(gearcore.TaskID) Outlet { return far }
	p.run(t)
	eventually(t, "tuples go elsewhere", func() bool { return far.n.Load() > 10_000 })
}

// counting is an Outlet that counts tuples.
type counting struct{ n atomic.Int64 }

func (c *counting) Push(b *gearcore.Batch) bool { c.n.Add(int64(len(b.Rows))); b.Done(b); return true }
func (c *counting) HasRoom() bool               { return true }
func (c *counting) Notify(wake func())          { wake() }
