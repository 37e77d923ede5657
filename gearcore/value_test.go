package gearcore

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// The vectors were computed by Storm 2.8.3's TupleUtils: hash, and the index among 3 and 7 tasks.
func TestFieldsHashAgreesWithStorm(t *testing.T) {
	big1, _ := new(big.Int).SetString("12345678901234567890", 10)
	for _, c := range []struct {
		name   string
		vals   []Value
		hash   int32
		n3, n7 int
	}{
		{"a", []Value{Str("a")}, 128, 2, 2},
		{"word", []Value{Str("word")}, 3655465, 1, 2},
		{"é", []Value{Str("é")}, 264, 0, 5},
		{"emoji", []Value{Str("😀")}, 1772930, 2, 5},
		{"a, int 1", []Value{Str("a"), Int(1)}, 3969, 0, 0},
		{"int -1", []Value{Int(-1)}, 30, 0, 2},
		{"long -1", []Value{Long(-1)}, 31, 1, 3},
		{"long 2^40", []Value{Long(1 << 40)}, 287, 2, 0},
		{"2.5", []Value{Double(2.5)}, 1074003999, 0, 5},
		{"-0.0", []Value{Double(math.Copysign(0, -1))}, -2147483617, 2, 1},
		{"float 2.5", []Value{Float(2.5)}, 1075839007, 1, 5},
		{"true", []Value{Bool(true)}, 1262, 2, 2},
		{"null", []Value{Null()}, 31, 1, 3},
		{"bytes", []Value{Bytes([]byte{1, 2, 255})}, 30844, 1, 2},
		{"list", []Value{List([]Value{Int(1), Int(2)})}, 1025, 2, 3},
		{"map", []Value{Map([]Pair{{Str("k"), Int(1)}})}, 137, 2, 4},
		{"bigint", []Value{BigInt(big1)}, -1436577051, 0, 0},
		{"nothing", nil, 1, 1, 1},
	} {
		idx := make([]int, len(c.vals))
		for i := range idx {
			idx[i] = i
		}
		h := FieldsHash(c.vals, idx, HashJava)
		if h != c.hash || FloorMod(h, 3) != c.n3 || FloorMod(h, 7) != c.n7 {
			t.Errorf("%s: hash %d (%d of 3, %d of 7), want %d (%d, %d)", c.name, h, FloorMod(h, 3), FloorMod(h, 7), c.hash, c.n3, c.n7)
		}
	}
}

func TestHashByValueUnitesIntegerWidths(t *testing.T) {
	if a, b := Long(-1).Hash(HashByValue), Int(-1).Hash(HashByValue); a != b {
		t.Errorf("Long(-1) hashes to %d, Int(-1) to %d", a, b)
	}
	if a, b := Long(1<<40).Hash(HashByValue), Long(1<<40).Hash(HashJava); a != b {
		t.Errorf("a Long beyond 32 bits hashes to %d by value, %d in Java", a, b)
	}
}

func TestStringHashBlocks(t *testing.T) {
	s := ""
	for i := range 40 {
		if got, want := StringHash(s), plainStringHash(s); got != want {
			t.Fatalf("%q hashes to %d, want %d", s, got, want)
		}
		s += string(rune('a' + i%26))
	}
}

// plainStringHash is String.hashCode as its documentation says it.
func plainStringHash(s string) int32 {
	h := int32(0)
	for _, u := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(u)
	}
	return h
}

func FuzzStringHash(f *testing.F) {
	for _, s := range []string{"", "a", "word", "12345678", "1234567é", "\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f", "12345678é12345678", "😀word😀", "1234567890123456789\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := StringHash(s), plainStringHash(s); got != want {
			t.Errorf("%q hashes to %d, want %d", s, got, want)
		}
	})
}

func BenchmarkStringHash(b *testing.B) {
	for _, n := range []int{4, 9, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s, h := strings.Repeat("x", n), int32(0)
			for b.Loop() {
				h += StringHash(s)
			}
			_ = h
		})
	}
}

func TestKeyGroupsOfIntegersInSequenceAreSpread(t *testing.T) {
	var halves [2]int
	for i := range int32(1000) {
		g := KeyGroup(31 + i)
		if g < 0 || g >= KeyGroups {
			t.Fatalf("hash %d is of group %d", i, g)
		}
		halves[g*2/KeyGroups]++
	}
	if halves[0] < 400 || halves[1] < 400 {
		t.Errorf("the two halves of the groups have %v of 1,000 keys", halves)
	}
}

func TestValuesKeepKindAndContent(t *testing.T) {
	in := []any{nil, true, int8(-3), int16(-300), uint16('x'), int32(-70000), int64(math.MinInt64), float32(2.5), 2.5, "héllo", []byte{0, 255}, []any{"a", int64(1)}}
	want := []Kind{KindNull, KindBool, KindByte, KindShort, KindChar, KindInt, KindLong, KindFloat, KindDouble, KindString, KindBytes, KindList}
	vs := AppendValues(nil, in)
	for i, v := range vs {
		if v.Kind() != want[i] {
			t.Errorf("%v became %s, want %s", in[i], v.Kind(), want[i])
		}
		back, err := FromAny(v.Any())
		if err != nil || !back.Equal(v) {
			t.Errorf("%v came back as %v (%v)", v.Any(), back.Any(), err)
		}
	}
	if Long(1).Equal(Int(1)) {
		t.Error("a Long equals an Integer")
	}
}

type nullSink struct{ n int }

func (s *nullSink) Output(string) int                             { return 0 }
func (s *nullSink) Emit(e *Emission, v []Value) ([]TaskID, error) { s.n += len(v); return nil, nil }
func (s *nullSink) Ack(Tuple)                                     {}
func (s *nullSink) Fail(Tuple)                                    {}
func (s *nullSink) ResetTimeout(Tuple)                            {}
func (s *nullSink) Pause()                                        {}
func (s *nullSink) Resume()                                       {}
func (s *nullSink) ReportError(error)                             {}
func (s *nullSink) Async() *Async                                 { return nil }

func TestEmitAllocatesNothing(t *testing.T) {
	s := &nullSink{}
	c := NewCollector(s)
	l := &Layout{Streams: []Stream{{Component: "a", Name: "default", Fields: []string{"x"}}}}
	tup := NewTuple(l, 0, 1, Str("x"))
	word, buf, n := "word"+string(rune('a'+s.n)), []byte("bytes"), int64(s.n+12345678)
	if a := testing.AllocsPerRun(1000, func() {
		c.Emit(word, n, 2.5+float64(n), true, buf, int32(n))
		c.EmitAnchored(tup, word, n)
		c.EmitID(Long(n), word)
	}); a != 0 {
		t.Errorf("emitting allocates %v times", a)
	}
	if s.n == 0 {
		t.Error("nothing was emitted")
	}
}

func BenchmarkEmit(b *testing.B) {
	c := NewCollector(&nullSink{})
	word := "a word"
	b.ReportAllocs()
	for i := range b.N {
		c.Emit(word, i)
	}
}
