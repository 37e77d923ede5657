package integration

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gearstorm/gearstorm"
	sdk "github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const laterScript = `
import gearstorm
class Later(gearstorm.BasicBolt):
    def process(self, tup):
        self.emit(tup.values)
Later().run()
`

// javaRun is a topology that checks itself, with components in Java, on a cluster.
type javaRun struct {
	s    *storm
	topo exact.Topology
	o    gearstorm.Options
	name string
}

// startJavaRun submits what build makes of a topology with checkpoints.
func startJavaRun(t *testing.T, name string, build func(exact.Topology) *sdk.Topology) *javaRun {
	t.Helper()
	s, dir := startJava(t)
	r := &javaRun{s: s, name: name, topo: exact.Topology{Dir: dir, Records: javaRecords, Rate: 400, Sources: 2, Counters: 2, Sinks: 2, Conf: map[string]any{
		"gearstorm.checkpoint.interval.ms": 200, "topology.worker.childopts": "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
	}}}
	lib := tool(t, "scripts/get-storm-client.sh", "storm", "lib-worker")
	r.o = gearstorm.Options{Nimbus: []string{fmt.Sprintf("127.0.0.1:%d", s.c.nimbus)},
		Jar: makeJar(t, filepath.Join(t.TempDir(), "exact.jar"), lib+"/*", "java/src/main/java/it/Exact.java")}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := gearstorm.SubmitTopology(ctx, name, build(r.topo), nil, r.o); err != nil {
		t.Fatal(err)
	}
	r.further(t)
	return r
}

// further waits until more records are visible.
func (r *javaRun) further(t *testing.T) {
	t.Helper()
	seen := exactly(t, r.topo).Visible
	waitFor(t, 3*time.Minute, "more records are visible", func() bool { now := exactly(t, r.topo); return now.Visible > seen+200 || now.Whole(r.topo) })
}

// apply makes a change in place, while which workers go on, and their Java processes if jvms stay.
func (r *javaRun) apply(t *testing.T, what string, topo *sdk.Topology, resources fs.FS, jvms bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	workers, java := r.s.c.workers(t), r.s.c.jvms(t)
	change, err := gearstorm.ApplyTopology(ctx, r.name, topo, resources, r.o)
	if err == nil && (len(change.Refused) > 0 || len(change.Rows) == 0 || change.Restarts) {
		t.Fatalf("%s: want a change that is made in place, got\n%v", what, change)
	}
	if err == nil {
		err = gearstorm.AwaitVersion(ctx, r.name, change.Version, r.o)
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	r.further(t)
	if now := r.s.c.workers(t); !same(workers, now) {
		t.Fatalf("%s: workers were replaced:\n%v\nare now\n%v", what, workers, now)
	}
	if now := r.s.c.jvms(t); jvms && !same(java, now) {
		t.Fatalf("%s: Java processes were replaced:\n%v\nare now\n%v", what, java, now)
	}
}

// whole waits until all records are visible.
func (r *javaRun) whole(t *testing.T) {
	t.Helper()
	waitFor(t, 5*time.Minute, "all records are visible", func() bool { now := exactly(t, r.topo); return now.Whole(r.topo) })
}

// tasks gives a component another number of them.
func tasks(c *stormrpc.ComponentCommon, n int32) {
	own := fmt.Sprintf(`{"topology.tasks": %d}`, n)
	c.ParallelismHint, c.JSONConf = &n, &own
}

// inGo is a bolt of the program's.
func inGo(name string) *stormrpc.ComponentObject {
	return &stormrpc.ComponentObject{JavaObject: &stormrpc.JavaObject{FullClassName: sdk.GoComponentClass, ArgsList: []*stormrpc.JavaObjectArg{{StringArg: &name}}}}
}

// Bolts in Java are rescaled, come and go, get another configuration, another class and another grouping, become a bolt in Python and one in Go while
// their jar stays, and come back, while the topology counts: every record counts once, and what is not touched goes on in its process.
func TestJavaChangesCountOnce(t *testing.T) {
	t.Parallel()
	r := startJavaRun(t, "strangled", func(topo exact.Topology) *sdk.Topology { return throughJava(t, topo, "Later") })
	later := func(edit func(*stormrpc.Bolt)) *sdk.Topology {
		built := throughJava(t, r.topo, "Later", "Pass")
		edit(built.Thrift.Bolts["later"])
		return built
	}
	python := fstest.MapFS{"resources/later.py": {Data: []byte(laterScript)}}
	for _, step := range []struct {
		always bool // or with allChanges only
		what   string
		topo   *sdk.Topology
		with   fs.FS
	}{
		{true, "a bolt more, between two", throughJava(t, r.topo, "Later", "Pass"), nil},
		{false, "more tasks", later(func(b *stormrpc.Bolt) { tasks(b.Common, 4) }), nil},
		{false, "another configuration", later(func(b *stormrpc.Bolt) { tasks(b.Common, 4); renew(b.Common, 1) }), nil},
		{true, "another class", later(func(b *stormrpc.Bolt) { b.BoltObject.JavaObject.FullClassName = "it.Exact$Pass" }), nil},
		{false, "another grouping", later(func(b *stormrpc.Bolt) {
			b.BoltObject.JavaObject.FullClassName = "it.Exact$Pass"
			b.Common.Inputs[0].Value = &stormrpc.Grouping{LocalOrShuffle: &stormrpc.NullStruct{}}
		}), nil},
		{false, "Java to Go", later(func(b *stormrpc.Bolt) { b.BoltObject = inGo("pass") }), nil},
		{false, "Go to Java", later(func(*stormrpc.Bolt) {}), nil},
		{true, "Java to Python", later(func(b *stormrpc.Bolt) {
			b.BoltObject = &stormrpc.ComponentObject{Shell: &stormrpc.ShellComponent{ExecutionCommand: "python3", Script: "later.py"}}
		}), python},
		{true, "Python to Java", later(func(*stormrpc.Bolt) {}), nil},
		{false, "fewer tasks", later(func(b *stormrpc.Bolt) { tasks(b.Common, 1) }), nil},
		{false, "a bolt less", throughJava(t, r.topo, "Later"), nil},
	} {
		if !step.always && !allChanges {
			continue
		}
		r.apply(t, step.what, step.topo, step.with, true)
		if n := len(r.s.c.scripts(t, "later.py")); step.with != nil && n != 2 {
			t.Errorf("%d children run", n)
		}
	}
	waitFor(t, time.Minute, "the children end", func() bool { return len(r.s.c.scripts(t, "later.py")) == 0 })
	if out := r.s.c.must(t, "history", r.name); strings.Contains(out, "restart") {
		t.Errorf("history:\n%s", out)
	}
	r.whole(t)
	ok(stormClient, "Java bolts change in place, exactly once")
}

// jvms are the Java processes of a cluster's workers.
func (c *cluster) jvms(t *testing.T) map[int]process {
	t.Helper()
	all := processes(t, c.dir)
	maps.DeleteFunc(all, func(_ int, p process) bool { return !slices.Contains(p.args, "gearstorm.jvmhost.storm.Main") })
	return all
}
