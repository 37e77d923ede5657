package integration

import (
	"context"
	"fmt"
	"path/filepath"
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

// A bolt in Java becomes one in Python under its id while the topology counts, in the worker that runs, and comes back, which restarts that:
// every record counts once.
func TestJavaBoltBecomesPython(t *testing.T) {
	s, dir := startJava(t)
	topo := exact.Topology{Dir: dir, Records: 12_000, Rate: 400, Sources: 2, Counters: 2, Sinks: 2, Conf: map[string]any{
		"gearstorm.checkpoint.interval.ms": 200, "topology.worker.childopts": "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
	}}
	lib := tool(t, "scripts/get-storm-client.sh", "storm", "lib-worker")
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	o := gearstorm.Options{Nimbus: []string{fmt.Sprintf("127.0.0.1:%d", s.c.nimbus)},
		Jar: makeJar(t, filepath.Join(t.TempDir(), "exact.jar"), lib+"/*", "java/src/main/java/it/Exact.java")}
	if _, err := gearstorm.SubmitTopology(ctx, "strangled", throughJava(t, topo, "Later"), nil, o); err != nil {
		t.Fatal(err)
	}
	further := func() {
		t.Helper()
		seen := exactly(t, topo).Visible
		waitFor(t, 3*time.Minute, "more records are visible", func() bool { r := exactly(t, topo); return r.Visible > seen+200 || r.Whole(topo) })
	}
	further()
	apply := func(what string, inPlace bool, change *gearstorm.Change, err error) {
		t.Helper()
		workers := s.c.workers(t)
		if err == nil && (len(change.Refused) > 0 || len(change.Rows) == 0 || change.Restarts == inPlace) {
			t.Fatalf("%s: want a change that is made in place: %v, got\n%v", what, inPlace, change)
		}
		if err == nil {
			err = gearstorm.AwaitVersion(ctx, "strangled", change.Version, o)
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		further()
		if now := s.c.workers(t); inPlace && !same(workers, now) {
			t.Fatalf("%s: workers were replaced:\n%v\nare now\n%v", what, workers, now)
		}
	}
	inPython := func() *sdk.Topology {
		built := throughJava(t, topo, "Later")
		built.Thrift.Bolts["later"].BoltObject = &stormrpc.ComponentObject{Shell: &stormrpc.ShellComponent{ExecutionCommand: "python3", Script: "later.py"}}
		return built
	}
	change, err := gearstorm.ApplyTopology(ctx, "strangled", inPython(), fstest.MapFS{"resources/later.py": {Data: []byte(laterScript)}}, o)
	apply("Java to Python", true, change, err)
	if n := len(s.c.scripts(t, "later.py")); n != 2 {
		t.Errorf("%d children run", n)
	}
	change, err = gearstorm.ApplyTopology(ctx, "strangled", throughJava(t, topo, "Later"), nil, o)
	apply("Python to Java", false, change, err)
	waitFor(t, time.Minute, "the children end", func() bool { return len(s.c.scripts(t, "later.py")) == 0 })
	if out := s.c.must(t, "history", "strangled"); strings.Count(out, "in place") != 1 {
		t.Errorf("history:\n%s", out)
	}
	waitFor(t, 5*time.Minute, "all records are visible", func() bool { r := exactly(t, topo); return r.Whole(topo) })
	ok(stormClient, "a Java bolt becomes a Python one and comes back, exactly once")
}
