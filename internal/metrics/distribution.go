package metrics

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// ErrDistribution says that a distribution from elsewhere is damaged.
var ErrDistribution = errors.New("damaged distribution")

// distribution returns h as it is sent, nil for an empty one.
func distribution(h *Histogram) *stormrpc.Distribution {
	if h.n == 0 || len(h.counts) == 0 {
		return nil
	}
	first, last := 0, len(h.counts)-1
	for first < last && h.counts[first] == 0 {
		first++
	}
	for first < last && h.counts[last] == 0 {
		last--
	}
	d := &stormrpc.Distribution{Scale: int32(finest - h.coarse), Offset: h.low + int32(first), SumMs: h.sum / 1e6}
	for _, n := range h.counts[first : last+1] {
		d.Counts = binary.AppendUvarint(d.Counts, n)
	}
	return d
}

// ReadDistribution returns the histogram that was sent as d; nil is an empty one. Its error is ErrDistribution.
func ReadDistribution(d *stormrpc.Distribution) (h Histogram, err error) {
	if d == nil {
		return h, nil
	}
	h.coarse, h.low, h.sum = int8(finest-d.Scale), d.Offset, d.SumMs*1e6
	if d.Scale > finest || d.Scale < finest-maxCoarse || d.Offset < -1 || d.Offset > 64<<finest {
		return Histogram{}, fmt.Errorf("read scale %d, offset %d: %w", d.Scale, d.Offset, ErrDistribution)
	}
	for data := d.Counts; len(data) > 0; {
		n, size := binary.Uvarint(data)
		if size <= 0 || len(h.counts) == maxHistogram || h.n+n < n {
			return Histogram{}, fmt.Errorf("read count %d: %w", len(h.counts), ErrDistribution)
		}
		data = data[size:]
		h.counts = append(h.counts, n)
		h.n += n
	}
	return h, nil
}

// times returns what ExecutorStats says beyond Storm's statistics, nil for nothing. now is for waits under way.
func (t *Table) times(x dag.Executor, now time.Time) *stormrpc.ExecutorTimes {
	var latency, queue Histogram
	for id := x.First; id <= x.Last; id++ {
		if k := t.seen(id); k != nil {
			k.addTimes(&latency, &queue)
		}
	}
	out := &stormrpc.ExecutorTimes{Queue: distribution(&queue)}
	if x.Processor.Kind == dag.Spout {
		out.Complete = distribution(&latency)
	} else {
		out.Process = distribution(&latency)
	}
	for _, w := range t.Waits(x, now) {
		out.ThrottledBy = append(out.ThrottledBy, &stormrpc.ThrottledBy{
			Component: w.For, Task: int32(w.Worst), TotalMs: w.Total.Milliseconds(), Share: w.Share, Now: w.Now,
		})
	}
	if out.Queue == nil && out.Complete == nil && out.Process == nil && out.ThrottledBy == nil {
		return nil
	}
	return out
}

func (t *task) addTimes(latency, queue *Histogram) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue.recent(queue)
	for i := range t.inputs {
		t.inputs[i].latency.recent(latency)
	}
	for i := range t.outputs {
		t.outputs[i].latency.recent(latency)
	}
}
