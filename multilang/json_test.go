package multilang

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

func scanJSON(text string) (gearcore.Value, error) {
	limits := DefaultLimits()
	s := newScanner([]byte(text), &limits, new(gearcore.Chunk))
	v, err := s.value(0, true)
	if err != nil {
		return v, err
	}
	if s.next(); s.i != len(s.b) {
		return v, s.unexpected("the end")
	}
	return v, nil
}

func TestScanValues(t *testing.T) {
	big1, _ := new(big.Int).SetString("12345678901234567890", 10)
	str, i32, i64 := gearcore.Str, gearcore.Int, gearcore.Long
	for text, want := range map[string]gearcore.Value{
		`"a"`:                         str("a"),
		`""`:                          str(""),
		`"abcdefgh\"ijkl"`:            str(`abcdefgh"ijkl`),
		`"tab\tnl\nbs\\ sl\/ \b\f\r"`: str("tab\tnl\nbs\\ sl/ \b\f\r"),
		`"\u00e9\u20ac"`:              str("é€"),
		`"\ud83d\ude00!"`:             str("😀!"),
		`"\ud83dx"`:                   str("\uFFFDx"),
		`"\ud83d\u0041"`:              str("\uFFFDA"),
		"\"h\xff\"":                   str("h\uFFFD"),
		`"grün und lang genug für den Weg in Wörtern"`: str("grün und lang genug für den Weg in Wörtern"),
		`0`:                      i32(0),
		`-0`:                     i32(0),
		`2147483647`:             i32(math.MaxInt32),
		`2147483648`:             i64(math.MaxInt32 + 1),
		`-2147483648`:            i32(math.MinInt32),
		`-2147483649`:            i64(math.MinInt32 - 1),
		`9223372036854775807`:    i64(math.MaxInt64),
		`-9223372036854775808`:   i64(math.MinInt64),
		`12345678901234567890`:   gearcore.BigInt(big1),
		`1.0`:                    gearcore.Double(1),
		`-2.5e-3`:                gearcore.Double(-0.0025),
		`1E5`:                    gearcore.Double(1e5),
		`Infinity`:               gearcore.Double(math.Inf(1)),
		`-Infinity`:              gearcore.Double(math.Inf(-1)),
		`true`:                   gearcore.Bool(true),
		`false`:                  gearcore.Bool(false),
		" null\n":                gearcore.Null(),
		`[]`:                     gearcore.List(nil),
		"[1,\n [\"x\"], {}]":     gearcore.List([]gearcore.Value{i32(1), gearcore.List([]gearcore.Value{str("x")}), gearcore.Map(nil)}),
		`{"a":1,"b":null,"a":2}`: gearcore.Map([]gearcore.Pair{{Key: str("a"), Val: i32(2)}, {Key: str("b"), Val: gearcore.Null()}}),
	} {
		got, err := scanJSON(text)
		if err != nil || !got.Equal(want) {
			t.Errorf("scan %s: got %s %v, error %v; want %s %v", text, got.Kind(), got.Any(), err, want.Kind(), want.Any())
		}
	}
	if v, err := scanJSON("NaN"); err != nil || !math.IsNaN(v.Float()) {
		t.Errorf("NaN: %v %v", v, err)
	}
}

func TestScanRefuses(t *testing.T) {
	for _, text := range []string{
		``, ` `, `"`, `"abc`, `"\`, `"\u12`, `"\x"`, "\"a\nb\"", "\"12345678\x01\"", `01`, `-`, `1.`, `1e`, `.5`, `+1`, `1e999`, `tru`, `nul`,
		`[`, `[1`, `[1,`, `[1,]`, `[1 2]`, `{`, `{"a"`, `{"a":`, `{"a":1,}`, `{a:1}`, `{"a" 1}`, `-x`, `hello`, `}`, "\xff", `1 2`,
		strings.Repeat("9", 5000), strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65),
	} {
		if v, err := scanJSON(text); err == nil {
			t.Errorf("scan %.40q: no error, got %v", text, v.Any())
		}
	}
}

func TestScanBounds(t *testing.T) {
	limits := Limits{Depth: 3, Values: 5, Digits: 4}
	for text, fits := range map[string]bool{
		`[[[]]]`: true, `[[[[]]]]`: false, `[1,2,3,4]`: true, `[1,2,3,4,5]`: false, `12345678901234567890`: false, `1.23`: true, `1.234`: false,
	} {
		s := newScanner([]byte(text), &limits, new(gearcore.Chunk))
		if _, err := s.value(0, true); (err == nil) != fits || err != nil && !errors.Is(err, ErrTooLarge) {
			t.Errorf("scan %s: error %v, want fitting %v", text, err, fits)
		}
	}
}

func TestManyKeysKeepTheLast(t *testing.T) {
	var b strings.Builder
	b.WriteByte('{')
	for i := range 100 {
		b.WriteString(`"k` + string(rune('a'+i%50)) + `":` + string(rune('0'+i/50)) + `,`)
	}
	b.WriteString(`"end":9}`)
	v, err := scanJSON(b.String())
	if err != nil {
		t.Fatal(err)
	}
	if ps := v.Map(); len(ps) != 51 || ps[0].Val.Int() != 1 || ps[50].Key.Str() != "end" {
		t.Fatalf("got %d pairs, first %v", len(ps), ps[0])
	}
}

func TestAppendJSON(t *testing.T) {
	str := gearcore.Str
	for _, c := range []struct {
		v    gearcore.Value
		want string
	}{
		{gearcore.Null(), `null`},
		{gearcore.Bool(true), `true`},
		{gearcore.Byte(-5), `-5`},
		{gearcore.Long(math.MinInt64), `-9223372036854775808`},
		{gearcore.BigInt(new(big.Int).Lsh(big.NewInt(1), 70)), `1180591620717411303424`},
		{gearcore.Double(2), `2.0`},
		{gearcore.Double(2.5), `2.5`},
		{gearcore.Double(-0.0), `0.0`},
		{gearcore.Double(1e-9), `1e-09`},
		{gearcore.Double(1e22), `1e+22`},
		{gearcore.Float(0.1), `0.1`},
		{gearcore.Double(math.NaN()), `null`},
		{gearcore.Double(math.Inf(-1)), `null`},
		{gearcore.Char('x'), `"x"`},
		{gearcore.Char(0xD83D), `"\ud83d"`},
		{gearcore.Bytes([]byte{1, 2, 255}), `"AQL/"`},
		{str("a\"b\\c\nd\x01é€"), `"a\"b\\c\nd\u0001é€"`},
		{str("long enough for words, then \x02 and \xff\xfe end"), `"long enough for words, then \u0002 and ` + "\uFFFD\uFFFD" + ` end"`},
		{gearcore.List([]gearcore.Value{str("x"), gearcore.Int(1)}), `["x",1]`},
		{gearcore.Map([]gearcore.Pair{{Key: str("k"), Val: gearcore.Null()}, {Key: gearcore.Int(3), Val: gearcore.Int(4)}}), `{"k":null,"3":4}`},
	} {
		got, err := appendJSON(nil, c.v, 0)
		if err != nil || string(got) != c.want {
			t.Errorf("append %v: got %s, %v; want %s", c.v.Any(), got, err, c.want)
		}
		if !json.Valid(got) {
			t.Errorf("append %v: %s is no JSON", c.v.Any(), got)
		}
	}
	deep := gearcore.Null()
	for range maxEncodeDepth + 1 {
		deep = gearcore.List([]gearcore.Value{deep})
	}
	for _, v := range []gearcore.Value{
		deep,
		gearcore.Obj(struct{}{}),
		gearcore.OpaqueValue(&gearcore.Opaque{Class: "x.Y"}),
		gearcore.List([]gearcore.Value{gearcore.Obj(1)}),
		gearcore.Map([]gearcore.Pair{{Key: gearcore.List(nil), Val: gearcore.Null()}}),
	} {
		for name, f := range map[string]func([]byte, gearcore.Value, int) ([]byte, error){"json": appendJSON, "msgpack": appendMsgpack} {
			if _, err := f(nil, v, 0); err == nil {
				t.Errorf("%s: append %v: no error", name, v.Kind())
			}
		}
	}
}

func decodeOne(t testing.TB, text string) (message, *inbound, error) {
	t.Helper()
	in := &inbound{}
	err := newDecoder(DefaultLimits()).decodeJSON([]byte(text), in)
	if err != nil {
		if len(in.msgs)+len(in.vals)+len(in.anchors) != 0 {
			t.Errorf("decode %q left %+v behind", text, in)
		}
		return message{}, in, err
	}
	return in.msgs[0], in, nil
}

func TestDecodeMessages(t *testing.T) {
	for _, c := range []struct {
		text    string
		want    message
		vals    []string
		anchors []uint64
	}{
		{`{"pid": 42}`, message{cmd: cmdPID, pid: 42, level: 2}, nil, nil},
		{`{"command":"sync"}`, message{cmd: cmdSync, level: 2}, nil, nil},
		{`{"command":"ack","id":"77"}`, message{cmd: cmdAck, level: 2, id: gearcore.Str("77")}, nil, nil},
		{`{"command":"fail","id":77}`, message{cmd: cmdFail, level: 2, id: gearcore.Int(77)}, nil, nil},
		{"{\"command\":\n \"emit\",\n\"tuple\": [\"a\",\n 1]}\n", message{cmd: cmdEmit, level: 2, vals: span{0, 2}}, []string{"a", "1"}, nil},
		{`{"tuple":[],"anchors":["1","2"],"command":"emit","stream":"s","task":9,"need_task_ids":false,"extra":{"x":[1]}}`,
			message{cmd: cmdEmit, level: 2, stream: "s", task: 9, noTaskIDs: true, anchors: span{0, 2}}, nil, []uint64{1, 2}},
		{`{"command":"emit","tuple":[1],"anchors":"5","stream":null,"task":null,"id":null,"need_task_ids":true}`,
			message{cmd: cmdEmit, level: 2, vals: span{0, 1}, anchors: span{0, 1}}, []string{"1"}, []uint64{5}},
		{`{"command":"emit","tuple":[1],"anchors":[7],"id":3.5}`,
			message{cmd: cmdEmit, level: 2, vals: span{0, 1}, anchors: span{0, 1}, id: gearcore.Double(3.5)}, []string{"1"}, []uint64{7}},
		{`{"command":"log","msg":"hi","level":4}`, message{cmd: cmdLog, level: 4, text: "hi"}, nil, nil},
		{`{"command":"log","msg":"hi","level":99}`, message{cmd: cmdLog, level: 2, text: "hi"}, nil, nil},
		{`{"command":"error","msg":12}`, message{cmd: cmdError, level: 2, text: "12"}, nil, nil},
		{`{"command":"metrics","name":"m","params":1.5}`, message{cmd: cmdMetrics, level: 2, text: "m", params: gearcore.Double(1.5)}, nil, nil},
		{`{"command":"dance"}`, message{cmd: cmdOther, level: 2, text: "dance"}, nil, nil},
	} {
		m, in, err := decodeOne(t, c.text)
		if err != nil {
			t.Errorf("decode %s: %v", c.text, err)
			continue
		}
		if !m.id.Equal(c.want.id) || !m.params.Equal(c.want.params) {
			t.Errorf("decode %s: id %v params %v", c.text, m.id.Any(), m.params.Any())
		}
		var vals []string
		for _, v := range in.values(&m) {
			vals = append(vals, v.Text())
		}
		if !reflect.DeepEqual(vals, c.vals) || !reflect.DeepEqual(in.anchors, c.anchors) {
			t.Errorf("decode %s: values %v anchors %v", c.text, vals, in.anchors)
		}
		m.id, m.params, c.want.id, c.want.params = gearcore.Null(), gearcore.Null(), gearcore.Null(), gearcore.Null()
		if m != c.want {
			t.Errorf("decode %s:\n got %+v\nwant %+v", c.text, m, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for text, part := range map[string]string{
		`hello from print`:              `not a JSON object`,
		`[1]`:                           `not a JSON object`,
		``:                              `not a JSON object`,
		`{}`:                            `without a "command"`,
		`{"command":"emit"}`:            `without a "tuple"`,
		`{"command":"emit","tuple":{}}`: `"tuple" is not a list`,
		`{"command":"emit","tuple":[1],"task":-1}`:         `"task" should be`,
		`{"command":"emit","tuple":[1],"task":"x"}`:        `"task" should be`,
		`{"command":"emit","tuple":[1],"anchors":{}}`:      `"anchors" should be`,
		`{"command":"emit","tuple":[1],"anchors":["abc"]}`: `"anchors" should be`,
		`{"command":7}`:                                   `"command" should be`,
		`{"command":"sync"} x`:                            `the end of the message`,
		`{"command":"sync"`:                               `in the middle`,
		`{"pid":"x"}`:                                     `"pid" should be`,
		`{"command":"emit","stream":1,"tuple":[]}`:        `"stream" should be`,
		`{"command":"emit","need_task_ids":1,"tuple":[]}`: `"need_task_ids" should be`,
		`{"command":"emit","tuple":[` + strings.Repeat("0,", 70000) + `0]}`: `tuple of more than 65535`,
	} {
		_, _, err := decodeOne(t, text)
		var perr *ProtocolError
		if !errors.As(err, &perr) || !strings.Contains(err.Error(), part) {
			t.Errorf("decode %.60q: error %v, want %q", text, err, part)
			continue
		}
		if len(err.Error()) > 1000 {
			t.Errorf("decode %.60q: an error of %d bytes", text, len(err.Error()))
		}
		if text != "" && !strings.Contains(perr.Excerpt, strings.ReplaceAll(text[:min(len(text), 5)], `"`, `\"`)) {
			t.Errorf("decode %.60q: excerpt %s", text, perr.Excerpt)
		}
	}
}

func TestDecodedStringsOutliveTheirMessage(t *testing.T) {
	d, in := newDecoder(DefaultLimits()), &inbound{}
	frame := []byte(`{"command":"emit","stream":"side","id":"m-1","tuple":["text",{"k":["v"]}]}`)
	if err := d.decodeJSON(frame, in); err != nil {
		t.Fatal(err)
	}
	clear(frame)
	m := in.msgs[0]
	got, err := appendList(nil, append(in.values(&m), m.id, gearcore.Str(m.stream)), 0)
	if want := `["text",{"k":["v"]},"m-1","side"]`; err != nil || string(got) != want {
		t.Fatalf("got %s, %v; want %s", got, err, want)
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	tup := gearcore.NewTuple(testLayout, 0, 2, gearcore.Str(strings.Repeat("x", 100)), gearcore.Int(7))
	f := format{limit: 1 << 20}
	dst := make([]byte, 0, 1<<10)
	if n := testing.AllocsPerRun(1000, func() {
		var err error
		if dst, err = f.tuple(dst[:0], 12345678901, tup); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("encoding a tuple allocates %v times", n)
	}
	d, in := newDecoder(DefaultLimits()), &inbound{}
	frame := []byte(`{"command":"emit","anchors":["12345678901"],"need_task_ids":false,"tuple":["word",7]}`)
	if n := testing.AllocsPerRun(1000, func() {
		in.reset()
		if err := d.decodeJSON(frame, in); err != nil {
			t.Fatal(err)
		}
	}); n >= 0.5 { // a chunk for strings now and then
		t.Errorf("decoding an emit allocates %v times", n)
	}
}

// FuzzScanJSON holds the scanner against encoding/json: what that takes, this takes with the same meaning.
func FuzzScanJSON(f *testing.F) {
	for _, s := range []string{`[1,"a",{"k":[true,null,1.5e3]}]`, `"\ud83d\ude00\n"`, `-12345678901234567890`, `{"a":{"a":{}}}`, `NaN`, `[1,]`, "\"\xff\"", `1e400`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := scanJSON(text)
		checkDeferred(t, text, v, err)
		if err != nil {
			if json.Valid([]byte(text)) && !errors.Is(err, ErrTooLarge) && !strings.Contains(err.Error(), "out of range") {
				t.Fatalf("refused valid JSON %q: %v", text, err)
			}
			return
		}
		again, err := appendJSON(nil, v, 0)
		if err != nil {
			t.Fatalf("cannot write what %q gave: %v", text, err)
		}
		if !json.Valid(again) {
			t.Fatalf("%q was written as %q, which is no JSON", text, again)
		}
		if w, err := scanJSON(string(again)); err != nil || !w.Equal(v) && !strings.Contains(text, "N") && !strings.Contains(text, "I") {
			t.Fatalf("%q became %q, which reads as %v, %v", text, again, w.Any(), err)
		}
	})
}

func FuzzDecodeJSONMessage(f *testing.F) {
	for _, s := range []string{`{"command":"emit","anchors":["1"],"tuple":["a",1]}`, `{"pid":1}`, `{"command":"ack","id":"1"}`, `{"command":"log","msg":"x","level":1}`,
		`{"command":"metrics","name":"n","params":{"incr":1}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		in := &inbound{}
		if err := newDecoder(DefaultLimits()).decodeJSON(frame, in); err != nil {
			if len(in.msgs)+len(in.vals)+len(in.anchors) != 0 {
				t.Fatalf("an error left something behind: %+v", in)
			}
			return
		}
		if len(in.msgs) != 1 || in.msgs[0].cmd == cmdNone {
			t.Fatalf("decoded %q as %+v", frame, in.msgs)
		}
	})
}

func BenchmarkEncodeTupleJSON(b *testing.B) {
	tup := gearcore.NewTuple(testLayout, 0, 2, gearcore.Str(strings.Repeat("x", 90)), gearcore.Int(7))
	f := format{limit: 1 << 20, heads: new(heads)}
	dst := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = f.tuple(dst[:0], 12345678901, tup)
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkDecodeEmitJSON(b *testing.B) {
	d, in := newDecoder(DefaultLimits()), &inbound{}
	frame := []byte(`{"command":"emit","anchors":["12345678901"],"need_task_ids":false,"tuple":["` + strings.Repeat("x", 90) + `",7]}`)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		in.reset()
		if err := d.decodeJSON(frame, in); err != nil {
			b.Fatal(err)
		}
	}
}

// TestHeadsOfManyEmitters alternates emitters that share a place in heads.
func TestHeadsOfManyEmitters(t *testing.T) {
	other := *testLayout
	other.Streams = []gearcore.Stream{{Component: "else", Name: "side", Fields: []string{"a"}}}
	f, plain := format{limit: 1 << 20, heads: new(heads)}, format{limit: 1 << 20}
	for range 3 {
		for _, tup := range []gearcore.Tuple{
			gearcore.NewTuple(testLayout, 0, 2, gearcore.Int(1)), gearcore.NewTuple(testLayout, 0, 10, gearcore.Int(1)),
			gearcore.NewTuple(testLayout, 1, -1, gearcore.Int(1)), gearcore.NewTuple(&other, 0, 2, gearcore.Int(1)),
			gearcore.NewTuple(testLayout, 1, 2, gearcore.Int(1)),
		} {
			got, err := f.tuple(nil, 5, tup)
			want, err1 := plain.tuple(nil, 5, tup)
			if err != nil || err1 != nil || string(got) != string(want) {
				t.Fatalf("got %s, %v; want %s, %v", got, err, want, err1)
			}
		}
	}
}
