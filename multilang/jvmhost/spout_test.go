package jvmhost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// spoutSink is what a spout emits into.
type spoutSink struct {
	ids    []int64
	paused bool
	errs   []error
}

func (s *spoutSink) Output(string) int { return 0 }
func (s *spoutSink) Emit(e *gearcore.Emission, _ []gearcore.Value) ([]gearcore.TaskID, error) {
	return nil, s.EmitTo(e, nil, nil)
}
func (s *spoutSink) EmitTo(e *gearcore.Emission, _ []gearcore.TaskID, _ []gearcore.Value) error {
	s.ids = append(s.ids, e.ID.Int())
	return nil
}
func (*spoutSink) Ack(gearcore.Tuple)          {}
func (*spoutSink) Fail(gearcore.Tuple)         {}
func (*spoutSink) ResetTimeout(gearcore.Tuple) {}
func (s *spoutSink) Pause()                    { s.paused = true }
func (s *spoutSink) Resume()                   { s.paused = false }
func (s *spoutSink) ReportError(err error)     { s.errs = append(s.errs, err) }
func (*spoutSink) Async() *gearcore.Async      { return nil }

// spoutRig is a spout with a channel that nobody writes to a connection.
type spoutRig struct {
	*testing.T
	sink *spoutSink
	c    *gearcore.Collector
	s    *Spout
	ch   *channel
}

func newSpoutRig(t *testing.T, maxPending int) *spoutRig {
	t.Helper()
	h, err := NewHost(Config{Args: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.NewSpout(Spec{Outputs: []Output{{Stream: "default"}}, MaxPending: maxPending})
	if err != nil {
		t.Fatal(err)
	}
	s.outs = []int{0}
	r := &spoutRig{T: t, sink: &spoutSink{}, s: s}
	r.c = gearcore.NewCollector(r.sink)
	r.life()
	return r
}

// life begins another life of the process.
func (r *spoutRig) life() {
	r.ch = &channel{t: &r.s.task}
	r.ch.cond.L = &r.ch.mu
	r.s.up(r.c, r.ch)
}

// sent returns the frames since the last call, a kind and a body each.
func (r *spoutRig) sent() (frames [][]byte) {
	r.Helper()
	buf := r.ch.out
	r.ch.out, r.ch.tail = nil, 0
	for len(buf) > 0 {
		kind, body, rest, _, err := nextFrame(buf)
		if err != nil || body == nil {
			r.Fatalf("what was sent is cut off or bad: %v", err)
		}
		frames, buf = append(frames, append([]byte{kind}, body...)), rest
	}
	return frames
}

// next calls Next and returns how many calls each frame grants.
func (r *spoutRig) next() (calls []uint64) {
	r.Helper()
	if err := r.s.Next(r.c); err != nil && !errors.Is(err, gearcore.ErrIdle) {
		r.Fatal(err)
	}
	for _, f := range r.sent() {
		if f[0] != frameNext {
			r.Fatalf("frame %v, want one that grants calls", f)
		}
		n, _ := binary.Uvarint(f[1:])
		calls = append(calls, n)
	}
	return calls
}

// reply has Java emit n tracked tuples and work off frames up to done.
func (r *spoutRig) reply(n int, done uint64) error {
	r.Helper()
	rp := &reply{spout: true}
	body := binary.LittleEndian.AppendUint32(nil, uint32(n))
	for range n {
		body = append(body, bitHead|numbered<<anchorShift, 0, 1, 0)
	}
	if n > 0 {
		if err := rp.add(frameEmit, body, 1, &gearcore.Chunk{}); err != nil {
			r.Fatal(err)
		}
	}
	rp.consumed = done
	return r.s.do(r.c, rp)
}

// TestSpoutGrantsAhead: two frames of calls are under way while something is emitted, one after a frame without, and Next
// says once that there was nothing.
func TestSpoutGrantsAhead(t *testing.T) {
	r := newSpoutRig(t, 0)
	if got := r.next(); !slices.Equal(got, []uint64{callsAtOnce, callsAtOnce}) || !r.sink.paused || !r.s.Holding() {
		t.Fatalf("granted %v, paused %v", got, r.sink.paused)
	}
	if err := r.reply(3, 1); err != nil || r.sink.paused {
		t.Fatalf("after a frame: %v, paused %v", err, r.sink.paused)
	}
	if got := r.next(); !slices.Equal(got, []uint64{callsAtOnce}) {
		t.Errorf("then granted %v", got)
	}
	if err := r.reply(0, 3); err != nil {
		t.Fatal(err)
	}
	if err := r.s.Next(r.c); !errors.Is(err, gearcore.ErrIdle) || len(r.sent()) > 0 {
		t.Errorf("after a frame without a tuple: %v", err)
	}
	if got := r.next(); !slices.Equal(got, []uint64{callsAtOnce}) {
		t.Errorf("after the wait %v are granted, want one frame", got)
	}
	if !slices.Equal(r.sink.ids, []int64{1, 2, 3}) {
		t.Errorf("ids are %v", r.sink.ids)
	}
}

// TestSpoutKeepsToMaxPending: calls under way and tuples that have not ended are never more than that together.
func TestSpoutKeepsToMaxPending(t *testing.T) {
	r := newSpoutRig(t, 10)
	if got := r.next(); !slices.Equal(got, []uint64{10}) {
		t.Fatalf("granted %v of 10", got)
	}
	if err := r.reply(7, 1); err != nil {
		t.Fatal(err)
	}
	if got := r.next(); !slices.Equal(got, []uint64{3}) {
		t.Errorf("with 7 in flight %v are granted", got)
	}
	if err := r.reply(3, 2); err != nil {
		t.Fatal(err)
	}
	for id := range int64(4) {
		r.s.Ack(gearcore.Long(id+1), r.c)
	}
	r.s.Fail(gearcore.Long(5), r.c)
	want := [][]byte{{frameEnded, opAck, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0}, {frameEnded, opFail, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}}
	if got := r.sent(); !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("what has ended is told as %v, want %v", got, want)
	}
	if got := r.next(); !slices.Equal(got, []uint64{5}) {
		t.Errorf("with 5 in flight %v are granted", got)
	}
}

// TestSpoutLives: what a lost process emitted ends unheard, and the next one's tuples have numbers of their own.
func TestSpoutLives(t *testing.T) {
	r := newSpoutRig(t, 0)
	r.s.Activate(r.c)
	if got := r.sent(); len(got) != 1 || !bytes.Equal(got[0], []byte{frameStatus, 1}) {
		t.Errorf("activation is told as %v", got)
	}
	r.next()
	if err := r.reply(2, 1); err != nil {
		t.Fatal(err)
	}
	r.s.down(r.c, r.ch)
	if !r.sink.paused || r.s.Holding() {
		t.Error("a spout without a process goes on")
	}
	r.s.Ack(gearcore.Long(1), r.c)
	r.life()
	if got := r.sent(); len(got) != 1 || !bytes.Equal(got[0], []byte{frameStatus, 1}) {
		t.Errorf("the next process hears %v", got)
	}
	r.s.Fail(gearcore.Long(2), r.c)
	r.next()
	if err := r.reply(1, 1); err != nil {
		t.Fatal(err)
	}
	r.s.Ack(gearcore.Long(3), r.c)
	if got := r.sent(); len(got) != 1 || !bytes.Equal(got[0], []byte{frameEnded, opAck, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}) {
		t.Errorf("the end of its first tuple is told as %v", got)
	}
}

// TestSpoutRefuses has what a spout of the other side may not do.
func TestSpoutRefuses(t *testing.T) {
	r := newSpoutRig(t, 0)
	if err := r.reply(0, 1); !isBad(err) {
		t.Errorf("calls done that were not granted: %v", err)
	}
	if err := r.s.do(r.c, &reply{settles: []settled{{opAck, 1, 0, 1}}}); !isBad(err) {
		t.Errorf("a spout that acks: %v", err)
	}
	rp := &reply{spout: true}
	if err := rp.add(frameEmit, []byte{1, 0, 0, 0, bitHead | anchorList<<anchorShift, 0, 1, 0}, 1, &gearcore.Chunk{}); !isBad(err) {
		t.Errorf("a spout that anchors: %v", err)
	}
}

// TestErrorsOfComponents: reported ones go on, the last one ends the task, and both are bounded.
func TestErrorsOfComponents(t *testing.T) {
	r := newSpoutRig(t, 0)
	rp := &reply{spout: true}
	for kind, text := range map[byte]string{frameError: "java.lang.Error: a", frameGone: ""} {
		if err := rp.add(kind, []byte(text), 1, &gearcore.Chunk{}); err != nil {
			t.Fatal(err)
		}
	}
	if rp.gone == "" || len(rp.errors) != 1 {
		t.Errorf("decoded %+v", rp)
	}
	r.s.apply(r.c, r.ch, rp)
	if len(r.sink.errs) != 1 || r.sink.errs[0].Error() != "java.lang.Error: a" {
		t.Errorf("reported: %v", r.sink.errs)
	}
	if err := rp.add(frameError, make([]byte, maxErrorText+1), 1, &gearcore.Chunk{}); !isBad(err) {
		t.Errorf("a text without bounds: %v", err)
	}
}
