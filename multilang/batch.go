package multilang

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/gearstorm/gearstorm/gearcore"
)

// framing is how messages are put together after the handshake. The handshake is always that of Storm: this side offers
// its framings under "gearstorm" in the first message, and a client that knows one names it beside its pid. Clients that do
// not know the offer, and parents that make none, stay with plain messages.
//
// In the batched framings both directions are frames of a 4-byte little-endian length and that many bytes. To the child a
// frame is one list of items:
//
//	[id, origin, task, [values]]  an input tuple; its id and origin are small numbers
//	[origin, component, stream]   what an origin stands for, before its first use
//	[id, origin, task, [values], key, content]  an input tuple of a component that keeps state; content is null if the child has it
//	[command, id]                 a spout's command
//	["watermark", w]              event time is w (milliseconds since 1970; 0: not known), for a bolt with a state that goes by it
//	[[task, ...]]                 the answer to an emit that wants it
//	[]                            a heartbeat
//
// A timer that is due is an input tuple of component __system and stream __timer (origin -1), with the values: number of the state, moment, and those of
// its key. The child acks or fails it; it is nothing to anchor to.
//
// From the child a frame is operations one after the other, not in a list: one as large as a message may be, or several of gatherBytes together:
//
//	id                                            an ack
//	null                                          a sync
//	[0, anchors, [values]]                        an emit on the default stream that wants no task ids
//	[1, anchors, [values], stream, task, want, id]  any emit; null, 0 and false where it has none
//	[2, id]                                       a fail
//	[3, {message}]                                any other message, as in plain framing
//	[4, key, state, n, [values]]                  changes a state of a key (stateHandle)
//
// anchors is one id, a list of them, or null.
type framing uint8

const (
	framingPlain   framing = iota // Storm's: one message at a time, JSON or msgpack
	framingMarshal                // batched; values are those of Python's marshal module, version 2
	framingJSON                   // batched; JSON in UTF-8
)

// framings are what is offered, by name.
var framings = map[string]framing{"marshal1": framingMarshal, "json1": framingJSON}

// Operations of a child.
const (
	opEmit = iota
	opEmitMore
	opFail
	opMessage
	opState
)

const frameHeader = 4

// errTooMany is the error of a tuple for a child that has as many as a batched framing can name.
var errTooMany = errors.New("the child has too many tuples that it did not ack or fail")

// lane is frames to be written, at most one of them a batch.
type lane struct {
	buf   []byte
	items int // of the batch that is being made, which is all of buf; 0 in plain framing
}

// item makes room for one more item of a batch.
func (f *format) item(l *lane) {
	switch {
	case f.framing == framingPlain:
		return
	case l.items == 0:
		l.buf = append(l.buf[:0], 0, 0, 0, 0, '[')
		if f.framing == framingMarshal {
			l.buf = append(l.buf, 0, 0, 0, 0)
		}
	case f.framing == framingJSON:
		l.buf = append(l.buf, ',')
	}
	l.items++
}

// undo takes back the last item, which was begun at length at.
func (f *format) undo(l *lane, at int) {
	l.buf = l.buf[:at]
	if f.framing != framingPlain {
		if l.items--; l.items == 0 {
			l.buf = l.buf[:0]
		}
	}
}

// seal completes the batch of l.
func (f *format) seal(l *lane) {
	if l.items == 0 {
		return
	}
	if f.framing == framingJSON {
		l.buf = append(l.buf, ']')
	} else {
		binary.LittleEndian.PutUint32(l.buf[frameHeader+1:], uint32(l.items))
	}
	binary.LittleEndian.PutUint32(l.buf, uint32(len(l.buf)-frameHeader))
	l.items = 0
}

// batchTuple appends an input tuple.
func (f *format) batchTuple(dst []byte, id uint64, t gearcore.Tuple) ([]byte, error) {
	return f.batchItem(dst, id, int64(t.Row().Stream), int64(t.SourceTask()), t.Values())
}

// batchItem appends what the child is to settle.
func (f *format) batchItem(dst []byte, id uint64, origin, task int64, vals []gearcore.Value) ([]byte, error) {
	short, ok := shortID(id)
	if !ok {
		return dst, errTooMany
	}
	if f.framing == framingMarshal {
		dst = append(dst, ')', 4)
		dst = marshalInt(marshalInt(marshalInt(dst, int64(short)), origin), task)
		return marshalValues(dst, vals, 1)
	}
	dst = strconv.AppendUint(append(dst, '['), uint64(short), 10)
	dst = strconv.AppendInt(append(dst, ','), origin, 10)
	dst = strconv.AppendInt(append(dst, ','), task, 10)
	dst, err := appendList(append(dst, ','), vals, 1)
	return append(dst, ']'), err
}

// origin appends what a stream is called.
func (f *format) origin(dst []byte, n gearcore.StreamID, component, stream string) []byte {
	if f.framing == framingMarshal {
		return marshalString(marshalString(marshalInt(append(dst, ')', 3), int64(n)), component), stream)
	}
	dst = strconv.AppendInt(append(dst, '['), int64(n), 10)
	dst = appendString(append(dst, ','), component)
	return append(appendString(append(dst, ','), stream), ']')
}

func (f *format) batchTaskIDs(dst []byte, ids []gearcore.TaskID) []byte {
	if f.framing == framingMarshal {
		dst = binary.LittleEndian.AppendUint32(append(dst, ')', 1, '['), uint32(len(ids)))
		for _, id := range ids {
			dst = marshalInt(dst, int64(id))
		}
		return dst
	}
	return append(appendTaskIDs(append(dst, '['), ids), ']')
}

func (f *format) batchCommand(dst []byte, name string, id gearcore.Value) ([]byte, error) {
	if f.framing == framingMarshal {
		return appendMarshal(marshalString(append(dst, ')', 2), name), id, 1)
	}
	dst, err := appendJSON(append(appendString(append(dst, '['), name), ','), id, 1)
	return append(dst, ']'), err
}

func (f *format) batchHeartbeat(dst []byte) []byte {
	if f.framing == framingMarshal {
		return append(dst, ')', 0)
	}
	return append(dst, "[]"...)
}

// op reads one operation at the beginning of frame into in and returns its length. On an error in holds no part of it.
func (d *decoder) op(kind framing, frame []byte, in *inbound) (n int, err error) {
	mark := in.begin()
	var hasTuple bool
	if kind == framingMarshal {
		u := unmarshaler{b: frame, limits: &d.limits, left: d.limits.Values, text: &d.text}
		hasTuple, err = d.marshalOp(&u, in, in.last())
		n = u.i
	} else {
		s := newScanner(frame, &d.limits, &d.text)
		hasTuple, err = d.jsonOp(&s, in, in.last())
		s.space()
		n = s.i
	}
	if err == nil && n > d.limits.MessageBytes {
		err = tooLarge("a number of bytes", d.limits.MessageBytes)
	}
	if err == nil {
		err = in.last().complete(hasTuple)
	}
	if err != nil {
		in.rewind(mark)
		return 0, &ProtocolError{What: "operation of the child", Err: err, Excerpt: excerpt(frame)}
	}
	in.bytes += n
	return n, nil
}

func wrongOp(code int64, fields int) error {
	return fmt.Errorf("operation %d with %d parts", code, fields)
}

// more stores what an opEmitMore says beside anchors and values.
func (d *decoder) more(m *message, at int, v gearcore.Value) error {
	switch at {
	case 3:
		return d.field(m, "stream", v)
	case 4:
		return d.field(m, "task", v)
	case 5:
		m.noTaskIDs = !v.Bool()
	case 6:
		d.id(m, v)
	}
	return nil
}
