package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/stream"
	"github.com/gearstorm/gearstorm/gearcore/stream/streamtest"
)

// ledger is a store with transactions: what is visible, and what is prepared.
type ledger struct {
	visible  []string
	prepared map[string][]string
	refuse   int // so many commits fail
	panics   int // so many commits panic
}

func newLedger() *ledger { return &ledger{prepared: map[string][]string{}} }

// writer is a stream.Transactions over a ledger.
type writer struct {
	l     *ledger
	index int
	now   []string
}

func (w *writer) Open(ctx *gearcore.Context) error {
	w.index = ctx.Index
	return nil
}

func (w *writer) Write(v string, _ time.Time) error {
	w.now = append(w.now, v)
	return nil
}

func (w *writer) Prepare(epoch uint64) (string, error) {
	if len(w.now) == 0 {
		return "", nil
	}
	name := fmt.Sprintf("%d-%d", epoch, w.index)
	w.l.prepared[name] = w.now
	w.now = nil
	return name, nil
}

func (w *writer) Commit(name string) error {
	if w.l.panics > 0 {
		w.l.panics--
		panic("a bug")
	}
	if w.l.refuse > 0 {
		w.l.refuse--
		return errors.New("not now")
	}
	w.l.visible = append(w.l.visible, w.l.prepared[name]...)
	delete(w.l.prepared, name)
	return nil
}

func (w *writer) Abort(keep []string) error {
	w.now = nil
	for name := range w.l.prepared {
		if !slices.Contains(keep, name) {
			delete(w.l.prepared, name)
		}
	}
	return nil
}

func (w *writer) Close() {}

// shows checks what is visible.
func (l *ledger) shows(t *testing.T, want ...string) {
	t.Helper()
	got := slices.Clone(l.visible)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("visible is %v, want %v", got, want)
	}
}

func TestTransactionalSinksShowEveryValueOnce(t *testing.T) {
	l := newLedger()
	top := stream.New("t")
	in := stream.From(top, "in", stream.Slice[string](nil), stream.Parallelism(2))
	stream.To(in, "out", stream.Transactional(func() stream.Transactions[string] { return &writer{l: l} }), stream.Parallelism(3))
	h := streamtest.Run(t, top, streamtest.Sinks())
	h.Send("in", "a", "b", "c")
	l.shows(t)
	h.Checkpoint()
	l.shows(t, "a", "b", "c")
	h.Send("in", "d").Rollback()
	l.shows(t, "a", "b", "c")
	h.Checkpoint()
	l.shows(t, "a", "b", "c", "d")
	h.Send("in", "e", "f").Rescale("out", 1)
	l.shows(t, "a", "b", "c", "d", "e", "f")
	l.refuse = 1
	h.Send("in", "g").Checkpoint()
	l.shows(t, "a", "b", "c", "d", "e", "f")
	h.Advance(time.Second) // it is tried again
	l.shows(t, "a", "b", "c", "d", "e", "f", "g")
	l.refuse = 1
	h.Send("in", "h").Checkpoint().Crash() // the commit that failed is made good by the next life
	l.shows(t, "a", "b", "c", "d", "e", "f", "g", "h")
	if errs := h.Errors(); len(errs) != 2 {
		t.Errorf("errors %v", errs)
	}
}

// TestCommitThatPanics: what Commit panics with is an error of the component, and the transaction is committed later.
func TestCommitThatPanics(t *testing.T) {
	l := newLedger()
	top := stream.New("t")
	in := stream.From(top, "in", stream.Slice[string](nil))
	stream.To(in, "out", stream.Transactional(func() stream.Transactions[string] { return &writer{l: l} }))
	h := streamtest.Run(t, top, streamtest.Sinks())
	l.panics = 1
	h.Send("in", "a").Checkpoint()
	if errs := h.Errors(); len(errs) != 1 || !errors.As(errs[0], new(*gearcore.PanicError)) {
		t.Errorf("errors %v", errs)
	}
	h.Advance(time.Second)
	l.shows(t, "a")
}

// engineSource is a source as gearcore/connect has them: numbers, with ids, up to its end.
type engineSource struct {
	next, acked int64
	active      bool
}

func (s *engineSource) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (s *engineSource) Next(c *gearcore.Collector) error {
	if s.next == 4 {
		return gearcore.ErrIdle
	}
	if s.acked != s.next || !s.active {
		return fmt.Errorf("%d of %d acked, active %v", s.acked, s.next, s.active)
	}
	s.next++
	c.EmitID(gearcore.Long(s.next), s.next, fmt.Sprint("n", s.next))
	return nil
}
func (s *engineSource) Ack(gearcore.Value, *gearcore.Collector)  { s.acked++ }
func (s *engineSource) Fail(gearcore.Value, *gearcore.Collector) {}
func (s *engineSource) Activate(*gearcore.Collector)             { s.active = true }
func (s *engineSource) Deactivate(*gearcore.Collector)           { s.active = false }
func (s *engineSource) Close()                                   {}
func (s *engineSource) Watermark() gearcore.Watermark {
	if s.next == 4 {
		return gearcore.End
	}
	return gearcore.Watermark(s.next * 1000)
}

func (s *engineSource) Freeze(uint64) (gearcore.Frozen, error) { return number(s.next), nil }
func (s *engineSource) Restore(r *gearcore.Recovery) error {
	s.next, s.acked = 0, 0
	for _, p := range r.Parts {
		if err := json.Unmarshal(p.Inline, &s.next); err != nil {
			return err
		}
		s.acked = s.next
	}
	return nil
}

type number int64

func (n number) Save(context.Context, gearcore.Vault) (gearcore.Part, error) {
	return gearcore.Part{Inline: fmt.Append(nil, int64(n))}, nil
}
func (number) Drop() {}

// engineSink is a task as gearcore/connect has them.
type engineSink struct{ got *[]string }

func (s engineSink) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (s engineSink) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	*s.got = append(*s.got, strings.Join(t.Fields(), ",")+"="+t.String(0)+"/"+fmt.Sprint(t.Int(1)))
	c.Ack(t)
	return nil
}
func (s engineSink) Close() {}

func TestSourcesAndTasksOfTheEngine(t *testing.T) {
	var got []string
	declare := func() *stream.Topology {
		top := stream.New("t")
		in := stream.FromSource(top, "in", func() (gearcore.Source, error) { return &engineSource{}, nil },
			func(vals []gearcore.Value) (Click, time.Time, error) {
				return Click{User: vals[1].Str(), N: int(vals[0].Int())}, time.Unix(vals[0].Int(), 0), nil
			})
		row := stream.Row(func(dst []gearcore.Value, c Click) []gearcore.Value {
			return append(dst, gearcore.Str(c.User), gearcore.Long(int64(c.N)))
		}, "user", "n")
		stream.ToTask(in, "out", func() (gearcore.Task, error) { return engineSink{&got}, nil }, stream.WithCodec(row))
		return top
	}
	h := streamtest.Run(t, declare(), streamtest.Sinks(), streamtest.Sources())
	h.Checkpoint().Crash()
	if want := []string{"user,n=n1/1", "user,n=n2/2", "user,n=n3/3", "user,n=n4/4"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if errs := h.Errors(); errs != nil {
		t.Error(errs)
	}
	h = streamtest.Run(t, declare())
	h.Send("in", at(1, Click{User: "a", N: 2})).Expect("out", []any{"a", int64(2)})
}

func TestSourcesOfThePackage(t *testing.T) {
	top := stream.New("t")
	end(stream.From(top, "slice", stream.Slice([]int{1, 2, 3, 4, 5}), stream.Parallelism(2)), "of-slice")
	end(stream.From(top, "generated", stream.Generate(func(i int64) (int64, error) {
		if i == 3 {
			return 0, stream.ErrEnd
		}
		return i * i, nil
	})), "of-function")
	h := streamtest.Run(t, top, streamtest.Sources())
	h.Expect("of-slice", 1, 2, 3, 4, 5).Expect("of-function", int64(0), int64(1), int64(4))
	h.Checkpoint().Rescale("slice", 3).Expect("of-slice").Expect("of-function")
}
