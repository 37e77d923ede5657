package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat"
	sdk "github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// counters count by key as those of package exact do, in other languages. An entry for each source moves with its key, and a timer far ahead, which is due when all
// sources have ended.
var counters = map[string]struct{ program, script, text string }{
	"python": {"python3", "count.py", `
import gearstorm
class Count(gearstorm.BasicBolt):
    total = gearstorm.Value(0)
    sources = gearstorm.Map()
    far = gearstorm.Timers()
    ended = gearstorm.Value(0)
    def process(self, tup):
        n = self.total.get() + 1
        self.total.set(n)
        self.sources.set(tup["source"], self.sources.get(tup["source"], 0) + 1)
        if n == 1:
            self.far.set(1 << 40)
        self.emit([tup["key"], n, tup["source"], tup["number"]])
    def on_timer(self, timer):
        self.ended.set(self.ended.get() + 1)
Count().run()
`},
	"node": {"node", "count.js", `
const { BasicBolt, value, map, timers } = require('./gearstorm');
class Count extends BasicBolt {
  static states = { total: value(0), sources: map(), far: timers(), ended: value(0) };
  process(tuple) {
    const { total, sources, far } = this.state(tuple);
    const n = total.get() + 1;
    total.set(n);
    sources.set(tuple.get('source'), (sources.get(tuple.get('source')) ?? 0) + 1);
    if (n === 1) far.set(2 ** 40);
    this.emit([tuple.get('key'), n, tuple.get('source'), tuple.get('number')]);
  }
  onTimer(timer) {
    const { ended } = this.state(timer);
    ended.set(ended.get() + 1);
  }
}
new Count().run();
`},
}

// scaled is a topology that checks itself, with counters in another language.
type scaled struct {
	*exactRun
	lang  string
	files fstest.MapFS
	o     gearstorm.Options
}

// built is the topology with so many counters.
func (s *scaled) built(t *testing.T, tasks int) *sdk.Topology {
	t.Helper()
	topo, err := s.topo.Build()
	if err != nil {
		t.Fatal(err)
	}
	byKey, err := compat.Grouping(dag.Grouping{Kind: dag.KeyGroups, Fields: []string{"key"}})
	if err != nil {
		t.Fatal(err)
	}
	counter := topo.Thrift.Bolts["counter"]
	counter.BoltObject = &stormrpc.ComponentObject{Shell: &stormrpc.ShellComponent{ExecutionCommand: counters[s.lang].program, Script: counters[s.lang].script}}
	n, own := int32(tasks), fmt.Sprintf(`{"topology.tasks": %d}`, tasks)
	counter.Common.ParallelismHint, counter.Common.JSONConf, counter.Common.Inputs = &n, &own, nil
	compat.Subscribe(counter.Common, "source", gearcore.DefaultStream, byKey)
	return topo
}

// submitScaled submits one on two workers, with two counters, and waits until they count. Of topo the numbers of records and keys count.
func submitScaled(t *testing.T, d *daemons, lang string, topo exact.Topology) *scaled {
	t.Helper()
	c := counters[lang]
	topo.Dir, topo.Rate, topo.Sources, topo.Sinks, topo.Workers = t.TempDir(), 1000, 2, 2, 2
	topo.Conf = map[string]any{"gearstorm.checkpoint.interval.ms": 200, "topology.max.spout.pending": 500}
	s := &scaled{&exactRun{d, topo, "scaled", d.dial(t)}, lang, fstest.MapFS{c.script: {Data: []byte(c.text), Mode: 0o644}},
		gearstorm.Options{Nimbus: []string{fmt.Sprintf("127.0.0.1:%d", d.nimbus)}}}
	if _, err := gearstorm.SubmitTopology(t.Context(), s.name, s.built(t, 2), s.files, s.o); err != nil {
		t.Fatal(err)
	}
	s.visible(t, 1)
	return s
}

// dies is a script for the counters that ends at once.
var dies = fstest.MapFS{counters["python"].script: {Data: []byte("import sys; sys.exit(3)\n"), Mode: 0o644}}

// goesBack waits until a version has gone back by itself, and says why.
func (s *scaled) goesBack(ctx context.Context, t *testing.T, version int64, says ...string) {
	t.Helper()
	err := gearstorm.AwaitVersion(ctx, s.name, version, s.o)
	if !errors.Is(err, gearstorm.ErrWentBack) {
		t.Errorf("it went: %v", err)
	}
	for _, want := range says {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("it went: %v, want %q", err, want)
		}
	}
	t.Logf("it went back: %v", err)
}

// A version whose script ends at once goes back by itself, in place, and says which component died and how; every record counts once.
func TestChangeToAScriptThatDies(t *testing.T) {
	t.Parallel()
	program(t, "python3")
	d := startDaemons(t, 2)
	const records = 10_000
	s := submitScaled(t, d, "python", exact.Topology{Records: records, Keys: 13})
	was := d.workers(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	began := time.Now()
	c, err := gearstorm.ApplyTopology(ctx, s.name, s.built(t, 2), dies, s.o)
	if err != nil || c.Restarts || len(c.Refused) > 0 {
		t.Fatalf("want a change in place: %v, %v", c, err)
	}
	s.goesBack(ctx, t, c.Version, "component counter died ", "exit status 3")
	t.Logf("back after %v", time.Since(began).Round(time.Millisecond))
	if err := gearstorm.AwaitVersion(ctx, s.name, c.Version+1, s.o); err != nil {
		t.Errorf("the version before: %v", err)
	}
	t.Logf("at work again after %v", time.Since(began).Round(time.Millisecond))
	if now := d.workers(t); !same(was, now) {
		t.Errorf("workers were replaced:\n%v\nare now\n%v", was, now)
	}
	if out := d.must(t, "get-errors", s.name); !strings.Contains(out, "exit status 3") {
		t.Errorf("its errors are\n%s", out)
	}
	s.visible(t, 2*records)
	d.must(t, "kill", s.name, "-w", "0")
}

// A version whose script has a state no more goes back at the first try, in place and with a restart; every record counts once.
func TestChangeThatLosesAState(t *testing.T) {
	t.Parallel()
	program(t, "python3")
	d := startDaemons(t, 2)
	const records = 10_000
	s := submitScaled(t, d, "python", exact.Topology{Records: records, Keys: 13})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := counters["python"]
	renamed := fstest.MapFS{c.script: {Data: []byte(strings.ReplaceAll(c.text, "ended", "over")), Mode: 0o644}}
	for _, restarts := range []bool{false, true} {
		topo := s.built(t, 2)
		if restarts {
			topo.Conf["topology.debug"] = true
		}
		began := time.Now()
		c, err := gearstorm.ApplyTopology(ctx, s.name, topo, renamed, s.o)
		if err != nil || c.Restarts != restarts || len(c.Refused) > 0 {
			t.Fatalf("want a change, with a restart %t: %v, %v", restarts, c, err)
		}
		s.goesBack(ctx, t, c.Version, "went back by itself: component counter, task ", `it has the handle "ended", which this program does not register`)
		t.Logf("back after %v", time.Since(began).Round(time.Millisecond))
		if err := gearstorm.AwaitVersion(ctx, s.name, c.Version+1, s.o); err != nil {
			t.Errorf("the version before: %v", err)
		}
	}
	s.visible(t, 2*records)
	d.must(t, "kill", s.name, "-w", "0")
}

// A script that ends at once is told of wherever it runs first: in a version that restarts the workers, which goes back, and in a topology that
// begins with it.
func TestScriptThatDies(t *testing.T) {
	t.Parallel()
	program(t, "python3")
	d := startDaemons(t, 2)
	const records = 8000
	s := submitScaled(t, d, "python", exact.Topology{Records: records, Keys: 13})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	began, bad := time.Now(), s.built(t, 2)
	bad.Conf["topology.debug"] = true
	c, err := gearstorm.ApplyTopology(ctx, s.name, bad, dies, s.o)
	if err != nil || !c.Restarts || len(c.Refused) > 0 {
		t.Fatalf("want a change with a restart: %v, %v", c, err)
	}
	s.goesBack(ctx, t, c.Version, "component counter died ", "exit status 3")
	t.Logf("back after %v", time.Since(began).Round(time.Millisecond))
	s.visible(t, 2*records)
	d.must(t, "kill", s.name, "-w", "0")

	if _, err := gearstorm.SubmitTopology(ctx, "ill", s.built(t, 2), dies, s.o); err != nil {
		t.Fatal(err)
	}
	waitFor(t, time.Minute, "its errors to say why it does nothing", func() bool {
		return strings.Contains(d.must(t, "get-errors", "ill"), "exit status 3")
	})
	waitFor(t, time.Minute, "its checkpoints to say so", func() bool {
		return strings.Contains(d.must(t, "checkpoints", "ill"), "of counter: restore checkpoint 0: multilang child of counter")
	})
	d.must(t, "kill", "ill", "-w", "0")
}
