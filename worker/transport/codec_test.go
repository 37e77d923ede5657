package transport

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

func testLayout() *gearcore.Layout {
	return &gearcore.Layout{
		Streams: []gearcore.Stream{
			{Component: "words", Name: "default", Fields: []string{"word"}},
			{Component: "words", Name: "other", Fields: []string{"a", "b"}},
			{Component: "count", Name: "default", Fields: []string{"word", "n"}},
		},
		Components: map[gearcore.TaskID]string{gearcore.SystemTask: "__system", 1: "words", 2: "count", 3: "count", 4: "sink", 5: "sink"},
	}
}

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
		gearcore.Str("héllo 😀"), gearcore.Str(strings.Repeat("x", 70000)), gearcore.Bytes(nil), gearcore.Bytes([]byte{0, 255}),
		gearcore.BigInt(huge), gearcore.BigInt(new(big.Int)), gearcore.List(nil),
		gearcore.List([]gearcore.Value{gearcore.Str("a"), gearcore.List([]gearcore.Value{gearcore.Int(1), gearcore.Null()})}),
		gearcore.Map([]gearcore.Pair{{Key: gearcore.Str("k"), Val: gearcore.Map([]gearcore.Pair{{Key: gearcore.Int(1), Val: gearcore.Double(1.5)}})}}),
		gearcore.OpaqueValue(&gearcore.Opaque{Class: "com.x.Y", Bytes: []byte{1, 2}, Hash: -5}), nest(codec.MaxDepth),
	}
}

func sameBatch(t *testing.T, got, want *gearcore.Batch) {
	t.Helper()
	if got.Target != want.Target || got.From != want.From || got.Watermark != want.Watermark || got.Marker != want.Marker || got.Generation != want.Generation || got.Behind != want.Behind || len(got.Rows) != len(want.Rows) {
		t.Fatalf("head is %+v, want %+v", got, want)
	}
	for i := range want.Rows {
		a, b := got.Tuple(i), want.Tuple(i)
		if a.Row().Stream != b.Row().Stream || a.SourceTask() != b.SourceTask() || a.Len() != b.Len() || len(a.Roots()) != min(len(b.Roots()), 1) {
			t.Fatalf("row %d is %+v, want %+v", i, *a.Row(), *b.Row())
		}
		for j := range b.Len() {
			if !a.Value(j).Equal(b.Value(j)) {
				t.Fatalf("row %d value %d is %s %s, want %s %s", i, j, a.Value(j).Kind(), a.Value(j).Text(), b.Value(j).Kind(), b.Value(j).Text())
			}
		}
		if b.Len() == 0 {
			continue
		}
		if o := b.Value(0).Opaque(); o != nil && o.Hash != a.Value(0).Opaque().Hash {
			t.Fatalf("row %d lost the hash of its opaque value", i)
		}
	}
}

// decoded returns what is in a data frame.
func decoded(body []byte, l *gearcore.Layout) (*gearcore.Batch, error) {
	b := &gearcore.Batch{}
	return b, decodeData(b, body, l)
}

// encode returns the bodies of the frames that b takes.
func encode(t *testing.T, b *gearcore.Batch, maxBody int) (bodies [][]byte, bad []rejected) {
	t.Helper()
	var buf []byte
	for next, seq := 0, uint64(1); ; seq++ {
		buf, next, _, bad = appendData(buf, seq, b, next, maxBody, bad)
		if next >= len(b.Rows) {
			break
		}
	}
	for len(buf) > 0 {
		body, rest, _, err := nextFrame(buf, maxBody, false)
		if err != nil || body == nil {
			t.Fatalf("own frame: %v, %d bytes left", err, len(buf))
		}
		bodies, buf = append(bodies, body), rest
	}
	return bodies, bad
}

func TestDataRoundTrip(t *testing.T) {
	l := testLayout()
	b := &gearcore.Batch{Layout: l, Target: 4, From: 2, Watermark: -77, Marker: 9, Generation: 1 << 40, Behind: 12}
	for i, v := range everyKind() {
		var roots []gearcore.RootEdge
		for j := range i % 3 {
			roots = append(roots, gearcore.RootEdge{Root: uint64(i) << 60, Edge: uint64(j) - 1})
		}
		b.Append(gearcore.StreamID(i%3), gearcore.TaskID(i%4-1), []gearcore.Value{v, gearcore.Int(int32(i))}[:1+i%2], roots)
	}
	b.Append(2, 1, nil, nil)
	bodies, bad := encode(t, b, 4<<20)
	if len(bodies) != 1 || len(bad) != 0 {
		t.Fatalf("%d frames and %v rejected, want one frame", len(bodies), bad)
	}
	got, err := decoded(bodies[0], l)
	if err != nil {
		t.Fatal(err)
	}
	sameBatch(t, got, b)
	if err := decodeData(got, bodies[0], l); err != nil { // into slabs that were used
		t.Fatal(err)
	}
	sameBatch(t, got, b)
}

// TestPlainRows sends what the short way takes, up to its limits, between what it leaves to the long way.
func TestPlainRows(t *testing.T) {
	l := testLayout()
	b := &gearcore.Batch{Layout: l, Target: 4, From: 2}
	for i, n := range []int{0, 1, 127, 128, 300, 1<<14 - 1, 1 << 14, 1 << 15, 5} {
		text := gearcore.Str(strings.Repeat("x", n))
		long := gearcore.Long([]int64{0, -1, 1, 63, 64, -65, math.MaxInt64, math.MinInt64, 1 << 35}[i])
		b.Append(0, 1, []gearcore.Value{text, long}, nil)
		b.Append(0, 1, []gearcore.Value{long, text}, nil)
		b.Append(0, 1, []gearcore.Value{text, gearcore.Null()}, nil)
		b.Append(0, 1, []gearcore.Value{long, long}, []gearcore.RootEdge{{Root: 1, Edge: uint64(i)}})
		b.Append(0, 1, []gearcore.Value{long, long}, nil)
		for range i {
			b.Append(1, 1, nil, nil)
		}
	}
	bodies, _ := encode(t, b, 4<<20)
	got, err := decoded(bodies[0], l)
	if err != nil {
		t.Fatal(err)
	}
	sameBatch(t, got, b)
	for cut := len(bodies[0]) - 1; cut >= 0; cut-- {
		if _, err := decoded(bodies[0][:cut:cut], l); !errors.Is(err, ErrFrame) {
			t.Fatalf("%d of %d bytes give %v, want ErrFrame", cut, len(bodies[0]), err)
		}
		if cut > 2000 && cut%997 != 0 {
			cut -= 97
		}
	}
}

func TestBatchBeyondFrameBoundIsSplit(t *testing.T) {
	l := testLayout()
	b := &gearcore.Batch{Layout: l, Target: 4, From: 1, Watermark: 7, Marker: 3, Generation: 2, Behind: 50}
	for i := range 100 {
		b.Append(0, 1, []gearcore.Value{gearcore.Str(strings.Repeat(string(rune('a'+i%26)), 3000))}, nil)
	}
	bodies, bad := encode(t, b, 64<<10)
	if len(bodies) != 5 || len(bad) != 0 {
		t.Fatalf("%d frames, %d rejected, want 5 and none", len(bodies), len(bad))
	}
	all := &gearcore.Batch{Layout: l, Target: 4, From: 1, Watermark: 7, Marker: 3, Generation: 2, Behind: 50}
	for i, body := range bodies {
		got, err := decoded(body, l)
		if err != nil {
			t.Fatal(err)
		}
		if last := i == len(bodies)-1; got.Generation != 2 || got.Behind != 50+uint64(len(all.Rows)) || (got.Marker == 3) != last || (got.Watermark == 7) != last {
			t.Errorf("frame %d of %d has generation %d, %d rows before it, marker %d, watermark %d", i, len(bodies), got.Generation, got.Behind, got.Marker, got.Watermark)
		}
		for i := range got.Rows {
			all.Append(0, 1, got.Tuple(i).Values(), nil)
		}
	}
	sameBatch(t, all, b)
}

// The marks of a batch are sent though its last row, or all of them, cannot be.
func TestMarksAreSentWithoutRows(t *testing.T) {
	l := testLayout()
	for _, good := range []int{0, 1, 30} {
		b := &gearcore.Batch{Layout: l, Target: 4, From: 1, Marker: 3, Generation: 2}
		for range good {
			b.Append(0, 1, []gearcore.Value{gearcore.Str(strings.Repeat("x", 3000))}, nil)
		}
		b.Append(0, 1, []gearcore.Value{gearcore.Obj(struct{}{})}, nil)
		bodies, bad := encode(t, b, 64<<10)
		if len(bad) != 1 || len(bodies) == 0 {
			t.Fatalf("%d frames, %d rejected", len(bodies), len(bad))
		}
		rows := 0
		for i, body := range bodies {
			got, err := decoded(body, l)
			if err != nil {
				t.Fatal(err)
			}
			rows += len(got.Rows)
			if (got.Marker == 3) != (i == len(bodies)-1) {
				t.Errorf("frame %d of %d has marker %d", i, len(bodies), got.Marker)
			}
		}
		if rows != good {
			t.Errorf("%d rows were sent, want %d", rows, good)
		}
	}
}

func TestRowsThatCannotBeSent(t *testing.T) {
	b := &gearcore.Batch{Layout: testLayout(), Target: 4, From: 1}
	b.Append(0, 1, []gearcore.Value{gearcore.Str("a")}, nil)
	b.Append(0, 1, []gearcore.Value{gearcore.Obj(struct{}{})}, nil)
	b.Append(1, 1, []gearcore.Value{gearcore.Str("b"), gearcore.List([]gearcore.Value{gearcore.Obj(1)})}, nil)
	b.Append(0, 1, []gearcore.Value{gearcore.Str(strings.Repeat("x", 70000))}, nil)
	b.Append(0, 1, []gearcore.Value{nest(codec.MaxDepth + 1)}, nil)
	b.Append(0, 1, []gearcore.Value{gearcore.Str("c")}, nil)
	bodies, bad := encode(t, b, 64<<10)
	if len(bodies) != 1 || len(bad) != 4 {
		t.Fatalf("%d frames, %d rejected, want 1 and 4", len(bodies), len(bad))
	}
	for i, want := range []string{"Go object", "Go object", "more than", "deeper"} {
		if bad[i].row != i+1 || !strings.Contains(bad[i].err.Error(), want) {
			t.Errorf("rejected row %d: %v, want row %d: %s", bad[i].row, bad[i].err, i+1, want)
		}
	}
	if !errors.Is(bad[0].err, codec.ErrObject) {
		t.Errorf("%v is not codec.ErrObject", bad[0].err)
	}
	got, err := decoded(bodies[0], b.Layout)
	if err != nil || len(got.Rows) != 2 || got.Tuple(0).String(0) != "a" || got.Tuple(1).String(0) != "c" {
		t.Fatalf("rest is %+v, %v", got, err)
	}
	only := &gearcore.Batch{Layout: b.Layout, Target: 4}
	only.Append(0, 1, []gearcore.Value{gearcore.Obj(1)}, nil)
	if bodies, _ := encode(t, only, 64<<10); len(bodies) != 0 {
		t.Errorf("a batch without a row that can be sent made %d frames", len(bodies))
	}
}

func TestFrameHeaderIsBelievedOnlyWithinBounds(t *testing.T) {
	good := appendPing(nil)
	sum(good)
	for _, c := range []struct {
		name string
		in   []byte
		err  bool
	}{
		{"nothing", nil, false},
		{"half a header", good[:5], false},
		{"half a body", good[:8], false},
		{"whole", good, false},
		{"length 0", make([]byte, 8), true},
		{"length beyond the bound", []byte{1, 0, 1, 0, 0, 0, 0, 0}, true},
		{"length of 2 GiB", []byte{0, 0, 0, 0x80, 0, 0, 0, 0}, true},
		{"wrong checksum", append([]byte{1, 0, 0, 0, 1, 2, 3, 4}, 3), true},
	} {
		body, _, _, err := nextFrame(c.in, 64<<10, true)
		if (err != nil) != c.err || err != nil && !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", c.name, err)
		}
		if whole := c.name == "whole"; whole != (body != nil) {
			t.Errorf("%s: body %v", c.name, body)
		}
	}
}

// TestCountsAreCheckedBeforeAllocation sends frames whose counts claim far more than they hold.
func TestCountsAreCheckedBeforeAllocation(t *testing.T) {
	l := testLayout()
	list := byte(gearcore.KindList)
	deep := []byte{rowHead, 0, 2, 1}
	for range codec.MaxDepth {
		deep = append(deep, list, 0xF0, 0x7F) // a list of 16,368 in each list
	}
	deep = append(deep, make([]byte, 20000)...)
	for _, c := range []struct {
		name              string
		rows, vals, roots uint32
		tail              []byte
	}{
		{"rows", 1 << 30, 0, 0, []byte{rowHead, 0, 2, 0}},
		{"values", 1, 1 << 31, 0, []byte{rowHead, 0, 2, 1, 0}},
		{"tracked rows", 1, 0, 1 << 31, []byte{rowHead, 0, 2, 0}},
		{"a tracked row that was not announced", 1, 0, 0, []byte{rowHead | rowTracked, 0, 2, 0}},
		{"a tracked row that does not come", 1, 0, 1, []byte{rowHead, 0, 2, 0}},
		{"list", 1, 1, 0, []byte{rowHead, 0, 2, 1, list, 0xFF, 0xFF, 0xFF, 0xFF, 0xF}},
		{"lists in lists", 1, 1, 0, deep},
		{"text", 1, 1, 0, []byte{rowHead, 0, 2, 1, byte(gearcore.KindString), 0xFF, 0xFF, 0xFF, 0xFF, 0xF, 'a'}},
		{"stream", 1, 0, 0, []byte{rowHead, 99, 2, 0}},
		{"no head", 1, 0, 0, []byte{0}},
		{"bytes left over", 1, 0, 0, []byte{rowHead, 0, 2, 0, 9}},
	} {
		body := append([]byte{frameData, 0}, make([]byte, dataHeader-2)...)
		for i, n := range []uint32{c.rows, c.vals, c.roots} {
			copy(body[18+4*i:], []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
		}
		body = append(body, c.tail...)
		var err error
		bytes := testing.AllocsPerRun(1, func() { _, err = decoded(body, l) })
		if !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v, want ErrFrame", c.name, err)
		}
		if bytes > 100 {
			t.Errorf("%s: %v allocations", c.name, bytes)
		}
	}
}

func FuzzDecode(f *testing.F) {
	l := testLayout()
	b := &gearcore.Batch{Layout: l, Target: 4, From: 2, Watermark: 1, Marker: 2, Generation: 3, Behind: 4}
	for i, v := range everyKind() {
		if v.Kind() != gearcore.KindString {
			b.Append(gearcore.StreamID(i%3), 1, []gearcore.Value{v}, []gearcore.RootEdge{{Root: 1, Edge: 2}})
		}
	}
	buf, _, _, _ := appendData(nil, 1, b, 0, 4<<20, nil)
	f.Add(buf[frameHeader:])
	plain := &gearcore.Batch{Layout: l, Target: 4, From: 2}
	for _, n := range []int{0, 3, 128, 200} {
		plain.Append(0, 1, []gearcore.Value{gearcore.Str(strings.Repeat("x", n)), gearcore.Long(int64(n) << 40)}, nil)
	}
	buf, _, _, _ = appendData(nil, 1, plain, 0, 4<<20, nil)
	usual := bytes.Clone(buf[frameHeader:])
	f.Add(usual)
	f.Add(appendGrants(nil, 7, []grant{{4, 5}})[frameHeader:])
	f.Add(bytes.Repeat([]byte{byte(gearcore.KindList)}, 200))
	f.Fuzz(func(t *testing.T, body []byte) {
		parseGrants(body, func(grant) {})
		got, err := decoded(body, l)
		used, _ := decoded(usual, l)
		if uerr := decodeData(used, body, l); (uerr == nil) != (err == nil) {
			t.Fatalf("into new slabs %v, into used ones %v", err, uerr)
		} else if err == nil {
			sameBatch(t, used, got)
		}
		if err != nil {
			return
		}
		bodies, bad := encode(t, got, 4<<20)
		if len(bad) != 0 || len(bodies) > 1 {
			t.Fatalf("cannot be sent on: %v", bad)
		}
		if len(bodies) == 1 {
			again, err := decoded(bodies[0], l)
			if err != nil {
				t.Fatal(err)
			}
			sameBatch(t, again, got)
		}
	})
}

// BenchmarkCodec is what a tuple costs to be written and read: a text and a number, which have a short way, and a list.
func BenchmarkCodec(b *testing.B) {
	const rows = 128
	l := testLayout()
	list := gearcore.List([]gearcore.Value{gearcore.Long(1), gearcore.Double(2), gearcore.Null(), gearcore.Long(1 << 40)})
	for _, c := range []struct {
		name string
		vals []gearcore.Value
	}{{"plain", []gearcore.Value{gearcore.Str(strings.Repeat("x", 100)), gearcore.Long(12345)}}, {"list", []gearcore.Value{list}}} {
		in := &gearcore.Batch{Layout: l, Target: 4, From: 1}
		for range rows {
			in.Append(0, 1, c.vals, nil)
		}
		buf, _, _, _ := appendData(nil, 1, in, 0, 4<<20, nil)
		perTuple := func(b *testing.B, before time.Duration) {
			b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N*rows), "cpu-ns/tuple")
		}
		b.Run(c.name+"/encode", func(b *testing.B) {
			before := cpu()
			for b.Loop() {
				buf, _, _, _ = appendData(buf[:0], 1, in, 0, 4<<20, nil)
			}
			perTuple(b, before)
		})
		b.Run(c.name+"/decode", func(b *testing.B) {
			var again gearcore.Batch
			b.ReportAllocs()
			before := cpu()
			for b.Loop() {
				body, _, _, _ := nextFrame(buf, 4<<20, false)
				if err := decodeData(&again, body, l); err != nil {
					b.Fatal(err)
				}
			}
			perTuple(b, before)
		})
	}
}
