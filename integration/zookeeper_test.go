package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster/zk/zktest"
)

// A Nimbus with its state in ZooKeeper dies and comes back, and so does ZooKeeper: what was submitted is there, and runs on.
func TestStateInZooKeeper(t *testing.T) {
	t.Parallel()
	program(t, "python3")
	e := zktest.New(t, zktest.Config{})
	d := startDaemons(t, 2, fmt.Sprintf("storm.zookeeper.servers: [%q]", e.Servers[0].Addr()), "storm.zookeeper.session.timeout: 10000")
	n := submitNumbers(t, d.cluster, 2)
	id := d.info(t, "numbers").ID
	all := workersAndScripts(t, d)

	d.nimbusd.kill(t)
	n.flow(t, 10*time.Second)
	d.startNimbus(t)
	there := func() bool {
		out, err := d.gearstorm(t, "list")
		row := lineWith(out, "numbers")
		return err == nil && strings.Contains(row, "ACTIVE") && strings.Contains(row, id)
	}
	waitFor(t, 30*time.Second, "the topology at the new Nimbus", there)
	d.reported(t, n)

	e.Servers[0].Kill()
	n.flow(t, 10*time.Second)
	if err := e.Servers[0].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, time.Minute, "a change of state to be taken", func() bool {
		_, err := d.gearstorm(t, "deactivate", "numbers")
		return err == nil
	})
	d.must(t, "activate", "numbers")
	n.flow(t, 10*time.Second)
	if now := workersAndScripts(t, d); !same(all, now) {
		t.Errorf("processes were replaced:\n%v\nare now\n%v", all, now)
	}
	n.finish(t, time.Minute)
	d.must(t, "kill", "numbers", "-w", "0")
	waitFor(t, 20*time.Second, "the end of the topology's processes", func() bool { return len(workersAndScripts(t, d)) == 0 })
}
