package storm_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/compat/storm/stormtest"
)

// counter is a bolt with everything that a bolt can have.
type counter struct {
	ctx    *storm.Context
	n      map[string]int
	closed *int
}

func (b *counter) Prepare(ctx *storm.Context, _ *storm.Collector) error {
	b.ctx, b.n = ctx, map[string]int{}
	return nil
}

func (b *counter) Execute(t storm.Tuple, c *storm.Collector) error {
	word, err := storm.Field[string](t, "word")
	switch {
	case err != nil:
		return err
	case word == "later":
		return fmt.Errorf("count %s: %w", word, storm.ErrFailed)
	}
	b.n[word]++
	c.Ack(t)
	return nil
}

func (b *counter) Tick(c *storm.Collector) error {
	c.Emit(len(b.n))
	return nil
}

func (b *counter) Close() { *b.closed++ }

func TestBolt(t *testing.T) {
	closed := 0
	t.Run("run", func(t *testing.T) {
		b := stormtest.NewBolt(t, storm.BoltFactory(func() storm.Bolt { return &counter{closed: &closed} }),
			func(d *storm.Declarer) { d.Fields("distinct") }, nil)
		b.Input("split", "default", "word")
		b.Input("other", "default", "n")
		b.Send("split", "default", "a")
		b.Send("split", "default", "later")
		b.Send("split", "default", 7)
		b.Send("other", "default", 7)
		b.Tick()
		if d := cmp.Diff([][]any{{int64(1)}}, b.Values()); d != "" {
			t.Errorf("emits: %s", d)
		}
		if len(b.Acked()) != 2 || len(b.Failed()) != 3 {
			t.Errorf("acked %d, failed %d, want 2 (with the tick) and 3", len(b.Acked()), len(b.Failed()))
		}
		var got []string
		for _, err := range b.Errors() {
			got = append(got, err.Error())
		}
		want := []string{
			`get field "word" of a tuple from split: it is a long, not a string`,
			`get field "word" of a tuple from other: stream default has fields [n]`,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("errors (ErrFailed is silent): %s", d)
		}
	})
	if closed != 1 {
		t.Errorf("closed %d times", closed)
	}
}

func TestBoltFuncAnchorsAndAcks(t *testing.T) {
	errBad := errors.New("bad line")
	b := stormtest.NewBolt(t, storm.BoltFunc(func(t storm.Tuple, out storm.Emitter) error {
		switch s := t.String(0); s {
		case "bad":
			return errBad
		case "not now":
			return storm.ErrFailed
		default:
			out.Emit(s + "!")
			out.EmitTo("side", len(s))
			out.EmitDirect("to", 9, s)
			out.Collector().Emit("loose")
		}
		return nil
	}), func(d *storm.Declarer) { d.Stream("side", "n").Fields("s").DirectStream("to", "s") }, nil)
	b.Input("in", "default", "line")
	sent := b.Send("in", "default", "x")
	b.Send("in", "default", "bad")
	b.Send("in", "default", "not now")

	emits := b.Emits()
	var got []string
	for _, e := range emits {
		got = append(got, fmt.Sprint(e.Stream, e.Values, e.Task, len(e.Anchors) == 1 && e.Anchors[0] == sent))
	}
	want := []string{"default[x!]0 true", "side[1]0 true", "to[x]9 true", "default[loose]0 false"}
	for i := range want {
		want[i] = strings.Replace(want[i], "]", "] ", 1)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("emits: %s", d)
	}
	if len(b.Acked()) != 1 || len(b.Failed()) != 2 || len(b.Errors()) != 1 || b.Errors()[0] != errBad {
		t.Errorf("acked %d, failed %d, errors %v", len(b.Acked()), len(b.Failed()), b.Errors())
	}
}

// letters is a spout with everything that a spout can have.
type letters struct {
	log  *[]string
	next byte
}

func (s *letters) Open(*storm.Context, *storm.Collector) error { s.next = 'a'; return nil }
func (s *letters) Activate(*storm.Collector)                   { *s.log = append(*s.log, "activate") }
func (s *letters) Deactivate(*storm.Collector)                 { *s.log = append(*s.log, "deactivate") }
func (s *letters) Close()                                      { *s.log = append(*s.log, "close") }

func (s *letters) Next(c *storm.Collector) error {
	if s.next == 'c' {
		return storm.ErrIdle
	}
	c.EmitID(storm.Long(int64(s.next)), string(s.next))
	s.next++
	return nil
}

func (s *letters) Ack(id storm.Value, _ *storm.Collector) { *s.log = append(*s.log, "ack "+id.Text()) }

func (s *letters) Fail(id storm.Value, c *storm.Collector) {
	*s.log = append(*s.log, "fail "+id.Text())
	c.EmitID(id, string(byte(id.Int())))
}

func TestSpout(t *testing.T) {
	var log []string
	t.Run("run", func(t *testing.T) {
		s := stormtest.NewSpout(t, storm.SpoutFactory(func() storm.Spout { return &letters{log: &log} }),
			func(d *storm.Declarer) { d.Fields("letter") }, nil)
		if s.Next(2) || !s.Next(2) {
			t.Error("idle after two letters only")
		}
		s.Ack(storm.Long('a'))
		s.Fail(storm.Long('b'))
		emits := s.Emits()
		if len(emits) != 3 || emits[2].Values[0] != "b" || emits[2].ID.Int() != 'b' {
			t.Errorf("emits: %v", emits)
		}
	})
	if d := cmp.Diff([]string{"activate", "ack 97", "fail 98", "close"}, log); d != "" {
		t.Error(d)
	}
}

// wrong has the methods of optional interfaces, with other signatures.
type wrong struct{}

func (wrong) Open(*storm.Context, *storm.Collector) error        { return nil }
func (wrong) Prepare(*storm.Context, *storm.Collector) error     { return nil }
func (wrong) Next(*storm.Collector) error                        { return nil }
func (wrong) Execute(storm.Tuple, *storm.Collector) error        { return nil }
func (wrong) Ack(id any)                                         {}
func (wrong) Activate(*storm.Collector)                          {}
func (wrong) Close() error                                       { return nil }
func (wrong) Tick(storm.Tuple, *storm.Collector) (string, error) { return "", nil }

func TestMethodsThatWouldNeverBeCalled(t *testing.T) {
	b := storm.NewTopologyBuilder()
	b.SetSpout("spout", storm.SpoutFactory(func() storm.Spout { return wrong{} }), 1)
	b.SetBolt("bolt", storm.BoltFactory(func() storm.Bolt { return wrong{} }), 1)
	b.SetBolt("nil", storm.BoltFactory(func() storm.Bolt { return nil }), 1)
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	_, spoutErr := top.Components.Source("spout")
	_, boltErr := top.Components.Task("bolt")
	_, nilErr := top.Components.Task("nil")
	_, goneErr := top.Components.Task("gone")
	for _, c := range []struct {
		err  error
		want []string
	}{
		{spoutErr, []string{"make spout spout", "Ack of storm_test.wrong", "storm.Acker", "Activate", "Close"}},
		{boltErr, []string{"make bolt bolt", "Tick", "storm.Ticker", "storm.Closer"}},
		{nilErr, []string{"the factory returned nil"}},
		{goneErr, []string{"this program has no bolt of that name"}},
	} {
		for _, w := range c.want {
			if c.err == nil || !strings.Contains(c.err.Error(), w) {
				t.Errorf("error %v does not say %q", c.err, w)
			}
		}
	}
}

func TestFieldTypes(t *testing.T) {
	b := stormtest.NewBolt(t, storm.BoltFunc(func(t storm.Tuple, out storm.Emitter) error {
		s, err1 := storm.Field[string](t, "s")
		n, err2 := storm.Field[int](t, "n")
		f, err3 := storm.Field[float64](t, "f")
		ok, err4 := storm.Field[bool](t, "b")
		l, err5 := storm.Field[[]storm.Value](t, "l")
		by, err6 := storm.Field[[]byte](t, "s")
		w, err7 := storm.Field[float64](t, "n")
		v, err8 := storm.Field[storm.Value](t, "n")
		i, err9 := storm.Field[int64](t, "n")
		out.Emit(fmt.Sprint(s, n, f, ok, len(l), string(by), w, v.Kind(), i))
		return errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9)
	}), func(d *storm.Declarer) { d.Fields("text") }, nil)
	b.Input("in", "default", "s", "n", "f", "b", "l")
	b.Send("in", "default", "x", int32(3), 2.5, true, []string{"p", "q"})
	if d := cmp.Diff([][]any{{"x3 2.5 true 2x3 int 3"}}, b.Values()); d != "" || len(b.Errors()) != 0 {
		t.Errorf("%s %v", d, b.Errors())
	}
}

// A promise that only a Go bolt can keep is refused for others.
func TestNoRetainIsForBoltsInGo(t *testing.T) {
	b := storm.NewTopologyBuilder()
	b.SetSpout("words", storm.SpoutFunc(func(*storm.Collector) error { return storm.ErrIdle }), 1).Fields("word").NoRetain()
	b.SetBolt("shell", storm.ShellBolt("python3", "x.py"), 1).ShuffleGrouping("words").NoRetain()
	b.SetBolt("func", storm.BoltFunc(func(storm.Tuple, storm.Emitter) error { return nil }), 1).ShuffleGrouping("words").NoRetain()
	_, err := b.Build()
	want := "component words: only a bolt written in Go keeps tuples, or can promise not to\n" +
		"component shell: only a bolt written in Go keeps tuples, or can promise not to"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
