package storm

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
	"github.com/gearstorm/gearstorm/gearcore/state"
	dsl "github.com/gearstorm/gearstorm/gearcore/stream"
)

// windowStore keeps the tuples of a task's windows in its state, so that they are in checkpoints, which cost what came and what left, and
// that they may outgrow memory. They are numbered in the order in which they came. It belongs to the task.
type windowStore struct {
	tuples *state.Value[uint64, keptTuple]
	marks  *state.Value[string, windowMarks]
	next   uint64 // number of the next tuple

	// layout has the streams that kept tuples name. What a layout says of a stream it says for ever: with a new one there is a new layout.
	layout atomic.Pointer[gearcore.Layout]
	from   *gearcore.Layout // the tuples' own
	places []int32          // by stream of from: its place in layout, plus one; 0: not known
}

// The handles of a windowStore. There is one entry of marks.
const (
	windowHandle = "window"
	marksHandle  = "window.marks"
	marksKey     = "all"
)

// keptTuple is a tuple of a window.
type keptTuple struct {
	t      Tuple
	at     int64
	stream int32 // its place in windowMarks.Streams
}

// keptStream is a stream that tuples came from.
type keptStream struct {
	Component, Name string
	Fields          []string
}

// numbers are those from From to To, with both.
type numbers struct{ From, To uint64 }

// newWindowStore registers with s. All of it stands in one key group, that of the task's state.
func newWindowStore(s *state.Store, l *gearcore.Layout, group int) (*windowStore, error) {
	marks, err := dsl.StateCodec[windowMarks]()
	if err != nil {
		return nil, err
	}
	w := &windowStore{}
	w.clear(l)
	byNumber := state.KeyCodec[uint64](inGroup[uint64]{state.Ints[uint64](), group})
	byText := state.KeyCodec[string](inGroup[string]{state.Strings[string](), group})
	w.tuples = state.NewValue(s, windowHandle, byNumber, state.Codec[keptTuple](keptTuples{w}))
	w.marks = state.NewValue(s, marksHandle, byText, marks)
	return w, nil
}

// inGroup is the codec of keys that are all of one group.
type inGroup[K comparable] struct {
	state.KeyCodec[K]
	group int
}

func (g inGroup[K]) Group(*K, gearcore.HashMode) int { return g.group }

// clear begins with no streams. l is whatever the task's layout is.
func (w *windowStore) clear(l *gearcore.Layout) {
	own := *l
	own.Streams = nil
	w.layout.Store(&own)
	w.from, w.places, w.next = nil, nil, 0
}

// add keeps a tuple and returns its number.
func (w *windowStore) add(t Tuple, at int64) uint64 {
	n := w.next
	w.next++
	w.tuples.Set(n, keptTuple{t, at, w.place(t)})
	return n
}

// tuple returns the tuple with that number, which is kept.
func (w *windowStore) tuple(n uint64) Tuple {
	k, ok := w.tuples.Peek(n)
	if !ok {
		panic(fmt.Sprintf("storm: tuple %d of a window is lost", n))
	}
	return k.t
}

func (w *windowStore) forget(n uint64) { w.tuples.Delete(n) }

// place returns the place of the stream of t in layout.
func (w *windowStore) place(t Tuple) int32 {
	if l := t.Batch().Layout; l != w.from {
		w.from, w.places = l, make([]int32, len(l.Streams))
	}
	id := t.Row().Stream
	if w.places[id] == 0 {
		w.places[id] = w.newPlace(&w.from.Streams[id]) + 1
	}
	return w.places[id] - 1
}

func (w *windowStore) newPlace(s *gearcore.Stream) int32 {
	now := w.layout.Load()
	i := slices.IndexFunc(now.Streams, func(o gearcore.Stream) bool {
		return o.Component == s.Component && o.Name == s.Name && slices.Equal(o.Fields, s.Fields)
	})
	if i < 0 {
		i = len(now.Streams)
		next := *now
		next.Streams = append(slices.Clip(now.Streams), *s)
		w.layout.Store(&next)
	}
	return int32(i)
}

// freeze puts m into the state, with what the queue knows of the tuples.
func (w *windowStore) freeze(q *windowQueue, m *windowMarks) {
	m.Next = w.next
	for _, s := range w.layout.Load().Streams {
		m.Streams = append(m.Streams, keptStream{s.Component, s.Name, s.Fields})
	}
	before := false // the event before is in the window
	for i := range q.events {
		e := &q.events[i]
		in := !q.lazy && e.in == q.seq && q.seq > 0
		switch {
		case in && before:
			m.Window[len(m.Window)-1].To = e.n
		case in:
			m.Window = append(m.Window, numbers{e.n, e.n})
		}
		before = in
	}
	for _, e := range q.expired {
		if last := len(m.Left) - 1; last >= 0 && m.Left[last].To+1 == e.n {
			m.Left[last].To = e.n
		} else {
			m.Left = append(m.Left, numbers{e.n, e.n})
		}
	}
	w.marks.Set(marksKey, *m)
}

// restore has load fill the state and returns what is in it: the marks, the tuples in the queue and those that left since the last window.
func (w *windowStore) restore(l *gearcore.Layout, load func() error) (m windowMarks, events, left []windowEvent, err error) {
	w.clear(l)
	if err = load(); err != nil {
		return m, nil, nil, err
	}
	m, _ = w.marks.Get(marksKey)
	w.next = m.Next
	own := w.layout.Load() // nobody but the tuples of the state has it yet
	for _, s := range m.Streams {
		own.Streams = append(own.Streams, gearcore.Stream{Component: s.Component, Name: s.Name, Fields: s.Fields})
	}
	w.tuples.Each(func(n uint64, k keptTuple) bool {
		if k.stream < 0 || int(k.stream) >= len(own.Streams) || n >= m.Next {
			err = fmt.Errorf("%w: tuple %d of %d in windows, of stream %d of %d", state.ErrCorrupt, n, m.Next, k.stream, len(own.Streams))
		}
		events = append(events, windowEvent{n: n, at: k.at})
		return err == nil
	})
	slices.SortFunc(events, func(a, b windowEvent) int { return cmp.Compare(a.n, b.n) })
	for _, r := range m.Window {
		within(events, r, func(e *windowEvent) { e.in = m.Triggers })
	}
	events, left = apart(events, m.Left)
	return m, events, left, err
}

// apart takes out of events, which are in order, those that left, and returns them in the order in which they did.
func apart(events []windowEvent, left []numbers) (stay, gone []windowEvent) {
	out := map[uint64]bool{}
	for _, r := range left {
		within(events, r, func(e *windowEvent) {
			if !out[e.n] {
				gone = append(gone, *e)
			}
			out[e.n] = true
		})
	}
	return slices.DeleteFunc(events, func(e windowEvent) bool { return out[e.n] }), gone
}

// within calls f with those of events, which are in order, that have one of these numbers.
func within(events []windowEvent, r numbers, f func(e *windowEvent)) {
	i, _ := slices.BinarySearchFunc(events, r.From, func(e windowEvent, n uint64) int { return cmp.Compare(e.n, n) })
	for ; i < len(events) && events[i].n <= r.To; i++ {
		f(&events[i])
	}
}

// keptTuples is the codec of keptTuple: the place of the stream, the task that it came from, its time, and its values.
type keptTuples struct{ w *windowStore }

func (keptTuples) Schema() string { return "tuple" }

func (keptTuples) Append(buf []byte, k *keptTuple) ([]byte, error) {
	buf = binary.AppendUvarint(buf, uint64(k.stream))
	buf = binary.AppendVarint(buf, int64(k.t.SourceTask()))
	buf = binary.AppendVarint(buf, k.at)
	vals := k.t.Values()
	buf, err := codec.AppendAll(codec.AppendLen(buf, len(vals)), vals)
	if err != nil {
		err = fmt.Errorf("keep a tuple of %s in a window: %w", k.t.Component(), err)
	}
	return buf, err
}

func (c keptTuples) Reader(schema string) (state.Read[keptTuple], error) {
	if schema != c.Schema() {
		return nil, fmt.Errorf("a tuple of a window was written as %q, want %q", schema, c.Schema())
	}
	return func(r *codec.Reader, k *keptTuple) {
		stream, task := r.Uvarint(), r.Varint()
		k.at = r.Varint()
		vals := r.Values(nil, r.Count(1))
		if k.stream = int32(stream); uint64(k.stream) != stream || int64(TaskID(task)) != task {
			r.Fail("a tuple of stream %d and task %d", stream, task)
		}
		if r.Err == nil {
			k.t = gearcore.NewTuple(c.w.layout.Load(), gearcore.StreamID(k.stream), TaskID(task), vals...)
		}
	}, nil
}

// MarshalJSON shows a tuple to people.
func (k keptTuple) MarshalJSON() ([]byte, error) {
	vals := make([]any, 0, k.t.Len())
	for _, v := range k.t.Values() {
		vals = append(vals, v.Any())
	}
	return state.JSON(struct {
		Component string   `json:"component"`
		Stream    string   `json:"stream"`
		Task      TaskID   `json:"task"`
		Time      int64    `json:"time"`
		Fields    []string `json:"fields"`
		Values    []any    `json:"values"`
	}{k.t.Component(), k.t.Stream(), k.t.SourceTask(), k.at, k.t.Fields(), vals})
}
