package streamtest

import (
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// Checkpoint makes a checkpoint, and returns when it counts.
func (h *Harness) Checkpoint() *Harness {
	h.tb.Helper()
	k := h.epoch + 1
	h.driver.Obey(h.order(k))
	h.settle()
	r := h.driver.Report()
	if r.Epoch != k || r.Failed != "" || r.Broken != "" || len(r.Saved) != len(r.Tasks) {
		h.tb.Fatalf("streamtest: checkpoint %d: %d of %d tasks have saved their part; %s %s %v", k, len(r.Saved), len(r.Tasks), r.Failed, r.Broken, h.errs)
	}
	h.parts[k] = map[string][]gearcore.TaskPart{}
	for _, p := range r.Saved {
		name := h.plan.Layout.Components[p.Task]
		h.parts[k][name] = append(h.parts[k][name], p)
	}
	h.epoch = k
	h.driver.Obey(h.order(k))
	h.settle()
	return h
}

// order is the present generation's, with checkpoints cut up to k.
func (h *Harness) order(k uint64) checkpoint.Order {
	return checkpoint.Order{Generation: h.generation, Restore: h.from, Go: true, Cut: k, Committed: h.epoch}
}

// Rollback makes all tasks what they were at the last checkpoint, or in the beginning.
func (h *Harness) Rollback() *Harness {
	h.tb.Helper()
	h.takeBack()
	h.begin(h.epoch)
	return h
}

// Crash ends all tasks without a word, and goes on with new ones from the last checkpoint, or the beginning.
func (h *Harness) Crash() *Harness {
	h.tb.Helper()
	h.clock.alarms, h.jobs = nil, nil
	h.takeBack()
	h.start()
	h.begin(h.epoch)
	return h
}

// Rescale goes on from a checkpoint that it makes, with n tasks for the component of that name: that of its first step.
func (h *Harness) Rescale(component string, n int) *Harness {
	h.tb.Helper()
	found := false
	for _, c := range h.components {
		found = found || c.Name == component
	}
	if !found || n < 1 {
		h.tb.Fatalf("streamtest: rescale %q to %d: it has to be a component, and at least one task", component, n)
	}
	h.Checkpoint()
	h.tasks[component] = n
	return h.Crash()
}

// takeBack forgets what ends got after the last checkpoint.
func (h *Harness) takeBack() {
	for _, o := range h.outs {
		o.takeBack(h.epoch)
	}
}

// begin begins a generation with a checkpoint, 0 for the beginning.
func (h *Harness) begin(epoch uint64) {
	h.tb.Helper()
	h.generation++
	h.from = epoch
	o := checkpoint.Order{Generation: h.generation, Restore: epoch, Committed: epoch}
	h.driver.Obey(o)
	h.settle()
	if r := h.driver.Report(); !r.Restored || r.Broken != "" {
		h.tb.Fatalf("streamtest: the tasks cannot go on from checkpoint %d: %s %v", epoch, r.Broken, h.errs)
	}
	o.Go = true
	h.driver.Obey(o)
	h.settle()
}
