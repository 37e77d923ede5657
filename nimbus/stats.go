package nimbus

import (
	"math"

	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// windows are the spans that figures are given for, as clients spell them.
var windows = []string{"600", "10800", "86400", ":all-time"}

// capacityWindow is the span that a bolt's capacity looks at.
const (
	capacityWindow     = "600"
	capacityWindowSecs = 600
)

// executor is one executor of a topology with what its worker last reported.
type executor struct {
	schedule.Executor
	schedule.Slot
	host      string
	component string
	spout     bool
	uptime    int32                   // of its worker in seconds; 0 while it did not report
	stats     *stormrpc.ExecutorStats // nil while it did not report; not to be changed
}

func (e executor) tasks() int32 { return e.Last - e.First + 1 }

func (e executor) info() *stormrpc.ExecutorInfo {
	return &stormrpc.ExecutorInfo{TaskStart: e.First, TaskEnd: e.Last}
}

// executorsOf returns the placed executors of a topology in order of tasks.
func (n *Nimbus) executorsOf(t *topology) []executor {
	spouts := make(map[string]bool)
	if t.system != nil {
		for id := range t.system.Spouts {
			spouts[id] = true
		}
	}
	now := n.cfg.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]executor, 0, len(t.assignment.Executors))
	for _, p := range t.assignment.Executors {
		e := executor{Executor: schedule.Executor{First: p.First, Last: p.Last}, Slot: schedule.Slot{Node: p.Node, Port: p.Port},
			host: t.assignment.Hosts[p.Node], component: t.component[p.First]}
		e.spout = spouts[e.component]
		if w, ok := n.workers[workerKey{t.ID, e.Slot}]; ok && !w.seen.Before(p.Started) {
			e.stats = w.stats[e.Executor]
			e.uptime = secondsBetween(w.since, now)
		}
		out = append(out, e)
	}
	return out
}

// tally sums figures of executors or streams over one window. Latencies are kept as their sum over all tuples, so that
// tallies can be added.
type tally struct {
	executors, tasks                         int32
	emitted, transferred                     int64
	acked, failed, executed                  int64
	executeTotal, processTotal, completeTime float64 // milliseconds
	capacity                                 float64 // the highest
}

func (a *tally) add(b tally) {
	a.executors += b.executors
	a.tasks += b.tasks
	a.emitted += b.emitted
	a.transferred += b.transferred
	a.acked += b.acked
	a.failed += b.failed
	a.executed += b.executed
	a.executeTotal += b.executeTotal
	a.processTotal += b.processTotal
	a.completeTime += b.completeTime
	a.capacity = max(a.capacity, b.capacity)
}

func average(total float64, count int64) float64 {
	if count <= 0 {
		return 0
	}
	return finite(total / float64(count))
}

// finite keeps nonsense in a worker's report from spreading: JSON and the pages cannot show it.
func finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// outputs returns the figures of an executor by stream it emits on. A spout's results stand with its streams.
func (e executor) outputs(window string, system bool) map[string]tally {
	out := make(map[string]tally)
	if e.stats == nil {
		return out
	}
	put := func(stream string, change func(*tally)) {
		if !system && isSystem(stream) {
			return
		}
		t := out[stream]
		change(&t)
		out[stream] = t
	}
	for stream, v := range e.stats.Emitted[window] {
		put(stream, func(t *tally) { t.emitted += v })
	}
	for stream, v := range e.stats.Transferred[window] {
		put(stream, func(t *tally) { t.transferred += v })
	}
	if s := e.stats.Specific.Spout; s != nil {
		for stream, v := range s.Acked[window] {
			put(stream, func(t *tally) {
				t.acked += v
				t.completeTime += finite(s.CompleteMsAvg[window][stream]) * float64(v)
			})
		}
		for stream, v := range s.Failed[window] {
			put(stream, func(t *tally) { t.failed += v })
		}
	}
	return out
}

// source names a stream that a bolt reads.
type source struct{ component, stream string }

// inputs returns the figures of a bolt's executor by stream it reads.
func (e executor) inputs(window string) map[source]tally {
	out := make(map[source]tally)
	if e.stats == nil || e.stats.Specific.Bolt == nil {
		return out
	}
	b := e.stats.Specific.Bolt
	counts(out, b.Acked[window], func(t *tally, v int64) { t.acked += v })
	counts(out, b.Failed[window], func(t *tally, v int64) { t.failed += v })
	counts(out, b.Executed[window], func(t *tally, v int64) { t.executed += v })
	latencies(out, b.ExecuteMsAvg[window], func(t *tally, ms float64) { t.executeTotal += ms * float64(t.executed) })
	latencies(out, b.ProcessMsAvg[window], func(t *tally, ms float64) { t.processTotal += ms * float64(t.executed) })
	return out
}

func counts(out map[source]tally, in []wire.MapEntry[*stormrpc.GlobalStreamId, int64], put func(*tally, int64)) {
	for _, e := range in {
		if e.Key != nil {
			key := source{e.Key.ComponentId, e.Key.StreamId}
			t := out[key]
			put(&t, e.Value)
			out[key] = t
		}
	}
}

func latencies(out map[source]tally, in []wire.MapEntry[*stormrpc.GlobalStreamId, float64], put func(*tally, float64)) {
	for _, e := range in {
		if e.Key != nil {
			key := source{e.Key.ComponentId, e.Key.StreamId}
			t := out[key]
			put(&t, finite(e.Value))
			out[key] = t
		}
	}
}

// tally sums the figures of an executor over one window.
func (e executor) tally(window string, system bool) tally {
	sum := tally{executors: 1, tasks: e.tasks()}
	for _, t := range e.outputs(window, system) {
		sum.add(t)
	}
	for _, t := range e.inputs(window) {
		sum.add(t)
	}
	sum.capacity = e.capacity()
	return sum
}

// capacity is the share of the last ten minutes, or of its life, that a bolt's executor spent in execute.
func (e executor) capacity() float64 {
	if e.spout || e.uptime <= 0 {
		return 0
	}
	busy := 0.0
	for _, t := range e.inputs(capacityWindow) {
		busy += t.executeTotal
	}
	return finite(busy / (float64(min(e.uptime, capacityWindowSecs)) * 1000))
}

// thrift gives a tally the form of the pages. lastError may be nil.
func (a tally) thrift(spout bool, lastError *stormrpc.ErrorInfo, resources map[string]float64) *stormrpc.ComponentAggregateStats {
	out := &stormrpc.ComponentAggregateStats{
		Type: ref(stormrpc.ComponentType_BOLT),
		CommonStats: &stormrpc.CommonAggregateStats{NumExecutors: &a.executors, NumTasks: &a.tasks, Emitted: &a.emitted,
			Transferred: &a.transferred, Acked: &a.acked, Failed: &a.failed, ResourcesMap: resources},
		LastError: lastError,
	}
	if spout {
		out.Type = ref(stormrpc.ComponentType_SPOUT)
		out.SpecificStats = &stormrpc.SpecificAggregateStats{Spout: &stormrpc.SpoutAggregateStats{
			CompleteLatencyMs: ref(average(a.completeTime, a.acked))}}
		return out
	}
	out.SpecificStats = &stormrpc.SpecificAggregateStats{Bolt: &stormrpc.BoltAggregateStats{
		ExecuteLatencyMs: ref(average(a.executeTotal, a.executed)), ProcessLatencyMs: ref(average(a.processTotal, a.executed)),
		Executed: &a.executed, Capacity: &a.capacity}}
	return out
}

func ref[T any](v T) *T { return &v }
