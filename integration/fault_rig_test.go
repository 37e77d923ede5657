package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// faultRig is the cluster that the fault tests share: three masters with ZooKeeper, three supervisors and the topology that
// checks itself.
type faultRig struct {
	t        *testing.T
	c        *chaos.Cluster
	w        *chaos.Watch
	zk       *rigZooKeeper
	topo     chaos.Topology
	seed     uint64
	random   *rand.Rand
	long     bool // the durations of the full run instead of CI's
	cuttable bool
}

// rigRate is how many records a second the rig's topology carries, rigSupervisors on how many nodes.
const (
	rigRate        = 2000
	rigSupervisors = 3
)

// lenience is by how much a goal in time may be missed: the machine is shared. What is lost fails at once.
const lenience = 3

// newFaultRig starts the cluster, in network namespaces if this process may make some.
func newFaultRig(t *testing.T) *faultRig {
	t.Helper()
	r := &faultRig{t: t, seed: faultSeed(t), long: os.Getenv("GEARSTORM_FAULTS") == "long"}
	r.random = rand.New(rand.NewPCG(r.seed, 1))
	cfg := chaos.Config{Dir: t.TempDir(), Binary: binary}
	if err := chaos.CanCut(); err == nil {
		r.cuttable, cfg.Network = true, chaos.Namespaces
	}
	r.c = newChaos(t, cfg)
	r.zk = startZooKeeper(t, r.c.Outside())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.c.StartNimbus(ctx, rigMasters, r.zk.conf); err != nil {
		t.Fatal(err)
	}
	if err := r.c.StartSupervisors(ctx, rigSupervisors); err != nil {
		t.Fatal(err)
	}
	r.topo = chaos.Topology{Run: rand.Uint64(), Dir: t.TempDir(), Rate: rigRate, Sources: 2, Pending: 500, Workers: rigSupervisors, Timeout: 10 * time.Second}
	r.w = submitChaos(t, r.c, chaos.TopologyName, r.topo, nil)
	return r
}

// faultSeed is $SEED, else a random one.
func faultSeed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("SEED")
	if text == "" {
		return uint64(rand.IntN(1_000_000))
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("SEED: %v", err)
	}
	return seed
}

// newChaos makes a cluster that ends with the test, with everything that belongs to it.
func newChaos(t *testing.T, cfg chaos.Config) *chaos.Cluster {
	t.Helper()
	c, err := chaos.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			chaosLogs(t, c)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// submitChaos starts a topology that checks itself and watches it until the test ends.
func submitChaos(t *testing.T, c *chaos.Cluster, name string, topo chaos.Topology, files map[string]string) *chaos.Watch {
	t.Helper()
	built, err := topo.Build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := submitted(ctx, c, func() error { return chaos.Submit(ctx, c.Client(), name, built, files) }); err != nil {
		t.Fatal(err)
	}
	w, err := chaos.NewWatch(topo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	if err := w.Steady(ctx); err != nil {
		t.Fatal(err)
	}
	return w
}

// submitted calls submit, each time with a client of who leads then, until the topology is there. On a busy machine masters change by
// themselves, and a submit without an answer may have been carried out.
func submitted(ctx context.Context, c *chaos.Cluster, submit func() error) error {
	for again := false; ; again = true {
		_, err := c.Leader(ctx)
		if err == nil {
			err = submit()
		}
		there := (*stormrpc.AlreadyAliveException)(nil)
		if err == nil || again && errors.As(err, &there) {
			return nil
		}
		if !client.Retryable(err) || sleepOrEnd(ctx, 200*time.Millisecond) {
			return err
		}
	}
}

// chaosLogs prints the ends of all logs, for a failed test.
func chaosLogs(t *testing.T, c *chaos.Cluster) {
	for _, n := range append(c.Nimbuses(), c.Supervisors()...) {
		logs, _ := filepath.Glob(filepath.Join(n.Inside(), "logs", "workers-artifacts", "*", "*", "worker.log"))
		for _, path := range append(logs, n.LogPath()) {
			b, _ := os.ReadFile(path)
			t.Logf("%s of %s:\n%s", filepath.Base(path), n.Name, b[max(0, len(b)-2000):])
		}
	}
}

// faultRun is one fault under test.
type faultRun struct {
	*testing.T
	*faultRig
	ctx    context.Context
	m      *chaos.Measure
	result chaos.Result
	// second, if any, is a topology that counts exactly once beside the one that acks, with a line of its own.
	second *onceRun
}

// fault runs one fault test on the rig and prints its line, or its two lines.
func (r *faultRig) fault(n int, name string, do func(f *faultRun)) {
	r.t.Run(fmt.Sprintf("%02d-%s", n, name), func(t *testing.T) {
		limit := 5 * time.Minute
		if r.long {
			limit = 50 * time.Minute // the faults at random take 30
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		f := &faultRun{T: t, faultRig: r, ctx: ctx, result: chaos.Result{N: n, Name: name, Seed: r.seed}}
		f.must("a steady rate before the fault", r.w.Steady(ctx))
		f.m = r.w.Begin()
		do(f)
		f.print()
		if f.second != nil {
			f.second.end()
			f.second.print()
		}
	})
}

// print prints the line of the fault, and fails the test if it is not ok.
func (f *faultRun) print() {
	fmt.Println(f.result)
	if len(f.result.Failed) > 0 {
		f.Errorf("%v", f.result)
	}
}

// must ends the test on an error.
func (f *faultRun) must(what string, err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("%s: %v", what, err)
	}
}

// harm does a fault and returns what heals it.
func (f *faultRun) harm(fault chaos.Fault) (heal func()) {
	f.Helper()
	undo, err := f.c.Harm(fault)
	f.must("do it", err)
	f.Logf("%s: %v", fault.Kind, fault)
	return func() { f.Helper(); f.must("heal it", undo()) }
}

// end waits for the effects to end, recovery counted from the moment from, and holds them to the table: nothing lost, no
// more duplicates than can be under way, and the goal in time with lenience.
func (f *faultRun) end(from time.Time, goal time.Duration) {
	f.Helper()
	f.must("all supervisors", f.c.Registered(f.ctx))
	f.m.End(f.ctx, &f.result, from, f.topo.InFlight())
	f.within(f.result.Recovery, goal, "recovery")
}

// within holds a time to its goal.
func (f *faultRun) within(took, goal time.Duration, what string) {
	f.Helper()
	f.Logf("%s: %.2fs, goal %.0fs", what, took.Seconds(), goal.Seconds())
	if took > lenience*goal {
		f.result.Failf("%s took %.1fs, more than %d times the goal of %.0fs", what, took.Seconds(), lenience, goal.Seconds())
	}
}

// workers lists the workers of the rig's topology, in order.
func (f *faultRun) workers() []chaos.Worker {
	f.Helper()
	return f.workersOf(func(topology string) bool { return strings.HasPrefix(topology, chaos.TopologyName+"-1-") })
}

// workersOf lists the workers of topologies with such ids, in order.
func (f *faultRun) workersOf(is func(topology string) bool) []chaos.Worker {
	f.Helper()
	all, err := f.c.Workers()
	f.must("list workers", err)
	return slices.DeleteFunc(all, func(w chaos.Worker) bool { return !is(w.Topology) })
}

// killed ends a topology, also while masters change and after the fault's time, and waits for its workers.
func (f *faultRun) killed(name string, workers func() []chaos.Worker) {
	f.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	waitFor(f.T, time.Minute, "an answer to the kill of "+name, func() bool {
		if _, err := f.c.Leader(ctx); err != nil {
			return false
		}
		err := chaos.Kill(ctx, f.c.Client(), name)
		gone := (*stormrpc.NotAliveException)(nil)
		return err == nil || errors.As(err, &gone)
	})
	waitFor(f.T, time.Minute, "the end of the workers of "+name, func() bool { return len(workers()) == 0 })
}

// untouched notes if one of the workers was restarted.
func (f *faultRun) untouched(were []chaos.Worker) {
	f.Helper()
	if err := chaos.Untouched(were, f.workers()); err != nil {
		f.result.Failf("%v", err)
	}
}

// supervisor picks one that has a worker.
func (f *faultRun) supervisor() *chaos.Node {
	f.Helper()
	all := f.workers()
	return f.c.Node(all[f.random.IntN(len(all))].Node)
}

// supervisorOf picks one that has a worker of the other topology too. That one is spread over the nodes first if there is none: its
// workers were started when others were thought badly of.
func (f *faultRun) supervisorOf(o *onceRun) *chaos.Node {
	f.Helper()
	for range 3 {
		if both := f.withBoth(o); len(both) > 0 {
			return f.c.Node(both[f.random.IntN(len(both))].Node)
		}
		f.harm(chaos.Fault{Kind: chaos.Rebalance, Node: o.name, Count: rigSupervisors})
		o.advance(3)
		f.again()
	}
	f.Fatalf("no supervisor has workers of both topologies: %v, %v", f.workers(), o.workers())
	return nil
}

// withBoth lists the workers of the rig's topology that are beside one of the other topology.
func (f *faultRun) withBoth(o *onceRun) []chaos.Worker {
	f.Helper()
	exactly := o.workers()
	both := slices.DeleteFunc(f.workers(), func(w chaos.Worker) bool {
		return !slices.ContainsFunc(exactly, func(x chaos.Worker) bool { return x.Node == w.Node })
	})
	return both
}

// some lists in order what of n things is done: in CI a few of them at random, in the full run all.
func (f *faultRun) some(n, few int) []int {
	all := f.random.Perm(n)
	if !f.long {
		all = all[:few]
	}
	slices.Sort(all)
	return all
}

// hold waits: this long in CI, that long in the full run.
func (f *faultRun) hold(short, long time.Duration) time.Duration {
	d := short
	if f.long {
		d = long
	}
	select {
	case <-time.After(d):
	case <-f.ctx.Done():
		f.must("hold the fault", f.ctx.Err())
	}
	return d
}
