package codec

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"runtime"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

var errBad = errors.New("bad")

func nest(depth int) gearcore.Value {
	v := gearcore.Long(7)
	for range depth {
		v = gearcore.List([]gearcore.Value{v})
	}
	return v
}

func everyKind() []gearcore.Value {
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	return []gearcore.Value{
		gearcore.Null(), gearcore.Bool(true), gearcore.Bool(false), gearcore.Byte(-128), gearcore.Short(math.MinInt16),
		gearcore.Char(0xFFFF), gearcore.Int(math.MinInt32), gearcore.Long(math.MaxInt64), gearcore.Long(math.MinInt64),
		gearcore.Float(-2.5), gearcore.Double(math.Copysign(0, -1)), gearcore.Double(math.Inf(1)), gearcore.Str(""),
		gearcore.Str("héllo 😀"), gearcore.Str(strings.Repeat("x", 300)), gearcore.Bytes(nil), gearcore.Bytes([]byte{0, 255}),
		gearcore.BigInt(huge), gearcore.BigInt(new(big.Int)), gearcore.BigInt(big.NewInt(128)), gearcore.List(nil), gearcore.Map(nil),
		gearcore.List([]gearcore.Value{gearcore.Str("a"), gearcore.List([]gearcore.Value{gearcore.Int(1), gearcore.Null()})}),
		gearcore.Map([]gearcore.Pair{{Key: gearcore.Str("k"), Val: gearcore.Map([]gearcore.Pair{{Key: gearcore.Int(1), Val: gearcore.Double(1.5)}})}}),
		gearcore.OpaqueValue(&gearcore.Opaque{Class: "com.x.Y", Bytes: []byte{1, 2}, Hash: -5}), nest(MaxDepth),
	}
}

// readers read body with texts as views, and as copies.
func readers(body []byte) map[string]*Reader {
	views, copies := NewReader(body, errBad), NewReader(body, errBad)
	copies.Texts = &gearcore.Chunk{}
	return map[string]*Reader{"views": &views, "copies": &copies}
}

func same(a, b gearcore.Value) bool {
	if o := a.Opaque(); o != nil && b.Opaque() != nil && o.Hash != b.Opaque().Hash {
		return false
	}
	return a.Kind() == b.Kind() && (a.Equal(b) || a.Float() != a.Float() && b.Float() != b.Float())
}

func TestEveryKindComesBack(t *testing.T) {
	for _, v := range everyKind() {
		body, err := Append([]byte("before"), v)
		if err != nil || !bytes.HasPrefix(body, []byte("before")) {
			t.Fatalf("%s %s is written as %q, %v", v.Kind(), v.Text(), body, err)
		}
		body = body[len("before"):]
		for how, r := range readers(body) {
			if got := r.Value(); r.Err != nil || len(r.Rest) != 0 || !same(got, v) {
				t.Errorf("%s %s came back with %s as %s %s, %v, %d bytes left", v.Kind(), v.Text(), how, got.Kind(), got.Text(), r.Err, len(r.Rest))
			}
		}
		for cut := range body {
			for how, r := range readers(body[:cut:cut]) {
				if r.Value(); !errors.Is(r.Err, errBad) || r.Rest != nil {
					t.Fatalf("%d of %d bytes of %s %s with %s give %v", cut, len(body), v.Kind(), v.Text(), how, r.Err)
				}
			}
		}
	}
}

// TestBytesOnTheWire holds the form against what stands in the package's documentation, which other languages follow.
func TestBytesOnTheWire(t *testing.T) {
	for _, c := range []struct {
		v    gearcore.Value
		want []byte // behind the kind
	}{
		{gearcore.Null(), nil}, {gearcore.Bool(true), []byte{1}}, {gearcore.Long(-1), []byte{1}}, {gearcore.Int(300), []byte{0xD8, 4}},
		{gearcore.Float(1), []byte{0, 0, 0x80, 0x3F}}, {gearcore.Double(1), []byte{0, 0, 0, 0, 0, 0, 0xF0, 0x3F}},
		{gearcore.Str("ab"), []byte{2, 'a', 'b'}}, {gearcore.Bytes([]byte{7}), []byte{1, 7}}, {gearcore.BigInt(big.NewInt(-258)), []byte{0, 2, 1, 2}},
		{gearcore.List([]gearcore.Value{gearcore.Null()}), []byte{1, byte(gearcore.KindNull)}},
		{gearcore.Map([]gearcore.Pair{{Key: gearcore.Null(), Val: gearcore.Bool(false)}}), []byte{1, byte(gearcore.KindNull), byte(gearcore.KindBool), 0}},
		{gearcore.OpaqueValue(&gearcore.Opaque{Class: "C", Bytes: []byte{9}, Hash: 1}), []byte{1, 'C', 1, 0, 0, 0, 1, 9}},
	} {
		if got, err := Append(nil, c.v); err != nil || !bytes.Equal(got, append([]byte{byte(c.v.Kind())}, c.want...)) {
			t.Errorf("%s %s is % x, %v, want the kind and % x", c.v.Kind(), c.v.Text(), got, err, c.want)
		}
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	for _, v := range []gearcore.Value{gearcore.Obj(1), gearcore.List([]gearcore.Value{gearcore.Obj(1)}), gearcore.Map([]gearcore.Pair{{Key: gearcore.Obj(1)}})} {
		if _, err := Append(nil, v); !errors.Is(err, ErrObject) {
			t.Errorf("%s: %v, want ErrObject", v.Kind(), err)
		}
	}
	if _, err := Append(nil, nest(MaxDepth+1)); err == nil || !strings.Contains(err.Error(), "deeper") {
		t.Errorf("nested too deep: %v", err)
	}
	deep, _ := Append([]byte{byte(gearcore.KindList), 1}, nest(MaxDepth))
	if r := NewReader(deep, errBad); r.Value().Kind() != gearcore.KindNull || r.Err == nil || !strings.Contains(r.Err.Error(), "deeper") {
		t.Errorf("nested too deep is read: %v", r.Err)
	}
}

// TestTextsAreViewsOrCopies writes over a body after it was read.
func TestTextsAreViewsOrCopies(t *testing.T) {
	body := AppendText(nil, "ab")
	views := NewReader(body, errBad)
	copies := NewReader(body, errBad)
	copies.Texts = &gearcore.Chunk{}
	view, copied := views.Text(), copies.Text()
	body[1] = 'X'
	if view != "Xb" || copied != "ab" {
		t.Errorf("view %q, copy %q, want Xb and ab", view, copied)
	}
	if b := NewReader(body, errBad); cap(b.Bytes()) != 2 {
		t.Error("appending to a view would write into the body")
	}
}

// TestClaimsAreNotBelieved reads bodies that claim far more than they hold.
func TestClaimsAreNotBelieved(t *testing.T) {
	list, mapping := byte(gearcore.KindList), byte(gearcore.KindMap)
	tail := make([]byte, 20000)
	for name, body := range map[string][]byte{
		"text":           {byte(gearcore.KindString), 0xFF, 0xFF, 0xFF, 0xFF, 0xF, 'a'},
		"list":           {list, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1},
		"map":            append([]byte{mapping, 0xA1, 0x9C, 1}, tail...), // 20,001 pairs
		"lists in list":  append(bytes.Repeat([]byte{list, 0xF0, 0x7F}, MaxDepth), tail...),
		"maps in map":    append(bytes.Repeat([]byte{mapping, 0xF8, 0x3F}, MaxDepth), tail...),
		"opaque":         {byte(gearcore.KindOpaque), 1, 'C', 0, 0, 0, 0, 0xFF, 0xFF, 3},
		"zero with sign": {byte(gearcore.KindBigInt), 2, 1, 0},
		"sign":           {byte(gearcore.KindBigInt), 3, 1, 1},
		"kind":           {200},
	} {
		for how, r := range readers(body) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r.Value()
			runtime.ReadMemStats(&after)
			if !errors.Is(r.Err, errBad) {
				t.Errorf("%s with %s: %v, want an error", name, how, r.Err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("%s with %s: %d bytes allocated for %d", name, how, n, len(body))
			}
		}
	}
}

// TestErrorsStick: the first error is the one told, and nothing comes after it.
func TestErrorsStick(t *testing.T) {
	r := NewReader([]byte{200, 1, 2, 3, 4, 5, 6, 7, 8, 9}, errBad)
	r.Value()
	first := r.Err
	if r.Byte() != 0 || r.Uint32() != 0 || r.Uint64() != 0 || r.Uvarint() != 0 || r.Varint() != 0 || r.Count(1) != 0 || r.Text() != "" || r.Take(1) != nil {
		t.Error("something is read after an error")
	}
	if r.Err != first || !errors.Is(first, errBad) || !strings.Contains(first.Error(), "kind 200") {
		t.Errorf("%v, then %v, want the same error of kind 200", first, r.Err)
	}
}

// TestPlainValuesAllocateNothing reads and writes what most tuples are.
func TestPlainValuesAllocateNothing(t *testing.T) {
	var body, buf []byte
	vals := []gearcore.Value{gearcore.Str("some text"), gearcore.Long(1 << 40), gearcore.Double(2), gearcore.Bytes([]byte{1})}
	for _, v := range vals {
		body, _ = Append(body, v)
	}
	if n := testing.AllocsPerRun(100, func() {
		buf = buf[:0]
		r := NewReader(body, errBad)
		for range vals {
			buf, _ = Append(buf, r.Value())
		}
	}); n > 0 || !bytes.Equal(buf, body) {
		t.Errorf("%v allocations, same bytes: %v", n, bytes.Equal(buf, body))
	}
}

// FuzzValue reads any bytes as a value: they are refused, or stand for a value that is written and read again the same.
func FuzzValue(f *testing.F) {
	for _, v := range everyKind() {
		body, _ := Append(nil, v)
		f.Add(body)
	}
	f.Add(bytes.Repeat([]byte{byte(gearcore.KindList)}, 200))
	f.Fuzz(func(t *testing.T, body []byte) {
		rs := readers(body)
		v, copied := rs["views"].Value(), rs["copies"].Value()
		err := rs["views"].Err
		if cerr := rs["copies"].Err; (err == nil) != (cerr == nil) || err == nil && !same(v, copied) {
			t.Fatalf("views: %s, %v; copies: %s, %v", v.Text(), err, copied.Text(), cerr)
		}
		if err != nil {
			if !errors.Is(err, errBad) {
				t.Fatalf("%v does not wrap the frame's error", err)
			}
			return
		}
		again, err := Append(nil, v)
		if err != nil {
			t.Fatalf("%s cannot be sent on: %v", v.Text(), err)
		}
		r := NewReader(again, errBad)
		if w := r.Value(); r.Err != nil || len(r.Rest) > 0 || w.Text() != v.Text() || w.Kind() != v.Kind() {
			t.Fatalf("%s %s came back as %s %s, %v", v.Kind(), v.Text(), w.Kind(), w.Text(), r.Err)
		}
	})
}

// TestRowsComeBack writes and reads values of a row at once: texts whose lengths take one, two and three bytes, up to the end.
func TestRowsComeBack(t *testing.T) {
	vals := everyKind()
	for _, n := range []int{0, 1, 2, 127, 128, 129, maxShort - 1, maxShort, maxShort + 1} {
		vals = append(vals, gearcore.Str(strings.Repeat("x", n)), gearcore.Long(int64(n)))
	}
	for last := range vals {
		body, err := AppendAll([]byte("before"), vals[:last+1])
		if err != nil {
			t.Fatal(err)
		}
		var each []byte
		for _, v := range vals[:last+1] {
			each, _ = Append(each, v)
		}
		if string(body) != "before"+string(each) {
			t.Fatalf("%d values together are not what they are one by one", last+1)
		}
		for how, r := range readers(each) {
			got := r.Values([]gearcore.Value{gearcore.Null()}, last+1)
			if r.Err != nil || len(r.Rest) > 0 || len(got) != last+2 {
				t.Fatalf("%s: %d values, %d bytes left, %v", how, len(got), len(r.Rest), r.Err)
			}
			for i, v := range got[1:] {
				if !same(v, vals[i]) {
					t.Errorf("%s: value %d, %s %s, comes back as %s %s", how, i, vals[i].Kind(), vals[i].Text(), v.Kind(), v.Text())
				}
			}
		}
		for cut := max(0, len(each)-200); cut < len(each); cut++ {
			if r := NewReader(each[:cut], errBad); len(r.Values(nil, last+1)) > last+1 || !errors.Is(r.Err, errBad) {
				t.Fatalf("%d of %d bytes: %v", cut, len(each), r.Err)
			}
		}
	}
	if _, err := AppendAll(nil, []gearcore.Value{gearcore.Obj(1)}); !errors.Is(err, ErrObject) {
		t.Errorf("an object is written: %v", err)
	}
}
