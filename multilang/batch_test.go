package multilang

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/big"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gearstorm/gearstorm/gearcore"
)

// batchOf seals what add puts into one lane of an outbox and returns the content of the frame.
func batchOf(t *testing.T, kind framing, add func(o *outbox)) []byte {
	t.Helper()
	o := newOutbox(format{limit: 1 << 20}, 10, nil)
	o.speak(kind)
	add(o)
	o.hold()
	_, frame, _, _ := o.take(nil, nil)
	if n := binary.LittleEndian.Uint32(frame); int(n) != len(frame)-frameHeader {
		t.Fatalf("a frame of %d bytes says %d", len(frame), n)
	}
	return frame[frameHeader:]
}

func plainValues() []gearcore.Value {
	big1, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	return []gearcore.Value{
		gearcore.Null(), gearcore.Bool(true), gearcore.Bool(false), gearcore.Int(-7), gearcore.Long(1 << 40), gearcore.Long(math.MinInt64),
		gearcore.BigInt(big1), gearcore.Double(-0.5), gearcore.Str(""), gearcore.Str("text"), gearcore.Str(strings.Repeat("long ", 60)),
		gearcore.Str("é€😀"), gearcore.List([]gearcore.Value{gearcore.Int(1), gearcore.List(nil)}),
		gearcore.Map([]gearcore.Pair{{Key: gearcore.Str("k"), Val: gearcore.Map(nil)}}),
	}
}

// TestMarshalAndPython sends values to Python's own marshal and reads them back.
func TestMarshalAndPython(t *testing.T) {
	vals := append(plainValues(), gearcore.Bytes([]byte{0, 255}), gearcore.Map([]gearcore.Pair{{Key: gearcore.Int(3), Val: gearcore.Null()}}))
	b, err := marshalValues(nil, vals, 1)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t, "python3"), "-c", `
import marshal, sys
v = marshal.loads(sys.stdin.buffer.read())
print(v, file=sys.stderr)
sys.stdout.buffer.write(marshal.dumps(v, 2))`)
	var text bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(b), &text
	back, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, text.String())
	}
	if want := `-9223372036854775808, -123456789012345678901234567890, -0.5, '', 'text', `; !strings.Contains(text.String(), want) {
		t.Errorf("Python sees %s", text.String())
	}
	got, err := unmarshal(back)
	if err != nil || !got.Equal(gearcore.List(vals)) {
		t.Errorf("sent %v, got %v, %v", gearcore.List(vals).Any(), got.Any(), err)
	}
}

func unmarshal(b []byte) (gearcore.Value, error) {
	limits := DefaultLimits()
	u := unmarshaler{b: b, limits: &limits, left: limits.Values, text: new(gearcore.Chunk)}
	v, err := u.value(0)
	if err == nil && u.i != len(b) {
		err = errors.New("bytes are left")
	}
	return v, err
}

func TestMarshalRefusesBadInput(t *testing.T) {
	for name, b := range map[string]string{
		"nothing": "", "unknown type": "c\x00\x00\x00\x00", "reference": "r\x00\x00\x00\x00", "shared": "\xe9\x01\x00\x00\x00",
		"half an int": "i\x01\x00", "half a float": "g1234567", "long text": "u\xff\xff\xff\x7fab", "negative text": "u\xff\xff\xff\xffab",
		"short text": "z\x05abcd", "long list": "[\xff\xff\xff\x7fN", "negative list": "(\xff\xff\xff\xffN", "open dict": "{z\x01kN",
		"dict without value": "{z\x01k0", "list as key": "{[\x00\x00\x00\x00N0", "long number": "l\xff\xff\xff\x7f\x00\x00",
		"smallest count": "l\x00\x00\x00\x80\x00\x00", "deep": strings.Repeat("[\x01\x00\x00\x00", 70) + "N", "bytes": "s\x02\x00\x00\x00a",
	} {
		if v, err := unmarshal([]byte(b)); err == nil {
			t.Errorf("%s: no error, got %v", name, v.Any())
		}
	}
	if v, err := unmarshal([]byte("u\x03\x00\x00\x00\xed\xa0\x80")); err != nil || !strings.Contains(v.Str(), "\uFFFD") {
		t.Errorf("a lone surrogate gave %q, %v", v.Str(), err)
	}
}

// ops decodes a frame.
func ops(kind framing, frame []byte, limits Limits) (*inbound, error) {
	d, in := newDecoder(limits), &inbound{}
	for len(frame) > 0 {
		n, err := d.op(kind, frame, in)
		if err != nil {
			return in, err
		}
		frame = frame[n:]
	}
	return in, nil
}

func TestOperations(t *testing.T) {
	for name, c := range map[string]struct {
		kind  framing
		frame string
	}{
		"json": {framingJSON, `17 [0,5,["a",1]] [1,[5,6],[],"side",4,false,null][1,null,["b"],null,0,true,"id"] null[2,9][3,{"command":"log","msg":"m","level":3}]`},
		"marshal": {framingMarshal, "i\x11\x00\x00\x00" +
			"(\x03\x00\x00\x00i\x00\x00\x00\x00i\x05\x00\x00\x00[\x02\x00\x00\x00u\x01\x00\x00\x00ai\x01\x00\x00\x00" +
			")\x07i\x01\x00\x00\x00[\x02\x00\x00\x00i\x05\x00\x00\x00i\x06\x00\x00\x00(\x00\x00\x00\x00z\x04sidei\x04\x00\x00\x00FN" +
			")\x07i\x01\x00\x00\x00N[\x01\x00\x00\x00z\x01bNi\x00\x00\x00\x00Tz\x02id" +
			"N)\x02i\x02\x00\x00\x00i\x09\x00\x00\x00" +
			")\x02i\x03\x00\x00\x00{z\x07commandz\x03logz\x03msgz\x01mz\x05leveli\x03\x00\x00\x000"},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := ops(c.kind, []byte(c.frame), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if len(in.msgs) != 7 {
				t.Fatalf("%d messages", len(in.msgs))
			}
			m := in.msgs
			anchors := func(m message) []uint64 { return in.anchors[m.anchors.from:m.anchors.to] }
			switch {
			case m[0].cmd != cmdAck || m[0].id.Int() != 17:
				t.Errorf("ack: %+v", m[0])
			case m[1].cmd != cmdEmit || !m[1].noTaskIDs || !slices.Equal(anchors(m[1]), []uint64{5}) || len(in.values(&m[1])) != 2 || in.values(&m[1])[0].Str() != "a":
				t.Errorf("emit: %+v", m[1])
			case m[2].stream != "side" || m[2].task != 4 || !m[2].noTaskIDs || !slices.Equal(anchors(m[2]), []uint64{5, 6}) || len(in.values(&m[2])) != 0:
				t.Errorf("direct emit: %+v", m[2])
			case m[3].stream != "" || m[3].noTaskIDs || len(anchors(m[3])) != 0 || m[3].id.Str() != "id":
				t.Errorf("emit of a spout: %+v", m[3])
			case m[4].cmd != cmdSync || m[5].cmd != cmdFail || m[5].id.Int() != 9:
				t.Errorf("sync, fail: %+v %+v", m[4], m[5])
			case m[6].cmd != cmdLog || m[6].text != "m" || m[6].level != 3:
				t.Errorf("log: %+v", m[6])
			}
		})
	}
}

func TestOperationsRefused(t *testing.T) {
	for _, frame := range []string{`x`, `{"command":"ack","id":"1"}`, `-1`, `[]`, `[9,1]`, `[0,1]`, `[0,"x",[]]`, `[0,null,"text"]`, `[0,null,[1],2]`,
		`[1,null,[],7,0,false,null]`, `[1,null,[],null,-1,false,null]`, `[1,null,[],null,0,false,[]`, `[3,1]`, `[3,{}]`, `[3,{"command":"ack","id":1}]`, `nul`} {
		if in, err := ops(framingJSON, []byte(frame), DefaultLimits()); err == nil || len(in.msgs) > 0 {
			t.Errorf("%s: error %v, %d messages", frame, err, len(in.msgs))
		}
	}
	for _, frame := range []string{"z\x01x", "F", ")\x00", ")\x01i\x00\x00\x00\x00", ")\x03i\x00\x00\x00\x00NN", ")\x02z\x01aN", ")\x02i\x03\x00\x00\x00N"} {
		if in, err := ops(framingMarshal, []byte(frame), DefaultLimits()); err == nil || len(in.msgs) > 0 {
			t.Errorf("%q: error %v, %d messages", frame, err, len(in.msgs))
		}
	}
}

// TestBatchesToTheChild checks what a child gets, in both framings, by way of Python and of JSON.
func TestBatchesToTheChild(t *testing.T) {
	opaque := gearcore.OpaqueValue(&gearcore.Opaque{Class: "x.Y"})
	add := func(o *outbox) {
		tup := gearcore.NewTuple(testLayout, 0, 2, plainValues()...)
		for _, id := range []uint64{1<<32 | 5, 3<<32 | 6} {
			if _, _, err := o.addTuple(id, tup, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := o.addTuple(1<<32|7, gearcore.NewTuple(testLayout, 1, -1, opaque), nil); err == nil {
			t.Error("an opaque value was sent")
		}
		if _, _, err := o.addTuple(1<<32|1<<shortSlots, tup, nil); !errors.Is(err, errTooMany) {
			t.Errorf("slot 2^24 gave %v", err)
		}
		o.addHeartbeat()
		if err := o.addCommand("ack", gearcore.Str("id")); err != nil {
			t.Fatal(err)
		}
	}
	const vals = `[null,true,false,-7,1099511627776,-9223372036854775808,-123456789012345678901234567890,-0.5,"","text",`
	for _, c := range []struct {
		kind  framing
		shows string // Python that prints the frame on its input as JSON
	}{
		{framingJSON, `print(json.dumps(json.loads(data), separators=(",", ":")))`},
		{framingMarshal, `print(json.dumps(marshal.loads(data), separators=(",", ":")))`},
	} {
		frame := batchOf(t, c.kind, add)
		cmd := exec.Command(tool(t, "python3"), "-c", "import json, marshal, sys\ndata = sys.stdin.buffer.read()\n"+c.shows)
		cmd.Stdin = bytes.NewReader(frame)
		out, err := cmd.CombinedOutput()
		got := string(out)
		if err != nil || !strings.HasPrefix(got, `[[0,"src","default"],[5,0,2,`+vals) || !strings.Contains(got, `],[16777222,0,2,`+vals) ||
			!strings.HasSuffix(got, `,[1,"__system","__tick"],[],["ack","id"]]`+"\n") || !strings.Contains(got, `[1,[]],{"k":{}}]`) {
			t.Errorf("framing %d gave %v: %s", c.kind, err, got)
		}
	}
}

func TestBatchesOfTaskIDs(t *testing.T) {
	for kind, want := range map[framing]string{
		framingJSON:    `[[[7,8]],[[]]]`,
		framingMarshal: "[\x02\x00\x00\x00)\x01[\x02\x00\x00\x00i\x07\x00\x00\x00i\x08\x00\x00\x00)\x01[\x00\x00\x00\x00",
	} {
		o := newOutbox(format{limit: 1 << 20}, 10, nil)
		o.speak(kind)
		for _, ids := range [][]gearcore.TaskID{{7, 8}, nil} {
			if err := o.addTaskIDs(ids); err != nil {
				t.Fatal(err)
			}
		}
		if ids, data, _, _ := o.take(nil, nil); string(ids[frameHeader:]) != want || len(data) != 0 {
			t.Errorf("framing %d gave %q and %q", kind, ids, data)
		}
	}
}

func TestShortIDs(t *testing.T) {
	var f inflight
	first := f.add(gearcore.Tuple{})
	short, ok := shortID(first)
	if !ok {
		t.Fatal("slot 0 has no short id")
	}
	if id, ok := f.long(uint64(short)); !ok || id != first {
		t.Errorf("%x came back as %x, %v", first, id, ok)
	}
	f.take(first)
	if _, ok := f.long(uint64(short)); ok {
		t.Error("a settled tuple is still known")
	}
	second := f.add(gearcore.Tuple{})
	if _, ok := f.long(uint64(short)); ok {
		t.Error("the short id of a settled tuple names the next one")
	}
	if again, _ := shortID(second); again == short {
		t.Error("two tuples in a row have the same short id")
	}
	if _, ok := f.long(99); ok {
		t.Error("a slot that was never used is known")
	}
}

func TestFramesOfBatches(t *testing.T) {
	var text []byte
	var want []string
	for _, s := range []string{"abc", "", strings.Repeat("x", 300<<10), "d"} {
		text = append(binary.LittleEndian.AppendUint32(text, uint32(len(s))), s...)
		if s != "" {
			want = append(want, s)
		}
	}
	read := func(r io.Reader, limits Limits) (out []string, err error) {
		f := newFrameReader(r, &limits, false)
		for {
			rest, ok, err := f.batch()
			if err != nil {
				return out, err
			}
			if ok {
				out = append(out, string(rest))
				f.consume(len(rest))
			} else if err := f.fill(); err != nil {
				return out, err
			}
		}
	}
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(text), "bytewise": iotest.OneByteReader(bytes.NewReader(text))} {
		if got, err := read(r, DefaultLimits()); err != io.EOF || !slices.Equal(got, want) {
			t.Errorf("%s: %d frames, %v", name, len(got), err)
		}
	}
	small := DefaultLimits()
	small.MessageBytes = 1000
	if got, err := read(bytes.NewReader(text), small); !errors.Is(err, ErrTooLarge) || len(got) != 1 {
		t.Errorf("a frame over the limit gave %d frames, %v", len(got), err)
	}
	several := append(binary.LittleEndian.AppendUint32(nil, gatherBytes), make([]byte, gatherBytes)...)
	if got, err := read(bytes.NewReader(several), small); err != io.EOF || len(got) != 1 {
		t.Errorf("a frame of what a client gathers gave %d frames, %v", len(got), err)
	}
	if _, err := read(bytes.NewReader(text[:len(text)-1]), DefaultLimits()); err == io.EOF {
		t.Error("a child that ended within a frame is taken for one that ended")
	}
}

// An operation is no larger than a message, however many others are in its frame.
func TestOperationsAreBounded(t *testing.T) {
	limits := DefaultLimits()
	limits.MessageBytes = 20
	if in, err := ops(framingJSON, []byte(strings.Repeat(`[0,null,["x"]]`, 9)), limits); err != nil || len(in.msgs) != 9 {
		t.Errorf("small ones: %d messages, %v", len(in.msgs), err)
	}
	if _, err := ops(framingJSON, []byte(`[0,null,["12345678"]]`), limits); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large one: %v", err)
	}
}

func FuzzOperations(f *testing.F) {
	f.Add([]byte(`17 [0,5,["a",1]][1,[5,6],[],"side",4,false,null]null[2,9][3,{"command":"log","msg":"m"}]`), false)
	f.Add([]byte("N(\x03\x00\x00\x00i\x00\x00\x00\x00i\x05\x00\x00\x00[\x02\x00\x00\x00u\x01\x00\x00\x00ag12345678"), true)
	f.Add([]byte(")\x02i\x03\x00\x00\x00{z\x01ks\x01\x00\x00\x00xl\xfe\xff\xff\xff\x01\x00\x01\x000"), true)
	f.Fuzz(func(t *testing.T, frame []byte, marshal bool) {
		kind := framingJSON
		if marshal {
			kind = framingMarshal
		}
		d, in := newDecoder(DefaultLimits()), &inbound{}
		for rest := frame; len(rest) > 0; {
			msgs, vals, anchors := len(in.msgs), len(in.vals), len(in.anchors)
			n, err := d.op(kind, rest, in)
			if err != nil {
				if len(in.msgs) != msgs || len(in.vals) != vals || len(in.anchors) != anchors {
					t.Fatal("an error left something behind")
				}
				return
			}
			if n <= 0 || n > len(rest) || len(in.msgs) != msgs+1 || in.last().cmd == cmdNone {
				t.Fatalf("%q: %d bytes gave %+v", rest, n, in.last())
			}
			rest = rest[n:]
		}
		for _, v := range in.vals {
			v.List() // what was passed over can be parsed
			v.Map()
			b, err := appendMarshal(nil, v, 1)
			if err != nil {
				t.Fatal(err)
			}
			if w, err := unmarshal(b); err != nil || !w.Equal(v) && v.Kind() != gearcore.KindDouble {
				t.Fatalf("%v was written as %q, which reads as %v, %v", v.Any(), b, w.Any(), err)
			}
		}
	})
}

func TestBatchesAllocateNothing(t *testing.T) {
	tup := gearcore.NewTuple(testLayout, 0, 2, gearcore.Str(strings.Repeat("x", 100)), gearcore.Int(7))
	for _, kind := range []framing{framingJSON, framingMarshal} {
		f := format{limit: 1 << 20, framing: kind}
		l := lane{buf: make([]byte, 0, 1<<10)}
		if n := testing.AllocsPerRun(1000, func() {
			var err error
			f.item(&l)
			if l.buf, err = f.tuple(l.buf, 1<<32|9, tup); err != nil {
				t.Fatal(err)
			}
			f.seal(&l)
		}); n != 0 {
			t.Errorf("framing %d: encoding a tuple allocates %v times", kind, n)
		}
		frame := []byte(`[0,9,["word",7]]`)
		if kind == framingMarshal {
			frame = []byte("(\x03\x00\x00\x00i\x00\x00\x00\x00i\x09\x00\x00\x00[\x02\x00\x00\x00u\x04\x00\x00\x00wordi\x07\x00\x00\x00")
		}
		d, in := newDecoder(DefaultLimits()), &inbound{}
		if n := testing.AllocsPerRun(1000, func() {
			in.reset()
			if _, err := d.op(kind, frame, in); err != nil {
				t.Fatal(err)
			}
		}); n >= 0.5 {
			t.Errorf("framing %d: decoding an emit allocates %v times", kind, n)
		}
	}
}

// TestFramingIsNegotiated: children that answer the offer wrongly are given up, with a reason.
func TestFramingIsNegotiated(t *testing.T) {
	const own = `
import json, os, sys
hello = b""
while not hello.endswith(b"\nend\n"): hello += os.read(0, 1)
os.write(1, json.dumps({"pid": os.getpid(), "framing": "FRAMING"}).encode() + b"\nend\n" + AFTER)
while os.read(0, 1 << 16): pass
`
	for _, c := range []struct{ name, framing, after, want string }{
		{"unknown", "zip9", `b""`, `chose framing "zip9", which was not offered`},
		{"bad operation", "json1", `b"\x01\0\0\0x"`, "where an operation should be"},
		{"a frame over the limit", "marshal1", `b"\xff\xff\xff\xff"`, "over the limit"},
		{"an id that was never given", "json1", `b"\x01\0\0\x009"`, "which does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := quick([]string{tool(t, "python3"), "-c", strings.NewReplacer("FRAMING", c.framing, "AFTER", c.after).Replace(own)})
			e := startBolt(t, spec, nil)
			e.eventually("given up", e.hasError(c.want))
		})
	}
}

// TestHelloOffersFramings: the offer is the only thing that the handshake has beside Storm's.
func TestHelloOffersFramings(t *testing.T) {
	e := newEngine(t, nil)
	for _, plain := range []bool{false, true} {
		b, err := helloJSON(e.ctx, &Wiring{}, "PIDS", plain)
		if err != nil {
			t.Fatal(err)
		}
		var hello map[string]any
		if err := json.Unmarshal(b, &hello); err != nil {
			t.Fatal(err)
		}
		if _, offered := hello["gearstorm"]; offered == plain || len(hello) != 4-map[bool]int{true: 1}[plain] {
			t.Errorf("plain %v: %s", plain, b)
		}
	}
}
