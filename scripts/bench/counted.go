package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/stream"
)

// countedKeys is how many keys a topology of kindCounted has if its shape does not say.
const countedKeys = 100_000

// counts counts events by key and passes each count on: source -> Tasks counters -> sink, all of which take part in checkpoints where there are
// any. Event i is of key i modulo the number of keys, so what its count has to be is known: another one is a failure.
func counts(s *shape) *stream.Topology {
	if s.Keys == 0 {
		s.Keys = countedKeys
	}
	t := stream.New("counts")
	in := stream.From(t, sourceName, func() stream.Source[event] { return &numbers{shape: s} })
	byKey := stream.KeyBy(in, "by-key", func(e event) string { return e.Key })
	counted := stream.Process(byKey, middleName, func(st *stream.State[string]) stream.Processor[string, event, int64] {
		kept := stream.NewValue[keptCount](st, "counts")
		text := s.payload()
		return stream.ProcessFunc[string, event, int64](func(e event, out *stream.Scope[string, int64]) error {
			var n int64
			kept.Update(func(k *keptCount) {
				if k.N == 0 {
					k.Text = strings.Clone(text)
				}
				k.N++
				n = k.N
			})
			if want := e.Time/int64(s.Keys) + 1; n != want {
				out.Emit(-1)
				return fmt.Errorf("event %d is number %d of its key, not %d", e.Time, n, want)
			}
			out.Emit(n)
			return nil
		})
	}, stream.Parallelism(s.Tasks))
	sink := stream.SinkFactory[int64](func() stream.Sink[int64] { return &arrivals{shape: s} })
	stream.To(counted, sinkName, sink, stream.Parallelism(1))
	return t
}

// keptCount is the state of a key: its count, and as many bytes as the shape says.
type keptCount struct {
	N    int64
	Text string
}

// numbers is a source of events 0, 1, 2 and so on, which can go back: at full speed, or at the shape's rate from the moment on when each key
// had an event.
type numbers struct {
	*shape
	tally *tally
	keys  []string // of the first events
	n     int64
	due   time.Time
}

func (s *numbers) Open(ctx *gearcore.Context) (err error) {
	for i := range min(s.Keys, countedKeys) {
		s.keys = append(s.keys, numberKey(i))
	}
	s.tally, err = s.join(ctx.Component)
	return err
}

func numberKey(i int) string {
	digits := strconv.Itoa(1_000_000_000 + i)
	return "key-" + digits[1:]
}

func (s *numbers) Next(out *stream.Out[event]) error {
	most := publishEvery
	if s.Rate > 0 && s.n >= int64(s.Keys) {
		if most = s.owed(); most == 0 {
			return stream.ErrIdle
		}
	}
	for range most {
		key := int(s.n % int64(s.Keys))
		if key < len(s.keys) {
			out.Emit(event{s.keys[key], s.n})
		} else {
			out.Emit(event{numberKey(key), s.n})
		}
		s.n++
	}
	s.tally.emitted.Store(s.n)
	return nil
}

// owed is how many events have to go out now to keep the rate. What was not sent for more than a second is not made up for.
func (s *numbers) owed() int {
	now := time.Now()
	if now.Sub(s.due) > time.Second {
		s.due = now
	}
	each := time.Second / time.Duration(s.Rate)
	n := min(int(now.Sub(s.due)/each), publishEvery)
	s.due = s.due.Add(time.Duration(n) * each)
	return n
}

func (s *numbers) Close() {}

// Freeze implements gearcore.Checkpointed.
func (s *numbers) Freeze(uint64) (gearcore.Frozen, error) { return frozenCount(s.n), nil }

// Restore implements gearcore.Checkpointed.
func (s *numbers) Restore(r *gearcore.Recovery) (err error) {
	s.n, err = countOf(r)
	return err
}

// arrivals is a sink that counts, and says how many checkpoints counted.
type arrivals struct {
	*shape
	tally *tally
	n     int64
}

func (s *arrivals) Open(ctx *gearcore.Context) (err error) {
	s.tally, err = s.join(ctx.Component)
	return err
}

func (s *arrivals) Write(n int64, _ time.Time) error {
	s.n++
	if n < 0 {
		s.tally.failed.Add(1)
	}
	s.tally.arrived(s.n, 0)
	return nil
}

func (s *arrivals) Close() {}

// Freeze implements gearcore.Checkpointed.
func (s *arrivals) Freeze(uint64) (gearcore.Frozen, error) { return frozenCount(s.n), nil }

// Restore implements gearcore.Checkpointed.
func (s *arrivals) Restore(r *gearcore.Recovery) (err error) {
	s.n, err = countOf(r)
	return err
}

// Commit implements gearcore.Committer.
func (s *arrivals) Commit(uint64) { s.tally.commits.Add(1) }

// frozenCount is a task's number in a checkpoint.
type frozenCount int64

// Save implements gearcore.Frozen.
func (n frozenCount) Save(context.Context, gearcore.Vault) (gearcore.Part, error) {
	text := strconv.FormatInt(int64(n), 10)
	return gearcore.Part{Inline: []byte(text), Note: text}, nil
}

// Drop implements gearcore.Frozen.
func (frozenCount) Drop() {}

// countOf reads what the only task of a component had frozen; 0 at the beginning.
func countOf(r *gearcore.Recovery) (int64, error) {
	if r.Epoch == 0 {
		return 0, nil
	}
	if len(r.Parts) != 1 {
		return 0, fmt.Errorf("a count of %d tasks", len(r.Parts))
	}
	return strconv.ParseInt(string(r.Parts[0].Inline), 10, 64)
}
