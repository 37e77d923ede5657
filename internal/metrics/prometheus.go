package metrics

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Expose writes all counters since the start. Counters are per task, histograms summed over the tasks of a component in
// this worker. What Storm has a name for is called by it (__ack-count is storm_ack_count_total); everything else begins with
// gearstorm_. For a bolt's input, source and stream say where the tuples came from.
func (t *Table) Expose(e *Exposition, now time.Time) {
	s := t.snapshot(now)
	s.inputs(e, t)
	s.outputs(e, t)
	s.times(e, t)
	s.named(e)
}

// taskCopy is what a task has counted.
type taskCopy struct {
	id        string
	component string
	spout     bool
	inputs    []input
	outputs   []output
	queue     dist
	edges     []edge
	waits     []wait
	held      time.Duration
	named     map[string]Named
}

type tableCopy struct {
	tasks []taskCopy
	now   time.Time
}

func (t *Table) snapshot(now time.Time) *tableCopy {
	s := &tableCopy{now: now}
	t.index.Load().each(func(id gearcore.TaskID, k *task) {
		k.mu.Lock()
		c := taskCopy{
			id: strconv.Itoa(int(id)), component: k.component, spout: k.kind == dag.Spout, inputs: slices.Clone(k.inputs), outputs: slices.Clone(k.outputs),
			queue: k.queue.copied(), edges: slices.Clone(k.edges), waits: slices.Clone(k.waits), held: k.held, named: maps.Clone(k.named),
		}
		for i := range c.inputs {
			c.inputs[i].latency = c.inputs[i].latency.copied()
		}
		for i := range c.outputs {
			c.outputs[i].latency = c.outputs[i].latency.copied()
		}
		k.mu.Unlock()
		s.tasks = append(s.tasks, c)
	})
	return s
}

// eachInput writes a sample for every input stream of every task.
func (s *tableCopy) eachInput(e *Exposition, t *Table, value func(*input) float64) {
	for i := range s.tasks {
		k := &s.tasks[i]
		for j := range k.inputs {
			from := t.stream(k.inputs[j].stream)
			e.Sample(value(&k.inputs[j]), "component", k.component, "task", k.id, "source", from.Component, "stream", from.Name)
		}
	}
}

// eachOutput writes a sample for every output stream of every task, or of spouts only.
func (s *tableCopy) eachOutput(e *Exposition, t *Table, spouts bool, value func(*output) float64) {
	for i := range s.tasks {
		k := &s.tasks[i]
		if spouts && !k.spout {
			continue
		}
		for j := range k.outputs {
			e.Sample(value(&k.outputs[j]), "component", k.component, "task", k.id, "stream", t.stream(k.outputs[j].stream).Name)
		}
	}
}

func (s *tableCopy) inputs(e *Exposition, t *Table) {
	e.Family("storm_execute_count_total", "counter", "Tuples executed (Storm's __execute-count).")
	s.eachInput(e, t, func(c *input) float64 { return float64(c.executed.total) })
	e.Family("gearstorm_execute_seconds_total", "counter", "Service time: spent in Execute. Over storm_execute_count_total it is Storm's __execute-latency, its rate is Storm's __capacity.")
	s.eachInput(e, t, func(c *input) float64 { return seconds(c.busy.total) })
	e.Family("storm_ack_count_total", "counter", "Tuples acked: by a bolt, or trees of a spout that are complete (Storm's __ack-count).")
	s.eachInput(e, t, func(c *input) float64 { return float64(c.acked.total) })
	s.eachOutput(e, t, true, func(c *output) float64 { return float64(c.acked.total) })
	e.Family("storm_fail_count_total", "counter", "Tuples failed: by a bolt, or trees of a spout (Storm's __fail-count).")
	s.eachInput(e, t, func(c *input) float64 { return float64(c.failed.total) })
	s.eachOutput(e, t, true, func(c *output) float64 { return float64(c.failed.total) })
}

func (s *tableCopy) outputs(e *Exposition, t *Table) {
	e.Family("storm_emit_count_total", "counter", "Tuples emitted (Storm's __emit-count).")
	s.eachOutput(e, t, false, func(c *output) float64 { return float64(c.emitted.total) })
	e.Family("storm_transfer_count_total", "counter", "Tuples sent, counted once a receiver (Storm's __transfer-count).")
	s.eachOutput(e, t, false, func(c *output) float64 { return float64(c.transferred.total) })
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }

func (s *tableCopy) times(e *Exposition, t *Table) {
	complete, process, queue := sumBy{}, sumBy{}, sumBy{}
	for i := range s.tasks {
		k := &s.tasks[i]
		queue.add(k.queue.made, "component", k.component)
		for j := range k.outputs {
			complete.add(k.outputs[j].latency.made, "component", k.component, "stream", t.stream(k.outputs[j].stream).Name)
		}
		for j := range k.inputs {
			from := t.stream(k.inputs[j].stream)
			process.add(k.inputs[j].latency.made, "component", k.component, "source", from.Component, "stream", from.Name)
		}
	}
	e.Family("storm_complete_latency_seconds", "histogram", "From a spout's emit to the end of the tree, of acked tuples (Storm's __complete-latency).")
	complete.write(e)
	e.Family("storm_process_latency_seconds", "histogram", "From Execute to the ack, of a sample of tuples (Storm's __process-latency).")
	process.write(e)
	e.Family("gearstorm_queue_seconds", "histogram", "How long tuples waited in the inbox.")
	queue.write(e)
	e.Family("gearstorm_edge_tuples_total", "counter", "Tuples that a task took from its inbox, by the component that sent them.")
	s.eachEdge(e, t, func(d *edge) float64 { return float64(d.tuples.total) })
	e.Family("gearstorm_edge_queue_seconds_total", "counter", "How long those tuples waited in the inbox, added up.")
	s.eachEdge(e, t, func(d *edge) float64 { return seconds(d.waited.total) })
	e.Family("storm_skipped_max_spout_seconds_total", "counter", "How long a spout's executor, named by its first task, was held by topology.max.spout.pending (Storm's __skipped-max-spout-ms).")
	for i := range s.tasks {
		if k := &s.tasks[i]; k.held > 0 {
			e.Sample(k.held.Seconds(), "component", k.component, "task", k.id)
		}
	}
	e.Family("gearstorm_throttled_seconds_total", "counter", "How long an executor, named by its first task, waited for room in the inboxes of component by.")
	s.eachWait(e, t, func(w *wait) float64 { return seconds(int64(w.until(s.now))) })
	e.Family("gearstorm_throttled", "gauge", "1 while an executor waits for room in the inboxes of component by.")
	s.eachWait(e, t, func(w *wait) float64 { return float64(min(w.open, 1)) })
}

func (s *tableCopy) eachEdge(e *Exposition, t *Table, value func(*edge) float64) {
	for i := range s.tasks {
		k := &s.tasks[i]
		for j := range k.edges {
			e.Sample(value(&k.edges[j]), "component", k.component, "task", k.id, "source", t.component(k.edges[j].from))
		}
	}
}

func (s *tableCopy) eachWait(e *Exposition, t *Table, value func(*wait) float64) {
	for i := range s.tasks {
		k := &s.tasks[i]
		for j := range k.waits {
			e.Sample(value(&k.waits[j]), "component", k.component, "task", k.id, "by", t.component(k.waits[j].component))
		}
	}
}

func (s *tableCopy) named(e *Exposition) {
	for _, gauge := range []bool{false, true} {
		if gauge {
			e.Family("gearstorm_component_gauge", "gauge", "What a component reports under a name of its own.")
		} else {
			e.Family("gearstorm_component_count_total", "counter", "What a component counts under a name of its own.")
		}
		for i := range s.tasks {
			k := &s.tasks[i]
			for _, name := range slices.Sorted(maps.Keys(k.named)) {
				if m := k.named[name]; m.Gauge == gauge {
					e.Sample(m.Value, "component", k.component, "task", k.id, "name", name)
				}
			}
		}
	}
}

// sumBy adds up histograms of equal labels, in the order in which the labels came.
type sumBy struct {
	labels [][]string
	sums   []*Histogram
}

func (s *sumBy) add(of *spans, labels ...string) {
	if of == nil {
		return
	}
	i := slices.IndexFunc(s.labels, func(l []string) bool { return slices.Equal(l, labels) })
	if i < 0 {
		i = len(s.labels)
		s.labels = append(s.labels, labels)
		s.sums = append(s.sums, &Histogram{})
	}
	s.sums[i].Add(&of.all)
}

func (s *sumBy) write(e *Exposition) {
	for i, l := range s.labels {
		e.Histogram(s.sums[i], l...)
	}
}
