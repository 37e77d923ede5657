package multilang

import (
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// nested is a tuple's field as Python writes it.
const nested = `{"user": "caf\u00e9 \"x\"", "tags": ["a", "b", {"deep": [1, -2.5e3, true, null]}], "n": 12345678901, "big": 123456789012345678901234567890, "text": "` + "é" + `"}`

func emitOf(t *testing.T, tuple string) gearcore.Value {
	t.Helper()
	d, in := newDecoder(DefaultLimits()), &inbound{}
	frame := []byte(`{"command": "emit", "tuple": [` + tuple + `]}`)
	if err := d.decodeJSON(frame, in); err != nil {
		t.Fatal(err)
	}
	clear(frame)
	return in.vals[0]
}

func TestDeferredJSON(t *testing.T) {
	v := emitOf(t, nested)
	if v.Deferred() == nil || v.Kind() != gearcore.KindMap {
		t.Fatalf("%v was parsed", v.Kind())
	}
	if b, err := appendJSON(nil, v, 1); err != nil || string(b) != nested {
		t.Errorf("passed on as %s, %v", b, err)
	}
	eager, err := scanJSON(nested)
	if err != nil || !v.Equal(eager) || v.Hash(gearcore.HashJava) != eager.Hash(gearcore.HashJava) {
		t.Errorf("parsed as %v, want %v, %v", v.Any(), eager.Any(), err)
	}
	const big = `, "big": 123456789012345678901234567890`
	b, err := appendMsgpack(nil, emitOf(t, strings.Replace(nested, big, "", 1)), 1)
	w, err1 := unpack(b)
	if eager, _ = scanJSON(strings.Replace(nested, big, "", 1)); err != nil || err1 != nil || !w.Equal(eager) {
		t.Errorf("as msgpack %v, %v, %v", w.Any(), err, err1)
	}
	for name, text := range map[string]string{
		"small":            `{"a": 1}`,
		"NaN":              `[NaN, "` + strings.Repeat("x", 100) + `"]`,
		"-Infinity":        `[-Infinity, "` + strings.Repeat("x", 100) + `"]`,
		"line break":       "[1,\n\"" + strings.Repeat("x", 100) + `"]`,
		"tab":              "[1,\t\"" + strings.Repeat("x", 100) + `"]`,
		"not UTF-8":        "[\"\xff" + strings.Repeat("x", 100) + `"]`,
		"not UTF-8 at all": "[\"" + strings.Repeat("x", 100) + "\xff\"]",
	} {
		if v := emitOf(t, text); v.Deferred() != nil {
			t.Errorf("%s: it is kept as it came", name)
		}
	}
}

func TestDeferredErrors(t *testing.T) {
	pad := strings.Repeat("x", 100)
	limits := DefaultLimits()
	limits.Values = 20
	for name, text := range map[string]string{
		"open": `["` + pad + `"`, "comma": `["` + pad + `",]`, "escape": `["` + pad + `\q"]`, "half an escape": `["` + pad + `\u12"]`, "control": `["` + pad + "\x01\"]",
		"no colon": `{"` + pad + `" 1}`, "no key": `{1:"` + pad + `"}`, "zeros": `["` + pad + `",012]`, "range": `["` + pad + `",1e999]`,
		"deep": `["` + pad + `",` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `]`, "many": `["` + pad + `"` + strings.Repeat(",1", 30) + `]`, "word": `["` + pad + `",nil]`,
	} {
		if err := newDecoder(limits).decodeJSON([]byte(`{"command":"emit","tuple":[`+text+`]}`), &inbound{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDeferredMarshal(t *testing.T) {
	eager, err := scanJSON(nested)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := appendMarshal(nil, eager, 1)
	if err != nil {
		t.Fatal(err)
	}
	op := append([]byte("(\x03\x00\x00\x00i\x00\x00\x00\x00N[\x01\x00\x00\x00"), raw...)
	in, err := ops(framingMarshal, op, DefaultLimits())
	if err != nil || in.vals[0].Deferred() == nil {
		t.Fatalf("%v, %v was parsed", err, in.vals)
	}
	v := in.vals[0]
	clear(op)
	if b, err := appendMarshal(nil, v, 1); err != nil || string(b) != string(raw) {
		t.Errorf("passed on as %q, %v", b, err)
	}
	if b, err := appendJSON(nil, v, 1); err != nil || !strings.Contains(string(b), `"tags":["a","b",{"deep":[1,-2500.0,true,null]}]`) {
		t.Errorf("as JSON %s, %v", b, err)
	}
	if !v.Equal(eager) {
		t.Errorf("parsed as %v", v.Any())
	}
	set := "<\x01\x00\x00\x00z\x63" + strings.Repeat("x", 0x63)
	if in, err := ops(framingMarshal, []byte("(\x03\x00\x00\x00i\x00\x00\x00\x00N[\x01\x00\x00\x00"+set), DefaultLimits()); err != nil || in.vals[0].Deferred() != nil {
		t.Errorf("a set: %v, %v", in.vals, err)
	}
}

// checkDeferred holds the scanner that passes over values against the one that parses them.
func checkDeferred(t *testing.T, text string, v gearcore.Value, err error) {
	t.Helper()
	limits := DefaultLimits()
	s := newScanner([]byte(text), &limits, new(gearcore.Chunk))
	if !s.skip(0) {
		return
	}
	if s.space(); s.i < len(text) {
		return
	}
	if err != nil {
		t.Fatalf("%q was passed over, but parsing it gives %v", text, err)
	}
	if w := parseJSON(text); !w.Equal(v) {
		t.Fatalf("%q was passed over and is %v later, %v now", text, w.Any(), v.Any())
	}
}

// benchNested decodes and encodes a tuple with one nested field, as from one child to the next.
func benchNested(b *testing.B, look bool) {
	d, in := newDecoder(DefaultLimits()), &inbound{}
	doc := `[` + strings.Repeat(nested+", ", 4) + nested + `]`
	frame := []byte(`{"command":"emit","anchors":["12345678901"],"need_task_ids":false,"tuple":[` + doc + `]}`)
	f := format{limit: 1 << 20}
	dst := make([]byte, 0, 1<<12)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		in.reset()
		if err := d.decodeJSON(frame, in); err != nil {
			b.Fatal(err)
		}
		vals := in.vals
		if look {
			vals = []gearcore.Value{gearcore.List(in.vals[0].List())}
		}
		dst, _ = f.tuple(dst[:0], 1, gearcore.NewTuple(testLayout, 0, 2, vals...))
	}
}

func BenchmarkForwardNestedJSON(b *testing.B) {
	b.Run("unparsed", func(b *testing.B) { benchNested(b, false) })
	b.Run("looked at", func(b *testing.B) { benchNested(b, true) })
}
