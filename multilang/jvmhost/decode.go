package jvmhost

import (
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// span is a part of a slab of a reply.
type span struct{ off, n uint32 }

// emitted is one row that Java emitted. Its parts are in the slabs of its reply.
type emitted struct {
	output  uint32
	routed  bool // tasks are the receivers; else Go's groupings choose
	tracked bool // of a spout: it has the next number
	export  bool // Java keeps trees of it, and has numbered it too
	tasks   span
	anchors span
	vals    span
}

// at is a tuple by handle and row.
type at struct {
	handle uint64
	row    uint32
}

// What becomes of tuples: those of a bolt's input, and of a spout's trees.
const (
	opAck   byte = 1
	opFail  byte = 2
	opReset byte = 3 // the timeout of a bolt's tuple begins anew
)

// settled is a range of rows that Java acked or failed, or that need more time.
type settled struct {
	op      byte
	handle  uint64
	from, n uint32
}

// reply is what came from Java in one read: all it emitted, then all it settled, then up to where it has executed. It is
// used again and again.
type reply struct {
	rows     []emitted
	vals     []gearcore.Value
	tasks    []gearcore.TaskID
	anchors  []at
	settles  []settled
	errors   []string // reported by the component
	gone     string   // why the task cannot go on; "": it can
	stats    []stat   // of what did not pass Go
	exports  int      // rows with trees in Java
	left     bool     // nothing is under way to the task within Java
	ready    bool     // the component is prepared
	keeps    bool     // it has a state
	state    []byte   // of it, a piece
	frozen   uint64   // the checkpoint that all of it was said for; 0: none
	noState  string   // why there is none; "": there is
	idle     bool     // of a spout: the last frame of calls emitted nothing
	told     bool     // of a spout: idle was said
	consumed uint64   // 0: nothing said
	bytes    int      // of all frames
	credit   int      // of emit frames

	spout bool                      // of a spout's channel
	apply func(*gearcore.Collector) // does what it says, in the executor
}

func (rp *reply) reset() {
	clear(rp.vals) // lets go of texts
	*rp = reply{rows: rp.rows[:0], vals: rp.vals[:0], tasks: rp.tasks[:0], anchors: rp.anchors[:0], settles: rp.settles[:0],
		stats: rp.stats[:0], state: rp.state[:0], spout: rp.spout, apply: rp.apply}
}

// add decodes one frame. Memory grows only with what the frame really holds, which is bounded: by maxRows, and for the
// values by its length.
func (rp *reply) add(kind byte, body []byte, outputs int, ts *gearcore.Chunk) error {
	r := codec.NewReader(body, ErrFrame)
	r.Texts = ts
	size := frameHeader + 1 + len(body)
	rp.bytes += size
	switch kind {
	case frameEmit:
		rp.credit += size
		rp.emits(&r, outputs)
	case frameSettle:
		for len(r.Rest) > 0 {
			rp.settle(&r)
		}
	case frameConsumed:
		h := r.Uint64()
		if h <= rp.consumed {
			r.Fail("executed up to %d after %d", h, rp.consumed)
		}
		rp.consumed = h
		if rp.spout && len(r.Rest) > 0 {
			rp.told, rp.idle = true, r.Byte() == 0
		}
	case frameStats:
		for len(r.Rest) > 0 {
			rp.stat(&r)
		}
	case frameLeft:
		rp.left = true
	case frameReady:
		rp.ready, rp.keeps = true, r.Byte() == 1
	case frameState:
		rp.state = append(rp.state, r.Rest...)
		r.Rest = nil
	case frameFrozen:
		if rp.frozen != 0 {
			r.Fail("the state at checkpoint %d and another one", rp.frozen)
		}
		rp.frozen, rp.noState = r.Uint64(), errorText(&r)
	case frameError, frameGone:
		text := errorText(&r)
		if kind == frameError {
			rp.errors = append(rp.errors, text)
		} else if rp.gone = text; text == "" {
			rp.gone = "no reason was given"
		}
	default:
		r.Fail("kind %d", kind)
	}
	if r.Err == nil && len(r.Rest) > 0 {
		r.Fail("%d bytes too many", len(r.Rest))
	}
	return r.Err
}

// errorText reads a text to the end of the frame.
func errorText(r *codec.Reader) string {
	text := string(r.Rest)
	if r.Rest = nil; len(text) > maxErrorText {
		r.Fail("text of an error with %d bytes, allowed are %d", len(text), maxErrorText)
	}
	return text
}

func (rp *reply) settle(r *codec.Reader) {
	op, handle, from, n := r.Byte(), r.Uvarint(), r.Uvarint(), r.Uvarint()
	if op < opAck || op > opReset || from > maxFrame || n > maxFrame {
		r.Fail("settle %d of %d rows from %d", op, n, from)
		return
	}
	rp.settles = append(rp.settles, settled{op, handle, uint32(from), uint32(n)})
}

// maxCount bounds what Java counts at a time, which is what happened in about a second.
const maxCount = 1 << 40

func (rp *reply) stat(r *codec.Reader) {
	what, stream, n, a, b := r.Byte(), r.Uvarint(), r.Uvarint(), r.Uvarint(), r.Uvarint()
	if what < statEmitted || what > statTook || n > maxCount || a > 1<<62 || b > maxCount {
		r.Fail("count %d of %d tuples", what, n)
		return
	}
	rp.stats = append(rp.stats, stat{what, stream, int(n), int64(a), int64(b)})
}

func (rp *reply) emits(r *codec.Reader, outputs int) {
	n := r.Uint32()
	if n > maxRows || int(n) > len(r.Rest) {
		r.Fail("%d rows in %d bytes, allowed are %d", n, len(r.Rest), maxRows)
		return
	}
	var head emitted
	var arity int
	var last at
	for i := uint32(0); i < n && r.Err == nil; i++ {
		bits := r.Byte()
		if bits&^knownBits != 0 || i == 0 && bits&bitHead == 0 {
			r.Fail("row with bits %#x", bits)
			return
		}
		if bits&bitHead != 0 {
			head, arity = rp.head(r, outputs)
		}
		if head.export = bits&bitExport != 0; head.export {
			rp.exports++
		}
		if form := bits >> anchorShift & 3; rp.spout {
			if head.tracked = form == numbered; form > numbered {
				r.Fail("row of a spout with bits %#x", bits)
			}
		} else {
			head.anchors = rp.anchored(r, form, &last)
		}
		head.vals.off, head.vals.n = uint32(len(rp.vals)), uint32(arity)
		rp.vals = r.Values(rp.vals, arity)
		rp.rows = append(rp.rows, head)
	}
}

// head reads the stream, the receivers and the number of values of a row.
func (rp *reply) head(r *codec.Reader, outputs int) (head emitted, arity int) {
	output := r.Uvarint()
	if output >= uint64(outputs) {
		r.Fail("emit on output %d of %d", output, outputs)
		return head, 0
	}
	head.output = uint32(output)
	head.tasks.off = uint32(len(rp.tasks))
	if n := r.Uvarint(); n > 0 {
		head.routed = true
		for ; n > 1 && r.Err == nil; n-- {
			t := r.Varint()
			if t != int64(int32(t)) {
				r.Fail("task %d", t)
			}
			rp.tasks = append(rp.tasks, gearcore.TaskID(t))
		}
		head.tasks.n = uint32(len(rp.tasks)) - head.tasks.off
	}
	return head, r.Count(1)
}

// anchored reads the anchors of a row. last is the anchor before them, and becomes the last of them.
func (rp *reply) anchored(r *codec.Reader, form byte, last *at) span {
	off := uint32(len(rp.anchors))
	switch form {
	case anchorNone:
		return span{}
	case anchorNext:
		last.row++
		rp.anchors = append(rp.anchors, *last)
	case anchorSame:
		rp.anchors = append(rp.anchors, *last)
	case anchorList:
		for n := r.Count(2); n > 0 && r.Err == nil; n-- {
			handle, row := r.Uvarint(), r.Uvarint()
			if row > maxFrame {
				r.Fail("anchor to row %d", row)
			}
			*last = at{handle, uint32(row)}
			rp.anchors = append(rp.anchors, *last)
		}
	}
	return span{off, uint32(len(rp.anchors)) - off}
}
