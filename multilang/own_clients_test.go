package multilang

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/raced"
	"github.com/gearstorm/gearstorm/multilang/clients"
)

// node returns the command of a program for our Node client.
func node(t testing.TB, text string) []string {
	t.Helper()
	return []string{tool(t, "node"), script(t, "component.js", text)}
}

// bolts are the same bolt for both of our clients: what it does is chosen by the first word of the tuple.
var ownBolts = map[string]func(t testing.TB) []string{
	"python": func(t testing.TB) []string {
		return python(t, `
import logging, os, sys
import gearstorm
print("printed while the module loads")

class All(gearstorm.Bolt):
    def initialize(self, conf, context):
        self.held = []
        self.ticks = 0
        print("printed in initialize of", self.component_id, self.task_id, conf["k"])

    def tick(self, tup):
        self.ticks += 1
        self.emit(["tick %d %s" % (self.ticks, tup.is_tick)])

    def process(self, tup):
        what = tup["sentence"]
        if what == "emit":
            self.emit([what], anchors=[tup])
        elif what == "ids":
            self.emit(["ids %s" % self.emit(["first"], need_task_ids=True)])
        elif what == "direct":
            self.emit([what], stream="direct", task=4)
        elif what == "log":
            self.log("own", "warn")
            logging.getLogger("x").error("through logging")
            os.system("echo from a subprocess")
            self.metric("m", 1.5)
            self.count("n", 2)
        elif what == "raise":
            raise ValueError("oh no")
        elif what == "hold":
            self.held.append(tup)
            return
        elif what == "release":
            for h in self.held:
                self.emit(["released " + h[0]], anchors=[h, tup])
                self.ack(h)
        elif what == "twice":
            self.ack(tup)
        elif what == "late":
            self.ack(tup)
            self.emit([what], anchors=[tup])
        elif what == "bytes":
            self.emit([b"x"])
        elif what == "text":
            self.emit(['"\\ \n\t é € 😀 \u2028'])
        self.ack(tup)

All().run()
`)
	},
	"node": func(t testing.TB) []string {
		return node(t, `
const { Bolt } = require('./gearstorm');
const { execSync } = require('child_process');
console.log('printed while the module loads');

class All extends Bolt {
  async initialize(conf, context) {
    this.held = [];
    this.ticks = 0;
    await new Promise((resolve) => setTimeout(resolve, 20));
    console.log('printed in initialize of', this.componentId, this.taskId, conf.k);
  }

  tick(tuple) {
    this.ticks++;
    this.emit(['tick ' + this.ticks + ' True']);
  }

  async process(tuple) {
    const what = tuple.get('sentence');
    if (what === 'emit') this.emit([what], { anchors: [tuple] });
    else if (what === 'ids') this.emit(['ids [' + await this.emit(['first'], { needTaskIds: true }) + ']']);
    else if (what === 'direct') this.emit([what], { stream: 'direct', task: 4 });
    else if (what === 'log') {
      this.log('own', 'warn');
      console.error('through logging');
      execSync('echo from a subprocess >&2', { stdio: ['ignore', 'ignore', 'inherit'] });
      this.metric('m', 1.5);
      this.count('n', 2);
    } else if (what === 'raise') throw new Error('oh no');
    else if (what === 'hold') { this.held.push(tuple); return; }
    else if (what === 'release') {
      for (const h of this.held) {
        this.emit(['released ' + h.get(0)], { anchors: [h, tuple] });
        this.ack(h);
      }
    } else if (what === 'twice') this.ack(tuple);
    else if (what === 'late') { this.ack(tuple); this.emit([what], { anchors: [tuple] }); }
    else if (what === 'bytes') throw new Error('a tuple cannot hold bytes');
    else if (what === 'text') this.emit(['"\\ \n\t é € 😀 \u2028']);
    this.ack(tuple);
  }
}
new All().run();
`)
	},
}

// bothFramings runs f for each command with and without the offer of a batched framing.
func bothFramings(t *testing.T, commands map[string]func(t testing.TB) []string, f func(t *testing.T, lang string, spec Spec)) {
	t.Helper()
	for lang, command := range commands {
		for _, plain := range []bool{false, true} {
			t.Run(lang+map[bool]string{true: " plain"}[plain], func(t *testing.T) {
				t.Parallel()
				spec := quick(command(t))
				spec.Plain = plain
				f(t, lang, spec)
			})
		}
	}
}

// ownCase is what comes of one tuple; several things are separated by bars.
type ownCase struct{ in, out, acked, failed, errPart, log string }

func TestOwnBolts(t *testing.T) {
	bothFramings(t, ownBolts, func(t *testing.T, lang string, spec Spec) {
		spec.Wiring.SourceFields = map[string]map[string][]string{"src": {"default": {"sentence"}}}
		metrics := &countingMetrics{}
		spec.Metrics = metrics
		e := startBolt(t, spec, map[string]any{"k": "v"})
		// Only Python's batches carry bytes.
		bytesCase := ownCase{in: "bytes", failed: "bytes", errPart: "a tuple cannot hold bytes"}
		if lang == "python" && !spec.Plain {
			bytesCase = ownCase{in: "bytes", out: "[120]<", acked: "bytes"}
		}
		settled := 0
		for _, c := range []ownCase{
			{in: "emit", out: "emit<emit", acked: "emit"},
			{in: "ids", out: "first<|ids [7]<", acked: "ids"},
			{in: "direct", out: "direct<", acked: "direct"},
			{in: "log", acked: "log", log: "WARN shell log own|through logging|from a subprocess|printed in initialize of me 3 v"},
			{in: "raise", failed: "raise", errPart: "oh no"},
			{in: "hold"},
			{in: "release", out: "released hold<hold+release", acked: "hold|release"},
			{in: "twice", acked: "twice"},
			{in: "late", acked: "late", errPart: "anchor"},
			bytesCase,
			{in: "text", out: "\"\\ \n\t é € 😀 \u2028<", acked: "text"},
		} {
			e.mu.Lock()
			e.seen = seen{logs: e.logs}
			e.mu.Unlock()
			e.feed(c.in)
			want := func(s string) []string {
				if s == "" {
					return nil
				}
				return strings.Split(s, "|")
			}
			e.eventually(c.in, func() bool {
				var out []string
				for _, m := range e.emits {
					out = append(out, m.vals[0]+"<"+strings.Join(m.anchors, "+"))
				}
				ok := slices.Equal(out, want(c.out)) && slices.Equal(e.acked, want(c.acked)) && slices.Equal(e.failed, want(c.failed))
				for _, l := range want(c.log) {
					ok = ok && e.hasLog(l)()
				}
				return ok && (c.errPart == "" && len(e.errs) == 0 || c.errPart != "" && e.hasError(c.errPart)())
			})
			settled += len(want(c.acked)) + len(want(c.failed))
		}
		e.feedTuples(gearcore.NewTuple(testLayout, 1, gearcore.SystemTask, gearcore.Long(1)))
		e.eventually("tick", func() bool { return len(e.emits) > 0 && e.emits[len(e.emits)-1].vals[0] == "tick 1 True" })
		if want := []string{"gauge 3 m 1.5", "count 3 n 2"}; !slices.Equal(metrics.lines, want) {
			t.Errorf("metrics %q", metrics.lines)
		}
		if got := e.snap(); settled != 11 || len(got.errs) > 1 {
			t.Errorf("settled %d, errors %v", settled, got.errs)
		}
	})
}

var ownBasicBolts = map[string]func(t testing.TB) []string{
	"python": func(t testing.TB) []string {
		return python(t, `
import gearstorm
class Words(gearstorm.BasicBolt):
    def __init__(self):
        pass  # forgets to call the base class
    def process(self, tup):
        for word in tup[0].split():
            if word == "raise": raise ValueError("oh no")
            if word == "fail": return self.fail(tup)
            if word == "ids": word = str(self.emit(["x"], need_task_ids=True))
            self.emit([word])
Words().run()
`)
	},
	"node": func(t testing.TB) []string {
		return node(t, `
const { BasicBolt } = require('./gearstorm');
class Words extends BasicBolt {
  async process(tuple) {
    for (let word of tuple.get(0).split(' ')) {
      if (word === 'raise') throw new Error('oh no');
      if (word === 'fail') return this.fail(tuple);
      if (word === 'wait') await new Promise((resolve) => setTimeout(resolve, 10));
      if (word === 'ids') word = '[' + await this.emit(['x'], { needTaskIds: true }) + ']';
      this.emit([word]);
    }
  }
}
new Words().run();
`)
	},
}

func TestOwnBasicBolts(t *testing.T) {
	bothFramings(t, ownBasicBolts, func(t *testing.T, lang string, spec Spec) {
		e := startBolt(t, spec, nil)
		e.feed("a b", "c raise d", "e fail", "wait f", "ids")
		e.eventually("settled", func() bool { return len(e.acked)+len(e.failed) == 5 })
		got := e.snap()
		var out []string
		for _, m := range got.emits {
			out = append(out, m.vals[0]+"<"+strings.Join(m.anchors, "+"))
		}
		want := []string{"a<a b", "b<a b", "c<c raise d", "e<e fail", "wait<wait f", "f<wait f", "x<ids", "[7]<ids"}
		if !slices.Equal(out, want) || !slices.Equal(got.acked, []string{"a b", "wait f", "ids"}) || !slices.Equal(got.failed, []string{"c raise d", "e fail"}) {
			t.Errorf("emitted %q acked %q failed %q", out, got.acked, got.failed)
		}
		if len(got.errs) != 1 || !strings.Contains(got.errs[0].Error(), "oh no") {
			t.Errorf("errors %v", got.errs)
		}
	})
}

var ownSpouts = map[string]func(t testing.TB) []string{
	"python": func(t testing.TB) []string {
		return python(t, `
import gearstorm
class Numbers(gearstorm.Spout):
    def initialize(self, conf, context):
        self.n = 0
        self.again = []
    def activate(self): self.log("on")
    def deactivate(self): self.log("off")
    def next_tuple(self):
        if self.again: self.emit(["again"], id=self.again.pop())
        elif self.n < 3:
            self.n += 1
            self.emit([str(self.n)], id=self.n)
        elif self.n == 3:
            self.n += 1
            self.emit([str(self.emit(["x"], need_task_ids=True))], id="last")
            raise ValueError("oh no")
    def ack(self, id): self.log("ack %r" % (id,))
    def fail(self, id): self.again.append(id)
Numbers().run()
`)
	},
	"node": func(t testing.TB) []string {
		return node(t, `
const { Spout } = require('./gearstorm');
class Numbers extends Spout {
  async initialize(conf, context) { this.n = 0; this.again = []; }
  activate() { this.log('on'); }
  deactivate() { this.log('off'); }
  async nextTuple() {
    if (this.again.length) this.emit(['again'], { id: this.again.pop() });
    else if (this.n < 3) { this.n++; this.emit([String(this.n)], { id: this.n }); }
    else if (this.n === 3) {
      this.n++;
      this.emit(['[' + await this.emit(['x'], { needTaskIds: true }) + ']'], { id: 'last' });
      throw new Error('oh no');
    }
  }
  ack(id) { this.log('ack ' + (typeof id === 'string' ? "'" + id + "'" : id)); }
  fail(id) { this.again.push(id); }
}
new Numbers().run();
`)
	},
}

func TestOwnSpouts(t *testing.T) {
	bothFramings(t, ownSpouts, func(t *testing.T, lang string, spec Spec) {
		e := startSpout(t, spec)
		e.activate(true)
		e.eventually("five emits", func() bool { return len(e.emits) == 5 })
		e.settle(0, true)
		e.settle(1, false)
		e.eventually("replay", func() bool { return len(e.emits) == 6 })
		e.settle(4, true)
		e.eventually("acks", e.hasLog("ack 'last'"))
		e.activate(false)
		e.eventually("off", e.hasLog("off"))
		got := e.snap()
		var calls []string
		for _, l := range got.logs {
			calls = append(calls, strings.TrimPrefix(l, "INFO shell log "))
		}
		if want := []string{"on", "ack 1", "ack 'last'", "off"}; !slices.Equal(calls, want) {
			t.Errorf("logs %q", calls)
		}
		if want := []string{"1", "2", "3", "x", "[7]", "again"}; !slices.Equal(got.vals(), want) {
			t.Errorf("emitted %q", got.vals())
		}
		if !got.emits[5].id.Equal(gearcore.Int(2)) || len(got.errs) != 1 {
			t.Errorf("id %v, errors %v", got.emits[5].id.Any(), got.errs)
		}
	})
}

// TestOwnClientsUnderLoad has far more in flight than a pipe holds, in both directions.
func TestOwnClientsUnderLoad(t *testing.T) {
	bothFramings(t, ownBasicBolts, func(t *testing.T, lang string, spec Spec) {
		e := newEngine(t, nil)
		e.quiet = true
		e.start(NewBolt(spec), nil)
		const n = 20_000 / raced.Fewer
		texts := make([]string, n)
		for i := range texts {
			texts[i] = "the cow jumped over the moon"
		}
		e.feed(texts...)
		e.eventually("all acked", func() bool { return e.nAck == n })
		if e.nEmit != 6*n {
			t.Errorf("%d emits, want %d", e.nEmit, 6*n)
		}
	})
}

// TestPythonClientIsOld keeps the syntax of the Python client within what Python 3.8 reads.
func TestPythonClientIsOld(t *testing.T) {
	for _, name := range []string{clients.Python, clients.PythonState} {
		src, err := clients.Source(name)
		if err != nil {
			t.Fatal(err)
		}
		check := exec.Command(tool(t, "python3"), "-c", "import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 8))")
		check.Stdin = bytes.NewReader(src)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

// TestKeepAlive: a spout that is busy for longer than it may be silent is not restarted, and its commands stay in step.
func TestKeepAlive(t *testing.T) {
	bothFramings(t, map[string]func(t testing.TB) []string{"python": func(t testing.TB) []string {
		return python(t, `
import time, gearstorm
class Slow(gearstorm.Spout):
    def initialize(self, conf, context): self.n = 0
    def next_tuple(self):
        self.n += 1
        if self.n == 1:
            for i in range(10):
                time.sleep(0.3)
                self.keep_alive()
        if self.n <= 3: self.emit([str(self.n)])
Slow().run()
`)
	}}, func(t *testing.T, _ string, spec Spec) {
		spec.Timeout = 2 * time.Second
		e := startSpout(t, spec)
		e.activate(true)
		e.eventually("three emits", func() bool { return len(e.emits) == 3 })
		if got := e.snap(); len(got.errs) > 0 || !slices.Equal(got.vals(), []string{"1", "2", "3"}) {
			t.Errorf("emitted %q, errors %v", got.vals(), got.errs)
		}
	})
}
