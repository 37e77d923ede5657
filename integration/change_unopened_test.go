package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/internal/exact"
)

// A version of which a component cannot be opened goes back by itself and says why; no worker is replaced for it, the topology does not go
// back to a checkpoint, and every record counts once.
func TestChangeThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 2)
	e := submitExact(t, d, "exact", exact.Topology{Records: 20_000, Rate: 1500, Sources: 2, Counters: 3, Sinks: 2, Workers: 2}, nil)
	e.visible(t, 1000)
	was, before := d.workers(t), e.timing(t).Generation
	built, err := e.topo.Build()
	if err != nil {
		t.Fatal(err)
	}
	built.Thrift.Bolts["counter"].BoltObject = compat.GoComponent("nosuch")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	o := gearstorm.Options{Nimbus: []string{fmt.Sprintf("127.0.0.1:%d", d.nimbus)}, DropState: true}
	c, err := gearstorm.ApplyTopology(ctx, e.name, built, nil, o)
	if err != nil || c.Restarts || len(c.Refused) > 0 {
		t.Fatalf("want a change in place: %v, %v", c, err)
	}
	err = gearstorm.AwaitVersion(ctx, e.name, c.Version, o)
	if !errors.Is(err, gearstorm.ErrWentBack) || !strings.Contains(err.Error(), "open component counter, task ") || !strings.Contains(err.Error(), `no bolt "nosuch"`) {
		t.Errorf("it went: %v", err)
	}
	if err := gearstorm.AwaitVersion(ctx, e.name, c.Version+1, o); err != nil {
		t.Errorf("the version before: %v", err)
	}
	if out := d.must(t, "history", e.name); !strings.Contains(out, "version 2 went back by itself: open component counter, task ") {
		t.Errorf("its history is\n%s", out)
	}
	if now := d.workers(t); !same(was, now) {
		t.Errorf("workers were replaced:\n%v\nare now\n%v", was, now)
	}
	if after := e.timing(t).Generation; after != before {
		t.Errorf("generation %d has become %d", before, after)
	}
	e.visible(t, 40_000)
	d.must(t, "kill", e.name, "-w", "0")
}

// A worker of a topology that is inactive is killed when a sink knows that a checkpoint counts and has not made it visible: the next one
// does, though nobody activates the topology.
func TestInactiveTopologyShowsWhatCounts(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 2)
	e := submitExact(t, d, "exact", exact.Topology{Records: 4000, Rate: 1000, Sources: 2, Counters: 2, Sinks: 2, Workers: 2}, nil)
	e.visible(t, 500)
	if err := e.topo.Halt(exact.BeforeEffect); err != nil {
		t.Fatal(err)
	}
	pid := 0
	waitFor(t, time.Minute, "a sink stands still", func() bool {
		var err error
		pid, err = e.topo.Halted()
		if err != nil {
			t.Fatal(err)
		}
		return pid != 0
	})
	d.must(t, "deactivate", e.name)
	was := e.visible(t, 1)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, time.Minute, "what counts is visible", func() bool {
		r, err := exact.Check(e.topo)
		if err != nil {
			t.Fatal(err)
		}
		return r.Last > was.Last
	})
	if out := d.must(t, "list"); !strings.Contains(out, "INACTIVE") {
		t.Errorf("the topology is active:\n%s", out)
	}
	if err := e.topo.Release(); err != nil {
		t.Fatal(err)
	}
	d.must(t, "activate", e.name)
	e.visible(t, 8000)
	d.must(t, "kill", e.name, "-w", "0")
}
