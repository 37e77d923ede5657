package multilang

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// startBolt runs command as a bolt under a fake engine.
func startBolt(t testing.TB, spec Spec, conf map[string]any) *fakeEngine {
	t.Helper()
	e := newEngine(t, conf)
	e.start(NewBolt(spec), nil)
	return e
}

func (e seen) vals() []string {
	var out []string
	for _, m := range e.emits {
		out = append(out, strings.Join(m.vals, ","))
	}
	return out
}

func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}

func TestBoltSplits(t *testing.T) {
	spec := quick(python(t, `
import gearstorm
class Split(gearstorm.BasicBolt):
    def process(self, tup):
        for word in tup["sentence"].split():
            self.emit([word])
Split().run()
`))
	spec.Wiring.SourceFields = map[string]map[string][]string{"src": {"default": {"sentence"}}}
	e := startBolt(t, spec, nil)
	e.feed("the cow jumped", "", "über den\nMond")
	e.eventually("all acked", func() bool { return len(e.acked) == 3 })
	got := e.snap()
	if want := words("the cow jumped über den Mond"); !slices.Equal(got.vals(), want) || len(got.errs) > 0 {
		t.Errorf("emitted %q, errors %v", got.vals(), got.errs)
	}
	for i, m := range got.emits {
		if want := got.acked[min(i/3*2, 2)]; len(m.anchors) != 1 || m.anchors[0] != want {
			t.Errorf("%v is anchored to %q, want %q", m.vals, m.anchors, want)
		}
	}
}

func TestBoltKinds(t *testing.T) {
	e := startBolt(t, quick(raw(t, `
for m in tuples():
    send({"command": "emit", "tuple": [eval(m["tuple"][0])], "anchors": [m["id"]], "need_task_ids": False})
    send({"command": "ack", "id": m["id"]})
`)), nil)
	e.feed("1", "1 << 40", "1 << 90", "1.0", "'x'", "None", "[1]", "float('nan')")
	e.eventually("all acked", func() bool { return len(e.acked) == 8 })
	want := []gearcore.Kind{gearcore.KindInt, gearcore.KindLong, gearcore.KindBigInt, gearcore.KindDouble, gearcore.KindString,
		gearcore.KindNull, gearcore.KindList, gearcore.KindDouble}
	got := e.snap()
	for i, m := range got.emits {
		if m.kinds[0] != want[i] || m.anchors[0] != got.acked[i] {
			t.Errorf("emit %d: %v anchored to %v, want a %v", i, m.vals, m.anchors, want[i])
		}
	}
}

// TestBoltProtocol plays what clients in the wild send.
func TestBoltProtocol(t *testing.T) {
	for _, c := range []struct{ name, child, vals, acked, failed string }{
		{"multi-line JSON", `
for m in tuples():
    out('{"command":\n "emit",\n "need_task_ids": false,\n "tuple": [\n  "v"\n ]\n}\nend\n')
    out('\n{"command": "ack",\n"id": "%s"}\n\nend\n' % m["id"])
`, "v", "a", ""},
		{"anchors as a string, ids as numbers", `
for m in tuples():
    send({"command": "emit", "tuple": ["v"], "anchors": m["id"], "need_task_ids": False})
    send({"command": "emit", "tuple": ["w"], "anchors": [int(m["id"])], "need_task_ids": False})
    send({"command": "ack", "id": int(m["id"])})
`, "v w", "a", ""},
		{"fail", `
for m in tuples(): send({"command": "fail", "id": m["id"]})
`, "", "", "a"},
		{"unknown commands are ignored", `
for m in tuples():
    send({"command": "dance", "name": "x"})
    send({"command": "ack", "id": m["id"]})
`, "", "a", ""},
		{"many messages in one write, one in many", `
for m in tuples():
    out(''.join('{"command":"emit","need_task_ids":false,"tuple":["%d"]}\nend\n' % i for i in range(3)))
    for c in '{"command":"ack","id":"%s"}\nend\n' % m["id"]: out(c)
`, "0 1 2", "a", ""},
		{"null fields", `
for m in tuples():
    send({"command": "emit", "tuple": ["v"], "anchors": None, "stream": None, "task": None, "id": None, "need_task_ids": False})
    send({"command": "ack", "id": m["id"]})
`, "v", "a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := startBolt(t, quick(raw(t, c.child)), nil)
			e.feed("a")
			e.eventually("settled", func() bool { return len(e.acked)+len(e.failed) == 1 })
			e.close()
			got := e.snap()
			if !slices.Equal(got.vals(), words(c.vals)) || !slices.Equal(got.acked, words(c.acked)) || !slices.Equal(got.failed, words(c.failed)) || len(got.errs) > 0 {
				t.Errorf("values %v acked %v failed %v errors %v", got.vals(), got.acked, got.failed, got.errs)
			}
		})
	}
}

func TestDirectEmit(t *testing.T) {
	e := startBolt(t, quick(raw(t, `
for m in tuples():
    send({"command": "emit", "tuple": ["v"], "stream": "direct", "task": 3})
    send({"command": "emit", "tuple": ["w"], "task": 0})
    ids = work()
    send({"command": "emit", "tuple": [json.dumps(ids)], "need_task_ids": False})
    send({"command": "ack", "id": m["id"]})
`)), nil)
	e.feed("a")
	e.eventually("acked", func() bool { return len(e.acked) == 1 })
	want := []fakeEmit{{stream: "direct", task: 3, vals: []string{"v"}}, {stream: "default", vals: []string{"w"}}, {stream: "default", vals: []string{"[7]"}}}
	for i, m := range e.snap().emits {
		if m.stream != want[i].stream || m.task != want[i].task || !slices.Equal(m.vals, want[i].vals) {
			t.Errorf("emit %d: %+v", i, m)
		}
	}
}

// TestTaskIDsComeInOrderAndFirst has the child emit a burst before it reads any answer, with tuples waiting behind.
func TestTaskIDsComeInOrderAndFirst(t *testing.T) {
	e := newEngine(t, nil)
	e.outputs[0].tasks = func(v []gearcore.Value) []gearcore.TaskID {
		n, _ := strconv.Atoi(v[0].Str())
		return []gearcore.TaskID{gearcore.TaskID(1000 + n), 5}
	}
	e.start(NewBolt(quick(raw(t, `
first = next(tuples())
for i in range(200): send({"command": "emit", "tuple": [str(i)]})
lists = []
while len(lists) < 200:
    m = work()
    if isinstance(m, list): lists.append(m)
    else: send({"command": "ack", "id": m["id"]})
ok = lists == [[1000 + i, 5] for i in range(200)]
send({"command": "log", "msg": "order %s" % ok})
send({"command": "ack", "id": first["id"]})
`))), nil)
	e.feed(numbers(500)...)
	e.eventually("the child has compared", e.hasLog("order "))
	if got := e.snap(); !slices.ContainsFunc(got.logs, func(l string) bool { return strings.Contains(l, "order True") }) {
		t.Errorf("logs: %v", got.logs)
	}
}

func TestLogsErrorsAndMetrics(t *testing.T) {
	spec := quick(raw(t, `
for m in tuples():
    for level in range(5): send({"command": "log", "msg": "L%d" % level, "level": level})
    send({"command": "log", "msg": "plain"})
    send({"command": "error", "msg": "bad news"})
    send({"command": "metrics", "name": "speed", "params": 2.5})
    send({"command": "metrics", "name": "seen", "params": None})
    send({"command": "metrics", "name": "seen", "params": {"incr": 4}})
    print("to stderr", file=sys.stderr)
    send({"command": "ack", "id": m["id"]})
`))
	got := &countingMetrics{}
	spec.Metrics = got
	e := startBolt(t, spec, nil)
	e.feed("a")
	e.eventually("acked", func() bool { return len(e.acked) == 1 })
	e.eventually("stderr", e.hasLog("to stderr"))
	seen := e.snap()
	for _, want := range []string{"DEBUG-4 shell log L0", "DEBUG shell log L1", "INFO shell log L2", "WARN shell log L3", "ERROR shell log L4", "INFO shell log plain"} {
		if !slices.Contains(seen.logs, want) {
			t.Errorf("no %q in %q", want, seen.logs)
		}
	}
	if len(seen.errs) != 1 || seen.errs[0].Error() != "Shell Process Exception: bad news" {
		t.Errorf("errors %v", seen.errs)
	}
	if want := []string{"gauge 3 speed 2.5", "count 3 seen 1", "count 3 seen 4"}; !slices.Equal(got.lines, want) {
		t.Errorf("metrics %q", got.lines)
	}
}

type countingMetrics struct{ lines []string }

func (m *countingMetrics) Gauge(task gearcore.TaskID, name string, v float64) {
	m.lines = append(m.lines, fmt.Sprint("gauge ", task, " ", name, " ", v))
}
func (m *countingMetrics) Count(task gearcore.TaskID, name string, n int64) {
	m.lines = append(m.lines, fmt.Sprint("count ", task, " ", name, " ", n))
}

// TestLostChildren loses the child in every way there is. Each time its tuples in flight are failed, the error says why, and
// the next child works: it acks everything, because the marker file says that one life was had.
func TestLostChildren(t *testing.T) {
	for _, c := range []struct{ name, child, report string }{
		{"exit", `
next(tuples()); print("last words", file=sys.stderr); sys.exit(3)`, "exit status 3; restart 1 in 5ms; its standard error ends: last words"},
		{"killed", `
next(tuples()); os.kill(os.getpid(), signal.SIGKILL)`, "signal: killed"},
		{"garbage", `
next(tuples()); out("Hello, I am debugging\n"); send({"command": "sync"}); time.sleep(60)`, `not a JSON object: 'H' at byte 0`},
		{"half a message", `
next(tuples()); out('{"command": "em'); sys.exit(0)`, `child ended in the middle of a message: "{\"command\": \"em"`},
		{"unknown ack", `
next(tuples()); send({"command": "ack", "id": "12345"}); time.sleep(60)`, "child acked id 12345, which does not exist"},
		{"ack twice", `
m = next(tuples())
work()
for i in range(2): send({"command": "ack", "id": m["id"]})
time.sleep(60)`, "acked or failed already"},
		{"ack of a word", `
next(tuples()); send({"command": "ack", "id": "x"}); time.sleep(60)`, `never given: "x"`},
		{"anchor after ack", `
m = next(tuples())
send({"command": "fail", "id": m["id"]})
send({"command": "emit", "tuple": ["v"], "anchors": [m["id"]]})
time.sleep(60)`, "after its ack or fail"},
		{"unknown stream", `
next(tuples()); send({"command": "emit", "tuple": ["v"], "stream": "nope"}); time.sleep(60)`, `stream "nope", which the component does not declare`},
		{"wrong width", `
next(tuples()); send({"command": "emit", "tuple": ["v", "w"]}); time.sleep(60)`, "stream default has 1 fields, got 2 values"},
		{"direct emit on a plain stream", `
next(tuples()); send({"command": "emit", "tuple": ["v"], "task": 3}); time.sleep(60)`, "wrong kind of emit"},
		{"metric without a name", `
next(tuples()); send({"command": "metrics"}); time.sleep(60)`, `"metrics" without a "name"`},
		{"output closed", `
next(tuples()); os.close(1); time.sleep(60)`, "closed its standard output"},
		{"hang", `
signal.signal(signal.SIGTERM, signal.SIG_IGN)
next(tuples()); time.sleep(60)`, "silent for more than 300ms"},
		{"stops reading", `
next(tuples()); os.kill(os.getpid(), signal.SIGSTOP)`, "silent for more than 300ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			mark := filepath.Join(t.TempDir(), "lived")
			spec := quick(raw(t, `
if os.path.exists(os.environ["MARK"]):
    for m in tuples(): send({"command": "ack", "id": m["id"]})
open(os.environ["MARK"], "w").close()
`+c.child))
			spec.Env = map[string]string{"MARK": mark}
			spec.Timeout = 20 * time.Second
			if strings.Contains(c.report, "silent") {
				spec.Timeout = 300 * time.Millisecond
			}
			e := startBolt(t, spec, nil)
			e.feed("a", "b")
			e.eventually("the loss is reported", e.hasError(c.report))
			e.eventually("both tuples are settled", func() bool { return len(e.acked)+len(e.failed) >= 2 })
			e.feed("c")
			e.eventually("the next child works", func() bool { return slices.Contains(e.acked, "c") })
			e.close()
			got := e.snap()
			if !slices.Contains(got.failed, "a") && c.name != "ack twice" {
				t.Errorf("a was not failed: acked %v failed %v", got.acked, got.failed)
			}
			if all := append(slices.Clone(got.acked), got.failed...); len(all) != 3 {
				t.Errorf("acked %v failed %v", got.acked, got.failed)
			}
			if len(got.errs) != 1 {
				t.Errorf("errors: %v", got.errs)
			}
		})
	}
}

func TestHandshakeFaults(t *testing.T) {
	py := tool(t, "python3")
	for _, c := range []struct {
		name    string
		command []string
		report  string
	}{
		{"no such program", []string{"no-such-program-anywhere"}, "no such program in PATH"},
		{"no such file", []string{"./no-such-file"}, "no such file"},
		{"speaks first", []string{py, "-c", `print('{"command":"sync"}\nend', flush=True); input()`}, `first message of the child should be {"pid": number}`},
		{"prints first", []string{py, "-c", `print("importing...\n{}\nend", flush=True); input()`}, `"importing...\n{}"`},
		{"syntax error", []string{py, "-c", `def`}, "SyntaxError"},
		{"never answers", []string{py, "-c", `import time; time.sleep(60)`}, "silent for more than 200ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := quick(c.command)
			spec.StartTimeout = 20 * time.Second
			if c.name == "never answers" {
				spec.StartTimeout = 200 * time.Millisecond
			}
			e := startBolt(t, spec, nil)
			e.feed("a")
			e.eventually("reported", e.hasError(c.report))
			e.eventually("tried again", e.hasError("restart 2 in"))
			e.mu.Lock()
			defer e.mu.Unlock()
			if len(e.input) != 1 || len(e.failed) != 0 {
				t.Errorf("input %d, failed %v: a bolt without a child takes no tuples", len(e.input), e.failed)
			}
		})
	}
}

func TestStderrFloodDoesNotStopTheChild(t *testing.T) {
	e := startBolt(t, quick(raw(t, `
for m in tuples():
    for i in range(2000): sys.stderr.write("x" * 2000 + "\n")
    send({"command": "ack", "id": m["id"]})
`)), nil)
	e.feed("a", "b")
	e.eventually("acked", func() bool { return len(e.acked) == 2 })
}

func TestStderrPump(t *testing.T) {
	var lines []string
	p := newStderrPump(func(l string) { lines = append(lines, l) })
	clock := time.Unix(0, 0)
	p.now = func() time.Time { return clock }
	p.feed([]byte("one\r\n\ntwo "))
	p.feed([]byte("more\n\xff\n" + strings.Repeat("x", stderrLine+5) + "\n"))
	if want := []string{"one", "two more", "\uFFFD", strings.Repeat("x", stderrLine), "xxxxx"}; !slices.Equal(lines, want) {
		t.Errorf("lines %q", lines)
	}
	lines = nil
	for range 3 * stderrPerSec {
		p.feed([]byte("flood\n"))
	}
	if len(lines) != stderrPerSec-5 {
		t.Errorf("%d lines of a flood were logged", len(lines))
	}
	clock = clock.Add(time.Second)
	p.feed([]byte("after\n"))
	if got := lines[len(lines)-2:]; got[0] != droppedText(2*stderrPerSec+5) || got[1] != "after" {
		t.Errorf("after the flood: %q", got)
	}
	if len(p.tail) > 2*stderrTail || !strings.HasSuffix(p.last(), "flood\nafter") {
		t.Errorf("tail of %d bytes: %q", len(p.tail), p.last())
	}
}

func TestPauseAtTheBound(t *testing.T) {
	spec := quick(raw(t, `
go = os.environ["GO"]
while not os.path.exists(go): time.sleep(0.005)
for m in tuples(): send({"command": "ack", "id": m["id"]})
`))
	gate := filepath.Join(t.TempDir(), "go")
	spec.Env = map[string]string{"GO": gate}
	spec.Heartbeat = time.Second
	e := startBolt(t, spec, map[string]any{"topology.shellbolt.max.pending": 10})
	big := strings.Repeat("x", 40<<10) // more than a pipe holds soon
	for range 50 {
		e.feed(big)
	}
	e.eventually("paused with input left", func() bool { return e.paused && len(e.input) > 0 && len(e.input) < 50 })
	e.mu.Lock()
	taken := 50 - len(e.input)
	e.mu.Unlock()
	if taken > 10+10+1+3 { // one queue full, one being written, what is in the pipe
		t.Errorf("%d tuples were taken with a bound of 10", taken)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e.eventually("all acked", func() bool { return len(e.acked) == 50 })
}

func TestTicksHeartbeatsAndUnsendable(t *testing.T) {
	e := startBolt(t, quick(raw(t, `
beats = 0
while True:
    m = read()
    if m["stream"] == "__heartbeat":
        beats += 1
        send({"command": "sync"})
        if beats == 2: send({"command": "log", "msg": "beats %r" % sorted(m.items())})
        continue
    send({"command": "emit", "tuple": ["%s %s %s %r" % (m["comp"], m["stream"], m["task"], m["tuple"])], "anchors": [m["id"]], "need_task_ids": False})
    send({"command": "ack", "id": m["id"]})
`)), nil)
	e.feedTuples(
		gearcore.NewTuple(testLayout, 1, gearcore.SystemTask, gearcore.Long(5)),
		gearcore.NewTuple(testLayout, 0, 2, gearcore.Obj(t)),
		gearcore.NewTuple(testLayout, 0, 2, gearcore.OpaqueValue(&gearcore.Opaque{Class: "com.x.Y"})),
		gearcore.NewTuple(testLayout, 0, 2, gearcore.Bytes([]byte{1, 2, 255})),
	)
	e.eventually("settled", func() bool { return len(e.acked) == 2 && len(e.failed) == 2 })
	e.eventually("heartbeats", e.hasLog(`beats [('comp', None), ('id', '0'), ('stream', '__heartbeat'), ('task', -1), ('tuple', [])]`))
	got := e.snap()
	if want := []string{"__system __tick -1 [5]", "src default 2 ['AQL/']"}; !slices.Equal(got.vals(), want) {
		t.Errorf("got %q", got.vals())
	}
	if len(got.errs) != 2 || !strings.Contains(got.errs[1].Error(), "com.x.Y") {
		t.Errorf("errors %v", got.errs)
	}
}

func TestCloseEndsTheWholeGroup(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	spec := quick(raw(t, `
signal.signal(signal.SIGTERM, signal.SIG_IGN)
kid = os.fork()
with open(os.environ["PIDS"], "a") as f: f.write("%d\n" % os.getpid())
while True: time.sleep(1)
`))
	spec.Env = map[string]string{"PIDS": pids}
	spec.Grace = 50 * time.Millisecond
	e := startBolt(t, spec, nil)
	var all []string
	e.eventually("two processes", func() bool {
		b, _ := os.ReadFile(pids)
		all = words(string(b))
		return len(all) == 2
	})
	e.close()
	for _, p := range all {
		pid, err := strconv.Atoi(p)
		if err != nil {
			t.Fatal(err)
		}
		e.eventually("process "+p+" is gone", func() bool { return !alive(pid) })
	}
}

// TestUnreadTaskIDsAreBounded has a child that wants to know the tasks of its emits and never reads them, for ever.
func TestUnreadTaskIDsAreBounded(t *testing.T) {
	e := startBolt(t, quick(raw(t, `
m = work()
while m["tuple"][0] == "flood":
    out((json.dumps({"command": "emit", "tuple": ["x"]}) + "\nend\n") * 1000)
send({"command": "ack", "id": m["id"]})
`)), map[string]any{maxMessageKey: 20_000})
	e.feed("flood")
	e.eventually("child restarted", e.hasError("does not read them: unread answers of more than 20000: over the limit"))
	e.feed("calm")
	e.eventually("acked", func() bool { return slices.Equal(e.acked, []string{"calm"}) && len(e.failed) == 1 })
}

func TestTooLargeMessages(t *testing.T) {
	e := startBolt(t, quick(raw(t, `
for m in tuples():
    if m["tuple"][0] == "big": send({"command": "emit", "tuple": ["x" * 5000], "need_task_ids": False})
    send({"command": "ack", "id": m["id"]})
`)), map[string]any{maxMessageKey: 3000})
	e.feed(strings.Repeat("y", 4000), "big")
	e.eventually("tuple refused", e.hasError("a message to the child of more than 3000: over the limit"))
	e.eventually("child restarted", e.hasError("a number of bytes of more than 3000: over the limit"))
	e.feed("small")
	e.eventually("acked", func() bool { return slices.Equal(e.acked, []string{"small"}) && len(e.failed) == 2 })
}

func TestPidFiles(t *testing.T) {
	e := startBolt(t, quick(python(t, "import gearstorm\nclass B(gearstorm.BasicBolt):\n    def process(self, t): pass\nB().run()\n")), nil)
	e.feed("a")
	e.eventually("acked", func() bool { return len(e.acked) == 1 })
	file := filepath.Join(e.ctx.PidDir, strconv.Itoa(e.pid()))
	if _, err := os.Stat(file); err != nil {
		t.Errorf("no pid file while the child runs: %v", err)
	}
	e.close()
	e.eventually("the pid file is removed", func() bool {
		_, err := os.Stat(file)
		return os.IsNotExist(err)
	})
}

func TestOpenRefusesBadSettings(t *testing.T) {
	for name, c := range map[string]struct {
		spec Spec
		conf map[string]any
		part string
	}{
		"no command":  {Spec{}, nil, "empty command"},
		"negative":    {Spec{Command: []string{"x"}, Grace: -1}, nil, "Grace"},
		"pending":     {Spec{Command: []string{"x"}}, map[string]any{"topology.shellbolt.max.pending": "many"}, "topology.shellbolt.max.pending"},
		"timeout":     {Spec{Command: []string{"x"}}, map[string]any{"topology.subprocess.timeout.secs": 0}, "topology.subprocess.timeout.secs"},
		"message":     {Spec{Command: []string{"x"}}, map[string]any{maxMessageKey: -1}, maxMessageKey},
		"unsent conf": {Spec{Command: []string{"x"}}, map[string]any{"f": func() {}}, "handshake"},
	} {
		e := newEngine(t, c.conf)
		for kind, open := range map[string]func(*gearcore.Context, *gearcore.Collector) error{"bolt": NewBolt(c.spec).Open, "spout": NewSpout(c.spec).Open} {
			if err := open(e.ctx, e.col); err == nil || !strings.Contains(err.Error(), c.part) {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
		}
	}
}

func TestInflight(t *testing.T) {
	var f inflight
	a := f.add(gearcore.NewTuple(testLayout, 0, 1, gearcore.Str("a")))
	b := f.add(gearcore.NewTuple(testLayout, 0, 1, gearcore.Str("b")))
	if got, ok := f.take(a); !ok || textOf(got) != "a" {
		t.Fatal("a is not there")
	}
	if _, ok := f.take(a); ok {
		t.Fatal("a is there twice")
	}
	c := f.add(gearcore.NewTuple(testLayout, 0, 1, gearcore.Str("c")))
	if _, ok := f.get(a); ok || c == a {
		t.Fatalf("a stale id %d names the new tuple %d", a, c)
	}
	for _, id := range []uint64{0, 1, 1 << 40, ^uint64(0)} {
		if _, ok := f.get(id); ok {
			t.Errorf("id %d exists", id)
		}
	}
	var out []string
	f.drain(func(t gearcore.Tuple) { out = append(out, textOf(t)) })
	if !reflect.DeepEqual(out, []string{"c", "b"}) || f.len() != 0 {
		t.Errorf("drained %v, %d left", out, f.len())
	}
	if _, ok := f.get(b); ok {
		t.Error("b survived the drain")
	}
}

func TestBackoff(t *testing.T) {
	b := newBackoff(100*time.Millisecond, time.Second)
	var got []time.Duration
	for _, lived := range []time.Duration{0, 0, time.Second, 0, 0, 0, time.Minute, 0} {
		got = append(got, b.after(lived)/time.Millisecond)
	}
	if want := []time.Duration{100, 200, 400, 800, 1000, 1000, 100, 200}; !slices.Equal(got, want) {
		t.Errorf("waits %v, want %v", got, want)
	}
	b.forget()
	if got := b.after(0); got != 100*time.Millisecond {
		t.Errorf("wait after a life that was fine: %v", got)
	}
}

// TestTerminatedChildrenAreStartedAtOnce: SIGTERM is a wish for a new child, not a crash; the wait does not grow by it.
func TestTerminatedChildrenAreStartedAtOnce(t *testing.T) {
	for _, c := range []struct{ signal, third string }{{"SIGTERM", "restart 3 in 5ms"}, {"SIGKILL", "restart 3 in 20ms"}} {
		t.Run(c.signal, func(t *testing.T) {
			t.Parallel()
			spec := quick(raw(t, `
next(tuples()); os.kill(os.getpid(), signal.`+c.signal+`); time.sleep(60)`))
			e := startBolt(t, spec, nil)
			for i := range 3 {
				e.feed("a")
				e.eventually("the child is lost", e.hasError(fmt.Sprintf("restart %d in", i+1)))
			}
			e.eventually("the wait is told", e.hasError(c.third))
			e.close()
		})
	}
}

func TestSilence(t *testing.T) {
	var q silence
	var over []bool
	for _, content := range []bool{false, false, false, true, false, false, false, false} {
		over = append(over, q.look(content, time.Second, 3*time.Second))
	}
	if want := []bool{false, false, false, false, false, false, false, true}; !slices.Equal(over, want) {
		t.Errorf("over %v, want %v", over, want)
	}
}
