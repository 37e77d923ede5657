package integration

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/dynamic"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// daemonLimit is what a master or a supervisor of the rig may have resident after all faults.
const daemonLimit = 160 << 20

// 20. Faults of all kinds at random, while topologies are submitted and killed, and while one that counts exactly once is edited and loses
// workers. What was acknowledged is so in the end, every record of that one counts once, and no process has grown.
func nemesis(f *faultRun) {
	program(f.T, "python3")
	o, edited := f.beingEdited(dynamic.Submission{Conf: map[string]any{"gearstorm.checkpoint.interval.ms": 500}})
	able, _ := chaos.Able(chaos.Kinds(), true, f.cuttable)
	run := chaos.Runner{
		Faults: able, Seed: f.seed, Every: 10 * time.Second, For: 80 * time.Second,
		View: f.ownView, Harm: f.c.Harm, Whole: f.c.Registered, Begin: f.w.Gauge(f.topo),
		Told: func(s string) { f.Log(s) },
	}
	if f.long {
		run.For = 30 * time.Minute
	}
	before := f.memory()
	was, err := f.w.Totals()
	f.must("look at the totals", err)
	ctx, cancel := context.WithTimeout(f.Context(), run.For+10*time.Minute)
	defer cancel()
	changes, edits := f.changeTopologies(ctx), o.editAtRandom(ctx, edited)
	all, err := run.Run(ctx)
	made := edits()
	acknowledged := changes()
	acknowledged.edited = o.name
	f.must("go through the faults", err)
	for _, res := range all {
		f.Logf("%v (%s)", res, res.Target)
		f.result.Recovery = max(f.result.Recovery, res.Recovery)
		for _, why := range res.Failed {
			f.result.Failf("%s %s: %s", res.Name, res.Target, why)
		}
	}
	f.must("a steady rate", f.w.Steady(ctx))
	now, err := f.w.Totals()
	f.must("look at the totals", err)
	lost, duplicated := 0, now.Duplicated-was.Duplicated
	f.result.Lost, f.result.Duplicated = &lost, &duplicated
	for _, res := range all {
		if res.Lost != nil {
			lost += *res.Lost
		}
	}
	f.leader()
	made.judge(ctx)
	o.wentOn(f.m.Began(), 30*time.Second)
	for _, wrong := range acknowledged.check(ctx, f.c) {
		f.result.Failf("%s", wrong)
	}
	wrong, calls := acknowledged.history.check()
	for _, w := range wrong {
		f.result.Failf("%s", w)
	}
	f.Logf("%d faults; %d submits and %d kills acknowledged meanwhile, %d calls judged", len(all), acknowledged.submits, acknowledged.kills, calls)
	if acknowledged.submits == 0 {
		f.result.Failf("no submit was acknowledged in all the time")
	}
	f.bounded(before)
}

// ownView is the cluster as far as faults are chosen from it: workers of other topologies than the rig's are left alone.
func (f *faultRun) ownView(ctx context.Context) (chaos.View, error) {
	v, err := f.c.View(ctx)
	v.Workers = slices.DeleteFunc(v.Workers, func(w chaos.Worker) bool { return !strings.HasPrefix(w.Topology, chaos.TopologyName+"-1-") })
	return v, err
}

// changeTopologies submits and kills topologies, at a pace that leaves the processors to the load, until the function that it
// returns is called: that gives what has to be, after the last call was answered.
func (f *faultRun) changeTopologies(ctx context.Context) (stop func() *oracle) {
	nc, err := client.New(client.Options{Seeds: f.c.Seeds()})
	f.must("make a client", err)
	o := &oracle{t: f.T, alive: map[string]bool{}, history: newHistory()}
	jar, code := jarOf(f.T, "resources/numbers.py"), topology(f.T)
	all := []*client.Client{nc}
	for _, seed := range f.c.Seeds() { // one that knows no other master
		c, err := client.New(client.Options{Seeds: []string{seed}})
		f.must("make a client", err)
		all = append(all, c)
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { o.changeSlowly(ctx, nc, jar, code) })
	group.Go(func() { o.history.look(ctx, all[1:]) })
	return func() *oracle {
		cancel()
		group.Wait()
		for _, c := range all {
			c.Close()
		}
		return o
	}
}

// bounded holds what the processes have resident to a limit for each daemon, and to what the cluster had before.
func (f *faultRun) bounded(before int64) {
	f.Helper()
	most := int64(0)
	for _, n := range f.running() {
		size := rss(f.T, n.Pid())
		most = max(most, size)
		if size > daemonLimit {
			f.result.Failf("%s has %d MiB resident, allowed are %d", n.Name, size>>20, int64(daemonLimit)>>20)
		}
	}
	after := f.memory()
	f.Logf("the cluster took %d MiB before and %d after, the largest daemon %d", before>>20, after>>20, most>>20)
	if after > 2*before+256<<20 {
		f.result.Failf("the cluster took %d MiB before and %d after", before>>20, after>>20)
	}
}

// running are the daemons that run.
func (f *faultRun) running() []*chaos.Node {
	all := slices.Concat(f.c.Nimbuses(), f.c.Supervisors())
	return slices.DeleteFunc(all, func(n *chaos.Node) bool { return !n.Running() })
}

// memory is what all processes of the rig have resident.
func (f *faultRun) memory() (bytes int64) {
	f.Helper()
	for _, n := range f.running() {
		bytes += rss(f.T, n.Pid())
	}
	for _, w := range f.workers() {
		bytes += rss(f.T, w.Pid)
	}
	return bytes
}
