package supervisor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
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
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in 30 s: %s", what)
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

// process is a supervisor in a process of its own.
type process struct {
	cmd   *exec.Cmd
	node  string
	ports []int
	err   *logText
}

func startProcess(t *testing.T, r remote) *process {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(os.Args[0]), err: &logText{}}
	p.cmd.Env = append(os.Environ(), supervisorConf+"="+string(text))
	p.cmd.Stderr = p.err
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of the supervisor:\n%s", p.err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("supervisor: %q, %v", line, err)
	}
	var a, b int
	if _, err := fmt.Sscanf(line, "runs %s [%d %d]", &p.node, &a, &b); err != nil {
		t.Fatalf("supervisor: %q", line)
	}
	p.ports = []int{a, b}
	return p
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// terminate ends it in order.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("supervisor: %v", err)
	}
}

func TestWorkersOutliveTheirSupervisor(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *process){
		"killed":     func(_ *testing.T, p *process) { p.kill() },
		"terminated": func(t *testing.T, p *process) { p.terminate(t) },
	} {
		t.Run(name, func(t *testing.T) {
			n, dir := newFakeNimbus(t), t.TempDir()
			r := remote{LocalDir: filepath.Join(dir, "local"), LogDir: filepath.Join(dir, "logs"), Nimbus: n.addr, Ports: []int{0, 0}}
			p := startProcess(t, r)
			n.submit("a-1-1", "good", p.node, p.ports...)
			w0, pid0 := n.ready("a-1-1", p.ports[0])
			w1, pid1 := n.ready("a-1-1", p.ports[1])

			end(t, p)
			if !alive(pid0) || !alive(pid1) {
				t.Fatal("workers ended with their supervisor")
			}
			n.mu.Lock()
			clear(n.workers)
			n.mu.Unlock()
			begin := time.Now()
			q := startProcess(t, r)
			if q.node != p.node || !slices.Equal(q.ports, p.ports) {
				t.Fatalf("node %s %v, was %s %v", q.node, q.ports, p.node, p.ports)
			}
			v0, qid0 := n.ready("a-1-1", p.ports[0])
			v1, qid1 := n.ready("a-1-1", p.ports[1])
			t.Logf("supervisor started again to workers reported: %v", time.Since(begin))
			if v0 != w0 || v1 != w1 || qid0 != pid0 || qid1 != pid1 {
				t.Errorf("workers %s (%d) and %s (%d), were %s (%d) and %s (%d)", v0, qid0, v1, qid1, w0, pid0, w1, pid1)
			}
			if errs := n.told(); len(errs) > 0 {
				t.Errorf("errors %q", errs)
			}

			// The death of a worker that is no child is seen as well.
			if err := syscall.Kill(pid0, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			n.hears(w0, "exit status unknown")
			n.until("another worker is ready", func() bool {
				w := n.workers[int32(p.ports[0])]
				return w != nil && w.WorkerID != w0 && w.Ready
			})
			n.remove("a-1-1")
			eventually(t, "the adopted worker is gone", func() bool { return !alive(pid1) })
			n.until("no worker is reported", func() bool { return len(n.workers) == 0 })
			q.terminate(t)
		})
	}
}

func TestWorkersThatShouldBeGoneAreCleanedUp(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	r := remote{LocalDir: filepath.Join(dir, "local"), LogDir: filepath.Join(dir, "logs"), Nimbus: n.addr, Ports: []int{0, 0}}
	p := startProcess(t, r)
	n.submit("a-1-1", "good", p.node, p.ports...)
	_, pid0 := n.ready("a-1-1", p.ports[0])
	_, pid1 := n.ready("a-1-1", p.ports[1])
	p.kill()
	// One loses its record, as if the supervisor was killed at the launch; the other its topology.
	if err := os.Remove(filepath.Join(r.LocalDir, "supervisor", "slots", fmt.Sprint(p.ports[0], ".json"))); err != nil {
		t.Fatal(err)
	}
	n.remove("a-1-1")
	q := startProcess(t, r)
	eventually(t, "both are gone", func() bool { return !alive(pid0) && !alive(pid1) })
	for _, sub := range []string{"supervisor/stormdist", "workers", "supervisor/slots"} {
		eventually(t, sub+" is empty", func() bool {
			left, err := os.ReadDir(filepath.Join(r.LocalDir, sub))
			return err == nil && len(left) == 0
		})
	}
	q.terminate(t)
}

func TestRestartWithNimbusAway(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	r := remote{LocalDir: filepath.Join(dir, "local"), LogDir: filepath.Join(dir, "logs"), Nimbus: n.addr, Ports: []int{0, 0}}
	p := startProcess(t, r)
	n.submit("a-1-1", "good", p.node, p.ports...)
	w0, pid0 := n.ready("a-1-1", p.ports[0])
	w1, pid1 := n.ready("a-1-1", p.ports[1])
	p.kill()
	n.stop()
	// One dies while nobody watches; with Nimbus away it has to come back from the plan and the code on disk.
	if err := syscall.Kill(pid0, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is dead", func() bool { return !alive(pid0) })
	q := startProcess(t, r)
	eventually(t, "another worker is launched", func() bool { return strings.Contains(q.err.String(), "launched worker") })
	n.mu.Lock()
	clear(n.workers)
	n.mu.Unlock()
	n.start(n.addr)
	v0, _ := n.ready("a-1-1", p.ports[0])
	v1, qid1 := n.ready("a-1-1", p.ports[1])
	if v0 == w0 || v1 != w1 || qid1 != pid1 {
		t.Errorf("workers %s and %s (%d), were %s and %s (%d)", v0, v1, qid1, w0, w1, pid1)
	}
	n.hears(w0, "ended while no supervisor ran")
	n.remove("a-1-1")
	eventually(t, "the adopted worker is gone", func() bool { return !alive(qid1) })
	n.until("no worker is reported", func() bool { return len(n.workers) == 0 })
	q.terminate(t)
}

func TestLifeline(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *process){
		"killed":     func(_ *testing.T, p *process) { p.kill() },
		"terminated": func(t *testing.T, p *process) { p.terminate(t) },
	} {
		t.Run(name, func(t *testing.T) {
			n, dir := newFakeNimbus(t), t.TempDir()
			p := startProcess(t, remote{LocalDir: filepath.Join(dir, "local"), LogDir: filepath.Join(dir, "logs"), Nimbus: n.addr,
				Ports: []int{0, 0}, Lifeline: true})
			n.submit("a-1-1", "good", p.node, p.ports[0])
			_, pid := n.ready("a-1-1", p.ports[0])
			end(t, p)
			eventually(t, "the worker ended", func() bool { return !alive(pid) })
		})
	}
}

// call is a connection to a supervisor's Thrift service.
func call(t *testing.T, s *life) *wire.Client {
	t.Helper()
	c, err := wire.Dial(t.Context(), s.Addr().String(), wire.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestService(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	port := s.Ports()[0]
	n.submit("a-1-1", "good", s.NodeID(), port)
	worker, _ := n.ready("a-1-1", port)
	sup, own := stormrpc.NewSupervisorClient(call(t, s)), stormrpc.NewGearstormClient(call(t, s))
	ctx := t.Context()

	a, err := sup.GetLocalAssignmentForStorm(ctx, "a-1-1")
	if err != nil || len(*a.ExecutorNodePort) != 1 {
		t.Errorf("assignment %v, %v", a, err)
	}
	var gone *stormrpc.NotAliveException
	if _, err := sup.GetLocalAssignmentForStorm(ctx, "b-2-2"); !errors.As(err, &gone) ||
		gone.Msg != "No local assignment assigned for storm: b-2-2 for node: localhost" {
		t.Errorf("assignment of a stranger: %v", err)
	}
	const exit = " does not appear to be alive, you should probably exit"
	executor := func(first int32) []*stormrpc.ExecutorInfo {
		return []*stormrpc.ExecutorInfo{{TaskStart: first, TaskEnd: first}}
	}
	if err := sup.SendSupervisorWorkerHeartbeat(ctx, &stormrpc.SupervisorWorkerHeartbeat{StormID: "a-1-1", Executors: executor(1)}); err != nil {
		t.Errorf("heartbeat: %v", err)
	}
	for _, hb := range []*stormrpc.SupervisorWorkerHeartbeat{
		{StormID: "a-1-1", Executors: executor(9)}, {StormID: "a-1-1", Executors: executor(1)[:0]}, {StormID: "b-2-2", Executors: executor(1)},
	} {
		if err := sup.SendSupervisorWorkerHeartbeat(ctx, hb); err == nil || !strings.Contains(err.Error(), "Internal error") {
			t.Errorf("heartbeat %v: %v", hb, err)
		}
	}
	if err := sup.SendSupervisorAssignments(ctx, stormrpc.NewSupervisorAssignments()); err != nil {
		t.Errorf("assignments: %v", err)
	}
	if _, err := own.SyncNode(ctx, s.nodeReport(nil), 0, 0); err == nil || !strings.Contains(err.Error(), "Invalid method name") {
		t.Errorf("syncNode: %v", err)
	}

	report := &stormrpc.WorkerReport{TopologyID: "a-1-1", Port: int32(port), WorkerID: worker, AssignmentID: "1-1", Epoch: 1,
		ExecutorStats: []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{}}
	if p, err := own.SyncWorker(ctx, report, 1, 1); err != nil || p.PlanVersion != 1 {
		t.Errorf("held call: %v, %v", p, err)
	}
	if p, err := own.SyncWorker(ctx, report, 0, 1<<30); err != nil || p.PlanVersion != 1 {
		t.Errorf("call with an old version: %v, %v", p, err)
	}
	for name, change := range map[string]func(*stormrpc.WorkerReport){
		"worker": func(r *stormrpc.WorkerReport) { r.WorkerID = "other" }, "port": func(r *stormrpc.WorkerReport) { r.Port = 1 },
		"empty slot": func(r *stormrpc.WorkerReport) { r.Port, r.WorkerID = int32(s.Ports()[1]), "" },
		"topology":   func(r *stormrpc.WorkerReport) { r.TopologyID = "b-2-2" },
	} {
		r := *report
		change(&r)
		if _, err := own.SyncWorker(ctx, &r, 1, 1); !errors.As(err, &gone) || gone.Msg != r.TopologyID+exit {
			t.Errorf("wrong %s: %v", name, err)
		}
	}
}

func TestOtherHostsAreRefused(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	var denied *stormrpc.AuthorizationException
	for remote, allowed := range map[string]bool{"127.0.0.1:5": true, "[::1]:5": true, "10.1.2.3:5": false, "[2001:db8::1]:5": false} {
		ctx := wire.WithCaller(t.Context(), wire.Peer{Remote: netip.MustParseAddrPort(remote)})
		_, err := service{s.Supervisor}.SyncWorker(ctx, &stormrpc.WorkerReport{}, 0, 0)
		if errors.As(err, &denied) == allowed {
			t.Errorf("syncWorker from %s: %v", remote, err)
		}
		err = service{s.Supervisor}.SendSupervisorWorkerHeartbeat(ctx, &stormrpc.SupervisorWorkerHeartbeat{})
		if errors.As(err, &denied) == allowed {
			t.Errorf("heartbeat from %s: %v", remote, err)
		}
	}
}
