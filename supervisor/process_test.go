package supervisor

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

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

// What was planned here before may run elsewhere by the time a supervisor starts, so it asks first.
func TestRestartLaunchesNothingThatHasMoved(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	r := remote{LocalDir: filepath.Join(dir, "local"), LogDir: filepath.Join(dir, "logs"), Nimbus: n.addr, Ports: []int{0, 0}}
	p := startProcess(t, r)
	n.submit("a-1-1", "good", p.node, p.ports[0])
	_, pid := n.ready("a-1-1", p.ports[0])
	p.kill()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is dead", func() bool { return !alive(pid) })
	n.remove("a-1-1")
	q := startProcess(t, r)
	n.submit("b-1-1", "good", p.node, p.ports[0])
	_, pid = n.ready("b-1-1", p.ports[0])
	n.remove("b-1-1")
	eventually(t, "its worker is gone", func() bool { return !alive(pid) })
	q.terminate(t)
	if log := q.err.String(); strings.Count(log, "launched worker") != 1 {
		t.Errorf("more than the worker of b-1-1 was launched:\n%s", log)
	}
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
