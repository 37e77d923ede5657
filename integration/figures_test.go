package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/cluster/zk/zktest"
)

// What the figures of a cluster are taken with.
const (
	idleTopologies = 10
	idleSpan       = time.Minute
	manyTopologies = 50
)

// BenchmarkCluster prints what a cluster at rest costs, for `make cluster-figures`: three masters over a real ZooKeeper and a
// supervisor, with topologies that each have a worker and carry a record a second.
func BenchmarkCluster(b *testing.B) {
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	zk := zktest.New(b, zktest.Config{})
	c, err := chaos.New(chaos.Config{Dir: b.TempDir(), Binary: binary, Slots: manyTopologies})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	}()
	c.Use(map[string]any{"storm.zookeeper.servers": []string{zk.Servers[0].Addr()}, "nimbus.monitor.freq.secs": 10})
	if err := c.StartNimbus(ctx, rigMasters, nil); err != nil {
		b.Fatal(err)
	}
	if err := c.StartSupervisors(ctx, 1); err != nil {
		b.Fatal(err)
	}
	empty := writes(b, zk)
	submitIdle(ctx, b, c, 0, idleTopologies)
	before := writes(b, zk)
	if before < empty+idleTopologies {
		b.Fatalf("%d writes for %d topologies: this does not count them", before-empty, idleTopologies)
	}
	time.Sleep(idleSpan)
	fmt.Printf("figure zookeeper-writes topologies=%d seconds=%.0f writes/s=%.2f\n",
		idleTopologies, idleSpan.Seconds(), float64(writes(b, zk)-before)/idleSpan.Seconds())

	submitIdle(ctx, b, c, idleTopologies, manyTopologies)
	leader, err := c.Leader(ctx)
	if err != nil {
		b.Fatal(err)
	}
	nimbus, supervisor := rss(b, leader.Pid())>>20, rss(b, c.Supervisors()[0].Pid())>>20
	fmt.Printf("figure resident topologies=%d nimbus=%dMiB supervisor=%dMiB sum=%dMiB\n", manyTopologies, nimbus, supervisor, nimbus+supervisor)
}

// submitIdle starts the topologies from the first to before the last, and waits until all of them run and the cluster is at rest.
func submitIdle(ctx context.Context, b *testing.B, c *chaos.Cluster, first, last int) {
	b.Helper()
	for i := first; i < last; i++ {
		topo := chaos.Topology{Run: rand.Uint64(), Dir: b.TempDir(), Rate: 1, Sources: 1, Workers: 1}
		built, err := topo.Build()
		if err == nil {
			err = chaos.Submit(ctx, c.Client(), fmt.Sprint("idle-", i), built, nil)
		}
		if err != nil {
			b.Fatal(err)
		}
		awaitRecords(ctx, b, topo)
	}
	const rest = 20 * time.Second // the last workers' first reports, and a round of everything periodic
	time.Sleep(rest)
}

// awaitRecords waits until records arrive.
func awaitRecords(ctx context.Context, b *testing.B, topo chaos.Topology) {
	b.Helper()
	w, err := chaos.NewWatch(topo)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	for {
		totals, err := w.Totals()
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			b.Fatalf("wait for records of %s: %v", topo.Dir, err)
		}
		if totals.Seen > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// writes counts what was written to a ZooKeeper of one server: the lower half of its newest transaction's id.
func writes(b *testing.B, zk *zktest.Ensemble) uint64 {
	b.Helper()
	text := zk.Servers[0].Stat().Zxid
	id, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		b.Fatalf("ZooKeeper's newest transaction is %q: %v", text, err)
	}
	return id & (1<<32 - 1)
}
