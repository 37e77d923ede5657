package worker

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/worker/keeper"
	"github.com/gearstorm/gearstorm/worker/transport"
)

// The steps of a version on its way into force, as they can be seen between a worker and that with the clock.
const (
	notStaged    = "one worker has not made its tasks"
	staged       = "all have, the clock has not heard of it"
	birthOrdered = "the birth is ordered, one worker has not heard of it"
	cut          = "its checkpoint is cut, one worker has not told of its part"
	committed    = "it counts, one worker has not heard of it"
)

// stopper keeps a version from going on at a step, and says when it has come there.
type stopper struct {
	step         string
	other, clock string // slots
	port         int    // of other
	reached      chan struct{}
	reach        func()
	gone         chan struct{} // closed when nothing is held any more
	let          func()
}

func newStopper(step string) *stopper {
	s := &stopper{step: step, reached: make(chan struct{}), gone: make(chan struct{})}
	s.reach = sync.OnceFunc(func() { close(s.reached) })
	s.let = sync.OnceFunc(func() { close(s.gone) })
	return s
}

// holds says whether a note from one worker to another is not to arrive.
func (s *stopper) holds(from, to string, kind byte, body []byte) bool {
	select {
	case <-s.gone:
		return false
	default:
	}
	held := false
	switch {
	case kind == keeper.OrderNote && to == s.other:
		o, _ := keeper.ReadOrder(body)
		held = s.step == birthOrdered && o.Birth.Version == 2 || s.step == committed && o.Version == 2
	case kind == keeper.ReportNote && from == s.other && to == s.clock:
		r, _ := keeper.ReadReport(from, body)
		held = s.step == staged && r.Staged == 2 || s.step == cut && r.Birth > 0 && r.Epoch == r.Birth
	}
	if held {
		s.reach()
	}
	return held
}

// watch has the workers of a cluster that is to start go through it.
func (s *stopper) watch(e *exactCluster) {
	for _, x := range *e.sup.plan.Assignment.ExecutorNodePort {
		if at := (slot{"n1", int(x.Value.Port[0])}); x.Key[0] == 1 {
			s.clock = at.String()
		}
	}
	for _, p := range e.ports {
		if at := (slot{"n1", p}).String(); at != s.clock {
			s.other, s.port = at, p
		}
	}
	e.transport = func(tc *transport.Config) {
		note, to := tc.Note, tc.Slot
		tc.Note = func(from string, kind byte, body []byte) {
			if !s.holds(from, to, kind, body) {
				note(from, kind, body)
			}
		}
	}
}

// open waits where a version is stopped before its tasks are open.
func (s *stopper) open(ctx *gearcore.Context) error {
	if s.step == notStaged && ctx.WorkerPort == s.port && len(ctx.Tasks) == 5 { // of version 2
		s.reach()
		<-s.gone
	}
	return nil
}

// TestWorkerDiesInEachStepOfAVersion ends a worker, or that with the clock, when a version has come to a step on its way into force: it
// comes into force all the same, and every record counts once.
func TestWorkerDiesInEachStepOfAVersion(t *testing.T) {
	for _, step := range []string{notStaged, staged, birthOrdered, cut, committed} {
		for _, who := range []string{"the other", "the clock"} {
			t.Run(step+", "+who, func(t *testing.T) {
				const records = 4000
				s := newStopper(step)
				e := startExactWith(t, records, 2000, stormrpc.TopologyStatus_ACTIVE, func(r Registry) Registry { return openingCounters{divisible{r, &[3]atomic.Int64{}}, s.open} }, s.watch)
				defer s.let()
				e.visible(500)
				e.next(5, "sink")
				<-s.reached
				victim := s.port
				if who == "the clock" {
					for _, p := range e.ports {
						if (slot{"n1", p}).String() == s.clock {
							victim = p
						}
					}
				}
				e.procs[victim].stop() // without its task, if that waits
				s.let()
				e.procs[victim] = e.start(victim)
				e.allRun(e.all()...)
				await(t, "it is in force", e.inForce)
				e.visible(2 * records)
				checked(t, e.topo)
				e.alive(e.all()...)
			})
		}
	}
}
