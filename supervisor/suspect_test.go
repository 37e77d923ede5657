package supervisor

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func sendSignal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

func TestSilentWorkerIsSuspectedAndMayComeBack(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir(), func(c *Config) { c.WorkerTimeout = 9 * time.Second })
	port := s.Ports()[0]
	n.submit("a-1-1", "good", s.NodeID(), port)
	worker, pid := n.ready("a-1-1", port)

	sendSignal(t, pid, syscall.SIGSTOP)
	n.hears(worker, "is silent for 6", "alive, state T (stopped by a signal), processor time stands still", "killed at 9s")
	n.until("Nimbus knows why it is suspected", func() bool {
		w := n.workers[int32(port)]
		return w != nil && strings.Contains(w.GetSuspect(), "state T")
	})
	sendSignal(t, pid, syscall.SIGCONT)
	n.until("it is no suspect any more", func() bool {
		w := n.workers[int32(port)]
		return w != nil && w.WorkerID == worker && w.Suspect == nil
	})
	if !strings.Contains(s.log.String(), "reports again") {
		t.Error("nothing in the log")
	}
	if w := n.worker(port); w.Restarts != nil || w.LastExit != nil {
		t.Errorf("restarts %v, last exit %v", w.Restarts, w.LastExit)
	}
}

func TestRestartsAndLastExitAreReported(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	port := s.Ports()[0]
	n.submit("a-1-1", "good", s.NodeID(), port)
	_, pid := n.ready("a-1-1", port)
	sendSignal(t, pid, syscall.SIGKILL)
	n.until("the next one says so", func() bool {
		w := n.workers[int32(port)]
		return w != nil && w.Ready && w.GetRestarts() == 1 && w.GetLastExit() == "ended by signal 9 (killed)"
	})
}

// TestPausedSupervisorBlamesNobody stops a supervisor for longer than its workers may be silent.
func TestPausedSupervisorBlamesNobody(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	p := startProcess(t, remote{LocalDir: filepath.Join(dir, "local"), LogDir: filepath.Join(dir, "logs"), Nimbus: n.addr,
		Ports: []int{0, 0}, Lifeline: true, WorkerTimeout: 2 * time.Second})
	n.submit("a-1-1", "good", p.node, p.ports...)
	w0, pid0 := n.ready("a-1-1", p.ports[0])
	w1, pid1 := n.ready("a-1-1", p.ports[1])
	sendSignal(t, p.cmd.Process.Pid, syscall.SIGSTOP)
	for paused := time.Now(); time.Since(paused) < 3*time.Second; {
		time.Sleep(100 * time.Millisecond)
	}
	n.mu.Lock()
	clear(n.workers)
	n.mu.Unlock()
	sendSignal(t, p.cmd.Process.Pid, syscall.SIGCONT)
	v0, _ := n.ready("a-1-1", p.ports[0])
	v1, _ := n.ready("a-1-1", p.ports[1])
	if v0 != w0 || v1 != w1 || !alive(pid0) || !alive(pid1) {
		t.Errorf("workers %s and %s, were %s and %s", v0, v1, w0, w1)
	}
	if errs := n.told(); len(errs) > 0 {
		t.Errorf("errors %q", errs)
	}
	p.terminate(t)
}
