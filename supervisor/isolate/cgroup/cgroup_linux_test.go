package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/supervisor/isolate/shim"
	"github.com/gearstorm/gearstorm/worker"
)

// The test binary is also the program that enters the group, and the worker that acts out what TEST_WORKER says.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case isolate.EntryCommand:
			os.Exit(shim.Main(os.Args[2:]))
		case "worker":
			os.Exit(testWorker(os.Getenv("TEST_WORKER")))
		case "leak":
			leak()
		case "sleep":
			time.Sleep(time.Hour)
		case "supervisor":
			os.Exit(testSupervisor())
		}
	}
	goleak.VerifyTestMain(m)
}

func testWorker(role string) int {
	spec, err := isolate.ReadSpec(isolate.SpecFD)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	switch role {
	case "sleeps":
		ready(spec)
	case "busy": // as many threads as want to run
		for range 4 {
			go func() {
				for {
				}
			}()
		}
		ready(spec)
	case "tunes": // as workers of ours do
		defer worker.TuneMemory()()
		fmt.Println(debug.SetMemoryLimit(-1))
		return 0
	case "leaks":
		ready(spec)
		leak()
	case "child leaks": // the leader stays small
		c := exec.Command(os.Args[0], "leak")
		c.Env = []string{"A=b"}
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := c.Start(); err != nil {
			return 98
		}
		go c.Wait()
		ready(spec)
	case "forks": // until it is refused, from processes that nothing but the group knows
		n := 0
		for ; n < 500; n++ {
			c := exec.Command(os.Args[0], "sleep")
			c.Env = []string{"A=b"}
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := c.Start(); err != nil {
				fmt.Println(err)
				break
			}
		}
		fmt.Println("forked", n)
		ready(spec)
	}
	time.Sleep(time.Hour) // with nothing else to do select{} would count as a deadlock
	return 96
}

// leak takes memory until it is stopped.
func leak() {
	var all [][]byte
	for {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i)
		}
		all = append(all, b)
		if len(all) > 4<<10 {
			os.Exit(95) // 4 GiB and nobody minds
		}
	}
}

func ready(spec isolate.WorkerSpec) {
	os.WriteFile(filepath.Join(spec.WorkerDir, "ready"), nil, 0o600)
}

// testOptions are those of a node of its own.
func testOptions() Options {
	return Options{Name: "gearstorm-test", Node: fmt.Sprintf("n%d-%d", os.Getpid(), time.Now().UnixNano())}
}

// openReal gives the groups of this machine. Where it has none, that is said and the test is over: there is nothing that
// could be tested, and what is used instead (rlimits) has its tests in package shim.
func openReal(t *testing.T, o Options, need ...string) *Isolator {
	t.Helper()
	i, err := Open(o)
	if errors.Is(err, ErrUnavailable) {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range need {
		if why, missing := i.Missing()[c]; missing {
			t.Skipf("SKIPPED, NOT TESTED: %s: %s", c, why)
		}
	}
	t.Cleanup(func() {
		for _, base := range i.dirs("") {
			if _, err := os.Stat(base); err == nil {
				t.Errorf("%s is left", base)
			}
		}
	})
	return i
}

func launch(t *testing.T, i isolate.Isolator, role string, l isolate.Limits) (*isolate.Process, isolate.Launch) {
	t.Helper()
	spec := testLaunch(workDir(t), i, role, l)
	p, err := spec.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill(context.Background(), 0)
		p.Release()
	})
	return p, spec
}

func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), fmt.Sprintf("w-%d-", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func testLaunch(dir string, i isolate.Isolator, role string, l isolate.Limits) isolate.Launch {
	return isolate.Launch{
		Spec: isolate.WorkerSpec{
			Topology: "t-1-1", Worker: filepath.Base(dir), Node: "n", Hostname: "localhost", Port: 6700, Supervisor: "localhost:1",
			CodeDir: dir, WorkerDir: filepath.Join(dir, "work"), PidDir: filepath.Join(dir, "work", "pids"),
			LogPath: filepath.Join(dir, "log", "worker.log"), Plan: []byte("p"),
		},
		Binary: os.Args[0], Env: []string{"TEST_WORKER=" + role, "GOMEMLIMIT="}, By: i, Limits: l,
		Shim: isolate.Self(),
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in a minute: %s", what)
		}
	}
}

func untilReady(t *testing.T, l isolate.Launch) {
	t.Helper()
	until(t, "worker is ready", func() bool {
		_, err := os.Stat(filepath.Join(l.Spec.WorkerDir, "ready"))
		return err == nil
	})
}

func ended(t *testing.T, p *isolate.Process) isolate.Exit {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(time.Minute):
		t.Fatal("process did not end in a minute")
	}
	return p.Exit()
}

func (i *Isolator) gone(worker string) bool {
	for _, dir := range i.dirs(worker) {
		if _, err := os.Stat(dir); err == nil {
			return false
		}
	}
	return true
}

func TestWorkerStartsInItsGroup(t *testing.T) {
	i := openReal(t, testOptions())
	p, l := launch(t, i, "sleeps", isolate.Limits{CPU: 50, Pids: 100})
	untilReady(t, l)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.Identity().Pid))
	if err != nil {
		t.Fatal(err)
	}
	suffix := "/" + filepath.Join(i.o.Name, i.o.Node, l.Spec.Worker)
	if n := strings.Count(string(text), suffix+"\n"); n < len(i.dirs("")) {
		t.Errorf("%d of %d groups in:\n%s", n, len(i.dirs("")), text)
	}
	// The shim became the worker: same process, its own name.
	if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.Identity().Pid)); !strings.Contains(string(line), "\x00worker\x00") {
		t.Errorf("command line %q", line)
	}
	if u := p.Usage(); u.MemoryBytes <= 0 || u.Pids < 1 {
		t.Errorf("usage %+v", u)
	}
	if err := p.Kill(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if !i.gone(l.Spec.Worker) {
		t.Error("the group is left")
	}
}

func TestBusyWorkerIsHeldToItsCap(t *testing.T) {
	i := openReal(t, testOptions(), "cpu")
	const points = 30
	p, l := launch(t, i, "busy", isolate.Limits{CPU: points, CPUCap: points})
	untilReady(t, l)
	before, begin := p.Usage(), time.Now()
	time.Sleep(3 * time.Second) // the time over which it is measured
	after, took := p.Usage(), time.Since(begin)
	used := after.CPUUser + after.CPUSystem - before.CPUUser - before.CPUSystem
	share := used.Seconds() / took.Seconds() * 100
	t.Logf("4 busy threads used %.1f points of %d, throttled in %d of %d periods", share, points,
		after.ThrottledPeriods-before.ThrottledPeriods, after.Periods-before.Periods)
	if used <= 0 || share > points*1.25 {
		t.Errorf("used %.1f points, cap is %d", share, points)
	}
	if after.ThrottledPeriods == before.ThrottledPeriods {
		t.Error("never throttled")
	}
}

func TestLeakingWorkerIsKilledAlone(t *testing.T) {
	i := openReal(t, testOptions(), "memory")
	limits := isolate.Limits{MemoryBytes: 64 << 20}
	neighbour, nl := launch(t, i, "sleeps", limits)
	untilReady(t, nl)
	p, l := launch(t, i, "leaks", limits)
	if got := ended(t, p); !got.OutOfMemory {
		t.Errorf("exit %+v", got)
	}
	if !neighbour.Identity().Alive() {
		t.Error("the neighbour was killed, too")
	}
	if !i.gone(l.Spec.Worker) {
		t.Error("the group is left")
	}
}

// Our workers see the limit of their group and collect garbage harder near it.
func TestWorkersKnowTheirLimit(t *testing.T) {
	i := openReal(t, testOptions(), "memory")
	p, l := launch(t, i, "tunes", isolate.Limits{MemoryBytes: 64 << 20})
	if got := ended(t, p); got != (isolate.Exit{Known: true}) {
		t.Fatal(got)
	}
	out, err := os.ReadFile(l.Spec.LogPath + ".out")
	if want := fmt.Sprintln(64 << 20 / 10 * 9); string(out) != want || err != nil {
		t.Errorf("memory limit of Go %q, want %q; %v", out, want, err)
	}
}

func TestChildAndWorkerDieTogether(t *testing.T) {
	i := openReal(t, testOptions(), "memory")
	p, _ := launch(t, i, "child leaks", isolate.Limits{MemoryBytes: 64 << 20})
	if got := ended(t, p); !got.OutOfMemory || got.Signal != syscall.SIGKILL {
		t.Errorf("exit %+v", got)
	}
}

// All workers together are bounded as well: the fattest dies, the others live.
func TestAllWorkersTogetherAreBounded(t *testing.T) {
	o := testOptions()
	o.All.MemoryBytes = 96 << 20
	i := openReal(t, o, "memory")
	neighbour, nl := launch(t, i, "sleeps", isolate.Limits{})
	untilReady(t, nl)
	p, _ := launch(t, i, "child leaks", isolate.Limits{})
	if got := ended(t, p); !got.OutOfMemory {
		t.Errorf("exit %+v", got)
	}
	if !neighbour.Identity().Alive() {
		t.Error("the neighbour was killed, too")
	}
}

// Without groups of the processor a worker is in none, and has its other limits.
func TestWorkerWithoutGroupsOfTheProcessor(t *testing.T) {
	o := testOptions()
	o.NoCPU = true
	i := openReal(t, o, "pids")
	p, l := launch(t, i, "sleeps", isolate.Limits{CPU: 100, Pids: 50})
	untilReady(t, l)
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.Identity().Pid))
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]bool{}
	for line := range strings.Lines(string(groups)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		for _, c := range strings.Split(f[1], ",") {
			in[c] = strings.Contains(f[2], o.Node)
		}
	}
	if i.version == 1 && (in["cpu"] || !in["pids"]) {
		t.Errorf("groups %s", groups)
	}
	if _, ok := i.Missing()["cpu"]; !ok {
		t.Error("groups of the processor are in use")
	}
}

// In version 1 a group without processors takes no process.
func TestProcessorsAreInherited(t *testing.T) {
	o := testOptions()
	o.Cpuset = true
	i := openReal(t, o, "cpuset")
	p, l := launch(t, i, "sleeps", isolate.Limits{})
	untilReady(t, l)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Identity().Pid))
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := allowed(string(text)), allowed(string(own)); a != b || a == "" {
		t.Errorf("processors %q, want %q", a, b)
	}
}

func allowed(status string) string {
	_, rest, _ := strings.Cut(status, "Cpus_allowed_list:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

func TestDiskRateIsSet(t *testing.T) {
	o := testOptions()
	o.Disk = "."
	i, err := Open(o)
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	if why, missing := i.Missing()["io"]; missing {
		t.Skipf("SKIPPED, NOT TESTED: io: %s", why)
	}
	cage, err := i.Cage("w1", isolate.Limits{DiskBytesPerSec: 3 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer cage.Release()
	found := 0
	for _, dir := range i.dirs("w1") {
		for _, file := range []string{"blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device", "io.max"} {
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err == nil && strings.HasPrefix(string(text), i.device+" ") && strings.Contains(string(text), "3145728") {
				found++
			}
		}
	}
	if want := 3 - i.version; found != want {
		t.Errorf("the rate is in %d files, want %d", found, want)
	}
}

func TestForkBombIsStoppedAndEnded(t *testing.T) {
	i := openReal(t, testOptions(), "pids")
	p, l := launch(t, i, "forks", isolate.Limits{Pids: 40})
	untilReady(t, l)
	out, err := os.ReadFile(l.Spec.LogPath + ".out")
	if err != nil {
		t.Fatal(err)
	}
	_, count, _ := strings.Cut(strings.TrimSpace(string(out)), "forked ")
	if n, err := strconv.Atoi(count); err != nil || n >= 40 {
		t.Errorf("output %q", out)
	}
	if err := p.Kill(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if !i.gone(l.Spec.Worker) {
		t.Error("the group is left")
	}
}

// What hides from its parent, its session and its environment is in the group all the same.
func TestAdoptedWorkerIsKilledByItsGroup(t *testing.T) {
	i := openReal(t, testOptions())
	p, l := launch(t, i, "forks", isolate.Limits{Pids: 40})
	untilReady(t, l)
	p.Release()
	again, err := Open(i.o)
	if err != nil {
		t.Fatal(err)
	}
	q, err := isolate.Adopt(p.Identity(), again)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Release()
	if err := q.Kill(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if !i.gone(l.Spec.Worker) {
		t.Error("the group is left")
	}
}

// testSupervisor launches a worker and is killed then.
func testSupervisor() int {
	i, err := Open(Options{Name: "gearstorm-test", Node: os.Getenv("TEST_NODE")})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	l := testLaunch(os.Getenv("TEST_DIR"), i, "forks", isolate.Limits{Pids: 40})
	p, err := l.Start()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("pid", p.Identity().Pid)
	time.Sleep(time.Hour)
	return 0
}

func TestGroupsOfAKilledSupervisorAreSwept(t *testing.T) {
	i := openReal(t, testOptions())
	kept, kl := launch(t, i, "sleeps", isolate.Limits{})
	untilReady(t, kl)
	dir := workDir(t)
	s := exec.Command(os.Args[0], "supervisor")
	s.Env = append(os.Environ(), "TEST_NODE="+i.o.Node, "TEST_DIR="+dir)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "worker is ready", func() bool {
		_, err := os.Stat(filepath.Join(dir, "work", "ready"))
		return err == nil
	})
	s.Process.Kill()
	s.Wait()
	worker := filepath.Base(dir)
	if i.gone(worker) {
		t.Fatal("the worker ended with its supervisor")
	}
	if err := i.Sweep(map[string]bool{kl.Spec.Worker: true}); err != nil {
		t.Fatal(err)
	}
	if !i.gone(worker) {
		t.Error("the group is left")
	}
	if !kept.Identity().Alive() || i.gone(kl.Spec.Worker) {
		t.Error("the other worker was swept, too")
	}
}

func TestNamesThatAreNoNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "...", "a/b", "../x", "a b", "a\x00b", strings.Repeat("x", 129), "é"} {
		if plain(name) {
			t.Errorf("%q passes", name)
		}
		o := testOptions()
		o.Node = name
		if _, err := Open(o); err == nil {
			t.Errorf("node %q passes", name)
		}
	}
	i := openReal(t, testOptions())
	if _, err := i.Cage("../../x", isolate.Limits{}); err == nil {
		t.Error("a path passes as a worker")
	}
	if n := i.Find("..").Kill(); n != 0 {
		t.Errorf("%d processes in no group", n)
	}
}
