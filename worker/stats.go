package worker

import (
	"time"

	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/metrics"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// ComponentStats is what a live table shows of a component: counts since the start, latencies over the last ten
// minutes in milliseconds (0: nothing was measured).
type ComponentStats struct {
	Component            string
	Spout                bool
	Executors, Tasks     int
	Emitted, Transferred int64
	Executed             int64 // bolts
	Acked, Failed        int64
	CompleteMs           float64 // spouts: from emit to the end of the tree
	ProcessMs, ExecuteMs float64 // bolts: until the ack, and inside Execute
	P50Ms, P99Ms         float64 // quantiles of CompleteMs for a spout, of ProcessMs for a bolt
	QueueP50Ms           float64 // how long tuples waited in inboxes
	QueueP99Ms           float64
	Pending              int // spouts: tuples in flight
	Queued               int // batches in inboxes
	Throttles            []metrics.Throttle
}

// shortWindow is the key of the ten-minute window.
const shortWindow = "600"

func (h *host) stats(now time.Time) []ComponentStats {
	h.table.Advance(now)
	byName := map[string]*ComponentStats{}
	var out []ComponentStats
	for _, p := range h.plan().Graph.Processors {
		if p.Tasks > 0 {
			out = append(out, ComponentStats{Component: p.Name, Spout: p.Kind == dag.Spout})
		}
	}
	for i := range out {
		byName[out[i].Component] = &out[i]
	}
	weights, times := map[string]*[3]float64{}, map[string]*metrics.Times{}
	for _, x := range h.local {
		c := byName[x.Processor.Name]
		c.Executors++
		c.Tasks += int(x.Last - x.First + 1)
		w := weights[c.Component]
		if w == nil {
			w = &[3]float64{}
			weights[c.Component], times[c.Component] = w, &metrics.Times{}
		}
		es := h.table.ExecutorStats(x)
		c.add(es, w)
		times[c.Component].Add(es)
	}
	for name, t := range times {
		byName[name].time(t)
	}
	for _, s := range h.engine.Stats() {
		c := byName[s.Component]
		c.Pending += s.Pending
		c.Queued += s.Batches
	}
	return out
}

// add adds an executor's statistics. weights holds what the means so far are made of: complete, process, execute.
func (c *ComponentStats) add(s *stormrpc.ExecutorStats, weights *[3]float64) {
	c.Emitted += total(s.Emitted[metrics.AllTime])
	c.Transferred += total(s.Transferred[metrics.AllTime])
	if sp := s.Specific.Spout; sp != nil {
		c.Acked += total(sp.Acked[metrics.AllTime])
		c.Failed += total(sp.Failed[metrics.AllTime])
		for stream, ms := range sp.CompleteMsAvg[shortWindow] {
			c.CompleteMs, weights[0] = mean(c.CompleteMs, weights[0], ms, float64(sp.Acked[shortWindow][stream]))
		}
		return
	}
	b := s.Specific.Bolt
	c.Executed += sum(b.Executed[metrics.AllTime])
	c.Acked += sum(b.Acked[metrics.AllTime])
	c.Failed += sum(b.Failed[metrics.AllTime])
	acked, executed := float64(sum(b.Acked[shortWindow])), float64(sum(b.Executed[shortWindow]))
	for _, e := range b.ProcessMsAvg[shortWindow] {
		c.ProcessMs, weights[1] = mean(c.ProcessMs, weights[1], e.Value, acked)
	}
	for _, e := range b.ExecuteMsAvg[shortWindow] {
		c.ExecuteMs, weights[2] = mean(c.ExecuteMs, weights[2], e.Value, executed)
	}
}

// time says what t holds.
func (c *ComponentStats) time(t *metrics.Times) {
	c.P50Ms, c.P99Ms = millis(t.Latency.Quantile(0.5)), millis(t.Latency.Quantile(0.99))
	c.QueueP50Ms, c.QueueP99Ms = millis(t.Queue.Quantile(0.5)), millis(t.Queue.Quantile(0.99))
	c.Throttles = t.Throttles()
}

func millis(d time.Duration) float64 { return float64(d) / 1e6 }

func mean(a, wa, b, wb float64) (float64, float64) {
	if wa+wb == 0 {
		return 0, 0
	}
	return (a*wa + b*wb) / (wa + wb), wa + wb
}

func total(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

func sum(m []wire.MapEntry[*stormrpc.GlobalStreamId, int64]) (n int64) {
	for _, e := range m {
		n += e.Value
	}
	return n
}
