package metrics

import (
	"cmp"
	"slices"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Times adds up over the executors of a component what their statistics say of time.
type Times struct {
	Latency   Histogram // complete latency of a spout, process latency of a bolt
	Queue     Histogram // in the inbox
	executors int
	throttles []Throttle
}

// Throttle says how much a component's executors wait for room in the inboxes of another component.
type Throttle struct {
	By    string
	Share float64 // of the executors' time over about the last five seconds, 0 to 1
	Task  int32   // of By: the one that they wait for, 0 if not known or not always the same
	Now   bool    // one of them waits at this moment

	totalMs int64
}

// Add adds an executor. What is damaged counts as missing.
func (t *Times) Add(s *stormrpc.ExecutorStats) {
	t.executors++
	if s == nil || s.Times == nil {
		return
	}
	for _, d := range []*stormrpc.Distribution{s.Times.Complete, s.Times.Process} {
		if h, err := ReadDistribution(d); err == nil {
			t.Latency.Add(&h)
		}
	}
	if h, err := ReadDistribution(s.Times.Queue); err == nil {
		t.Queue.Add(&h)
	}
	for _, w := range s.Times.ThrottledBy {
		i := slices.IndexFunc(t.throttles, func(o Throttle) bool { return o.By == w.Component })
		if i < 0 {
			i = len(t.throttles)
			t.throttles = append(t.throttles, Throttle{By: w.Component, Task: w.Task})
		}
		o := &t.throttles[i]
		o.Share += w.Share
		o.Now = o.Now || w.Now
		o.totalMs += w.TotalMs
		if o.Task != w.Task {
			o.Task = 0
		}
	}
}

// Throttles returns by whom the component is throttled, most first.
func (t *Times) Throttles() []Throttle {
	out := slices.Clone(t.throttles)
	for i := range out {
		out[i].Share /= float64(t.executors)
	}
	slices.SortFunc(out, func(a, b Throttle) int { return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.By, b.By)) })
	return out
}
