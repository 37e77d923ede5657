package engine

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// aging is a source like endless, of a topology that is timed.
type aging struct{ endless }

func (s *aging) Next(c *gearcore.Collector) error {
	s.n++
	c.Emit(s.s)
	return nil
}
func (s *aging) Watermark() gearcore.Watermark          { return gearcore.Watermark(s.n + 1) }
func (s *aging) Freeze(uint64) (gearcore.Frozen, error) { return number(s.n), nil }
func (s *aging) Restore(*gearcore.Recovery) error       { return nil }

// timedLine is lineTopology, or fieldsTopology, with a source that knows the time.
func timedLine(total *atomic.Int64, fields bool) *topology {
	top := lineTopology(0, total)
	if fields {
		top = fieldsTopology(total, 10_000)
	}
	src := top.code["src"](dag.Task{})
	top.code["src"] = func(dag.Task) any {
		if w, ok := src.(*wordy); ok {
			return &agingWords{wordy: w}
		}
		return &aging{*src.(*endless)}
	}
	return top
}

type agingWords struct{ *wordy }

func (s *agingWords) Watermark() gearcore.Watermark          { return gearcore.Watermark(s.i + 1) }
func (s *agingWords) Freeze(uint64) (gearcore.Frozen, error) { return number(s.i), nil }
func (s *agingWords) Restore(*gearcore.Recovery) error       { return nil }

// withCheckpoints has a topology that is up make a checkpoint every so often, until the test ends.
func withCheckpoints(tb testing.TB, e *Engine, every time.Duration) {
	stop, done := make(chan struct{}), make(chan struct{})
	tb.Cleanup(func() { close(stop); <-done })
	o := checkpoint.Order{Generation: 1}
	e.Obey(o)
	eventually(tb, "all are restored", func() bool { return e.Report().Restored })
	o.Go = true
	e.Obey(o)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(every):
			}
			if r := e.Report(); o.Cut == o.Committed {
				o.Cut++
			} else if r.Epoch == o.Cut && len(r.Saved) == len(r.Tasks) {
				o.Committed = o.Cut
			}
			e.Obey(o)
		}
	}()
}

// BenchmarkTimed compares topologies without time, with watermarks, and with a checkpoint every 100 ms (two steps of 50).
func BenchmarkTimed(b *testing.B) {
	for _, shape := range []string{"line", "fused", "fields"} {
		for _, how := range []string{"plain", "watermarks", "checkpoints"} {
			b.Run(shape+"/"+how, func(b *testing.B) {
				var total atomic.Int64
				top := timedLine(&total, shape == "fields")
				if shape == "fused" {
					top.fuse = func(string) bool { return true }
				}
				cfg := top.config(b)
				switch how {
				case "watermarks":
					cfg.Timing = &Timing{}
				case "checkpoints":
					cfg.Timing = &Timing{Checkpoints: true, Vault: newMemVault(), Parts: func(uint64, string) ([]gearcore.TaskPart, error) { return nil, nil }}
				}
				e := start(b, cfg)
				if how == "checkpoints" {
					withCheckpoints(b, e, 50*time.Millisecond)
				}
				measure(b, &total)
			})
		}
	}
}
