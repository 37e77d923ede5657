package multilang

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore"
)

// format writes what goes to a child. The append methods return dst unchanged in length on an error.
type format struct {
	framing framing
	msgpack bool // in plain framing
	limit   int  // bytes of one message
	heads   *heads
}

// heads remembers how the heads of tuples of a few emitters are written in plain JSON, from "comp" to the values.
type heads [8]struct {
	layout *gearcore.Layout
	stream gearcore.StreamID
	task   gearcore.TaskID
	text   []byte
}

// of returns the head of t.
func (h *heads) of(t gearcore.Tuple) []byte {
	row, layout := t.Row(), t.Batch().Layout
	e := &h[uint32(row.Source)%uint32(len(h))]
	if e.layout != layout || e.stream != row.Stream || e.task != row.Source {
		e.layout, e.stream, e.task = layout, row.Stream, row.Source
		e.text = appendHead(e.text[:0], t.Component(), t.Stream(), int64(row.Source))
	}
	return e.text
}

// heartbeatStream is the stream of tuples that a bolt's child answers with "sync".
const heartbeatStream = "__heartbeat"

// tuple appends an input tuple: all five keys are always there.
func (f format) tuple(dst []byte, id uint64, t gearcore.Tuple) ([]byte, error) {
	at := len(dst)
	var err error
	if f.framing != framingPlain {
		dst, err = f.batchTuple(dst, id, t)
	} else if f.msgpack {
		dst = packHead(dst, id, t.Component(), t.Stream(), int64(t.SourceTask()))
		dst, err = packValues(dst, t.Values(), 1)
	} else {
		dst = strconv.AppendUint(append(dst, `{"id":"`...), id, 10)
		if f.heads != nil {
			dst = append(dst, f.heads.of(t)...)
		} else {
			dst = appendHead(dst, t.Component(), t.Stream(), int64(t.SourceTask()))
		}
		if dst, err = appendList(dst, t.Values(), 1); err == nil {
			dst = append(dst, "}"+jsonEnd...)
		}
	}
	if err == nil && len(dst)-at > f.limit {
		err = tooLarge("a message to the child", f.limit)
	}
	if err != nil {
		return dst[:at], err
	}
	return dst, nil
}

func packHead(dst []byte, id uint64, component, stream string, task int64) []byte {
	var num [20]byte
	dst = packString(packMapHeader(dst, 5), "id")
	dst = packString(dst, view(strconv.AppendUint(num[:0], id, 10)))
	dst = packString(packString(dst, "comp"), component)
	dst = packString(packString(dst, "stream"), stream)
	dst = packInt(packString(dst, "task"), task)
	return packString(dst, "tuple")
}

// appendHead appends what stands between the id of a tuple and its values.
func appendHead(dst []byte, component, stream string, task int64) []byte {
	dst = appendString(append(dst, `","comp":`...), component)
	dst = appendString(append(dst, `,"stream":`...), stream)
	dst = strconv.AppendInt(append(dst, `,"task":`...), task, 10)
	return append(dst, `,"tuple":`...)
}

// heartbeat appends the tuple that asks a bolt's child for a sign of life.
func (f format) heartbeat(dst []byte) []byte {
	if f.framing != framingPlain {
		return f.batchHeartbeat(dst)
	}
	if f.msgpack {
		dst = packString(packString(packMapHeader(dst, 5), "id"), "0")
		dst = append(packString(dst, "comp"), 0xc0)
		dst = packString(packString(dst, "stream"), heartbeatStream)
		dst = packInt(packString(dst, "task"), -1)
		return packListHeader(packString(dst, "tuple"), 0)
	}
	return append(dst, `{"id":"0","comp":null,"stream":"`+heartbeatStream+`","task":-1,"tuple":[]}`+jsonEnd...)
}

// taskIDs appends the answer to an emit.
func (f format) taskIDs(dst []byte, ids []gearcore.TaskID) []byte {
	if f.framing != framingPlain {
		return f.batchTaskIDs(dst, ids)
	}
	if f.msgpack {
		dst = packListHeader(dst, len(ids))
		for _, id := range ids {
			dst = packInt(dst, int64(id))
		}
		return dst
	}
	return append(appendTaskIDs(dst, ids), jsonEnd...)
}

func appendTaskIDs(dst []byte, ids []gearcore.TaskID) []byte {
	dst = append(dst, '[')
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(id), 10)
	}
	return append(dst, ']')
}

// command appends a spout command.
func (f format) command(dst []byte, name string, id gearcore.Value) ([]byte, error) {
	at := len(dst)
	var err error
	if f.framing != framingPlain {
		dst, err = f.batchCommand(dst, name, id)
	} else if f.msgpack {
		dst = packString(packString(packMapHeader(dst, 2), "command"), name)
		dst, err = appendMsgpack(packString(dst, "id"), id, 1)
	} else {
		dst = append(append(append(dst, `{"command":"`...), name...), `","id":`...)
		if dst, err = appendJSON(dst, id, 1); err == nil {
			dst = append(dst, "}"+jsonEnd...)
		}
	}
	if err != nil {
		return dst[:at], err
	}
	return dst, nil
}

// hello appends the handshake, given as JSON.
func (f format) hello(dst, text []byte) ([]byte, error) {
	if !f.msgpack {
		return append(append(dst, text...), jsonEnd...), nil
	}
	limits := Limits{Depth: maxEncodeDepth, Values: len(text), Digits: len(text)}
	s := newScanner(text, &limits, new(gearcore.Chunk))
	v, err := s.value(0, true)
	if err != nil {
		return dst, err
	}
	return appendMsgpack(dst, v, 0)
}

// UsesMsgpack reports whether a component's child speaks msgpack: its command says so in streamparse's way (-s msgpack,
// also inside one argument), or topology.multilang.serializer names a class with msgpack in it.
func UsesMsgpack(command []string, conf map[string]any) bool {
	words := strings.Fields(strings.Join(command, " "))
	for i, w := range words {
		if w == "--serializer=msgpack" || w == "-smsgpack" {
			return true
		}
		if (w == "-s" || w == "--serializer") && i+1 < len(words) {
			return words[i+1] == "msgpack"
		}
	}
	class := strings.ToLower(fmt.Sprint(conf["topology.multilang.serializer"]))
	return strings.Contains(class, "messagepack") || strings.Contains(class, "msgpack")
}
