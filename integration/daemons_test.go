package integration

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/testserver"
)

// daemons are Nimbus and a supervisor as processes of their own, as one runs them on machines.
type daemons struct {
	*cluster
	args                 []string // of both, where their configuration stands
	nimbusd, supervisord *daemon
}

// startDaemons writes a storm.yaml, with these lines more, and starts both daemons with it.
func startDaemons(t *testing.T, slots int, lines ...string) *daemons {
	t.Helper()
	ports := freePorts(t, slots+2)
	d := &daemons{cluster: newCluster(t)}
	d.nimbus, d.supervisor = ports[0], ports[1]
	file := filepath.Join(d.dir, "storm.yaml")
	d.args = []string{"--config", file}
	text := fmt.Sprintf("nimbus.seeds: [\"127.0.0.1\"]\nnimbus.thrift.port: %d\nsupervisor.thrift.port: %d\nsupervisor.slots.ports: %s\nstorm.local.dir: %q\n",
		ports[0], ports[1], strings.Join(strings.Fields(fmt.Sprint(ports[2:])), ", "), filepath.Join(d.dir, "state"))
	text += strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// Workers outlive a supervisor that ends in order: what a failed test leaves is ended here, after the daemons.
	t.Cleanup(func() {
		for _, p := range d.workers(t) {
			syscall.Kill(p.pid, syscall.SIGTERM)
		}
	})
	d.startNimbus(t)
	d.startSupervisor(t)
	return d
}

// freePorts returns ports that were free a moment ago.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports, err := testserver.FreePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

func (d *daemons) startNimbus(t *testing.T) {
	t.Helper()
	d.nimbusd = startDaemon(t, d.dir, append([]string{"nimbus"}, d.args...)...)
	waitFor(t, 20*time.Second, "Nimbus", func() bool {
		d.nimbusd.mustRun(t)
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(d.nimbus)))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (d *daemons) startSupervisor(t *testing.T) {
	t.Helper()
	d.supervisord = startDaemon(t, d.dir, append([]string{"supervisor"}, d.args...)...)
}

// Workers go on while their supervisor or Nimbus is dead, are adopted by the next one, and end with their topology.
func TestKilledDaemons(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 2)
	n := submitNumbers(t, d.cluster, 2)
	all := workersAndScripts(t, d)
	if len(all) != 2+4 {
		t.Fatalf("2 workers and 4 Python processes should run, but these do: %v", all)
	}
	id := d.info(t, "numbers").ID

	d.supervisord.kill(t)
	t.Logf("supervisor killed: numbers after %v", n.flow(t, 10*time.Second))
	d.startSupervisor(t)
	n.flow(t, 10*time.Second)
	d.reported(t, n)

	d.nimbusd.kill(t)
	t.Logf("nimbus killed: numbers after %v", n.flow(t, 10*time.Second))
	d.startNimbus(t)
	if row := lineWith(d.must(t, "list"), "numbers"); !strings.Contains(row, "ACTIVE") || !strings.Contains(row, id) {
		t.Errorf("after the restart of Nimbus the topology is listed as %q, want ACTIVE and %s", row, id)
	}
	n.flow(t, 10*time.Second)
	d.reported(t, n)

	// both at once, and they come back in the other order
	d.nimbusd.kill(t)
	d.supervisord.kill(t)
	d.startSupervisor(t)
	n.flow(t, 10*time.Second)
	d.startNimbus(t)
	d.reported(t, n)
	if now := workersAndScripts(t, d); !same(all, now) {
		t.Errorf("processes were replaced:\n%v\nare now\n%v", all, now)
	}

	n.finish(t, time.Minute)
	d.must(t, "kill", "numbers", "-w", "0")
	waitFor(t, 20*time.Second, "the end of the topology's processes", func() bool { return len(workersAndScripts(t, d)) == 0 })
	waitFor(t, 10*time.Second, "an empty list", func() bool { return lineWith(d.must(t, "list"), "numbers") == "" })
}

// An orderly end of both daemons leaves the topology running; SIGTERM ends the workers too, each with its children.
func TestTerminatedDaemonsLeaveWorkers(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 1)
	n := submitNumbers(t, d.cluster, 1)
	d.supervisord.stop(t)
	d.nimbusd.stop(t)
	for _, p := range []*daemon{d.supervisord, d.nimbusd} {
		if p.err != nil {
			t.Errorf("gearstorm %v ended with %v", p.args, p.err)
		}
	}
	n.flow(t, 10*time.Second)
	any1(t, d.workers(t)).signal(t, syscall.SIGTERM)
	waitFor(t, 20*time.Second, "the end of all processes", func() bool { return len(processes(t, d.dir)) == 0 })
}

// What happens to workers and topologies while the supervisor is dead is made good by the next one.
func TestChangesWhileTheSupervisorIsDead(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 2)
	n := submitNumbers(t, d.cluster, 2)
	before := d.workers(t)
	d.supervisord.kill(t)
	dead := any1(t, before)
	dead.signal(t, syscall.SIGKILL)
	d.startSupervisor(t)
	waitFor(t, 10*time.Second, "another worker beside the one that lived on", func() bool {
		now, kept := d.workers(t), 0
		for pid, p := range before {
			if now[pid].start == p.start {
				kept++
			}
		}
		return len(now) == 2 && kept == 1
	})
	t.Logf("numbers after %v", n.flow(t, 20*time.Second))
	n.finish(t, time.Minute)

	d.supervisord.kill(t)
	d.must(t, "kill", "numbers", "-w", "0")
	if len(d.workers(t)) != 2 {
		t.Fatal("workers ended without their supervisor")
	}
	d.startSupervisor(t)
	waitFor(t, 20*time.Second, "the end of the killed topology's processes", func() bool { return len(workersAndScripts(t, d)) == 0 })
	submitNumbers(t, d.cluster, 1)
	d.must(t, "kill", "numbers", "-w", "0")
	waitFor(t, 20*time.Second, "the end of the topology's processes", func() bool { return len(workersAndScripts(t, d)) == 0 })
}

// reported waits until Nimbus hears from the workers again: the count of the last bolt grows.
func (d *daemons) reported(t *testing.T, n *numbers) {
	t.Helper()
	executed := func() int64 {
		for _, c := range d.info(t, "numbers").Components {
			if c.Name == "last" {
				return c.Executed
			}
		}
		return 0
	}
	before := int64(-1)
	waitFor(t, 20*time.Second, "statistics at Nimbus", func() bool {
		now := executed()
		if before < 0 && now > 0 {
			before = now
		}
		return before > 0 && now > before
	})
}

func workersAndScripts(t *testing.T, d *daemons) map[int]process {
	t.Helper()
	all := processes(t, d.dir)
	for pid := range all {
		if pid == d.nimbusd.pid() || pid == d.supervisord.pid() {
			delete(all, pid)
		}
	}
	return all
}
