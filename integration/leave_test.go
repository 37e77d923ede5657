package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A rebalance that takes a topology's last executors from a node, and one that gives it some again, fail no tuple and lose none,
// tracked or not. (A spout that moves may emit numbers again that its last process was not told the end of.)
func TestLastExecutorsLeaveANode(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 1)
	d.startOtherNode(t)
	for _, file := range []string{"numbers.yaml", "untracked.yaml"} {
		t.Run(file, func(t *testing.T) {
			n := submitFrom(t, d.cluster, file, 2)
			waitFor(t, 30*time.Second, "a worker on each node", func() bool { return len(d.workers(t)) == 2 })
			for range 3 {
				for _, workers := range []int{1, 2} {
					d.must(t, "rebalance", "numbers", "-w", "0", "-n", fmt.Sprint(workers))
					waitFor(t, 30*time.Second, fmt.Sprint(workers, " workers"), func() bool { return len(d.workers(t)) == workers })
					n.flow(t, 20*time.Second)
				}
			}
			n.finish(t, time.Minute)
			if failed := n.list(t, "failed"); len(failed) > 0 {
				t.Errorf("%d numbers failed: %v", len(failed), failed)
			}
			d.must(t, "kill", "numbers", "-w", "0")
			waitFor(t, 20*time.Second, "the end of the workers", func() bool { return len(d.workers(t)) == 0 })
			waitFor(t, 20*time.Second, "the end of the topology", func() bool { return !strings.Contains(d.must(t, "list"), "numbers") })
		})
	}
}

// startOtherNode starts a second supervisor, with one slot.
func (d *daemons) startOtherNode(t *testing.T) {
	t.Helper()
	ports := freePorts(t, 2)
	file := filepath.Join(d.dir, "other.yaml")
	text := fmt.Sprintf("nimbus.seeds: [\"127.0.0.1\"]\nnimbus.thrift.port: %d\nsupervisor.thrift.port: %d\nsupervisor.slots.ports: [%d]\nstorm.local.dir: %q\n",
		d.nimbus, ports[0], ports[1], filepath.Join(d.dir, "other"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startDaemon(t, d.dir, "supervisor", "--config", file)
	waitFor(t, 20*time.Second, "the other node", func() bool { return strings.Count(d.must(t, "nodes"), "\n") == 3 })
}
