package worker

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

var errDatabase = errors.New("no database")

// unwell are ways in which a task cannot be opened, and what is told of it.
var unwell = map[string]struct {
	open func() error
	says string
}{
	"error": {func() error { return errDatabase }, ": no database"},
	"panic": {func() error { panic(errDatabase) }, ": panic: no database"},
}

// opening is what happens when a task is opened at present; nil: nothing.
type opening struct{ atomic.Pointer[func() error] }

func (o *opening) set(f func() error) { o.Store(&f) }

func (o *opening) open() error {
	if f := o.Load(); f != nil {
		return (*f)()
	}
	return nil
}

// unopened are the tasks of a component of which the supervisor has heard that they could not be opened, with what was said.
func (s *supervisor) unopened(component string) map[int32]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[int32]string{}
	for _, e := range s.errs {
		if e.Component == component && e.GetUnopened() {
			out[e.GetTask()] = e.Message
		}
	}
	return out
}

// openingCounters makes counters of which something else happens when they are opened.
type openingCounters struct {
	Registry
	how func(*gearcore.Context) error
}

func (r openingCounters) Task(name string) (gearcore.Task, error) {
	task, err := r.Registry.Task(name)
	if name == "counter" && err == nil {
		task = openingCounter{task.(*mergedCounter), r.how}
	}
	return task, err
}

type openingCounter struct {
	*mergedCounter
	how func(*gearcore.Context) error
}

func (k openingCounter) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	return errors.Join(k.how(ctx), k.mergedCounter.Open(ctx, c))
}

// TestVersionThatCannotBeOpened has the tasks that come with a version fail to open, in a topology with checkpoints: the version before
// goes on as if nothing were, and the next one takes the place of that which is not in force.
func TestVersionThatCannotBeOpened(t *testing.T) {
	for name, how := range unwell {
		t.Run(name, func(t *testing.T) {
			const records = 8000
			var opens opening
			made := &[3]atomic.Int64{}
			e := startExactWith(t, records, 2000, stormrpc.TopologyStatus_ACTIVE, func(r Registry) Registry {
				return openingCounters{divisible{r, made}, func(*gearcore.Context) error { return opens.open() }}
			})
			e.visible(1000)
			await(t, "the first generation is reported", func() bool { return e.generation() > 0 })
			before := e.generation()
			opens.set(how.open)
			e.next(5, "sink")
			e.allRun(e.all()...)
			await(t, "all five are told of", func() bool { return len(e.sup.unopened("counter")) == 5 })
			for id, text := range e.sup.unopened("counter") {
				if !strings.HasPrefix(text, "open component counter, task ") || !strings.Contains(text, how.says) || e.plan.Numbering[gearcore.TaskID(id)] != "counter" {
					t.Errorf("task %d: %s", id, text)
				}
			}
			e.visible(4000)
			for _, p := range e.all() {
				if e.sup.report(p.id).GetAtWork() && len(tasksAt(e, p, "counter")) > 0 {
					t.Errorf("%s says that all its tasks are at work", p.id)
				}
			}
			opens.set(func() error { return nil })
			e.next(3)
			e.allRun(e.all()...)
			await(t, "it is in force", e.inForce)
			await(t, "all are at work", func() bool {
				v := e.timing()
				for _, p := range e.all() {
					if r := e.sup.report(p.id); !r.GetAtWork() {
						return false
					}
				}
				return v.GetDagVersion() == e.plan.Graph.Version && !v.GetGoingBack()
			})
			e.visible(2 * records)
			checked(t, e.topo)
			e.alive(e.all()...)
			if after := e.generation(); after != before {
				t.Errorf("generation %d has become %d", before, after)
			}
			if got := made[2].Load(); got != 2 {
				t.Errorf("%d tasks of source were made, want 2", got)
			}
		})
	}
}

// tasksAt are the tasks of a component that a worker has by the newest plan.
func tasksAt(e *exactCluster, p *process, component string) (ids []gearcore.TaskID) {
	for port, q := range e.procs {
		for _, x := range *e.sup.plan.Assignment.ExecutorNodePort {
			if q == p && int(x.Value.Port[0]) == port && e.plan.Numbering[gearcore.TaskID(x.Key[0])] == component {
				ids = append(ids, gearcore.TaskID(x.Key[0]))
			}
		}
	}
	return ids
}

// openingPasser is a passer that is opened in some way.
type openingPasser struct {
	passer
	how *opening
}

func (p openingPasser) Prepare(ctx *storm.Context, c *storm.Collector) error {
	return errors.Join(p.passer.Prepare(ctx, c), p.how.open())
}

// TestTasksThatCannotBeOpenedStopNoOthers is that without checkpoints: what is for the new tasks waits for those of the next version, the
// workers live on, and a line beside the one that is changed does not notice.
func TestTasksThatCannotBeOpenedStopNoOthers(t *testing.T) {
	for name, how := range unwell {
		t.Run(name, func(t *testing.T) {
			const n = 30_000
			spout, beside := numberSpout{newCounter(n)}, numberSpout{newCounter(1 << 40)}
			tally := newTallier(n, "pass")
			var opens opening
			var passers, others lives
			build := func(pass int) *storm.Topology {
				b := storm.NewTopologyBuilder().Ackers(2).MaxSpoutPending(500).MessageTimeout(time.Minute)
				b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return spout }), 1).Fields("n", "word")
				b.SetBolt("pass", storm.BoltFactory(func() storm.Bolt { return openingPasser{passer{&passers}, &opens} }), pass).Fields("n").ShuffleGrouping("words")
				b.SetBolt("tally", storm.BoltFactory(func() storm.Bolt { return tally }), 2).FieldsGrouping("pass", "n")
				b.SetSpout("beside", storm.SpoutFactory(func() storm.Spout { return beside }), 1).Fields("n", "word")
				b.SetBolt("others", storm.BoltFactory(func() storm.Bolt { return passer{&others} }), 3).Fields("n").ShuffleGrouping("beside")
				topo, err := b.Build()
				must(t, err)
				return topo
			}
			c, ports, procs := startLine(t, build(3), 3)
			await(t, "tuples go through", func() bool { return spout.done() >= n/4 })
			opens.set(how.open)
			c.upgrade(build(4), nil, evenly(ports), nil)
			c.allRun(procs...)
			await(t, "all four are told of", func() bool { return len(c.sup.unopened("pass")) == 4 })
			for id, text := range c.sup.unopened("pass") {
				if !strings.Contains(text, how.says) {
					t.Errorf("task %d: %s", id, text)
				}
			}
			was := beside.done()
			await(t, "others go on", func() bool { return beside.done() > was+5000 })
			opens.set(func() error { return nil })
			c.upgrade(build(3), nil, evenly(ports), nil)
			c.allRun(procs...)
			await(t, "every tuple is acked", func() bool { return spout.done() == n })
			c.alive(procs...)
			for i, times := range tally.of("pass") {
				if times != 1 {
					t.Fatalf("number %d was seen %d times", i, times)
				}
			}
			if spout.failed > 0 || beside.failed > 0 || spout.opened != 1 || others.opened.Load() != 3 || others.closed.Load() != 0 {
				t.Errorf("%d and %d tuples failed, the spout was opened %d times, of others beside %d tasks were opened and %d closed",
					spout.failed, beside.failed, spout.opened, others.opened.Load(), others.closed.Load())
			}
		})
	}
}
