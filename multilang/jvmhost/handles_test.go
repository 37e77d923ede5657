package jvmhost

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// sendRows puts a frame with n rows into hs and returns its handle. Row i has the anchor {handle, i}.
func sendRows(hs *handles, n int, now time.Time) uint64 {
	handle, h := hs.next(&gearcore.Batch{}, now)
	var b gearcore.Batch
	for i := range n {
		b.Append(3, 4, []gearcore.Value{gearcore.Str("x")}, []gearcore.RootEdge{{Root: handle, Edge: uint64(i)}})
		h.add(b.Tuple(i))
	}
	h.size = 10 * n
	hs.commit(h)
	return handle
}

func isBad(err error) bool { return errors.Is(err, ErrFrame) }

// TestHandlesModel does what Java may do, in any order, and compares with a plain set of open tuples.
func TestHandlesModel(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		hs := handles{first: 1}
		type id struct {
			handle uint64
			row    uint32
		}
		open, rows := map[id]bool{}, map[uint64]int{}
		var last, done uint64
		now := time.Unix(1000, 0)
		gone := func(tp gearcore.Tuple) {
			r := tp.Roots()[0]
			k := id{r.Root, uint32(r.Edge)}
			if !open[k] {
				t.Fatalf("seed %d: %v ended, but was not open", seed, k)
			}
			delete(open, k)
		}
		for step := range 2000 {
			now = now.Add(time.Second)
			switch op := rnd.IntN(12); {
			case op < 3:
				n := 1 + rnd.IntN(130)
				last = sendRows(&hs, n, now)
				rows[last] = n
				for i := range n {
					open[id{last, uint32(i)}] = true
				}
			case op < 8 && last > 0:
				handle := last - min(last-1, uint64(rnd.IntN(30)))
				from := rnd.IntN(rows[handle])
				n := 1 + rnd.IntN(rows[handle]-from)
				want := 0
				for i := from; i < from+n; i++ {
					if open[id{handle, uint32(i)}] {
						want++
					}
				}
				before := len(open)
				if err := hs.settle(settled{opAck, handle, uint32(from), uint32(n)}, gone); err != nil {
					t.Fatalf("seed %d step %d: %v", seed, step, err)
				}
				if before-len(open) != want {
					t.Fatalf("seed %d step %d: %d tuples ended, want %d", seed, step, before-len(open), want)
				}
			case op < 10 && done < last:
				done += 1 + rnd.Uint64N(last-done)
				if err := hs.consume(done); err != nil {
					t.Fatalf("seed %d step %d: %v", seed, step, err)
				}
			case op == 10 && last > 0:
				k := id{last - min(last-1, uint64(rnd.IntN(30))), 0}
				if tp, ok, err := hs.anchor(at(k)); err != nil || ok != open[k] || ok && tp.Roots()[0].Root != k.handle {
					t.Fatalf("seed %d step %d: anchor %v is %v, %v; want %v", seed, step, k, ok, err, open[k])
				}
			case op == 11 && rnd.IntN(10) == 0:
				for hs.lose(3, gone) {
				}
				if len(open) > 0 {
					t.Fatalf("seed %d step %d: %d tuples did not fail", seed, step, len(open))
				}
				done = last
			}
			var out, bytes int
			for h := done + 1; h <= last; h++ {
				out, bytes = out+1, bytes+10*rows[h]
			}
			if hs.out != out || hs.outBytes != bytes || hs.last() != last {
				t.Fatalf("seed %d step %d: %d frames and %d bytes are out, last %d; want %d, %d, %d", seed, step, hs.out, hs.outBytes, hs.last(), out, bytes, last)
			}
		}
	}
}

func TestHandlesRefuseWhatWasNeverSent(t *testing.T) {
	hs := handles{first: 1}
	first := sendRows(&hs, 5, time.Time{})
	never := func(gearcore.Tuple) { t.Error("a tuple was settled") }
	for name, err := range map[string]error{
		"handle 0":         hs.settle(settled{opAck, 0, 0, 1}, never),
		"next handle":      hs.settle(settled{opAck, first + 1, 0, 1}, never),
		"beyond the rows":  hs.settle(settled{opAck, first, 3, 3}, never),
		"a huge range":     hs.settle(settled{opAck, first, maxFrame, maxFrame}, never),
		"no rows":          hs.settle(settled{opAck, first, 0, 0}, never),
		"executed nothing": hs.consume(0),
		"executed more":    hs.consume(first + 1),
	} {
		if !isBad(err) {
			t.Errorf("%s: %v, want ErrFrame", name, err)
		}
	}
	if _, _, err := hs.anchor(at{first, 5}); !isBad(err) {
		t.Errorf("anchor beyond the rows: %v, want ErrFrame", err)
	}
	if err := hs.consume(first); err != nil {
		t.Error(err)
	}
	if err := hs.consume(first); !isBad(err) {
		t.Errorf("executed twice: %v, want ErrFrame", err)
	}
}

// A frame of which a tuple is reset is kept for as long as that goes on, the one behind it is not.
func TestHandlesRenew(t *testing.T) {
	hs := handles{first: 1}
	start := time.Unix(1000, 0)
	held, other := sendRows(&hs, 2, start), sendRows(&hs, 3, start)
	hs.renew(held, start.Add(time.Minute))
	if n := hs.forget(start.Add(time.Second)); n != 3 {
		t.Errorf("%d tuples were forgotten, want the 3 of the other frame", n)
	}
	for h, want := range map[uint64]bool{held: true, other: false} {
		if _, open, err := hs.anchor(at{h, 1}); err != nil || open != want {
			t.Errorf("frame %d is open: %v (%v), want %v", h, open, err, want)
		}
	}
}

// TestHandlesForget gives up what nobody settled, but not the room of what Java has not executed.
func TestHandlesForget(t *testing.T) {
	hs := handles{first: 1}
	start := time.Unix(1000, 0)
	a, b := sendRows(&hs, 5, start), sendRows(&hs, 7, start.Add(time.Second))
	c := sendRows(&hs, 9, start.Add(time.Minute))
	if err := hs.consume(a); err != nil {
		t.Fatal(err)
	}
	if n := hs.forget(start.Add(2 * time.Second)); n != 12 {
		t.Errorf("%d tuples were forgotten, want 12", n)
	}
	if n := hs.forget(start.Add(2 * time.Second)); n != 0 {
		t.Errorf("%d tuples were forgotten again", n)
	}
	if hs.out != 2 || hs.outBytes != 160 || hs.first != b {
		t.Errorf("%d frames and %d bytes are out and %d is the first, want 2, 160 and %d", hs.out, hs.outBytes, hs.first, b)
	}
	for _, h := range []uint64{a, b} {
		if err := hs.settle(settled{opAck, h, 0, 5}, func(gearcore.Tuple) { t.Error("a forgotten tuple was settled") }); err != nil {
			t.Errorf("late ack: %v", err)
		}
	}
	if err := hs.consume(c); err != nil {
		t.Error(err)
	}
	var failed int
	if hs.lose(10, func(gearcore.Tuple) { failed++ }); failed != 9 {
		t.Errorf("%d tuples failed, want 9", failed)
	}
}

func TestDecodeReply(t *testing.T) {
	rp := &reply{}
	body := []byte{3, 0, 0, 0,
		bitHead | anchorList<<anchorShift, 1, 3, 10, 12, 1, 2, 7, 0, 7, 1, byte(gearcore.KindBool), 1, // to tasks 5 and 6, anchored to 7/0 and 7/1
		anchorNext << anchorShift, byte(gearcore.KindNull), // 7/2, same tasks
		bitHead | anchorNone<<anchorShift, 0, 0, 0, // Go routes, no values
	}
	var ts gearcore.Chunk
	if err := rp.add(frameEmit, body, 2, &ts); err != nil {
		t.Fatal(err)
	}
	if len(rp.rows) != 3 || !slices.Equal(rp.tasks, []gearcore.TaskID{5, 6}) || !slices.Equal(rp.anchors, []at{{7, 0}, {7, 1}, {7, 2}}) {
		t.Fatalf("decoded %+v", rp)
	}
	if a, b := rp.rows[0], rp.rows[1]; a.tasks != b.tasks || !a.routed || a.output != 1 || b.anchors != (span{2, 1}) || b.vals.n != 1 {
		t.Errorf("rows are %+v and %+v", a, b)
	}
	if c := rp.rows[2]; c.routed || c.output != 0 || c.anchors.n != 0 || c.vals.n != 0 {
		t.Errorf("last row is %+v", c)
	}
}

// TestRowsAreBounded has frames with more rows than are allowed, or than they hold: nothing is made of them.
func TestRowsAreBounded(t *testing.T) {
	frame := func(claimed uint32, rows int) []byte {
		body := append(binary.LittleEndian.AppendUint32(nil, claimed), bitHead, 0, 0, 0)
		return append(body, make([]byte, rows-1)...) // each with the head of the first, no anchors and no values
	}
	for _, c := range []struct {
		name string
		body []byte
	}{
		{"too many", frame(maxRows+1, maxRows+1)},
		{"a frame full of them", frame(maxFrame-8, maxFrame-8)},
		{"more than there are bytes", frame(60_000, 50_000)},
		{"all that a number holds", frame(1<<32-1, 1)},
	} {
		rp := &reply{}
		if err := rp.add(frameEmit, c.body, 1, &gearcore.Chunk{}); !isBad(err) || cap(rp.rows) > 0 {
			t.Errorf("%s: %v with room for %d rows, want ErrFrame and none", c.name, err, cap(rp.rows))
		}
	}
	rp := &reply{}
	if err := rp.add(frameEmit, frame(maxRows, maxRows), 1, &gearcore.Chunk{}); err != nil || len(rp.rows) != maxRows {
		t.Errorf("as many as are allowed: %v, %d rows", err, len(rp.rows))
	}
}

func FuzzReply(f *testing.F) {
	f.Add(frameEmit, []byte{1, 0, 0, 0, bitHead, 0, 2, 4, 1, byte(gearcore.KindLong), 9})
	f.Add(frameEmit, []byte{2, 0, 0, 0, bitHead | anchorList<<anchorShift, 1, 0, 1, 1, 1, 0, byte(gearcore.KindString), 1, 'a', anchorNext << anchorShift, byte(gearcore.KindMap), 1, 0, 0})
	f.Add(frameEmit, []byte{255, 255, 255, 255, bitHead, 0, 0, 0, 0, 0})
	f.Add(frameSettle, []byte{1, 1, 0, 1, 2, 1, 1, 3})
	f.Add(frameConsumed, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	for _, v := range everyKind() {
		if b, err := codec.Append([]byte{1, 0, 0, 0, bitHead, 0, 0, 1}, v); err == nil && len(b) < 1000 {
			f.Add(frameEmit, b)
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		rp := &reply{}
		var ts gearcore.Chunk
		if err := rp.add(kind, body, 2, &ts); err != nil {
			if !isBad(err) {
				t.Fatalf("%v is not ErrFrame", err)
			}
			return
		}
		if len(rp.rows)+len(rp.settles) > len(body) || len(rp.vals) > len(body) || len(rp.tasks) > len(body) || len(rp.anchors) > len(body) {
			t.Fatalf("%d bytes made %d rows, %d values, %d tasks, %d anchors", len(body), len(rp.rows), len(rp.vals), len(rp.tasks), len(rp.anchors))
		}
		for _, r := range rp.rows {
			if r.output >= 2 || int(r.vals.off+r.vals.n) > len(rp.vals) || int(r.tasks.off+r.tasks.n) > len(rp.tasks) || int(r.anchors.off+r.anchors.n) > len(rp.anchors) {
				t.Fatalf("row %+v goes beyond its slabs", r)
			}
		}
		for i, v := range rp.vals {
			buf, err := codec.Append(nil, v)
			if err != nil {
				t.Fatalf("value %d cannot be sent back: %v", i, err)
			}
			r := codec.NewReader(buf, ErrFrame)
			if w := r.Value(); r.Err != nil || len(r.Rest) > 0 || !w.Equal(v) && w.Float() == w.Float() {
				t.Fatalf("value %d is %v %s, and came back as %v %s, %v", i, v.Kind(), v.Text(), w.Kind(), w.Text(), r.Err)
			}
		}
	})
}

// TestNothingIsAllocatedForATuple: neither on the way out nor on the way back, but for texts, which may be kept.
func TestNothingIsAllocatedForATuple(t *testing.T) {
	var in gearcore.Batch
	for i := range 256 {
		in.Append(0, 1, []gearcore.Value{gearcore.Str("some text"), gearcore.Long(int64(i))}, []gearcore.RootEdge{{Root: 1, Edge: 2}})
	}
	hs := handles{first: 1}
	var buf []byte
	out := testing.AllocsPerRun(100, func() {
		handle, h := hs.next(&in, time.Time{})
		buf, _, _ = appendBatch(buf[:0], handle, h, &in, 0, nil)
		hs.commit(h)
		if err := hs.settle(settled{opAck, handle, 0, 256}, func(gearcore.Tuple) {}); err != nil {
			t.Fatal(err)
		}
		if err := hs.consume(handle); err != nil {
			t.Fatal(err)
		}
	})
	body := []byte{0, 1, 0, 0, bitHead | anchorList<<anchorShift, 0, 2, 10, 1, 1, 7, 0, byte(gearcore.KindLong), 9}
	for range 255 {
		body = append(body, anchorNext<<anchorShift, byte(gearcore.KindLong), 9)
	}
	rp, ts := &reply{}, gearcore.Chunk{}
	back := testing.AllocsPerRun(100, func() {
		rp.reset()
		if err := rp.add(frameEmit, body, 1, &ts); err != nil {
			t.Fatal(err)
		}
	})
	if out > 6 || back > 0 { // what is held of the batch: itself, rows, anchors, bits, and the table grows now and then
		t.Errorf("a batch of 256 makes %v allocations on its way out and %v back, want at most 6 and 0", out, back)
	}
}
