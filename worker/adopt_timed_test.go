package worker

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// divisible makes the counters of an exact topology such that their number can change. It counts the tasks that are made.
type divisible struct {
	Registry
	made *[3]atomic.Int64 // counters, sinks, sources
}

func (d divisible) Task(name string) (gearcore.Task, error) {
	if name == "counter" {
		d.made[0].Add(1)
		return &mergedCounter{}, nil
	}
	d.made[1].Add(1)
	return d.Registry.Task(name)
}

func (d divisible) Source(name string) (gearcore.Source, error) {
	d.made[2].Add(1)
	return d.Registry.Source(name)
}

// mergedCounter counts by key. It has all that any counter had in the checkpoint it begins with: a key's count is the largest.
type mergedCounter struct{ counts map[string]int }

func (k *mergedCounter) Open(*gearcore.Context, *gearcore.Collector) error {
	k.counts = map[string]int{}
	return nil
}

func (k *mergedCounter) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	key := t.String(0)
	k.counts[key]++
	c.EmitAnchored(t, key, k.counts[key], t.Int(1), t.Int(2))
	c.Ack(t)
	return nil
}

func (k *mergedCounter) Freeze(uint64) (gearcore.Frozen, error) {
	return frozenCounts(maps.Clone(k.counts)), nil
}

func (k *mergedCounter) Restore(r *gearcore.Recovery) error {
	k.counts = map[string]int{}
	for _, p := range r.Parts {
		counts := map[string]int{}
		if err := json.Unmarshal(p.Inline, &counts); err != nil {
			return err
		}
		for key, n := range counts {
			k.counts[key] = max(k.counts[key], n)
		}
	}
	return nil
}

func (k *mergedCounter) Close() {}

type frozenCounts map[string]int

func (f frozenCounts) Save(context.Context, gearcore.Vault) (gearcore.Part, error) {
	b, err := json.Marshal(f)
	return gearcore.Part{Inline: b}, err
}

func (frozenCounts) Drop() {}

// startDivisible is startExact with such counters.
func startDivisible(t *testing.T, records, rate int, prepare ...func(*exactCluster)) (*exactCluster, *[3]atomic.Int64) {
	t.Helper()
	made := &[3]atomic.Int64{}
	return startExactWith(t, records, rate, stormrpc.TopologyStatus_ACTIVE, func(r Registry) Registry { return divisible{r, made} }, prepare...), made
}

// next goes over to another version, with so many counters, in which some components are replaced too.
func (e *exactCluster) next(counters int, replaced ...string) {
	e.t.Helper()
	topo := e.topo
	topo.Counters = counters
	built, err := topo.Build()
	must(e.t, err)
	reg := e.registry()
	e.upgrade(built, replaced, evenly(e.ports), func(*stormrpc.TopologyPlan) { e.setRegistry(reg) })
}

func (e *exactCluster) all() []*process {
	var out []*process
	for _, p := range e.ports {
		out = append(out, e.procs[p])
	}
	return out
}

// generation is the one under way, 0 if none has begun.
func (e *exactCluster) generation() int64 {
	if v := e.timing(); v != nil && v.State == "running" {
		return v.Generation
	}
	return 0
}

// TestVersionsCountOnce goes from version to version of a topology with checkpoints while records flow: none is lost or counted
// twice, no worker and no generation ends for it, and tasks that stay are those that they were.
func TestVersionsCountOnce(t *testing.T) {
	const each = 1000
	versions := []struct {
		counters int
		replaced []string
	}{{5, nil}, {5, []string{"sink"}}, {2, nil}, {2, []string{"source"}}, {4, []string{"sink"}}, {4, []string{"counter", "source"}}}
	e, made := startDivisible(t, (len(versions)+2)*each, 4000)
	e.visible(each)
	await(t, "the first generation is reported", func() bool { return e.generation() > 0 })
	before := e.generation()
	for i, v := range versions {
		e.visible((i + 1) * each)
		e.next(v.counters, v.replaced...)
		e.allRun(e.all()...)
		await(t, "it is in force", func() bool { return e.inForce() })
	}
	e.visible(2 * (len(versions) + 2) * each)
	e.alive(e.all()...)
	if after := e.generation(); after != before {
		t.Errorf("generation %d has become %d", before, after)
	}
	checked(t, e.topo)
	for i, want := range []int64{3 + 5 + 2 + 4 + 4, 2 + 2 + 2, 2 + 2 + 2} {
		if got := made[i].Load(); got != want {
			t.Errorf("%d tasks of %s were made, want %d", got, []string{"counter", "sink", "source"}[i], want)
		}
	}
}

// inForce says whether all tasks are at work by the newest version, and the newest checkpoint is of it.
func (e *exactCluster) inForce() bool {
	v := e.timing()
	if v == nil || v.State != "running" || v.GetDagVersion() != e.plan.Graph.Version {
		return false
	}
	row := firstCommitted(v)
	if row == nil || len(row.Parts) != 3 {
		return false
	}
	for _, part := range row.Parts {
		if int(part.Tasks) != len(e.plan.TasksOf(part.Component)) {
			return false
		}
	}
	return true
}

// TestExecutorLossDuringAChange ends workers while a version comes into force.
func TestExecutorLossDuringAChange(t *testing.T) {
	const rounds, each = 6, 1000
	e, _ := startDivisible(t, (rounds+2)*each, 4000)
	for i := range rounds {
		e.visible((i + 1) * each)
		e.next(2+e.rnd.IntN(4), []string{"counter", "sink", "source"}[e.rnd.IntN(3)])
		e.visible((i+1)*each + e.rnd.IntN(each/2))
		e.restart(e.ports[e.rnd.IntN(3)])
		e.allRun(e.all()...)
	}
	e.visible(2 * (rounds + 2) * each)
	checked(t, e.topo)
	e.alive(e.all()...)
}

// TestPlansWaitForAVersion has one of three workers hear late of a version: until it is in force, the others take plans that leave
// executors where they are, and no others.
func TestPlansWaitForAVersion(t *testing.T) {
	const records = 6000
	e, _ := startDivisible(t, records, 2000)
	await(t, "it is at work", func() bool { return e.generation() > 0 })
	first, last := e.all()[:2], e.all()[2]
	e.sup.freeze(last.id, e.sup.plan)
	e.next(5)
	e.allRun(first...)
	version := e.sup.plan
	e.sup.change(func(p *stormrpc.TopologyPlan) { p.Epoch = 2 })
	says := func(what string, ok func(*stormrpc.WorkerReport) bool) {
		t.Helper()
		for _, p := range first {
			await(t, what, func() bool { r := e.sup.report(p.id); return r != nil && ok(r) })
		}
	}
	says("a plan with the same executors is taken", func(r *stormrpc.WorkerReport) bool { return r.Epoch == 2 })
	e.sup.change(func(p *stormrpc.TopologyPlan) {
		p.AssignmentID, p.Assignment = "2-moved", swapped(p.Assignment, e.ports[0], e.ports[1])
	})
	for _, p := range first {
		asked := e.sup.called(p.id)
		await(t, "it has been asked to move", func() bool { return e.sup.called(p.id) > asked+2 })
		if r := e.sup.report(p.id); r.AssignmentID == "2-moved" {
			t.Errorf("%s has moved tasks before the version is in force", p.id)
		}
	}
	e.sup.freeze(last.id, version)
	says("tasks move", func(r *stormrpc.WorkerReport) bool { return r.AssignmentID == "2-moved" })
	e.sup.freeze(last.id, nil)
	e.visible(2 * records)
	checked(t, e.topo)
	e.alive(e.all()...)
}

// TestVersionsFollowEachOther has a version come while the one before is not in force yet, as one worker has not heard of it: it waits.
func TestVersionsFollowEachOther(t *testing.T) {
	const records = 6000
	e, _ := startDivisible(t, records, 2000, func(e *exactCluster) { e.bornWithin = time.Hour })
	await(t, "it is at work", func() bool { return e.generation() > 0 })
	before := e.generation()
	first, last := e.all()[:2], e.all()[2]
	e.sup.freeze(last.id, e.sup.plan)
	e.next(5)
	e.allRun(first...)
	second := e.sup.plan
	e.next(4)
	for _, p := range first {
		asked := e.sup.called(p.id)
		await(t, "it has been asked to go on", func() bool { return e.sup.called(p.id) > asked+2 })
		if r := e.sup.report(p.id); r.GetDagVersion() != second.DagVersion {
			t.Errorf("%s is at version %d before %d is in force", p.id, r.GetDagVersion(), second.DagVersion)
		}
	}
	e.sup.freeze(last.id, second)
	e.allRun(first...)
	e.sup.freeze(last.id, nil)
	e.allRun(last)
	await(t, "the last one is in force", e.inForce)
	e.visible(2 * records)
	checked(t, e.topo)
	e.alive(e.all()...)
	if after := e.generation(); after != before {
		t.Errorf("generation %d has become %d", before, after)
	}
}

// TestVersionThatIsOverdue has a version not come into force within its limit, as one worker never hears of it: the others end in order, and
// begin again with it.
func TestVersionThatIsOverdue(t *testing.T) {
	const records = 4000
	e, _ := startDivisible(t, records, 2000, func(e *exactCluster) { e.bornWithin = 100 * time.Millisecond })
	e.bornWithin = 0 // that is for the others, and those that follow them
	e.restart(e.ports[2])
	e.visible(500)
	last := e.all()[2]
	e.sup.freeze(last.id, e.sup.plan)
	e.next(5)
	for _, port := range e.ports[:2] { // none is there again before the other has ended: it would take over the clock, and begin with the version
		var err error
		await(t, "it ends", func() bool {
			select {
			case err = <-e.procs[port].end:
				return true
			default:
				return false
			}
		})
		if err != nil {
			t.Errorf("worker %s ends with %v", e.procs[port].id, err)
		}
	}
	for _, port := range e.ports[:2] {
		e.procs[port] = e.start(port)
	}
	if log := e.logs.(*lines).text(); !strings.Contains(log, "version 2 of the graph has not come into force within 100ms") {
		t.Errorf("they do not say why:\n%s", log)
	}
	e.sup.freeze(last.id, nil)
	e.allRun(e.all()...)
	await(t, "it is in force", e.inForce)
	e.visible(2 * records)
	checked(t, e.topo)
}

// swapped is an assignment in which two slots of a node have each other's executors.
func swapped(a *stormrpc.Assignment, p, q int) *stormrpc.Assignment {
	b := *a
	all := slices.Clone(*a.ExecutorNodePort)
	for i := range all {
		node := *all[i].Value
		switch int(node.Port[0]) {
		case p:
			node.Port = []int64{int64(q)}
		case q:
			node.Port = []int64{int64(p)}
		}
		all[i].Value = &node
	}
	b.ExecutorNodePort = &all
	return &b
}
