package nimbus

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// maxSavepointWait bounds how long a call waits for a savepoint.
	maxSavepointWait = time.Hour
	// maxSavepointsAsked bounds the requests of a topology that nobody has answered.
	maxSavepointsAsked = 16
	// Bounds of what is kept of a worker's timing.
	maxTimingRows = 1000
)

// Savepoint implements stormrpc.Gearstorm: the worker with the topology's clock is told with the plan, and answers with its
// report. The request is not stored: if this master ends before, the caller is told that nobody knows what became of it.
func (n *Nimbus) Savepoint(ctx context.Context, topology, name string, remove bool, waitMs int32) (*stormrpc.SavepointAnswer, error) {
	t, err := n.command(ctx, "savepoint", topology)
	if err != nil {
		return nil, err
	}
	if len(name) > maxNameBytes {
		return refusal(0, "the name of a savepoint has %d bytes at most", maxNameBytes), nil
	}
	if timing, err := compat.TimingOf(t.conf); err != nil || !timing.Checkpoints() {
		return refusal(0, "topology %s makes no checkpoints: submit it with %s", topology, compat.CheckpointIntervalKey), nil
	}
	r := &stormrpc.SavepointRequest{ID: n.cfg.Now().UnixNano(), Name: name, Remove: remove}
	answer := make(chan *stormrpc.SavepointAnswer, 1)
	if err := n.askSavepoint(t.ID, r, answer); err != nil {
		return nil, err
	}
	defer n.forgetSavepoint(t.ID, r)
	wait := min(time.Duration(max(0, waitMs))*time.Millisecond, maxSavepointWait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case a, ok := <-answer:
		if !ok {
			return refusal(r.ID, "another nimbus leads now: `gearstorm checkpoints %s` says whether it was done", topology), nil
		}
		return a, nil
	case <-timer.C:
		return refusal(r.ID, "not done within %v: `gearstorm checkpoints %s` says what the topology waits for", wait, topology), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func refusal(id int64, format string, args ...any) *stormrpc.SavepointAnswer {
	return &stormrpc.SavepointAnswer{ID: id, Error: ref(fmt.Sprintf(format, args...))}
}

func (n *Nimbus) askSavepoint(id string, r *stormrpc.SavepointRequest, answer chan *stormrpc.SavepointAnswer) error {
	n.change.Lock()
	defer n.change.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.leads { // by now: change was held over a write
		return notLeading("another nimbus leads by now")
	}
	t, ok := n.topologies[id]
	if !ok {
		return notAliveID(id)
	}
	if len(t.orders.savepoints) >= maxSavepointsAsked {
		return fmt.Errorf("topology %s has %d savepoints to make already", t.Name, maxSavepointsAsked)
	}
	for slices.ContainsFunc(t.orders.savepoints, func(o *stormrpc.SavepointRequest) bool { return o.ID == r.ID }) {
		r.ID++
	}
	n.savepoints[r.ID] = answer
	n.replaceLocked(t.with(func(t *topology) { t.orders.savepoints = append(slices.Clip(t.orders.savepoints), r) }))
	return nil
}

func (n *Nimbus) forgetSavepoint(id string, r *stormrpc.SavepointRequest) {
	n.change.Lock()
	defer n.change.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.savepoints, r.ID)
	if t, ok := n.topologies[id]; ok {
		n.replaceLocked(t.with(func(t *topology) {
			t.orders.savepoints = slices.DeleteFunc(slices.Clone(t.orders.savepoints), func(o *stormrpc.SavepointRequest) bool { return o.ID == r.ID })
		}))
	}
}

// noteAnswersLocked hands the answers to savepoints to those who wait for them.
func (n *Nimbus) noteAnswersLocked(t *topology, slot schedule.Slot, told *stormrpc.TopologyTiming) {
	if len(t.orders.savepoints) == 0 || told == nil || !t.hasClock(slot) {
		return
	}
	for _, a := range told.Answers {
		if a != nil && n.savepoints[a.ID] != nil {
			n.savepoints[a.ID] <- a // it has room for one
			delete(n.savepoints, a.ID)
		}
	}
}

// hasClock reports whether the task of __clock is placed in a slot.
func (t *topology) hasClock(slot schedule.Slot) bool {
	for _, p := range t.assignment.Executors {
		if t.component[p.First] == gearcore.ClockComponent {
			return p.Node == slot.Node && p.Port == slot.Port
		}
	}
	return false
}

// checkedTiming is what is kept of what a worker says of the topology's time.
func checkedTiming(told *stormrpc.TopologyTiming) *stormrpc.TopologyTiming {
	if told == nil {
		return nil
	}
	kept := *told
	kept.Answers = nil
	kept.Clocks = present(told.Clocks)
	kept.Checkpoints = present(told.Checkpoints)
	kept.Savepoints = present(told.Savepoints)
	return &kept
}

// present gives the elements of a list that are there, as many as are kept.
func present[T any](list []*T) []*T {
	out := make([]*T, 0, len(list))
	for _, v := range list[:min(len(list), maxTimingRows)] {
		if v != nil {
			out = append(out, v)
		}
	}
	return out
}

// timingOf is what the worker with the topology's clock said last, nil if there is none or it said nothing. Of one that is silent by now the
// state says so.
func (n *Nimbus) timingOf(t *topology) *stormrpc.TopologyTiming {
	n.mu.Lock()
	defer n.mu.Unlock()
	w, _ := n.clockWorkerLocked(t)
	if w == nil || w.timing == nil {
		return nil
	}
	told := *w.timing
	if silent := w.silence(n.cfg.Now()); silent != "" {
		told.State = fmt.Sprintf("the worker with the clock is away: %s; before that: %s", silent, told.State)
	}
	return &told
}

// timingOfLocked says too whether the topology has a clock.
func (n *Nimbus) timingOfLocked(t *topology) (timing *stormrpc.TopologyTiming, timed bool) {
	w, timed := n.clockWorkerLocked(t)
	if w != nil {
		timing = w.timing
	}
	return timing, timed
}

// clockWorkerLocked is the worker with the task of __clock, nil before it has reported; timed says whether there is that task.
func (n *Nimbus) clockWorkerLocked(t *topology) (w *worker, timed bool) {
	for _, p := range t.assignment.Executors {
		if t.component[p.First] == gearcore.ClockComponent {
			return n.workers[workerKey{t.ID, schedule.Slot{Node: p.Node, Port: p.Port}}], true
		}
	}
	return nil, false
}
