package multilang

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

func startSpout(t testing.TB, spec Spec) *fakeEngine {
	t.Helper()
	e := newEngine(t, nil)
	e.start(nil, NewSpout(spec))
	return e
}

// settle acks or fails the i-th emit.
func (e *fakeEngine) settle(i int, ok bool) {
	e.do(func(c *gearcore.Collector) {
		e.mu.Lock()
		id := e.emits[i].id
		e.mu.Unlock()
		if ok {
			e.spout.Ack(id, c)
		} else {
			e.spout.Fail(id, c)
		}
	})
}

// TestSpoutCommands checks the order of commands, that there is but one under way, and that ids come back as they were given.
func TestSpoutCommands(t *testing.T) {
	e := startSpout(t, quick(raw(t, `
import select
ids = ["text", 5, 1 << 40, [1, ["a"]], {"at": True}, None]
while True:
    m = read()
    if select.select([sys.stdin], [], [], 0.01)[0]: send({"command": "log", "msg": "TWO COMMANDS"})
    if m["command"] != "next": send({"command": "log", "msg": "%s %r" % (m["command"], m["id"])})
    elif ids:
        message = {"command": "emit", "tuple": ["v%d" % len(ids)]}
        i = ids.pop(0)
        if i is not None: message["id"] = i
        send(message)
        send({"command": "log", "msg": "ids %r" % read()})
    send({"command": "sync"})
`)))
	e.activate(true)
	e.eventually("six emits", func() bool { return len(e.emits) == 6 })
	for i := range 4 {
		e.settle(i, i != 2)
	}
	e.settle(4, false)
	e.eventually("fail", e.hasLog("fail {"))
	e.activate(false)
	e.eventually("deactivated", e.hasLog("deactivate"))
	got := e.snap()
	var calls []string
	for _, l := range got.logs {
		calls = append(calls, strings.TrimPrefix(l, "INFO shell log "))
	}
	want := append(append([]string{"activate ''"}, slices.Repeat([]string{"ids [7]"}, 6)...),
		"ack 'text'", "ack 5", "fail 1099511627776", "ack [1, ['a']]", "fail {'at': True}", "deactivate ''")
	if !slices.Equal(calls, want) {
		t.Errorf("got  %q\nwant %q", calls, want)
	}
	if len(got.errs) > 0 || !got.emits[5].id.IsNull() {
		t.Errorf("errors %v, last id %v", got.errs, got.emits[5].id)
	}
}

func TestSpoutWaitsAfterAnEmptyRound(t *testing.T) {
	e := startSpout(t, quick(raw(t, `
while True:
    m = read()
    if m["command"] == "next": send({"command": "metrics", "name": "n"})
    send({"command": "sync"})
`)))
	e.activate(true)
	e.eventually("many rounds", func() bool { return e.polls > 50 })
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.idle {
		t.Error("Next never said that there was nothing")
	}
}

// TestLostSpoutChildren: the next child is activated, hears nothing of its predecessor's tuples, and may use the same ids.
func TestLostSpoutChildren(t *testing.T) {
	for _, c := range []struct{ name, child, report string }{
		{"exit", `sys.exit(2)`, "exit status 2"},
		{"hang", `time.sleep(60)`, "silent for more than 300ms"},
		{"unknown command", `
send({"command": "dance"})
time.sleep(60)`, `a command it may not: "dance"`},
		{"bad stream", `
send({"command": "emit", "tuple": ["v"], "stream": [1]})
time.sleep(60)`, `"stream" should be a string`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := quick(raw(t, `
mark = os.environ["MARK"]
second = os.path.exists(mark)
open(mark, "w").close()
n = 0
while True:
    m = read()
    if m["command"] != "next": send({"command": "log", "msg": "%s %s %r" % (2 if second else 1, m["command"], m["id"])})
    if m["command"] == "next" and n == 0:
        n = 1
        send({"command": "emit", "tuple": ["v"], "id": 1, "need_task_ids": False})
    elif m["command"] == "next" and not second:
        `+strings.ReplaceAll(strings.TrimSpace(c.child), "\n", "\n        ")+`
    send({"command": "sync"})
`))
			spec.Env = map[string]string{"MARK": filepath.Join(t.TempDir(), "lived")}
			spec.Timeout = 300 * time.Millisecond
			if c.name != "hang" {
				spec.Timeout = 20 * time.Second
			}
			e := startSpout(t, spec)
			e.activate(true)
			e.eventually("reported", e.hasError(c.report))
			e.eventually("the next child emits", func() bool { return len(e.emits) == 2 })
			e.settle(0, true)
			e.settle(1, true)
			e.eventually("ack", e.hasLog("ack"))
			e.activate(false)
			e.eventually("deactivated", e.hasLog("deactivate"))
			var calls []string
			for _, l := range e.snap().logs {
				calls = append(calls, strings.TrimPrefix(l, "INFO shell log "))
			}
			if want := []string{"1 activate ''", "2 activate ''", "2 ack 1", "2 deactivate ''"}; !slices.Equal(calls, want) {
				t.Errorf("got  %q\nwant %q", calls, want)
			}
		})
	}
}

// TestSpoutPipelining settles more at once than a child may have commands, with clients that do one after the other: all
// come, in order, and the child goes on meanwhile.
func TestSpoutPipelining(t *testing.T) {
	for name, command := range map[string]func(t testing.TB) []string{
		"storm.py": func(t testing.TB) []string {
			return stormPy(t, `
class C(storm.Spout):
    def initialize(self, conf, context): self.n, self.seen = 0, []
    def nextTuple(self):
        if self.n < 300: self.n += 1; storm.emit([str(self.n)], id=self.n)
    def ack(self, id): self.settle(id)
    def fail(self, id): self.settle(-id)
    def settle(self, id):
        self.seen.append(id)
        if len(self.seen) == 300: storm.logInfo(str(self.seen))
C().run()
`)
		},
		"gearstorm.py": func(t testing.TB) []string {
			return python(t, `
import gearstorm
class C(gearstorm.Spout):
    def initialize(self, conf, context): self.n, self.seen = 0, []
    def next_tuple(self):
        if self.n < 300: self.n += 1; self.emit([str(self.n)], id=self.n)
    def ack(self, id): self.settle(id)
    def fail(self, id): self.settle(-id)
    def settle(self, id):
        self.seen.append(id)
        if len(self.seen) == 300: self.log(str(self.seen))
C().run()
`)
		},
		"gearstorm.js": func(t testing.TB) []string {
			return node(t, `
const { Spout } = require('./gearstorm');
class C extends Spout {
  initialize() { this.n = 0; this.seen = []; }
  nextTuple() { if (this.n < 300) { this.n++; this.emit([String(this.n)], { id: this.n }); } }
  async ack(id) { await null; this.settle(id); }
  fail(id) { this.settle(-id); }
  settle(id) {
    this.seen.push(id);
    if (this.seen.length === 300) this.log('[' + this.seen.join(', ') + ']');
  }
}
new C().run();
`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startSpout(t, quick(command(t)))
			e.activate(true)
			e.eventually("half of the emits", func() bool { return len(e.emits) >= 150 })
			var want []string
			settle := func(from, to int) {
				e.do(func(c *gearcore.Collector) {
					for i := from; i < to; i++ {
						e.mu.Lock()
						id := e.emits[i].id
						e.mu.Unlock()
						if i%7 == 0 {
							e.spout.Fail(id, c)
						} else {
							e.spout.Ack(id, c)
						}
					}
				})
			}
			for i := 1; i <= 300; i++ {
				sign := ""
				if (i-1)%7 == 0 {
					sign = "-"
				}
				want = append(want, sign+strconv.Itoa(i))
			}
			settle(0, 150)
			e.eventually("all emits", func() bool { return len(e.emits) == 300 })
			settle(150, 300)
			e.eventually("all told", e.hasLog("["+strings.Join(want, ", ")+"]"))
			if got := e.snap(); len(got.errs) > 0 {
				t.Error(got.errs)
			}
		})
	}
}
