package multilang

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// The sessions of this file run unmodified clients as users have them: storm.py and storm.js of Storm 2.8.3 and pystorm
// 3.1.4, installed by scripts/get-multilang-clients.sh.

// stormPy returns the command of a program that can import storm.py, which lies beside it as in a topology's resources.
func stormPy(t testing.TB, text string) []string {
	t.Helper()
	lib, err := os.ReadFile(thirdParty(t, "multilang/storm.py"))
	if err != nil {
		t.Fatal(err)
	}
	path := script(t, "component.py", "import sys\nimport storm\n"+text)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "storm.py"), lib, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{tool(t, "python3"), path}
}

func stormJS(t testing.TB, text string) []string {
	lib := thirdParty(t, "multilang/storm.js")
	return []string{tool(t, "node"), script(t, "component.js", "const storm = require("+strconv.Quote(lib)+");\n"+text)}
}

// pystorm returns the command of a program for pystorm that ends by running class C, told its serializer as streamparse does:
// in one argument.
func pystorm(t testing.TB, serializer, text string) []string {
	py := thirdParty(t, "venv/bin/python")
	return []string{py, script(t, "component.py", "import sys\n"+text+`
assert sys.argv[1] == "-s `+serializer+` module.C", sys.argv
C(serializer=sys.argv[1].split()[1]).run()
`), "-s " + serializer + " module.C"}
}

const pystormBolt = `
from pystorm import Bolt
class C(Bolt):
    def process(self, tup):
        what = tup.values.sentence
        if what == "ids": self.emit([str(self.emit(["first"], need_task_ids=True))])
        elif what == "direct": self.emit([what], stream="direct", direct_task=4)
        elif what == "log": self.logger.warning("a warning"); print("printed", file=sys.stderr)
        else:
            for w in what.split(): self.emit([w])
    def process_tick(self, tup):
        self.emit(["tick"])
`

var thirdPartyBolts = map[string]func(t testing.TB) []string{
	"storm.py": func(t testing.TB) []string {
		return stormPy(t, `
class C(storm.Bolt):
    def process(self, tup):
        what = tup.values[0]
        if tup.stream == "__tick": storm.emit(["tick"])
        elif what == "ids": storm.emit([str(storm.emit(["first"], anchors=[tup]))], anchors=[tup])
        elif what == "direct": storm.emitDirect(4, [what], stream="direct", anchors=[tup])
        elif what == "log":
            storm.logWarn("a warning")
            sys.stderr.write("printed\n")
        else:
            for w in what.split(): storm.emit([w], anchors=[tup])
        storm.ack(tup)
C().run()
`)
	},
	"storm.py basic": func(t testing.TB) []string {
		return stormPy(t, `
class C(storm.BasicBolt):
    def process(self, tup):
        what = tup.values[0]
        if tup.stream == "__tick": storm.emit(["tick"])
        elif what == "ids": storm.emit([str(storm.emit(["first"]))])
        elif what == "direct": storm.emitDirect(4, [what], stream="direct")
        elif what == "log":
            storm.logWarn("a warning")
            sys.stderr.write("printed\n")
        else:
            for w in what.split(): storm.emit([w])
C().run()
`)
	},
	"storm.js": func(t testing.TB) []string {
		return stormJS(t, `
class C extends storm.BasicBolt {
  process(tup, done) {
    const what = tup.values[0];
    const out = (word, then) => this.emit({ tuple: [word], anchorTupleId: tup.id }, then);
    if (tup.isTickTuple()) out('tick', () => done());
    else if (what === 'ids') out('first', (ids) => out('[' + ids + ']', () => done()));
    else if (what === 'direct') { this.emitDirect({ tuple: [what], stream: 'direct', task: 4, anchorTupleId: tup.id }); done(); }
    else if (what === 'log') { this.logWarn('a warning'); console.error('printed'); done(); }
    else {
      const words = what.split(' ');
      let left = words.length;
      for (const w of words) out(w, () => { if (--left === 0) done(); });
    }
  }
}
new C().run();
`)
	},
	"pystorm json":    func(t testing.TB) []string { return pystorm(t, "json", pystormBolt) },
	"pystorm msgpack": func(t testing.TB) []string { return pystorm(t, "msgpack", pystormBolt) },
}

func TestThirdPartyBolts(t *testing.T) {
	for name, command := range thirdPartyBolts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := quick(command(t))
			spec.Wiring.SourceFields = map[string]map[string][]string{"src": {"default": {"sentence"}}}
			e := startBolt(t, spec, map[string]any{"topology.name": "top"})
			for _, c := range []struct{ in, out string }{
				{"the cow jumped", "the cow jumped"},
				{"ids", "first [7]"},
				{"direct", "direct"},
				{"log", ""},
				{"über 😀", "über 😀"},
			} {
				e.mu.Lock()
				e.emits, e.acked = nil, nil
				e.mu.Unlock()
				e.feed(c.in)
				e.eventually(c.in, func() bool { return slices.Equal(e.seen.vals(), words(c.out)) && slices.Equal(e.acked, []string{c.in}) })
				for _, m := range e.snap().emits {
					if len(m.anchors) != 1 || m.anchors[0] != c.in || (m.task == 4) != (c.in == "direct") {
						t.Errorf("%+v", m)
					}
				}
			}
			e.eventually("warning", func() bool {
				return e.hasLog("WARN shell log")() && e.hasLog("a warning")() && e.hasLog("printed")()
			})
			e.mu.Lock()
			e.emits, e.acked = nil, nil
			e.mu.Unlock()
			e.feedTuples(gearcore.NewTuple(testLayout, 1, gearcore.SystemTask, gearcore.Long(1)))
			e.eventually("tick", func() bool { return slices.Equal(e.seen.vals(), []string{"tick"}) && len(e.acked) == 1 })
			if got := e.snap(); len(got.errs)+len(got.failed) > 0 {
				t.Errorf("errors %v failed %v", got.errs, got.failed)
			}
		})
	}
}

// TestThirdPartyBoltsUnderLoad keeps hundreds of tuples in flight while every emit of storm.py and storm.js waits for its
// task ids, which differ, and are checked by the child.
func TestThirdPartyBoltsUnderLoad(t *testing.T) {
	for name, command := range map[string]func(t testing.TB) []string{
		"storm.py": func(t testing.TB) []string {
			return stormPy(t, `
class C(storm.BasicBolt):
    def process(self, tup):
        for i in range(3):
            ids = storm.emit([tup.values[0]])
            if ids != [1000 + int(tup.values[0]), 5]: raise ValueError(ids)
C().run()
`)
		},
		"storm.js": func(t testing.TB) []string {
			return stormJS(t, `
class C extends storm.BasicBolt {
  process(tup, done) {
    let left = 3;
    for (let i = 0; i < 3; i++) this.emit({ tuple: tup.values, anchorTupleId: tup.id }, (ids) => {
      if (ids[0] !== 1000 + Number(tup.values[0])) throw new Error(ids);
      if (--left === 0) done();
    });
  }
}
new C().run();
`)
		},
		"pystorm json":    func(t testing.TB) []string { return pystorm(t, "json", pystormIDs) },
		"pystorm msgpack": func(t testing.TB) []string { return pystorm(t, "msgpack", pystormIDs) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, nil)
			e.outputs[0].looks = true
			e.outputs[0].tasks = func(v []gearcore.Value) []gearcore.TaskID {
				n, _ := strconv.Atoi(v[0].Str())
				return []gearcore.TaskID{gearcore.TaskID(1000 + n), 5}
			}
			e.start(NewBolt(quick(command(t))), nil)
			const n = 1000
			e.feed(numbers(n)...)
			e.eventually("all acked", func() bool { return len(e.acked) == n || len(e.errs) > 0 })
			if got := e.snap(); len(got.errs) > 0 || len(got.emits) != 3*n {
				t.Errorf("%d emits, errors %v", len(got.emits), got.errs)
			}
		})
	}
}

const pystormIDs = `
from pystorm import Bolt
class C(Bolt):
    def process(self, tup):
        for i in range(3):
            ids = self.emit([tup.values[0]], need_task_ids=True)
            if ids != [1000 + int(tup.values[0]), 5]: raise ValueError(ids)
`

// TestThirdPartyFailures: a bolt whose code raises. pystorm and storm.py's Bolt end their process then and are started again;
// storm.py's BasicBolt goes on.
func TestThirdPartyFailures(t *testing.T) {
	const pystormRaise = `
from pystorm import Bolt
class C(Bolt):
    def process(self, tup):
        if tup.values[0] == "bad": raise ValueError("oh no")
`
	for name, c := range map[string]struct {
		command func(t testing.TB) []string
		lost    bool
	}{
		"storm.py": {func(t testing.TB) []string {
			return stormPy(t, `
class C(storm.Bolt):
    def process(self, tup):
        if tup.values[0] == "bad": raise ValueError("oh no")
        storm.ack(tup)
C().run()
`)
		}, true},
		"storm.py basic": {func(t testing.TB) []string {
			return stormPy(t, `
class C(storm.BasicBolt):
    def process(self, tup):
        if tup.values[0] == "bad": raise ValueError("oh no")
C().run()
`)
		}, false},
		"pystorm json":    {func(t testing.TB) []string { return pystorm(t, "json", pystormRaise) }, true},
		"pystorm msgpack": {func(t testing.TB) []string { return pystorm(t, "msgpack", pystormRaise) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startBolt(t, quick(c.command(t)), nil)
			e.feed("bad")
			e.eventually("error", e.hasError("oh no"))
			e.eventually("failed", func() bool { return len(e.failed) == 1 })
			if c.lost {
				e.eventually("lost", e.hasError("restart 1 in"))
			}
			e.feed("good")
			e.eventually("acked", func() bool { return slices.Contains(e.acked, "good") })
			if got := e.snap(); slices.ContainsFunc(got.errs, func(err error) bool { return strings.Contains(err.Error(), "restart 1 in") }) != c.lost {
				t.Errorf("lost should be %v: %v", c.lost, got.errs)
			}
		})
	}
}

// TestPystormBatches holds tuples back for ticks, more of them than the bound on what waits to be written.
func TestPystormBatches(t *testing.T) {
	e := startBolt(t, quick(pystorm(t, "json", `
from pystorm import BatchingBolt
class C(BatchingBolt):
    ticks_between_batches = 1
    def process_batch(self, key, tups):
        self.emit([str(len(tups))])
`)), map[string]any{"topology.shellbolt.max.pending": 10})
	e.feed(numbers(300)...)
	e.eventually("all taken", func() bool { return len(e.input) == 0 })
	tick := gearcore.NewTuple(testLayout, 1, gearcore.SystemTask, gearcore.Long(1))
	e.feedTuples(tick, tick)
	e.eventually("acked", func() bool { return len(e.acked) == 302 })
	if got := e.snap(); !slices.Equal(got.vals(), []string{"300"}) || len(got.emits[0].anchors) != 300 || len(got.errs) > 0 {
		t.Errorf("emitted %v with %d anchors, errors %v", got.vals(), len(got.emits[0].anchors), got.errs)
	}
}

const pystormSpout = `
from pystorm import Spout
class C(Spout):
    def initialize(self, conf, context): self.n = 0
    def next_tuple(self):
        if self.n < 3:
            self.n += 1
            self.emit([str(self.n)], tup_id=self.n if self.n > 1 else "one")
    def ack(self, id): self.log("ack %r" % (id,))
    def fail(self, id): self.emit(["again"], tup_id=id)
`

func TestThirdPartySpouts(t *testing.T) {
	for name, command := range map[string]func(t testing.TB) []string{
		"storm.py": func(t testing.TB) []string {
			return stormPy(t, `
class C(storm.Spout):
    def initialize(self, conf, context): self.n = 0
    def nextTuple(self):
        if self.n < 3:
            self.n += 1
            storm.emit([str(self.n)], id=self.n if self.n > 1 else "one")
    def ack(self, id): storm.logInfo("ack %r" % (id,))
    def fail(self, id): storm.emit(["again"], id=id)
C().run()
`)
		},
		"storm.js": func(t testing.TB) []string {
			return stormJS(t, `
class C extends storm.Spout {
  activate(done) { done(); }
  deactivate(done) { done(); }
  nextTuple(done) {
    this.n = this.n || 0;
    if (this.n >= 3) return done();
    this.n++;
    this.emit({ tuple: [String(this.n)], id: this.n > 1 ? this.n : 'one' }, () => done());
  }
  ack(id, done) { this.logInfo('ack ' + (typeof id === 'string' ? "'" + id + "'" : id)); done(); }
  fail(id, done) { this.emit({ tuple: ['again'], id: id }, () => done()); }
}
new C().run();
`)
		},
		"pystorm json":    func(t testing.TB) []string { return pystorm(t, "json", pystormSpout) },
		"pystorm msgpack": func(t testing.TB) []string { return pystorm(t, "msgpack", pystormSpout) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startSpout(t, quick(command(t)))
			e.activate(true)
			e.eventually("three emits", func() bool { return len(e.emits) == 3 })
			e.settle(0, true)
			e.settle(1, false)
			e.settle(2, true)
			e.eventually("replay", func() bool { return len(e.emits) == 4 })
			e.eventually("acks", func() bool { return e.hasLog("ack 'one'")() && e.hasLog("ack 3")() })
			e.activate(false)
			e.activate(true)
			got := e.snap()
			if want := []string{"1", "2", "3", "again"}; !slices.Equal(got.vals(), want) || !got.emits[3].id.Equal(gearcore.Int(2)) || len(got.errs) > 0 {
				t.Errorf("emitted %v, last id %v, errors %v", got.vals(), got.emits[3].id.Any(), got.errs)
			}
		})
	}
}

func TestStormPyChildDeathWithTuplesInFlight(t *testing.T) {
	spec := quick(stormPy(t, `
import os
class C(storm.Bolt):
    def process(self, tup):
        if tup.values[0] == "die" and not os.path.exists(os.environ["MARK"]):
            open(os.environ["MARK"], "w").close()
            os.kill(os.getpid(), 9)
        if tup.values[0] != "hold" or os.path.exists(os.environ["MARK"]): storm.ack(tup)
C().run()
`))
	spec.Env = map[string]string{"MARK": filepath.Join(t.TempDir(), "died")}
	var lost []*ChildError
	spec.OnRestart = func(e *ChildError) { lost = append(lost, e) }
	e := startBolt(t, spec, nil)
	e.feed("a", "hold", "hold", "die", "b")
	e.eventually("settled", func() bool { return len(e.acked)+len(e.failed) == 5 })
	failed := e.snap().failed
	if len(failed) < 3 || !slices.Contains(failed, "die") || !slices.Contains(failed, "hold") {
		t.Errorf("failed %v", failed)
	}
	e.feed(failed...) // the spout replays
	e.eventually("all acked in the end", func() bool { return len(e.acked) == 5 })
	e.close()
	if len(lost) != 1 || lost[0].Exit != "signal: killed" || lost[0].Cause != nil || lost[0].Restarts != 1 {
		t.Errorf("lost %+v", lost)
	}
	if _, err := os.Stat(filepath.Join(e.ctx.PidDir, strconv.Itoa(lost[0].PID))); err == nil {
		t.Error("the lost child's pid file is still there")
	}
}
