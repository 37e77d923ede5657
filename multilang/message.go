package multilang

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore"
)

// command is what a message of the child asks for.
type command uint8

const (
	cmdNone command = iota // no "command" key
	cmdPID                 // {"pid":n}, the child's first message
	cmdEmit
	cmdAck
	cmdFail
	cmdSync
	cmdLog
	cmdError
	cmdMetrics
	cmdState // changes the state of a key
	cmdOther // a word this protocol does not know
)

var commands = map[string]command{
	"emit": cmdEmit, "ack": cmdAck, "fail": cmdFail, "sync": cmdSync, "log": cmdLog, "error": cmdError, "metrics": cmdMetrics,
}

// message is one message of the child. Tuple values and anchors stand in the inbound that it was read into.
type message struct {
	cmd       command
	noTaskIDs bool  // "need_task_ids": false
	level     int8  // of a log message, Storm's numbers
	task      int32 // of a direct emit, 0 for none
	pid       int64

	vals    span
	anchors span

	stream string         // "" for the default stream
	id     gearcore.Value // of a spout's emit, and of ack and fail
	text   string         // a log or error text, a metric's name, an unknown command
	params gearcore.Value // of a metric; with a pid: the states that the component declares

	framing string // with a pid: the child's choice
	change  change // of a state
}

type span struct{ from, to int }

// inbound is a run of messages read together, with their values in slabs. It goes from the reader to the executor and
// back for reuse.
type inbound struct {
	msgs    []message
	vals    []gearcore.Value
	anchors []uint64
	bytes   int
}

func (in *inbound) reset() {
	clear(in.msgs)
	clear(in.vals)
	in.msgs, in.vals, in.anchors, in.bytes = in.msgs[:0], in.vals[:0], in.anchors[:0], 0
}

// begin adds an empty message, last, to be filled in place; rewind takes it back with what came with it.
func (in *inbound) begin() (mark [3]int) {
	mark = [3]int{len(in.msgs), len(in.vals), len(in.anchors)}
	in.msgs = append(in.msgs, message{level: levelInfo})
	return mark
}

func (in *inbound) last() *message { return &in.msgs[len(in.msgs)-1] }

func (in *inbound) rewind(mark [3]int) {
	clear(in.msgs[mark[0]:])
	clear(in.vals[mark[1]:])
	in.msgs, in.vals, in.anchors = in.msgs[:mark[0]], in.vals[:mark[1]], in.anchors[:mark[2]]
}

func (in *inbound) values(m *message) []gearcore.Value { return in.vals[m.vals.from:m.vals.to] }

// decoder turns one whole message into an entry of an inbound. Both formats share what the keys mean (field).
type decoder struct {
	limits  Limits
	text    gearcore.Chunk
	streams map[string]string
}

func newDecoder(limits Limits) *decoder {
	return &decoder{limits: limits, streams: make(map[string]string)}
}

// intern returns b as a string that outlives the message; streams are few and come again with every emit.
func (d *decoder) intern(b string) string {
	if s, ok := d.streams[b]; ok {
		return s
	}
	s := strings.Clone(b)
	if len(d.streams) < 1024 {
		d.streams[s] = s
	}
	return s
}

// field stores one key of a message. v may be a view of the message: what is kept is copied here.
func (d *decoder) field(m *message, key string, v gearcore.Value) error {
	switch key {
	case "command":
		if v.Kind() != gearcore.KindString {
			return wrongType(key, "a string", v)
		}
		c, ok := commands[v.Str()]
		if m.cmd = c; !ok {
			m.cmd, m.text = cmdOther, strings.Clone(v.Str())
		}
	case "stream":
		if !v.IsNull() && v.Kind() != gearcore.KindString {
			return wrongType(key, "a string", v)
		}
		m.stream = d.intern(v.Str())
	case "task":
		n, ok := wholeNumber(v)
		if !ok || n < 0 || n > math.MaxInt32 {
			return wrongType(key, "a task number", v)
		}
		m.task = int32(n)
	case "need_task_ids":
		if v.Kind() != gearcore.KindBool && !v.IsNull() {
			return wrongType(key, "true or false", v)
		}
		m.noTaskIDs = !v.IsNull() && !v.Bool()
	case "id":
		d.id(m, v)
	case "msg", "name":
		if m.cmd != cmdOther {
			m.text = strings.Clone(v.Text())
		}
	case "level":
		n, ok := wholeNumber(v)
		if m.level = int8(n); !ok || n < 0 || n > 4 {
			m.level = levelInfo
		}
	case "params":
		m.params = keep(v)
	case "framing":
		m.framing = strings.Clone(v.Str())
	case "states":
		m.params = keep(v)
	case "pid":
		n, ok := wholeNumber(v)
		if !ok || n <= 0 {
			return wrongType(key, "a process number", v)
		}
		m.cmd, m.pid = cmdPID, n
	}
	return nil
}

// id stores an id: a spout's may be anything, as in Storm.
func (d *decoder) id(m *message, v gearcore.Value) {
	if v.Kind() == gearcore.KindString {
		m.id = gearcore.Str(d.text.String(bytesOf(v.Str())))
		return
	}
	m.id = keep(v)
}

// anchor appends one anchor to in.
func (d *decoder) anchor(in *inbound, v gearcore.Value) error {
	id, ok := deliveryID(v)
	if !ok {
		return wrongType("anchors", "ids of input tuples", v)
	}
	if len(in.anchors) >= math.MaxInt32 {
		return tooLarge("a number of anchors", math.MaxInt32)
	}
	in.anchors = append(in.anchors, id)
	return nil
}

// deliveryID reads back an id that this side gave to an input tuple, as text or as a number.
func deliveryID(v gearcore.Value) (uint64, bool) {
	switch v.Kind() {
	case gearcore.KindString:
		id, err := strconv.ParseUint(v.Str(), 10, 64)
		return id, err == nil
	case gearcore.KindInt, gearcore.KindLong:
		return uint64(v.Int()), v.Int() >= 0
	}
	return 0, false
}

// wholeNumber reads an integer; null is 0, as an absent key.
func wholeNumber(v gearcore.Value) (int64, bool) {
	switch v.Kind() {
	case gearcore.KindNull, gearcore.KindInt, gearcore.KindLong:
		return v.Int(), true
	case gearcore.KindDouble:
		f := v.Float()
		return int64(f), f == math.Trunc(f) && math.Abs(f) < 1<<53
	}
	return 0, false
}

func wrongType(key, want string, got gearcore.Value) error {
	return fmt.Errorf("%q should be %s, not %s", key, want, excerpt([]byte(got.Text())))
}

// keep returns v with its strings copied.
func keep(v gearcore.Value) gearcore.Value {
	switch v.Kind() {
	case gearcore.KindString:
		return gearcore.Str(strings.Clone(v.Str()))
	case gearcore.KindBytes:
		return gearcore.Bytes(append([]byte(nil), v.Bytes()...))
	case gearcore.KindList:
		out := make([]gearcore.Value, len(v.List()))
		for i, e := range v.List() {
			out[i] = keep(e)
		}
		return gearcore.List(out)
	case gearcore.KindMap:
		out := make([]gearcore.Pair, len(v.Map()))
		for i, p := range v.Map() {
			out[i] = gearcore.Pair{Key: keep(p.Key), Val: keep(p.Val)}
		}
		return gearcore.Map(out)
	}
	return v
}

// complete checks what only the whole message shows.
func (m *message) complete(hasTuple bool) error {
	if m.cmd == cmdNone {
		return fmt.Errorf(`message without a "command"`)
	}
	if m.cmd == cmdState {
		return nil
	}
	if m.cmd == cmdEmit && !hasTuple {
		return fmt.Errorf(`"emit" without a "tuple"`)
	}
	if n := m.vals.to - m.vals.from; n > maxWidth {
		return tooLarge("a tuple", maxWidth)
	}
	return nil
}

// Log levels of the protocol.
const (
	levelTrace = iota
	levelDebug
	levelInfo
	levelWarn
	levelError
)
