package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// handClock is a clock that the test moves.
type handClock struct{ now time.Duration }

func (c *handClock) Now() time.Duration { return c.now }

// memVault keeps files in memory.
type memVault struct{ files map[string][]byte }

// newMemVault returns the same one for every checkpoint.
func newMemVault() func(uint64) gearcore.Vault {
	v := &memVault{map[string][]byte{}}
	return func(uint64) gearcore.Vault { return v }
}

func (v *memVault) Put(_ context.Context, name string, content io.Reader) (gearcore.File, error) {
	b, err := io.ReadAll(content)
	name = fmt.Sprintf("%s-%d", name, len(v.files))
	v.files[name] = b
	return gearcore.File{Name: name, Bytes: int64(len(b))}, err
}

func (v *memVault) Get(_ context.Context, f gearcore.File) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(v.files[f.Name])), nil
}

// bench drives one engine of a timed topology by hand.
type bench struct {
	*testing.T
	*Driver
	clock *handClock
	parts map[uint64]map[string][]gearcore.TaskPart
	told  int // Changed
}

// drive makes a Driver for top and activates it. adjust may change the configuration.
func drive(t *testing.T, top *topology, adjust func(*Config)) *bench {
	t.Helper()
	s := driveLater(t, top, adjust)
	s.Activate()
	return s
}

// driveLater is drive without the activation.
func driveLater(t *testing.T, top *topology, adjust func(*Config)) *bench {
	t.Helper()
	s := &bench{T: t, clock: &handClock{now: time.Second}, parts: map[uint64]map[string][]gearcore.TaskPart{}}
	cfg := top.config(t)
	cfg.Clock, cfg.Seed = s.clock, 1
	cfg.Timing = &Timing{
		Checkpoints: true, Vault: newMemVault(), Changed: func() { s.told++ },
		Parts: func(epoch uint64, component string) ([]gearcore.TaskPart, error) {
			return s.parts[epoch][component], nil
		},
	}
	if adjust != nil {
		adjust(&cfg)
	}
	d, err := NewDriver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Driver = d
	t.Cleanup(d.Close)
	return s
}

// settle runs everything until nothing is ready, jobs included, and lets time pass up to d.
func (s *bench) settle(d time.Duration) {
	end := s.clock.now + d
	for n := 0; ; n++ {
		if n > 1_000_000 {
			s.Fatal("it does not come to rest")
		}
		switch {
		case s.Ready() > 0:
			s.Step(0, 1000)
		case s.Jobs() > 0:
			s.Job(0)
		default:
			at, ok := s.NextTimer()
			if !ok || at > end {
				s.clock.now = end
				return
			}
			s.clock.now = max(s.clock.now, at)
			s.Fire()
		}
		if err := s.Err(); err != nil {
			s.Fatal(err)
		}
	}
}

// begin begins a generation and lets it go.
func (s *bench) begin(o checkpoint.Order) {
	s.Helper()
	o.Go = false
	s.Obey(o)
	s.settle(0)
	if r := s.Report(); !r.Restored || r.Generation != o.Generation {
		s.Fatalf("after %+v the report is %+v", o, r)
	}
	o.Go = true
	s.Obey(o)
	s.settle(0)
}

// saved returns the parts of an epoch by task, as the report says.
func (s *bench) saved(epoch uint64) map[gearcore.TaskID]gearcore.TaskPart {
	s.Helper()
	r := s.Report()
	if r.Epoch != epoch || r.Failed != "" || r.Broken != "" {
		s.Fatalf("the report is %+v, want parts of epoch %d", r, epoch)
	}
	out := map[gearcore.TaskID]gearcore.TaskPart{}
	for _, p := range r.Saved {
		out[p.Task] = p
	}
	return out
}

// keep makes what was saved in an epoch what tasks are restored from.
func (s *bench) keep(p *dag.Plan, epoch uint64) {
	s.parts[epoch] = map[string][]gearcore.TaskPart{}
	for id, part := range s.saved(epoch) {
		c := p.Layout.Components[id]
		s.parts[epoch][c] = append(s.parts[epoch][c], part)
	}
}

// script is a source that emits what it is given, one value a Next, and has the watermark that it is given.
type script struct {
	values []int64
	at     int
	mark   gearcore.Watermark
	frozen []uint64
}

func (s *script) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (s *script) Next(c *gearcore.Collector) error {
	if s.at == len(s.values) {
		return gearcore.ErrIdle
	}
	s.at++
	c.Emit(s.values[s.at-1])
	return nil
}
func (s *script) Ack(gearcore.Value, *gearcore.Collector)  {}
func (s *script) Fail(gearcore.Value, *gearcore.Collector) {}
func (s *script) Activate(*gearcore.Collector)             {}
func (s *script) Deactivate(*gearcore.Collector)           {}
func (s *script) Close()                                   {}
func (s *script) Watermark() gearcore.Watermark            { return s.mark }
func (s *script) Freeze(epoch uint64) (gearcore.Frozen, error) {
	s.frozen = append(s.frozen, epoch)
	return number(s.at), nil
}
func (s *script) Restore(r *gearcore.Recovery) error {
	s.at = int(restoredNumber(r))
	return nil
}

// number is a state that is a number.
type number int64

func (n number) Save(context.Context, gearcore.Vault) (gearcore.Part, error) {
	return gearcore.Part{Inline: binary.LittleEndian.AppendUint64(nil, uint64(n))}, nil
}
func (number) Drop() {}

// restoredNumber returns what the task of that index had, 0 in the beginning.
func restoredNumber(r *gearcore.Recovery) number {
	i := slices.IndexFunc(r.Parts, func(p gearcore.TaskPart) bool { return p.Index == r.Index })
	if i < 0 {
		return 0
	}
	return number(binary.LittleEndian.Uint64(r.Parts[i].Inline))
}

// adder is a bolt that sums what it gets and notes all it is told. It emits every value on.
type adder struct {
	sum       int64
	seen      []int64
	marks     []gearcore.Watermark
	frozen    []uint64
	commits   []uint64
	hold      gearcore.Watermark // output watermarks are not beyond it, 0: no bound
	save      func() error
	restored  int
	execute   func(v int64) error
	restore   func(*gearcore.Recovery) error
	onAdvance func(w gearcore.Watermark, c *gearcore.Collector)
}

func (a *adder) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (a *adder) Close()                                            {}
func (a *adder) NoRetain()                                         {}
func (a *adder) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	if a.execute != nil {
		if err := a.execute(t.Int(0)); err != nil {
			return err
		}
	}
	a.sum += t.Int(0)
	a.seen = append(a.seen, t.Int(0))
	c.Emit(t.Int(0))
	return nil
}
func (a *adder) Advance(w gearcore.Watermark, c *gearcore.Collector) (gearcore.Watermark, error) {
	a.marks = append(a.marks, w)
	if a.onAdvance != nil {
		a.onAdvance(w, c)
	}
	if a.hold != 0 {
		w = min(w, a.hold)
	}
	return w, nil
}
func (a *adder) Freeze(epoch uint64) (gearcore.Frozen, error) {
	a.frozen = append(a.frozen, epoch)
	return frozenSum{number(a.sum), a.save}, nil
}
func (a *adder) Commit(epoch uint64) { a.commits = append(a.commits, epoch) }
func (a *adder) Restore(r *gearcore.Recovery) error {
	if a.restore != nil {
		return a.restore(r)
	}
	a.sum = int64(restoredNumber(r))
	a.restored++
	return nil
}

type frozenSum struct {
	number
	save func() error
}

func (f frozenSum) Save(ctx context.Context, v gearcore.Vault) (gearcore.Part, error) {
	if f.save != nil {
		if err := f.save(); err != nil {
			return gearcore.Part{}, err
		}
	}
	return f.number.Save(ctx, v)
}

var errDisk = errors.New("the disk is full")

// pairOf is two sources, an adder of both, and one behind it.
func pairOf(a, b *script, sum, end *adder) *topology {
	top := newTopology(0)
	top.add("a", dag.Spout, 1, 1, func(dag.Task) any { return a })
	top.add("b", dag.Spout, 1, 1, func(dag.Task) any { return b })
	top.add("c", dag.Bolt, 1, 1, func(dag.Task) any { return sum }, from("a", dag.Shuffle), from("b", dag.Shuffle))
	top.add("d", dag.Bolt, 1, 1, func(dag.Task) any { return end }, from("c", dag.Shuffle))
	return top
}
