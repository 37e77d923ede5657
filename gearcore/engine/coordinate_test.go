package engine

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// coordinated is an engine on run loops with the coordinator of its topology, which the test's goroutine steps.
type coordinated struct {
	*Engine
	tb      testing.TB
	c       *checkpoint.Coordinator
	log     *checkpoint.Log
	began   time.Time
	changed chan struct{}
	noted   map[checkpoint.NoticeKind]int // how often the coordinator noted what
	version int64                         // of the newest plan
}

// coordinate runs an engine until the test ends, with a checkpoint every 100 ms.
func coordinate(tb testing.TB, cfg Config) *coordinated {
	tb.Helper()
	store := &checkpoint.Memory{}
	k := &coordinated{tb: tb, began: time.Now(), changed: make(chan struct{}, 1), noted: map[checkpoint.NoticeKind]int{}}
	var err error
	if k.log, err = checkpoint.OpenLog(checkpoint.LogConfig{Store: store, Topology: "t-1"}); err != nil {
		tb.Fatal(err)
	}
	if k.c, err = checkpoint.NewCoordinator(checkpoint.Config{Interval: 100 * time.Millisecond}); err != nil {
		tb.Fatal(err)
	}
	cfg.Timing = &Timing{
		Checkpoints: true, Vault: func(k uint64) gearcore.Vault { return checkpoint.NewVault(store, "t-1", k) },
		Parts: func(k uint64, component string) ([]gearcore.TaskPart, error) {
			m, err := checkpoint.ReadManifest(context.Background(), store, "t-1", k)
			if err != nil {
				return nil, err
			}
			if c := m.Component(component); c != nil {
				return c.Parts, nil
			}
			return nil, nil
		},
		Changed: func() {
			select {
			case k.changed <- struct{}{}:
			default:
			}
		},
	}
	k.Engine = start(tb, cfg)
	k.planned(cfg.Plan)
	return k
}

// planned tells the coordinator of a plan.
func (k *coordinated) planned(p *dag.Plan) {
	k.version++
	k.step(checkpoint.PlanOf(p, k.version))
}

// become gives the topology the next version of its graph.
func (k *coordinated) become(p *dag.Plan) (done <-chan struct{}) {
	k.tb.Helper()
	done = apply(k.tb, k.Engine, onward(k.Engine, p))
	k.planned(p)
	return done
}

// begin waits until sources emit.
func (k *coordinated) begin() {
	k.tb.Helper()
	k.until("sources emit", func() bool { return k.noted[checkpoint.NoticeGo] == 1 }, nil)
}

// bear gives the topology the next version of its graph, the nth here, and waits until it is born.
func (k *coordinated) bear(p *dag.Plan, n int) (done <-chan struct{}) {
	k.tb.Helper()
	done = k.become(p)
	k.until("it is born", func() bool { return k.noted[checkpoint.NoticeBorn] == n }, nil)
	return done
}

// step has the coordinator take in an event, and does what it wants.
func (k *coordinated) step(ev checkpoint.Event) {
	todo := []checkpoint.Event{ev}
	for len(todo) > 0 {
		acts := k.c.Step(time.Since(k.began), todo[0])
		todo = todo[1:]
		for _, a := range acts {
			switch a := a.(type) {
			case checkpoint.Send:
				k.Obey(a.Order)
			case checkpoint.Notice:
				k.noted[a.Kind]++
			case checkpoint.Stop:
				k.tb.Fatal(a.Why)
			default:
				ev, _ := k.log.Do(context.Background(), a)
				todo = append(todo, ev)
			}
		}
	}
}

// until goes on until ok. each is called now and then.
func (k *coordinated) until(what string, ok func() bool, each func()) {
	k.tb.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > 3*time.Minute {
			k.tb.Fatalf("%s: not after 3 minutes: %+v", what, k.Report())
		}
		select {
		case <-k.changed:
		case <-time.After(10 * time.Millisecond):
		}
		r := k.Report()
		r.Worker, r.Life = "w", 1
		k.step(r)
		if each != nil {
			each()
		}
	}
}

// A task that ends the goroutine in which its state is restored, or saved, has failed: the generation, or the checkpoint, is tried again.
func TestStateThatEndsItsGoroutine(t *testing.T) {
	var restores, saves atomic.Int64
	src, end := &script{values: []int64{1}}, &adder{}
	end.restore = func(*gearcore.Recovery) error {
		if restores.Add(1) == 1 {
			runtime.Goexit()
		}
		return nil
	}
	end.save = func() error {
		if saves.Add(1) == 1 {
			runtime.Goexit()
		}
		return nil
	}
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("end", dag.Bolt, 1, 1, func(dag.Task) any { return end }, from("src", dag.Shuffle))
	k := coordinate(t, top.config(t))
	k.until("a checkpoint counts", func() bool { return k.noted[checkpoint.NoticeCommit] > 0 }, nil)
	if restores.Load() < 2 || saves.Load() < 2 {
		t.Errorf("restored %d times, saved %d times", restores.Load(), saves.Load())
	}
}
