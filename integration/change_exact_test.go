package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm"
	sdk "github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// change applies a version of the topology as edit makes it, and waits until it runs.
func (e *exactRun) change(t *testing.T, edit func(*stormrpc.StormTopology)) *gearstorm.Change {
	t.Helper()
	built, err := e.topo.Build()
	if err != nil {
		t.Fatal(err)
	}
	edit(built.Thrift)
	return e.apply(t, built)
}

// apply puts a topology in the place of the one that runs, and waits until it does.
func (e *exactRun) apply(t *testing.T, topo *sdk.Topology) *gearstorm.Change {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	o := gearstorm.Options{Nimbus: []string{fmt.Sprintf("127.0.0.1:%d", e.nimbus)}}
	c, err := gearstorm.ApplyTopology(ctx, e.name, topo, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Refused) > 0 || len(c.Rows) == 0 || c.Restarts {
		t.Fatalf("want a change in place:\n%v", c)
	}
	if err := gearstorm.AwaitVersion(ctx, e.name, c.Version, o); err != nil {
		t.Fatal(err)
	}
	return c
}

// renew has a component replaced, by the version of its configuration.
func renew(c *stormrpc.ComponentCommon, version int) {
	own := fmt.Sprintf(`{"topology.tasks": %d, "gearstorm.component.version": "%d"}`, c.GetParallelismHint(), version)
	c.JSONConf = &own
}

// A topology with checkpoints has components replaced again and again while it counts: every record is counted once, and no worker is
// replaced.
func TestChangesCountOnce(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 2)
	e := submitExact(t, d, "exact", exact.Topology{Records: 30_000, Rate: 1500, Sources: 2, Counters: 3, Sinks: 2, Workers: 2}, nil)
	e.visible(t, 1)
	was := d.workers(t)
	for i, edit := range []func(*stormrpc.StormTopology){
		func(t *stormrpc.StormTopology) { renew(t.Bolts["counter"].Common, 1) },
		func(t *stormrpc.StormTopology) { renew(t.Bolts["counter"].Common, 2) },
		func(t *stormrpc.StormTopology) { renew(t.Bolts["counter"].Common, 3); renew(t.Bolts["sink"].Common, 1) },
		func(t *stormrpc.StormTopology) { renew(t.Spouts["source"].Common, 1) },
		func(t *stormrpc.StormTopology) {},
	} {
		e.change(t, edit)
		e.further(t)
		if now := d.workers(t); !same(was, now) {
			t.Fatalf("change %d: workers were replaced:\n%v\nare now\n%v", i, was, now)
		}
	}
	e.visible(t, 60_000)
	d.must(t, "kill", e.name, "-w", "0")
}

// further waits until more records are visible.
func (e *exactRun) further(t *testing.T) {
	t.Helper()
	r := e.visible(t, 1)
	e.visible(t, min(r.Visible+500, 60_000))
}

// A version whose tasks cannot take up the state that there is goes back by itself, and nothing is counted twice.
func TestChangeThatCannotRestore(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 2)
	e := submitExact(t, d, "exact", exact.Topology{Records: 30_000, Rate: 2000, Sources: 2, Counters: 3, Sinks: 2, Workers: 2}, nil)
	e.visible(t, 1)
	built, err := e.topo.Build()
	if err != nil {
		t.Fatal(err)
	}
	two, own := int32(2), `{"topology.tasks": 2}` // these counters have a part of state for each task
	built.Thrift.Bolts["counter"].Common.ParallelismHint, built.Thrift.Bolts["counter"].Common.JSONConf = &two, &own
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	o := gearstorm.Options{Nimbus: []string{fmt.Sprintf("127.0.0.1:%d", e.nimbus)}}
	c, err := gearstorm.ApplyTopology(ctx, e.name, built, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	// It may be in force for a moment before its tasks are found not to restore.
	if err := gearstorm.AwaitVersion(ctx, e.name, c.Version, o); err != nil && !errors.Is(err, gearstorm.ErrWentBack) {
		t.Fatalf("want it to go back: %v", err)
	}
	waitFor(t, 2*time.Minute, "it goes back, and says why", func() bool {
		out := d.must(t, "history", e.name, "-o", "json")
		return strings.Contains(out, "went back by itself") && strings.Contains(out, "3 parts for 2 tasks")
	})
	e.further(t)
	e.visible(t, 60_000)
	d.must(t, "kill", e.name, "-w", "0")
}

// Workers are killed while changes are made: each change is made in the end or goes back, and every record is counted once.
func TestChangesThroughKills(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 11))
	d := startDaemons(t, 2)
	e := submitExact(t, d, "exact", exact.Topology{Records: 30_000, Rate: 1500, Sources: 2, Counters: 2, Sinks: 2, Workers: 2}, nil)
	e.visible(t, 1)
	for round := range 4 {
		killed := make(chan struct{})
		victim := any1(t, d.workers(t))
		wait := time.Duration(rnd.IntN(500)) * time.Millisecond // the moment is the point
		go func() {
			defer close(killed)
			time.Sleep(wait)
			syscall.Kill(victim.pid, syscall.SIGKILL)
		}()
		e.change(t, func(t *stormrpc.StormTopology) { renew(t.Bolts["counter"].Common, round+1) })
		<-killed
		e.further(t)
	}
	e.visible(t, 60_000)
	d.must(t, "kill", e.name, "-w", "0")
}
