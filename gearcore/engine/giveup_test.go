package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// waiter is an adder whose first Restore waits until nobody wants it any more.
type waiter struct {
	adder
	calls atomic.Int64
}

func (w *waiter) Restore(r *gearcore.Recovery) error {
	if w.calls.Add(1) > 1 {
		return nil
	}
	<-r.Ended
	return gearcore.ErrClosed
}

// A Restore that waits ends with the generation that it is of, and when its task is to leave: the topology goes on, and nothing is reported.
func TestRestoreIsGivenUp(t *testing.T) {
	for name, then := range map[string]func(k *coordinated) (done <-chan struct{}){
		"another generation": func(k *coordinated) <-chan struct{} {
			k.Lost("the test wants it")
			return nil
		},
		"another graph": func(k *coordinated) <-chan struct{} {
			return k.become(nextPlan(k.tb, k.Engine.plan(), func(*dag.Graph) {}, "end"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var made []*waiter
			top := newTopology(0)
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &script{values: []int64{1}} })
			top.add("end", dag.Bolt, 1, 1, func(dag.Task) any {
				w := &waiter{}
				if len(made) > 0 {
					w.calls.Store(1) // the one that comes waits for nobody
				}
				made = append(made, w)
				return w
			}, from("src", dag.Shuffle))
			cfg, hooks := top.config(t), newErrorsSeen()
			cfg.Hooks = hooks
			k := coordinate(t, cfg)
			k.until("a task is being restored", func() bool { return made[0].calls.Load() == 1 }, nil)
			done := then(k)
			k.until("a checkpoint counts", func() bool { return k.noted[checkpoint.NoticeCommit] > 0 }, nil)
			if done != nil {
				<-done
			}
			hooks.mu.Lock()
			defer hooks.mu.Unlock()
			if len(hooks.errs) > 0 {
				t.Errorf("reported was %v", hooks.errs)
			}
		})
	}
}

// lostProcess is what a process that was lost is told as.
type lostProcess struct{ error }

func (lostProcess) Lost() bool { return true }

// A process that is lost while its task is restored breaks the generation, and is not reported once more.
func TestRestoreOfALostProcess(t *testing.T) {
	hooks := newErrorsSeen()
	l := alone(t, func(cfg *Config) { cfg.Hooks = hooks })
	l.sum.restore = func(*gearcore.Recovery) error { return lostProcess{errors.New("exit status 3")} }
	l.Obey(checkpoint.Order{Generation: 1})
	l.settle(time.Second)
	if r := l.Report(); r.Restored || !slices.Equal(r.Unrestored, []gearcore.TaskID{l.c}) || !strings.Contains(r.Broken, "restore checkpoint 0: exit status 3") {
		t.Errorf("the report is %+v", r)
	}
	if len(hooks.errs) > 0 {
		t.Errorf("reported was %v", hooks.errs)
	}
	l.sum.restore = nil
	l.begin(checkpoint.Order{Generation: 2})
	if r := l.Report(); !r.Restored || r.Broken != "" || len(r.Unrestored) > 0 {
		t.Errorf("the report is %+v", r)
	}
}

// A state that the program can never take up is told as such each time, and the engine goes on trying: another graph may come.
func TestRestoreOfAMisfit(t *testing.T) {
	hooks := newErrorsSeen()
	l := alone(t, func(cfg *Config) { cfg.Hooks = hooks })
	l.sum.restore = func(*gearcore.Recovery) error {
		return fmt.Errorf("state: %w", &gearcore.MisfitError{Err: errors.New("no such handle")})
	}
	l.Obey(checkpoint.Order{Generation: 1})
	l.settle(time.Second)
	if r := l.Report(); r.Restored || !strings.Contains(r.Broken, "restore checkpoint 0: state: no such handle") {
		t.Errorf("the report is %+v", r)
	}
	want := fmt.Sprintf("component c, task %d: restore checkpoint 0: state: no such handle", l.c)
	if got := hooks.unopened(); len(got) != 1 || got[0] != want {
		t.Errorf("it told %q, want %q", got, want)
	}
	l.sum.restore = func(*gearcore.Recovery) error { return errDisk }
	l.Obey(checkpoint.Order{Generation: 2})
	l.settle(time.Second)
	if got := hooks.unopened(); len(got) != 1 {
		t.Errorf("a disk that fails is told as %q", got)
	}
	l.sum.restore = nil
	l.begin(checkpoint.Order{Generation: 3})
	if r := l.Report(); !r.Restored || r.Broken != "" {
		t.Errorf("the report is %+v", r)
	}
}

// What is told of a task through Async reaches the hooks while the task is restored, and not after the end.
func TestReportDuringRestore(t *testing.T) {
	hooks := newErrorsSeen()
	var async atomic.Pointer[gearcore.Async]
	begun, goOn := make(chan struct{}), make(chan struct{})
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &script{values: []int64{1}} })
	top.add("end", dag.Bolt, 1, 1, func(dag.Task) any {
		return &reporting{adder{restore: func(*gearcore.Recovery) error {
			close(begun)
			<-goOn
			return nil
		}}, &async}
	}, from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.Hooks = hooks
	k := coordinate(t, cfg)
	k.until("a task is being restored", func() bool {
		select {
		case <-begun:
			return true
		default:
			return false
		}
	}, nil)
	if err := async.Load().Report(errDisk); err != nil {
		t.Error(err)
	}
	hooks.mu.Lock()
	if len(hooks.errs) != 1 || !errors.Is(hooks.errs[0], errDisk) {
		t.Errorf("reported was %v", hooks.errs)
	}
	hooks.mu.Unlock()
	close(goOn)
	k.begin()
	k.end()
	eventually(t, "it has ended", func() bool { return errors.Is(async.Load().Report(errDisk), gearcore.ErrClosed) })
}

// reporting is an adder that gives its Async away.
type reporting struct {
	adder
	async *atomic.Pointer[gearcore.Async]
}

func (r *reporting) Open(_ *gearcore.Context, c *gearcore.Collector) error {
	r.async.Store(c.Async())
	return nil
}
