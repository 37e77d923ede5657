package storm

import (
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// nullSink takes everything and keeps nothing.
type nullSink struct{ emits, acks int }

func (s *nullSink) Output(name string) int { return len(name) - 1 }
func (s *nullSink) Emit(*gearcore.Emission, []gearcore.Value) ([]gearcore.TaskID, error) {
	s.emits++
	return nil, nil
}
func (s *nullSink) Ack(gearcore.Tuple)          { s.acks++ }
func (s *nullSink) Fail(gearcore.Tuple)         {}
func (s *nullSink) ResetTimeout(gearcore.Tuple) {}
func (s *nullSink) Pause()                      {}
func (s *nullSink) Resume()                     {}
func (s *nullSink) ReportError(error)           {}
func (s *nullSink) Async() *gearcore.Async      { return nil }

type echoBolt struct{ n int64 }

func (b *echoBolt) Prepare(*Context, *Collector) error { return nil }
func (b *echoBolt) Tick(*Collector) error              { return nil }
func (b *echoBolt) Execute(t Tuple, c *Collector) error {
	word, err := Field[string](t, "word")
	if err != nil {
		return err
	}
	n, err := Field[int](t, "n")
	if err != nil {
		return err
	}
	b.n++
	c.EmitAnchored(t, word, n, b.n, 2.5)
	c.Ack(t)
	return nil
}

type echoSpout struct{ n int64 }

func (s *echoSpout) Open(*Context, *Collector) error { return nil }
func (s *echoSpout) Ack(Value, *Collector)           {}
func (s *echoSpout) Next(c *Collector) error {
	s.n++
	c.EmitID(Long(s.n), "text", s.n)
	return nil
}

// TestAdaptersAllocateNothing holds the budget of the hot path: what stands between the engine and a component costs
// no allocation.
func TestAdaptersAllocateNothing(t *testing.T) {
	b := NewTopologyBuilder()
	b.SetSpout("spout", SpoutFactory(func() Spout { return &echoSpout{} }), 1).Fields("a", "b")
	b.SetBolt("bolt", BoltFactory(func() Bolt { return &echoBolt{} }), 1).ShuffleGrouping("spout")
	b.SetBolt("func", BoltFunc(func(t Tuple, out Emitter) error {
		out.Emit(t.String(0), t.Int(1))
		out.EmitTo("s", t.String(0))
		return nil
	}), 1).ShuffleGrouping("spout")
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	sink := &nullSink{}
	c := gearcore.NewCollector(sink)
	tuple := gearcore.NewTuple(&gearcore.Layout{Streams: []gearcore.Stream{{Component: "in", Name: "default", Fields: []string{"word", "n"}}}}, 0, 1, gearcore.Str("w"), gearcore.Long(1<<40))
	bolt, err1 := top.Components.Task("bolt")
	fun, err2 := top.Components.Task("func")
	spout, err3 := top.Components.Source("spout")
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	for name, f := range map[string]func() error{
		"bolt":      func() error { return bolt.Execute(tuple, c) },
		"bolt func": func() error { return fun.Execute(tuple, c) },
		"spout":     func() error { spout.Ack(Long(1), c); return spout.Next(c) },
	} {
		n := testing.AllocsPerRun(1000, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations a tuple", name, n)
		}
	}
	if sink.emits == 0 || sink.acks == 0 {
		t.Error("nothing was emitted or acked")
	}
}

type frugalBolt struct{ echoBolt }

func (*frugalBolt) NoRetain() {}

// TestNoRetainReachesTheEngine: only a task with that method gets its batches recycled.
func TestNoRetainReachesTheEngine(t *testing.T) {
	for name, c := range map[string]struct {
		spec     BoltSpec
		declared bool
		want     bool
	}{
		"with":           {BoltFactory(func() Bolt { return &frugalBolt{} }), false, true},
		"without":        {BoltFactory(func() Bolt { return &echoBolt{} }), false, false},
		"declared":       {BoltFactory(func() Bolt { return &echoBolt{} }), true, true},
		"with, declared": {BoltFactory(func() Bolt { return &frugalBolt{} }), true, true},
		"function":       {BoltFunc(func(Tuple, Emitter) error { return nil }), true, true},
	} {
		b := NewTopologyBuilder()
		b.SetSpout("spout", SpoutFactory(func() Spout { return &echoSpout{} }), 1).Fields("a", "b")
		if d := b.SetBolt("bolt", c.spec, 1).ShuffleGrouping("spout"); c.declared {
			d.NoRetain()
		}
		top, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		task, err := top.Components.Task("bolt")
		if err != nil {
			t.Fatal(err)
		}
		if _, got := task.(gearcore.NoRetain); got != c.want {
			t.Errorf("%s: the task keeps nothing: %v", name, got)
		}
	}
}
