package gearcore

import (
	"math"
	"slices"
	"strings"
	"testing"
)

type word string

type sample struct {
	Name   word `storm:"n"`
	Count  int
	Long   int64
	Int    int32
	Short  int16
	Tiny   int8
	Ok     bool
	Weight float64
	Small  float32
	Raw    []byte
	Any    Value
}

var samples = RecordOf[sample]()

func sampleTuple(vals ...Value) Tuple {
	return NewTuple(&Layout{Streams: []Stream{{Component: "src", Name: "default", Fields: samples.Fields()}}}, 0, 1, vals...)
}

func TestRecordsComeBack(t *testing.T) {
	in := sample{"x", -1, math.MinInt64, math.MaxInt32, -300, -8, true, 2.5, 0.25, []byte("raw"), List([]Value{Long(1)})}
	vals := samples.Append(nil, in)
	var kinds []Kind
	for _, v := range vals {
		kinds = append(kinds, v.Kind())
	}
	if want := []Kind{KindString, KindLong, KindLong, KindInt, KindShort, KindByte, KindBool, KindDouble, KindFloat, KindBytes, KindList}; !slices.Equal(kinds, want) {
		t.Errorf("kinds %v, want %v", kinds, want)
	}
	out, err := samples.Get(sampleTuple(vals...))
	if err != nil {
		t.Fatal(err)
	}
	if out.Name != in.Name || out.Count != in.Count || out.Long != in.Long || out.Int != in.Int || out.Short != in.Short || out.Tiny != in.Tiny ||
		out.Ok != in.Ok || out.Weight != in.Weight || out.Small != in.Small || string(out.Raw) != "raw" || !out.Any.Equal(in.Any) {
		t.Errorf("%+v came back as %+v", in, out)
	}
	if want := []string{"n", "count", "long", "int", "short", "tiny", "ok", "weight", "small", "raw", "any"}; !slices.Equal(samples.Fields(), want) {
		t.Errorf("fields %v, want %v", samples.Fields(), want)
	}
}

func TestRecordRefusesWhatDoesNotFit(t *testing.T) {
	good := samples.Append(nil, sample{})
	for _, c := range []struct {
		name string
		at   int
		v    Value
		want string
	}{
		{"a number for a string", 0, Long(1), "field n is 1 of kind long"},
		{"a string for a number", 2, Str("1"), "field long is 1 of kind string"},
		{"a float for an integer", 1, Double(1), "field count is 1 of kind double"},
		{"beyond 32 bits", 3, Long(1 << 31), "field int is 2147483648 of kind long"},
		{"beyond 16 bits", 4, Long(-32769), "field short"},
		{"beyond 8 bits", 5, Int(128), "field tiny"},
		{"null", 6, Null(), "field ok is <nil> of kind null"},
		{"a boolean for a float", 7, Bool(true), "field weight"},
	} {
		vals := slices.Clone(good)
		vals[c.at] = c.v
		if _, err := samples.Get(sampleTuple(vals...)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
	}
	if _, err := samples.Get(sampleTuple(Str("x"))); err == nil {
		t.Error("a tuple with one value was read as a record of eleven")
	}
}

func TestRecordOfRefusesTypes(t *testing.T) {
	refused := func(name string, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", name)
			}
		}()
		f()
	}
	refused("no struct", func() { RecordOf[int]() })
	refused("no field", func() { RecordOf[struct{}]() })
	refused("unexported", func() { RecordOf[struct{ a int }]() })
	refused("a map", func() { RecordOf[struct{ A map[string]int }]() })
	refused("a pointer", func() { RecordOf[struct{ A *int }]() })
	refused("unsigned", func() { RecordOf[struct{ A uint64 }]() })
	refused("embedded", func() { RecordOf[struct{ sample }]() })
}

type pair struct {
	Word string
	N    int64
}

var pairs = RecordOf[pair]()

func TestRecordsAllocateNothing(t *testing.T) {
	s := &nullSink{}
	c := NewCollector(s)
	tup := sampleTuple(Str("x"), Long(1))
	n := int64(len(t.Name()))
	if a := testing.AllocsPerRun(1000, func() {
		p, err := pairs.Get(tup)
		if err != nil {
			t.Fatal(err)
		}
		n++
		p.N += n
		pairs.Emit(c, p)
		pairs.EmitAnchored(c, tup, p)
		pairs.EmitID(c, Long(n), p)
	}); a != 0 {
		t.Errorf("records allocate %v times", a)
	}
	if s.n == 0 {
		t.Error("nothing was emitted")
	}
}

func TestRecordReadsBareValues(t *testing.T) {
	type row struct {
		Word string
		N    int32
	}
	r := RecordOf[row]()
	v, err := r.Read([]Value{Str("a"), Long(7)})
	if err != nil || v != (row{"a", 7}) {
		t.Errorf("got %v, %v", v, err)
	}
	for _, vals := range [][]Value{{Str("a")}, {Str("a"), Long(1 << 40)}, {Long(1), Long(1)}} {
		if v, err := r.Read(vals); err == nil {
			t.Errorf("%d values were read as %v", len(vals), v)
		}
	}
}
