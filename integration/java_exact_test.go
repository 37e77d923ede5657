package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat"
	sdk "github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// throughJava builds a topology that checks itself, with bolts in Java between its sources and its counters: the classes of
// it.Exact, one behind the other, with two tasks each.
func throughJava(t *testing.T, topo exact.Topology, classes ...string) *sdk.Topology {
	t.Helper()
	built, err := topo.Build()
	if err != nil {
		t.Fatal(err)
	}
	subscribe := func(c *stormrpc.ComponentCommon, from string, g dag.Grouping) {
		grouping, err := compat.Grouping(g)
		if err != nil {
			t.Fatal(err)
		}
		compat.Subscribe(c, from, gearcore.DefaultStream, grouping)
	}
	from := "source"
	for _, class := range classes {
		two, own := int32(2), `{"topology.tasks": 2}`
		c := &stormrpc.ComponentCommon{
			Streams:         map[string]*stormrpc.StreamInfo{gearcore.DefaultStream: {OutputFields: []string{"key", "source", "number"}}},
			ParallelismHint: &two, JSONConf: &own,
		}
		subscribe(c, from, dag.Grouping{Kind: dag.Shuffle})
		from = strings.ToLower(class)
		built.Thrift.Bolts[from] = &stormrpc.Bolt{Common: c, BoltObject: &stormrpc.ComponentObject{
			JavaObject: &stormrpc.JavaObject{FullClassName: "it.Exact$" + class, ArgsList: []*stormrpc.JavaObjectArg{}},
		}}
	}
	counter := built.Thrift.Bolts["counter"].Common
	counter.Inputs = nil
	subscribe(counter, from, dag.Grouping{Kind: dag.Fields, Fields: []string{"key"}})
	return built
}

// submitThroughJava submits what throughJava builds.
func submitThroughJava(t *testing.T, c *cluster, name string, topo exact.Topology, classes ...string) {
	t.Helper()
	submitBuilt(t, c, name, throughJava(t, topo, classes...))
}

// submitBuilt submits a topology with classes of it.Exact.
func submitBuilt(t *testing.T, c *cluster, name string, topo *sdk.Topology) {
	t.Helper()
	lib := tool(t, "scripts/get-storm-client.sh", "storm", "lib-worker")
	jar := makeJar(t, filepath.Join(t.TempDir(), "exact.jar"), lib+"/*", "java/src/main/java/it/Exact.java")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	o := gearstorm.Options{Nimbus: []string{fmt.Sprintf("127.0.0.1:%d", c.nimbus)}, Jar: jar}
	if _, err := gearstorm.SubmitTopology(ctx, name, topo, nil, o); err != nil {
		t.Fatal(err)
	}
}

// exactly reads what is visible of topo; nothing may be wrong.
func exactly(t *testing.T, topo exact.Topology) exact.Result {
	t.Helper()
	r, err := exact.Check(topo)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Wrong) > 0 {
		t.Fatalf("wrong:\n%s", strings.Join(r.Wrong, "\n"))
	}
	return r
}

// killSomeJava kills the Java process of a cluster, the next one if there is none at the moment.
func killSomeJava(t *testing.T, c *cluster) {
	t.Helper()
	waitFor(t, time.Minute, "a Java process", func() bool {
		for _, p := range processes(t, c.dir) {
			if slices.Contains(p.args, "gearstorm.jvmhost.storm.Main") {
				return syscall.Kill(p.pid, syscall.SIGKILL) == nil
			}
		}
		return false
	})
}

// Bolts in Java between sources and counters, unchanged, in a topology with checkpoints; their process is killed at random moments, also
// while the topology is going back. Every record counts once.
func TestJavaExactlyOnce(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	topo := exact.Topology{Dir: dir, Records: 25_000, Rate: 1500, Sources: 2, Counters: 2, Sinks: 2, Conf: map[string]any{
		"gearstorm.checkpoint.interval.ms": 200, "topology.worker.childopts": "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
	}}
	submitThroughJava(t, s.c, "exact", topo, "Later", "Pass")
	killJavaUntilWhole(t, s, topo)
	ok(stormClient, "Java bolts, exactly once")
}

// killJavaUntilWhole kills the Java process of a topology at random moments, also while it is going back, until all of its records are
// visible.
func killJavaUntilWhole(t *testing.T, s *storm, topo exact.Topology) {
	t.Helper()
	waitFor(t, 2*time.Minute, "records are visible", func() bool { return exactly(t, topo).Visible > 0 })
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 5 {
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		killSomeJava(t, s.c)
		if random.IntN(2) == 0 {
			seen := exactly(t, topo).Visible
			waitFor(t, 3*time.Minute, "more records are visible", func() bool { r := exactly(t, topo); return r.Visible > seen || r.Whole(topo) })
		}
	}
	waitFor(t, 5*time.Minute, "all records are visible", func() bool { r := exactly(t, topo); return r.Whole(topo) })
	if r := exactly(t, topo); r.Epochs < 10 {
		t.Errorf("%d checkpoints were looked at", r.Epochs)
	}
}

// withJavaState gives topo a counter in Java with a state of Storm's, and what else Storm's builder makes of a topology with such
// bolts: the spout of checkpoints, and streams from it to the bolt.
func withJavaState(t *testing.T, topo *sdk.Topology) {
	t.Helper()
	const spout, stream = "$checkpointspout", "$checkpoint"
	declare := func(c *stormrpc.ComponentCommon) {
		c.Streams[stream] = &stormrpc.StreamInfo{OutputFields: []string{"txid", "action"}}
	}
	object := func(class string) *stormrpc.ComponentObject {
		return &stormrpc.ComponentObject{JavaObject: &stormrpc.JavaObject{FullClassName: class, ArgsList: []*stormrpc.JavaObjectArg{}}}
	}
	one, own := int32(1), `{"topology.tasks": 1}`
	source := &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{}, ParallelismHint: &one, JSONConf: &own}
	declare(source)
	topo.Thrift.Spouts[spout] = &stormrpc.SpoutSpec{Common: source, SpoutObject: object(compat.CheckpointSpoutClass)}
	counter := topo.Thrift.Bolts["counter"]
	counter.BoltObject = object("it.Exact$Counter")
	declare(counter.Common)
	all, err := compat.Grouping(dag.Grouping{Kind: dag.All})
	if err != nil {
		t.Fatal(err)
	}
	compat.Subscribe(counter.Common, spout, stream, all)
}

// Counters in Java with a state of Storm's; their process is killed at random moments. What they counted goes back with the topology, so each
// record has its number once.
func TestJavaStateExactlyOnce(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	topo := exact.Topology{Dir: dir, Records: 25_000, Rate: 1500, Sources: 2, Counters: 2, Sinks: 2, Conf: map[string]any{
		"gearstorm.checkpoint.interval.ms": 200, "topology.worker.childopts": "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
	}}
	built := throughJava(t, topo, "Later")
	withJavaState(t, built)
	submitBuilt(t, s.c, "state", built)
	killJavaUntilWhole(t, s, topo)
	ok(stormClient, "Java state, exactly once")
}

// A bolt in Java that never acks holds back every checkpoint: it is named, and the topology goes on.
func TestJavaBoltThatNeverAcks(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	topo := exact.Topology{Dir: dir, Records: 1000, Rate: 500, Conf: map[string]any{
		"gearstorm.checkpoint.interval.ms": 100, "gearstorm.checkpoint.align.limit.ms": 300, "topology.worker.childopts": "-Xmx128m -XX:+UseSerialGC",
	}}
	submitThroughJava(t, s.c, "forgetful", topo, "Forgetful")
	waitFor(t, 2*time.Minute, "an error that names it", func() bool {
		errs, err := s.java(t, false, command+"GetErrors", "forgetful")
		return err == nil && strings.Contains(errs, "of forgetful has waited") && strings.Contains(errs, "that it has not acked")
	})
	if r := exactly(t, topo); r.Visible > 0 {
		t.Errorf("%d records are visible", r.Visible)
	}
}
