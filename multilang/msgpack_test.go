package multilang

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/gearstorm/gearstorm/gearcore"
)

func unpack(b []byte) (gearcore.Value, error) {
	limits := DefaultLimits()
	u := unpacker{b: b, limits: &limits, left: limits.Values, text: new(gearcore.Chunk)}
	v, err := u.value(0, true)
	if err == nil && u.i != len(b) {
		err = errors.New("bytes are left")
	}
	return v, err
}

// TestMsgpackAgreesWithALibrary writes with one and reads with the other, both ways.
func TestMsgpackAgreesWithALibrary(t *testing.T) {
	long := strings.Repeat("x", 70000)
	for _, c := range []struct {
		v  gearcore.Value
		as any // what the library makes of it
	}{
		{gearcore.Null(), nil},
		{gearcore.Bool(true), true},
		{gearcore.Int(0), int64(0)},
		{gearcore.Int(-32), int64(-32)},
		{gearcore.Int(-33), int64(-33)},
		{gearcore.Int(127), int64(127)},
		{gearcore.Int(128), int64(128)},
		{gearcore.Int(-129), int64(-129)},
		{gearcore.Int(70000), int64(70000)},
		{gearcore.Int(math.MinInt32), int64(math.MinInt32)},
		{gearcore.Long(math.MaxInt32 + 1), int64(math.MaxInt32 + 1)},
		{gearcore.Long(math.MinInt64), int64(math.MinInt64)},
		{gearcore.BigInt(new(big.Int).SetUint64(math.MaxUint64)), uint64(math.MaxUint64)},
		{gearcore.Double(2.5), 2.5},
		{gearcore.Str(""), ""},
		{gearcore.Str("é€😀"), "é€😀"},
		{gearcore.Str(long[:31]), long[:31]},
		{gearcore.Str(long[:32]), long[:32]},
		{gearcore.Str(long[:300]), long[:300]},
		{gearcore.Str(long), long},
		{gearcore.Bytes([]byte{1, 2}), []byte{1, 2}},
		{gearcore.Bytes([]byte(long)), []byte(long)},
		{gearcore.List([]gearcore.Value{gearcore.Int(1), gearcore.Str("a")}), []any{int64(1), "a"}},
		{gearcore.Map([]gearcore.Pair{{Key: gearcore.Str("k"), Val: gearcore.Int(1)}}), map[string]any{"k": int64(1)}},
	} {
		ours, err := appendMsgpack(nil, c.v, 0)
		if err != nil {
			t.Errorf("write %.40v: %v", c.v.Any(), err)
			continue
		}
		dec := msgpack.NewDecoder(bytes.NewReader(ours))
		dec.UseLooseInterfaceDecoding(true)
		back, err := dec.DecodeInterface()
		if err != nil {
			t.Errorf("the library cannot read %.40v: %v", c.v.Any(), err)
			continue
		}
		if fmt.Sprintf("%v", back) != fmt.Sprintf("%v", c.as) { // its integers have the width of the encoding
			t.Errorf("the library reads %.40v as %.40v", c.v.Any(), back)
		}
		theirs, err := msgpack.Marshal(c.as)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{ours, theirs} {
			if v, err := unpack(b); err != nil || !v.Equal(c.v) {
				t.Errorf("read % .20x: got %s %.40v, %v; want %s", b, v.Kind(), v.Any(), err, c.v.Kind())
			}
		}
	}
	many := make([]gearcore.Value, 70000)
	b, err := appendMsgpack(nil, gearcore.List(many), 0)
	if v, err1 := unpack(b); err != nil || err1 != nil || len(v.List()) != len(many) {
		t.Errorf("a long list: %v, %v", err, err1)
	}
	if _, err := appendMsgpack(nil, gearcore.BigInt(new(big.Int).Lsh(big.NewInt(1), 70)), 0); err == nil {
		t.Error("an integer of 71 bits went out")
	}
}

func TestUnpackRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":             {},
		"reserved":          {0xc1},
		"extension":         {0xd4, 1, 2},
		"short string":      {0xa5, 'a'},
		"long list":         {0xdd, 0xff, 0xff, 0xff, 0xff},
		"long map":          {0xdf, 0xff, 0xff, 0xff, 0xff},
		"long bin":          {0xc6, 0xff, 0xff, 0xff, 0xff},
		"deep":              append(bytes.Repeat([]byte{0x91}, 70), 0xc0),
		"list as key":       {0x81, 0x90, 0xc0},
		"half an integer":   {0xd2, 0, 0},
		"map without value": {0x81, 0xa1, 'k'},
	} {
		if v, err := unpack(b); err == nil {
			t.Errorf("%s: no error, got %v", name, v.Any())
		}
	}
}

func TestDecodeMsgpackMessages(t *testing.T) {
	d, in := newDecoder(DefaultLimits()), &inbound{}
	b, err := msgpack.Marshal(map[string]any{"command": "emit", "anchors": []string{"9"}, "tuple": []any{"a", int64(1), []byte{5}},
		"need_task_ids": false, "id": "x", "stream": "s", "task": 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.decodeMsgpack(b, in); err != nil {
		t.Fatal(err)
	}
	m := in.msgs[0]
	clear(b)
	if m.cmd != cmdEmit || !m.noTaskIDs || m.stream != "s" || m.task != 4 || m.id.Str() != "x" || in.anchors[0] != 9 ||
		in.vals[0].Str() != "a" || in.vals[1].Kind() != gearcore.KindInt || in.vals[2].Bytes()[0] != 5 {
		t.Errorf("got %+v %v %v", m, in.vals, in.anchors)
	}
	for name, msg := range map[string]any{"no command": map[string]any{}, "a list": []int{1}, "no tuple": map[string]any{"command": "emit"}} {
		b, _ := msgpack.Marshal(msg)
		before := len(in.msgs)
		if err := d.decodeMsgpack(b, in); err == nil || len(in.msgs) != before {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// FuzzMsgpack feeds arbitrary bytes, in two pieces, to the framer and the decoder.
func FuzzMsgpack(f *testing.F) {
	ok, _ := msgpack.Marshal(map[string]any{"command": "emit", "tuple": []any{"a", 1, 2.5, nil, map[string]any{"k": true}}})
	f.Add(ok, 3)
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff}, 1)
	f.Add([]byte{0xc1}, 0)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		limits := DefaultLimits()
		var whole, parts packFramer
		n, err := whole.end(b, &limits)
		if cut >= 0 && cut < len(b) {
			if m, _ := parts.end(b[:cut], &limits); m == 0 {
				if m, err2 := parts.end(b, &limits); m != n || (err == nil) != (err2 == nil) {
					t.Fatalf("in one piece %d, %v; in two %d, %v", n, err, m, err2)
				}
			}
		}
		if err != nil || n == 0 {
			return
		}
		v, err := unpack(b[:n])
		if errors.Is(err, errShort) {
			t.Fatalf("the framer says %d bytes, the reader wants more", n)
		}
		if err == nil {
			if again, err := appendMsgpack(nil, v, 0); err == nil {
				if _, err := unpack(again); err != nil {
					t.Fatalf("cannot read back % x: %v", again, err)
				}
			}
		}
		in := &inbound{}
		if newDecoder(limits).decodeMsgpack(b[:n], in) != nil && len(in.msgs)+len(in.vals)+len(in.anchors) != 0 {
			t.Fatalf("an error left something behind: %+v", in)
		}
	})
}

func BenchmarkDecodeEmitMsgpack(b *testing.B) {
	d, in := newDecoder(DefaultLimits()), &inbound{}
	frame, _ := msgpack.Marshal(map[string]any{"command": "emit", "anchors": []string{"12345678901"}, "need_task_ids": false,
		"tuple": []any{strings.Repeat("x", 90), 7}})
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		in.reset()
		if err := d.decodeMsgpack(frame, in); err != nil {
			b.Fatal(err)
		}
	}
}
