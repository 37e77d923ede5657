package metrics

import (
	"cmp"
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// ExecutorStats returns the statistics of an executor of this worker as Storm's clients read them: every window is
// there, streams without an event are not, averages are weighted by what was measured. Rate is 1: nothing is sampled
// away.
func (t *Table) ExecutorStats(x dag.Executor) *stormrpc.ExecutorStats {
	sum := t.sum(x)
	s := &stormrpc.ExecutorStats{Emitted: map[string]map[string]int64{}, Transferred: map[string]map[string]int64{}, Rate: 1, Times: t.times(x, t.cfg.Now())}
	for w, name := range windowNames {
		s.Emitted[name], s.Transferred[name] = map[string]int64{}, map[string]int64{}
		for id, c := range sum.out {
			stream := t.stream(id).Name
			put(s.Emitted[name], stream, c.emitted[w])
			put(s.Transferred[name], stream, c.transferred[w])
		}
	}
	if x.Processor.Kind == dag.Spout {
		s.Specific = &stormrpc.ExecutorSpecificStats{Spout: t.spoutStats(sum)}
	} else {
		s.Specific = &stormrpc.ExecutorSpecificStats{Bolt: t.boltStats(sum)}
	}
	return s
}

func put[K comparable](m map[K]int64, k K, n int64) {
	if n != 0 {
		m[k] = n
	}
}

// perWindow holds a count for each window and all time.
type perWindow [len(windows) + 1]int64

func (p *perWindow) add(s *series) {
	for w := range p {
		p[w] += s.count(w)
	}
}

// meanMs is a sum of nanoseconds over a count, in milliseconds.
func meanMs(sum, n int64) float64 {
	if n == 0 {
		return 0
	}
	return float64(sum) / float64(n) / 1e6
}

type settledSum struct{ acked, failed, took, tookN perWindow }

func (s *settledSum) addSettled(c *settled) {
	s.acked.add(&c.acked)
	s.failed.add(&c.failed)
	s.took.add(&c.took)
	s.tookN.add(&c.tookN)
}

type inputSum struct {
	executed, busy, busyN perWindow
	settledSum
}

type outputSum struct {
	emitted, transferred perWindow
	settledSum
}

// sums are an executor's counters, added up over its tasks.
type sums struct {
	in  map[gearcore.StreamID]*inputSum
	out map[gearcore.StreamID]*outputSum
}

func (t *Table) sum(x dag.Executor) sums {
	s := sums{in: map[gearcore.StreamID]*inputSum{}, out: map[gearcore.StreamID]*outputSum{}}
	for id := x.First; id <= x.Last; id++ {
		if k := t.seen(id); k != nil {
			k.addTo(s)
		}
	}
	return s
}

func (t *task) addTo(s sums) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.inputs {
		c := &t.inputs[i]
		d := s.in[c.stream]
		if d == nil {
			d = &inputSum{}
			s.in[c.stream] = d
		}
		d.executed.add(&c.executed)
		d.busy.add(&c.busy)
		d.busyN.add(&c.busyN)
		d.addSettled(&c.settled)
	}
	for i := range t.outputs {
		c := &t.outputs[i]
		d := s.out[c.stream]
		if d == nil {
			d = &outputSum{}
			s.out[c.stream] = d
		}
		d.emitted.add(&c.emitted)
		d.transferred.add(&c.transferred)
		d.addSettled(&c.settled)
	}
}

func (t *Table) spoutStats(s sums) *stormrpc.SpoutStats {
	st := &stormrpc.SpoutStats{Acked: map[string]map[string]int64{}, Failed: map[string]map[string]int64{}, CompleteMsAvg: map[string]map[string]float64{}}
	for w, name := range windowNames {
		st.Acked[name], st.Failed[name], st.CompleteMsAvg[name] = map[string]int64{}, map[string]int64{}, map[string]float64{}
		for id, c := range s.out {
			stream := t.stream(id).Name
			put(st.Acked[name], stream, c.acked[w])
			put(st.Failed[name], stream, c.failed[w])
			if c.tookN[w] != 0 {
				st.CompleteMsAvg[name][stream] = meanMs(c.took[w], c.tookN[w])
			}
		}
	}
	return st
}

// byStream is how Thrift maps keyed by a stream look in Go.
type byStream[V any] = []wire.MapEntry[*stormrpc.GlobalStreamId, V]

func (t *Table) boltStats(s sums) *stormrpc.BoltStats {
	st := &stormrpc.BoltStats{
		Acked: map[string]byStream[int64]{}, Failed: map[string]byStream[int64]{}, ProcessMsAvg: map[string]byStream[float64]{},
		Executed: map[string]byStream[int64]{}, ExecuteMsAvg: map[string]byStream[float64]{},
	}
	ids := slices.Sorted(maps.Keys(s.in))
	for w, name := range windowNames {
		// Empty, not nil: a required map must be there.
		acked, failed, executed := byStream[int64]{}, byStream[int64]{}, byStream[int64]{}
		process, execute := byStream[float64]{}, byStream[float64]{}
		for _, id := range ids {
			c, key := s.in[id], t.globalID(id)
			acked = entry(acked, key, c.acked[w], c.acked[w])
			failed = entry(failed, key, c.failed[w], c.failed[w])
			executed = entry(executed, key, c.executed[w], c.executed[w])
			process = entry(process, key, meanMs(c.took[w], c.tookN[w]), c.tookN[w])
			execute = entry(execute, key, meanMs(c.busy[w], c.busyN[w]), c.busyN[w])
		}
		st.Acked[name], st.Failed[name], st.Executed[name], st.ProcessMsAvg[name], st.ExecuteMsAvg[name] = acked, failed, executed, process, execute
	}
	return st
}

// entry appends key and v unless there was nothing to count.
func entry[V cmp.Ordered](m byStream[V], key *stormrpc.GlobalStreamId, v V, events int64) byStream[V] {
	if events == 0 {
		return m
	}
	return append(m, wire.MapEntry[*stormrpc.GlobalStreamId, V]{Key: key, Value: v})
}

func (t *Table) globalID(id gearcore.StreamID) *stormrpc.GlobalStreamId {
	s := t.stream(id)
	return &stormrpc.GlobalStreamId{ComponentId: s.Component, StreamId: s.Name}
}
