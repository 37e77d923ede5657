package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// life is a supervisor that runs in this process.
type life struct {
	*Supervisor
	stop func() // ends Run and waits
	log  *logText
}

// logText collects a log.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// live runs a supervisor with two free slots. Its workers end with it unless change says otherwise.
func live(t *testing.T, n *fakeNimbus, dir string, change ...func(*Config)) *life {
	t.Helper()
	l := &life{log: &logText{}}
	cfg := quick(Config{LocalDir: filepath.Join(dir, "local"), LogDir: filepath.Join(dir, "logs"), Ports: []int{0, 0},
		Lifeline: true, Nimbus: client.Options{Seeds: []string{n.addr}},
		Log: slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	l.Supervisor = s
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() {
		l.stop()
		if t.Failed() {
			t.Logf("log of the supervisor:\n%s", l.log)
		}
	})
	return l
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in a minute: %s", what)
		}
	}
}

func TestTopologyRunsAndEnds(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	s := live(t, n, dir)
	ports := s.Ports()
	n.until("node reports", func() bool { return n.last != nil && n.last.NodeID == s.NodeID() })

	begin := time.Now()
	n.submit("a-1-1", "good", s.NodeID(), ports...)
	first, pid0 := n.ready("a-1-1", ports[0])
	t.Logf("submitted to ready: %v", time.Since(begin))
	second, pid1 := n.ready("a-1-1", ports[1])
	if first == second || pid0 == pid1 || !alive(pid0) || !alive(pid1) {
		t.Fatalf("workers %s (%d), %s (%d)", first, pid0, second, pid1)
	}
	for _, name := range []string{"worker.log.out", "worker.log.err"} {
		if _, err := os.Stat(filepath.Join(dir, "logs", "workers-artifacts", "a-1-1", fmt.Sprint(ports[0]), name)); err != nil {
			t.Error(err)
		}
	}
	// The plan changes what the worker runs under: it hears of it at once and goes on.
	n.change(func(p *stormrpc.NodePlan) {
		next := *p.Topologies[0]
		next.PlanVersion, next.AssignmentID = 2, "1-2"
		p.Topologies[0] = &next
	})
	n.until("worker runs under the new assignment", func() bool {
		w := n.workers[int32(ports[0])]
		return w != nil && w.AssignmentID == "1-2" && w.WorkerID == first
	})

	n.remove("a-1-1")
	eventually(t, "workers are gone", func() bool { return !alive(pid0) && !alive(pid1) })
	n.until("no worker is reported", func() bool { return len(n.workers) == 0 })
	for _, sub := range []string{"supervisor/stormdist", "workers", "supervisor/slots"} {
		eventually(t, sub+" is empty", func() bool {
			left, err := os.ReadDir(filepath.Join(dir, "local", sub))
			return err == nil && len(left) == 0
		})
	}
	if errs := n.told(); len(errs) > 0 {
		t.Errorf("errors %q", errs)
	}
	s.stop()
	checkModes(t, dir)
}

// checkModes fails if anything a daemon made can be read by others.
func checkModes(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "local"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSlotTakesAnotherTopology(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	n.submit("a-1-1", "good", s.NodeID(), s.Ports()[0])
	_, pid := n.ready("a-1-1", s.Ports()[0])
	n.store("b-2-2", nil)
	n.change(func(p *stormrpc.NodePlan) {
		p.Topologies = []*stormrpc.TopologyPlan{planOf("b-2-2", p.Epoch, s.NodeID(), s.Ports()[0])}
	})
	n.ready("b-2-2", s.Ports()[0])
	if alive(pid) {
		t.Error("the old worker lives")
	}
}

func TestDeadWorkerIsStartedAgain(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	port := s.Ports()[0]
	n.submit("a-1-1", "good", s.NodeID(), port)
	worker, pid := n.ready("a-1-1", port)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	n.until("another worker is ready", func() bool {
		w := n.workers[int32(port)]
		return w != nil && w.Ready && w.WorkerID != worker
	})
	got := n.hears(worker, "ended by signal 9", "restart 1", "trying again")
	if want := fmt.Sprintf("a-1-1 %d __system: ", port); !strings.HasPrefix(got, want) {
		t.Errorf("error %q does not begin with %q", got, want)
	}
}

func TestCrashLoopIsSlowedDownAndTold(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	n.submit("a-1-1", "dies", s.NodeID(), s.Ports()[0])
	got := n.hears("exit code 7", "restart 4", "200ms", "in a row")
	if !strings.Contains(got, "panic: no more ideas") || strings.Count(got, "panic") != 1 {
		t.Errorf("last lines of one life are not in %q", got)
	}
	n.remove("a-1-1")
	eventually(t, "the slot is empty", func() bool { return s.slots[s.Ports()[0]].occupant().worker == "" })
}

func TestWorkerThatRecoversCausesOneError(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	port := s.Ports()[0]
	n.submit("a-1-1", "dies once", s.NodeID(), port)
	n.hears("exit code 3", "restart 1")
	n.ready("a-1-1", port)
	if errs := n.told(); len(errs) != 1 {
		t.Errorf("errors %q", errs)
	}
}

func TestWorkerThatLeavesIsStartedAgainWithoutAWord(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	seen := map[string]bool{}
	n.submit("a-1-1", "leaves", s.NodeID(), s.Ports()[0])
	n.until("three workers came", func() bool {
		if w := n.workers[int32(s.Ports()[0])]; w != nil {
			seen[w.WorkerID] = true
		}
		return len(seen) == 3
	})
	if errs := n.told(); len(errs) > 0 {
		t.Errorf("errors %q", errs)
	}
}

func TestSilence(t *testing.T) {
	for role, text := range map[string]string{
		"mute":         "did not report within 400ms of its start",
		"falls silent": "did not report for 500ms",
	} {
		t.Run(role, func(t *testing.T) {
			n := newFakeNimbus(t)
			s := live(t, n, t.TempDir(), func(c *Config) {
				c.WorkerTimeout = 500 * time.Millisecond
				if role == "mute" {
					c.StartTimeout = 400 * time.Millisecond
				}
			})
			n.submit("a-1-1", role, s.NodeID(), s.Ports()[0])
			n.hears(text, "killed")
		})
	}
}

func TestStormHeartbeatsKeepAWorkerAlive(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir(), func(c *Config) { c.WorkerTimeout = 400 * time.Millisecond })
	port := s.Ports()[0]
	n.submit("a-1-1", "storm", s.NodeID(), port)
	eventually(t, "worker runs", func() bool { return s.slots[port].occupant().worker != "" })
	worker := s.slots[port].occupant().worker
	running := time.Now()
	eventually(t, "three timeouts have passed", func() bool { return time.Since(running) > 1200*time.Millisecond })
	if got := s.slots[port].occupant().worker; got != worker {
		t.Errorf("worker %q, was %q", got, worker)
	}
}

func TestErrorsOfWorkersGoUp(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	n.submit("a-1-1", "complains", s.NodeID(), s.Ports()[0])
	n.hears("a-1-1", "split: no words")
	n.ready("a-1-1", s.Ports()[0])
	if errs := n.told(); len(errs) != 1 {
		t.Errorf("errors %q", errs)
	}
}

func TestMissingCodeIsToldAndTriedAgain(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	port := s.Ports()[0]
	n.change(func(p *stormrpc.NodePlan) {
		p.Topologies = append(p.Topologies, planOf("a-1-1", p.Epoch, s.NodeID(), port))
	})
	n.hears("a-1-1", "localize topology a-1-1", "no such blob", "failure 2 in a row")
	if w := n.worker(port); w != nil {
		t.Errorf("a worker is reported: %v", w)
	}
	n.store("a-1-1", nil)
	n.ready("a-1-1", port)
}

func TestMissingBinaryIsTold(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir(), func(c *Config) { c.Binary = "/nonexistent/gearstorm" })
	n.submit("a-1-1", "good", s.NodeID(), s.Ports()[0])
	n.hears("a-1-1", "start worker", "no such file")
}

func TestPlanThatCannotBeCarriedOutIsTold(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	n.submit("a-1-1", "good", s.NodeID(), s.Ports()[0])
	n.ready("a-1-1", s.Ports()[0])
	n.submit("b-2-2", "good", s.NodeID(), s.Ports()[0], 1)
	n.hears("b-2-2", "is given to a-1-1 as well")
	n.hears("b-2-2", "has no slot 1")
	if w := n.worker(s.Ports()[0]); w == nil || w.TopologyID != "a-1-1" {
		t.Errorf("worker %v", w)
	}
}

func TestNimbusAway(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	port := s.Ports()[0]
	n.submit("a-1-1", "good", s.NodeID(), port)
	worker, pid := n.ready("a-1-1", port)
	n.stop()
	eventually(t, "the supervisor sees it", func() bool { return strings.Contains(s.log.String(), "going on with the last one") })
	// A worker that dies meanwhile is started again from what is on disk.
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another worker runs", func() bool {
		o := s.slots[port].occupant()
		return o.worker != "" && o.worker != worker
	})
	n.start(n.addr)
	n.until("another worker is reported", func() bool { w := n.workers[int32(port)]; return w != nil && w.WorkerID != worker })
	n.hears(worker, "ended by signal 9")
}

func TestStaleLeaderIsRefused(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	s := live(t, n, dir)
	port := s.Ports()[0]
	n.change(func(p *stormrpc.NodePlan) { p.Epoch = 5 })
	n.submit("a-1-1", "good", s.NodeID(), port)
	worker, _ := n.ready("a-1-1", port)
	n.change(func(p *stormrpc.NodePlan) { p.Epoch, p.Topologies = 4, nil })
	eventually(t, "refusal in the log", func() bool { return strings.Contains(s.log.String(), "plan of a leader that was replaced") })
	if o := s.slots[port].occupant(); o.worker != worker {
		t.Fatalf("worker %q, was %q", o.worker, worker)
	}
	// Also by a supervisor that was started anew.
	s.stop()
	s = live(t, n, dir)
	eventually(t, "refusal in the log of the next", func() bool { return strings.Contains(s.log.String(), "plan of a leader that was replaced") })
	if e, _ := s.plans.seen(); e != 5 {
		t.Errorf("epoch %d", e)
	}
}

func TestTwoSupervisorsCannotShareADirectory(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	s := live(t, n, dir)
	_, err := New(s.cfg)
	if err == nil || !strings.Contains(err.Error(), "another supervisor uses") {
		t.Fatalf("got %v", err)
	}
}

func TestNodeKeepsIdAndPorts(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	s := live(t, n, dir)
	id, ports, addr := s.NodeID(), s.Ports(), s.Addr().String()
	s.stop()
	s = live(t, n, dir)
	if s.NodeID() != id || !slices.Equal(s.Ports(), ports) || s.Addr().String() != addr {
		t.Errorf("%s %v %v, were %s %v %v", s.NodeID(), s.Ports(), s.Addr(), id, ports, addr)
	}
}

func TestDamagedStateIsNoReasonToStayDown(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	s := live(t, n, dir)
	n.submit("a-1-1", "good", s.NodeID(), s.Ports()[0])
	n.ready("a-1-1", s.Ports()[0])
	s.stop()
	for _, name := range []string{"plan", "ports.json", "slots/1.json"} {
		if err := os.WriteFile(filepath.Join(dir, "local", "supervisor", name), []byte("\x0c{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	id, port := s.NodeID(), s.Ports()[0]
	s = live(t, n, dir, func(c *Config) { c.Ports = []int{port} })
	if s.NodeID() != id {
		t.Errorf("node %s, was %s", s.NodeID(), id)
	}
	for _, text := range []string{"last plan is lost", "ports of the last time are lost", "record of a worker is lost", "launched worker"} {
		eventually(t, "log says "+text, func() bool { return strings.Contains(s.log.String(), text) })
	}
	if _, err := os.Stat(filepath.Join(dir, "local", "supervisor", "slots", "1.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("damaged record: %v", err)
	}
}

func TestRunOnlyOnce(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	s.stop()
	if err := s.Run(t.Context()); err == nil {
		t.Error("ran twice")
	}
	c, err := New(s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Run(t.Context()); err == nil {
		t.Error("ran after close")
	}
}
