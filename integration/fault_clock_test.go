package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/exact"
)

// skewedClock is a file more for package time: it reads by how much its process's wall clock is wrong from the environment,
// and steps 5 s back at some time of the process's life. Monotonic time stays as it is, as on a machine whose clock is set.
const skewedClock = `package time

import "syscall"

var skewSecs, skewBackAt = readSkew()

func readSkew() (secs, backAt int64) {
	text, _ := syscall.Getenv("GEARSTORM_TEST_CLOCK")
	for i, part := 0, &secs; i < len(text); i++ {
		switch c := text[i]; c {
		case ',':
			part = &backAt
		case '-':
		default:
			*part = *part*10 + int64(c-'0')
		}
	}
	if len(text) > 0 && text[0] == '-' {
		secs = -secs
	}
	return secs, backAt * int64(Second)
}

func skewed(sec, mono int64) int64 {
	if skewBackAt > 0 && mono-startNano > skewBackAt {
		sec -= 5
	}
	return sec + skewSecs
}
`

// skewedBinary builds gearstorm with a wall clock that $GEARSTORM_TEST_CLOCK sets wrong: "<seconds>,<second of the step back>".
// Nothing else makes Go's clock of one process wrong: it needs no system call that could be changed.
func skewedBinary(t *testing.T) string {
	t.Helper()
	root := strings.TrimSpace(goTool(t, "env", "GOROOT"))
	name := filepath.Join(root, "src", "time", "time.go")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const from = "	sec, nsec, mono := runtimeNow()\n"
	to := from + "	sec = skewed(sec, mono)\n"
	if strings.Count(string(b), from) != 1 {
		missing(t, "fault 18 knows another package time than that of %s", runtime.Version())
	}
	return builtWith(t, t.TempDir(), map[string]string{
		name: strings.Replace(string(b), from, to, 1), filepath.Join(root, "src", "time", "skewed.go"): skewedClock,
	})
}

// builtWith builds gearstorm in a folder, with other texts in the place of some source files.
func builtWith(t *testing.T, dir string, texts map[string]string) string {
	t.Helper()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	replaced := map[string]string{}
	for path, text := range texts {
		replaced[path] = write(filepath.Base(path), text)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "gearstorm")
	goTool(t, "build", "-trimpath", "-overlay", write("overlay.json", string(overlay)), "-o", out, "../cmd/gearstorm")
	return out
}

func goTool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %v: %v", args, err)
	}
	return string(out)
}

// 18. The clocks of two nodes are wrong by ten minutes, one each way, and step back by 5 s while they work. Nobody takes
// anybody for dead, nothing is lost or comes twice, and windows of event time count what they count with right clocks.
func wrongClocks(f *faultRun) {
	wrong := skewedBinary(f.T)
	restart := func(n *chaos.Node, env string) {
		heal := f.harm(chaos.Fault{Kind: chaos.KillNode, Node: n.Name})
		n.SetBinary("")
		if env != "" {
			n.SetBinary(wrong, "GEARSTORM_TEST_CLOCK="+env)
		}
		heal()
	}
	fast, slow := f.twoNodes()
	restart(fast, "600,12")
	restart(slow, "-600,12")
	began := time.Now()
	f.must("all supervisors", f.c.Registered(f.ctx))
	waitFor(f.T, 60*time.Second, "workers on the nodes with wrong clocks", func() bool {
		a, err := fast.Workers()
		f.must("list workers", err)
		b, err := slow.Workers()
		f.must("list workers", err)
		return len(a) > 0 && len(b) > 0
	})
	same := f.windows()
	f.must("a steady rate with wrong clocks", f.w.Steady(f.ctx))
	f.m = f.w.Begin()
	were := f.workers()
	f.hold(16*time.Second-time.Since(began), time.Minute) // past the step back
	f.end(f.m.Began(), 10*time.Second)
	f.untouched(were)
	same()
	if d := f.result.Duplicated; d != nil && *d > 0 {
		f.result.Failf("%d records were replayed", *d)
	}
	f.clockOf(fast, 10*time.Minute-5*time.Second)
	f.clockOf(slow, -10*time.Minute-5*time.Second)
	restart(fast, "")
	restart(slow, "")
	f.must("all supervisors", f.c.Registered(f.ctx))
}

// windows starts a topology with windows of event time on all nodes, and returns what waits for its end, and for it to have counted what a
// sequential computation counts.
func (f *faultRun) windows() (same func()) {
	f.Helper()
	const name, rate = "windows", 500
	seconds := 20
	if f.long {
		seconds = 60
	}
	w := exact.Windows{Dir: f.TempDir(), Events: seconds * rate, Rate: rate, Workers: rigSupervisors, Conf: map[string]any{
		"gearstorm.checkpoint.interval.ms": 500, "gearstorm.checkpoint.store": "file://" + f.TempDir(),
	}}
	built, err := w.Build()
	f.must("build the topology with windows", err)
	f.leader() // its client is new
	f.must("submit the topology with windows", submitted(f.ctx, f.c, func() error { return chaos.Submit(f.ctx, f.c.Client(), name, built, nil) }))
	var were []chaos.Worker
	mine := func() []chaos.Worker {
		all, err := f.c.Workers()
		f.must("list workers", err)
		return slices.DeleteFunc(all, func(x chaos.Worker) bool { return !strings.HasPrefix(x.Topology, name+"-") })
	}
	waitFor(f.T, time.Minute, "the workers of the topology with windows", func() bool { were = mine(); return len(were) == rigSupervisors })
	return func() {
		f.Helper()
		waitFor(f.T, 5*time.Minute, "all windows", func() bool {
			time.Sleep(200 * time.Millisecond)
			wrong, left, err := w.Wrong()
			f.must("read the counts of windows", err)
			if wrong != "" {
				f.result.Failf("windows of event time: %s", wrong)
			}
			return wrong != "" || left == 0
		})
		if err := chaos.Untouched(were, mine()); err != nil {
			f.result.Failf("topology with windows: %v", err)
		}
		f.must("kill the topology with windows", chaos.Kill(f.ctx, f.c.Client(), name))
		waitFor(f.T, time.Minute, "the end of its workers", func() bool { return len(mine()) == 0 })
		f.Logf("the windows of %d events are as computed one after the other", 2*w.Events)
	}
}

// twoNodes returns two nodes with workers, after spreading the workers if there is only one.
func (f *faultRun) twoNodes() (a, b *chaos.Node) {
	for _, count := range []int{rigSupervisors, rigSupervisors - 1, rigSupervisors} {
		workers := f.workers()
		for _, w := range workers {
			if w.Node != workers[0].Node {
				return f.c.Node(workers[0].Node), f.c.Node(w.Node)
			}
		}
		f.harm(chaos.Fault{Kind: chaos.Rebalance, Node: chaos.TopologyName, Count: count})
		f.must("a steady rate after the rebalance", f.w.Steady(f.ctx))
	}
	f.Fatal("all workers are on one node")
	return nil, nil
}

// clockOf checks that the clock of the node's worker is wrong by that much, by what it writes into its log: else the test would
// show nothing.
func (f *faultRun) clockOf(n *chaos.Node, want time.Duration) {
	workers, err := n.Workers()
	f.must("list workers", err)
	f.must("end a worker", chaos.Worker.Signal(workers[0], 15))
	var last time.Duration
	waitFor(f.T, time.Minute, "a line in the log of a worker on "+n.Name, func() bool {
		logs, _ := filepath.Glob(filepath.Join(n.Local, "logs", "workers-artifacts", "verify-1-*", "*", "worker.log"))
		for _, path := range logs {
			b, err := os.ReadFile(path)
			lines := strings.Split(strings.TrimSpace(string(b)), "\n")
			_, text, ok := strings.Cut(lines[len(lines)-1], "time=")
			stamp, perr := time.Parse("2006-01-02T15:04:05.000Z07:00", strings.Fields(text + " ")[0])
			if err == nil && ok && perr == nil {
				last = time.Until(stamp)
				if d := last - want; d > -time.Minute && d < time.Minute {
					return true
				}
			}
		}
		return false
	})
	f.Logf("the clock of %s is wrong by %v", n.Name, last.Round(time.Second))
}
