package integration

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/stores"
	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/dynamic"
	"github.com/gearstorm/gearstorm/internal/exact"
)

// onceRate is what each source of the topology that counts exactly once emits a second, onceInterval the milliseconds between its
// checkpoints, onceKept how many are kept: those since a fault, when it is looked at.
const (
	onceRate     = 300
	onceInterval = 200
	onceKept     = 10
)

// onceRun is the topology of internal/exact or of internal/dynamic on the rig's cluster, beside the one that acks.
type onceRun struct {
	*faultRun
	topo  exact.Topology
	name  string
	id    string
	store stores.Store // nil for who does not look into it
	good  time.Time    // when its workers have run for long enough since the last crash
}

// beside starts the topology for a fault whose own line is that of the topology that acks: this one's is a second line, at the end.
func (f *faultRun) beside(topo exact.Topology) *onceRun {
	f.Helper()
	f.second = f.another().once(topo, "file://"+f.TempDir(), nil)
	f.again()
	return f.second
}

// beingEdited starts the topology of internal/dynamic for such a fault.
func (f *faultRun) beingEdited(s dynamic.Submission) (*onceRun, *dynamic.Edited) {
	f.Helper()
	s.Cluster, s.Binary, s.Dir, s.Name, s.Rate = f.c, binary, f.TempDir(), fmt.Sprintf("edited-%d", f.result.N), 2*onceRate
	conf := map[string]any{
		"topology.workers": 2, "gearstorm.checkpoint.interval.ms": onceInterval, "gearstorm.checkpoint.store": "file://" + f.TempDir(),
	}
	maps.Copy(conf, s.Conf)
	s.Conf = conf
	e, err := s.Start(f.ctx)
	f.must("submit the topology", err)
	f.second = &onceRun{faultRun: f.another(), topo: e.Exact, name: s.Name}
	f.second.began()
	f.again()
	return f.second, e
}

// another is this fault with a result of its own.
func (f *faultRun) another() *faultRun {
	other := *f
	other.result = chaos.Result{N: f.result.N, Name: f.result.Name + "-exact", Seed: f.seed}
	return &other
}

// again begins to observe the topology that acks, with the other one beside it.
func (f *faultRun) again() {
	f.Helper()
	f.must("a steady rate beside the other topology", f.w.Steady(f.ctx))
	f.m = f.w.Begin()
}

// once starts the topology with its checkpoints in a store, and waits for the first ones. It ends with the fault, whose line it gets.
func (f *faultRun) once(topo exact.Topology, store string, credentials map[string]string) *onceRun {
	f.Helper()
	topo.Dir, topo.Records, topo.Workers = f.TempDir(), 1<<30, rigSupervisors
	topo.Sources, topo.Counters, topo.Rate = 2, 3, cmp.Or(topo.Rate, onceRate)
	topo.Conf = map[string]any{
		"gearstorm.checkpoint.interval.ms": onceInterval, "gearstorm.checkpoint.store": store, "gearstorm.checkpoint.keep": onceKept,
	}
	o := &onceRun{faultRun: f, topo: topo, name: fmt.Sprintf("once-%d", f.result.N)}
	var err error
	o.store, err = stores.OpenWith(f.ctx, store, func() stores.Secrets { return stores.SecretsOf(credentials) })
	f.must("open the store of checkpoints", err)
	f.Cleanup(func() { o.store.Close() })
	built, err := topo.Build()
	f.must("build the topology", err)
	f.must("submit the topology", submitted(f.ctx, f.c, func() error {
		return chaos.SubmitWith(f.ctx, f.c.Client(), o.name, built, nil, credentials)
	}))
	o.began()
	return o
}

// began waits for the first checkpoints. The topology ends with the fault.
func (o *onceRun) began() {
	o.Helper()
	o.Cleanup(o.kill)
	waitFor(o.T, time.Minute, "the topology "+o.name, func() bool {
		if _, err := o.c.Leader(o.ctx); err != nil {
			return false
		}
		sum, err := o.c.Client().Nimbus().GetTopologySummaryByName(o.ctx, o.name)
		if err == nil {
			o.id = sum.ID
		}
		return err == nil
	})
	o.advance(3)
}

// kill ends the topology and waits for its workers.
func (o *onceRun) kill() { o.killed(o.name, o.workers) }

// workers lists the workers of the topology.
func (o *onceRun) workers() []chaos.Worker {
	o.Helper()
	return o.workersOf(func(topology string) bool { return topology == o.id })
}

// clock is the worker that has the coordinator of checkpoints.
func (o *onceRun) clock() (clock chaos.Worker) {
	o.Helper()
	waitFor(o.T, time.Minute, "the worker with the clock", func() bool {
		ctx, cancel := context.WithTimeout(o.ctx, 5*time.Second)
		defer cancel()
		info, err := o.c.Client().Nimbus().GetTopologyInfoByName(ctx, o.name)
		if err != nil {
			return false
		}
		for _, x := range info.Executors {
			if x.ComponentID != gearcore.ClockComponent {
				continue
			}
			for _, w := range o.workers() {
				if o.c.Node(w.Node).Addr() == x.Host && w.Port == int(x.Port) {
					clock = w
					return true
				}
			}
		}
		return false
	})
	return clock
}

// seen is what is visible now. What must not be fails the fault.
func (o *onceRun) seen() exact.Result {
	o.Helper()
	r, err := exact.Check(o.topo)
	o.must("read what is visible", err)
	if len(r.Wrong) > 0 {
		o.judge(r)
		o.print()
		o.FailNow()
	}
	return r
}

// advance waits until that many more checkpoints count and are visible.
func (o *onceRun) advance(checkpoints uint64) exact.Result {
	o.Helper()
	was := o.seen()
	var r exact.Result
	waitFor(o.T, 2*time.Minute, "more visible records of "+o.name, func() bool {
		time.Sleep(100 * time.Millisecond) // a look at all files is not for nothing
		r = o.seen()
		return r.Epochs >= was.Epochs+int(checkpoints) && r.Visible > was.Visible
	})
	return r
}

// recovered waits until the topology goes on, and keeps the longest time that this took.
func (o *onceRun) recovered(since time.Time) {
	o.Helper()
	o.advance(1)
	o.good = time.Now().Add(goodRun)
	took := time.Since(since)
	o.result.Recovery = max(o.result.Recovery, took)
	if limit := 60 * time.Second; took > limit {
		o.result.Failf("nothing was visible for %.1fs", took.Seconds())
	}
}

// wentOn waits until the topology goes on and holds the longest time since a moment in which no checkpoint became visible to a goal.
func (o *onceRun) wentOn(from time.Time, goal time.Duration) {
	o.Helper()
	o.advance(2)
	still, err := exact.Still(o.topo, from)
	o.must("read when checkpoints became visible", err)
	o.result.Recovery = max(o.result.Recovery, still)
	o.within(still, goal, "without another visible checkpoint")
}

// goodRun is for how long a worker has to run that its supervisor is to start anew at once when it is killed again.
const goodRun = 6 * time.Second

// rested waits until the workers have run for so long.
func (o *onceRun) rested() {
	o.Helper()
	o.hold(time.Until(o.good), time.Until(o.good))
	o.advance(1)
}

// judge fills in the figures of the fault.
func (o *onceRun) judge(r exact.Result) {
	twice := uint64(r.Duplicated)
	o.result.Lost, o.result.Duplicated = &r.Lost, &twice
	for _, wrong := range r.Wrong {
		o.result.Failf("%s", wrong)
	}
}

// end looks at everything once more and fills in the figures.
func (o *onceRun) end() {
	o.Helper()
	r := o.advance(2)
	o.judge(r)
	o.Logf("%d records, %d checkpoints looked at, the last is %d", r.Visible, r.Epochs, r.Last)
	if r.Lost > 0 || r.Duplicated > 0 {
		o.result.Failf("not every record counts once")
	}
}

// stop kills workers with -9 and waits for their ends.
func (o *onceRun) stop(workers ...chaos.Worker) {
	o.Helper()
	for _, w := range workers {
		if err := w.Signal(syscall.SIGKILL); err != nil && w.Alive() {
			o.must("kill a worker", err)
		}
	}
	waitFor(o.T, 30*time.Second, "the end of killed workers", func() bool {
		return !slices.ContainsFunc(workers, chaos.Worker.Alive)
	})
}

// objects lists what the topology has of a kind in the store.
func (o *onceRun) objects(kind string) []checkpoint.Object {
	o.Helper()
	list, err := o.store.List(o.ctx, "topologies/")
	o.must("list the store of checkpoints", err)
	return slices.DeleteFunc(list, func(x checkpoint.Object) bool {
		return !strings.HasPrefix(x.Name, "topologies/"+o.id+"/"+kind+"/")
	})
}

// log reads the records of the topology that are not damaged.
func (o *onceRun) log() []checkpoint.Record {
	o.Helper()
	records, err := checkpoint.Records(o.ctx, o.store, o.id)
	o.must("read the log of checkpoints", err)
	return records
}

// counting are the checkpoints that count by some records, ascending, and wrong the generations that did not begin with the newest one.
func counting(records []checkpoint.Record) (epochs []uint64, wrong []string) {
	for i, r := range records {
		switch r.Kind {
		case checkpoint.Commits:
			epochs = append(epochs, r.Epoch)
		case checkpoint.Begins:
			if n := len(epochs); n > 0 && epochs[n-1] != r.Epoch || n == 0 && i > 0 && r.Epoch > 0 {
				wrong = append(wrong, fmt.Sprintf("generation %d began with checkpoint %d, those that counted were %v", r.Generation, r.Epoch, epochs))
			}
			epochs = slices.DeleteFunc(epochs, func(e uint64) bool { return e >= r.Epoch })
			if r.Epoch > 0 {
				epochs = append(epochs, r.Epoch)
			}
		}
	}
	return epochs, wrong
}
