package state

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// everything has a field of each kind that can be kept.
type everything struct {
	B bool
	I int32
	U uint16
	F float32
	S string
	Y []byte
	T time.Time
	D time.Duration
	V gearcore.Value
	L []int
	A [2]string
	M map[string]int
	P *int
	N struct{ X, Y int }
	X netip.Addr
}

func through[A, B any](t *testing.T, from Codec[A], a A, to Codec[B]) (B, error) {
	t.Helper()
	var b B
	buf, err := from.Append(nil, &a)
	if err != nil {
		return b, err
	}
	read, err := to.Reader(from.Schema())
	if err != nil {
		return b, err
	}
	r := codec.NewReader(buf, ErrCorrupt)
	if read(&r, &b); r.Err == nil && len(r.Rest) > 0 {
		t.Errorf("%d bytes are left", len(r.Rest))
	}
	return b, r.Err
}

func TestStructComesBack(t *testing.T) {
	seven := 7
	in := everything{B: true, I: -5, U: 65535, F: 1.5, S: "é", Y: []byte{0, 1}, T: time.Unix(5, 6).UTC(), D: time.Hour, V: gearcore.Str("v"), L: []int{1, -2}, X: netip.MustParseAddr("10.0.0.1"),
		A: [2]string{"a", "b"}, M: map[string]int{"x": 1}, P: &seven}
	in.N.X = 3
	c := Struct[everything]()
	out, err := through(t, c, in, c)
	if err != nil || !out.V.Equal(in.V) {
		t.Fatalf("%+v, %v", out, err)
	}
	in.V, out.V = gearcore.Value{}, gearcore.Value{}
	if !reflect.DeepEqual(in, out) {
		t.Errorf("%+v came back as %+v", in, out)
	}
	if again, err := through(t, c, everything{}, c); err != nil || again.P != nil || again.S != "" {
		t.Errorf("zero: %+v, %v", again, err)
	}
}

// TestFieldsComeAndGo reads what another version of a program wrote.
func TestFieldsComeAndGo(t *testing.T) {
	type inner struct{ A, B int }
	type v1 struct {
		Name  string
		Old   map[string][]inner
		Count int32
		Time  time.Time
		Gone  *inner
		Value gearcore.Value
		Flag  bool
		Share float64
	}
	type v2 struct {
		Added []string
		Count int64
		Title string `state:"Name"`
		skip  int
		Cache int `state:"-"`
	}
	out, err := through(t, Struct[v1](), v1{Name: "n", Old: map[string][]inner{"x": {{1, 2}, {3, 4}}}, Count: 9, Gone: &inner{1, 2}, Value: gearcore.Long(5), Flag: true}, Struct[v2]())
	if err != nil || out.Count != 9 || out.Title != "n" || out.Added != nil || out.skip != 0 || out.Cache != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	type v3 struct{ Count string }
	if _, err := through(t, Struct[v1](), v1{}, Struct[v3]()); err == nil || !strings.Contains(err.Error(), "field Count") {
		t.Errorf("a number is read as a text: %v", err)
	}
	type narrow struct{ Count int8 }
	if _, err := through(t, Struct[v1](), v1{Count: 1000}, Struct[narrow]()); err == nil {
		t.Error("1000 is read as an int8")
	}
}

func TestTypesThatCannotBeKept(t *testing.T) {
	type loop struct{ Next *loop }
	type closed struct{ x int }
	_ = closed{x: 1}
	for want, c := range map[string]interface{ Err() error }{
		"cannot be kept":         Struct[chan int]().(*reflected[chan int]),
		"nests too deep":         Struct[loop]().(*reflected[loop]),
		"has no exported fields": Struct[closed]().(*reflected[closed]),
		"field F":                Struct[struct{ F func() }]().(*reflected[struct{ F func() }]),
		"a name in state": Struct[struct {
			F int `state:"a b"`
		}]().(*reflected[struct {
			F int `state:"a b"`
		}]),
	} {
		if c.Err() == nil || !strings.Contains(c.Err().Error(), want) {
			t.Errorf("%v, want %q", c.Err(), want)
		}
	}
	for _, schema := range []string{"", "{", "{a:i}", "{a:i;", "[", "[i", "<i>", "<i,i", "?", "q", "ii", strings.Repeat("[", 100)} {
		if _, err := Struct[everything]().Reader(schema); err == nil {
			t.Errorf("schema %q is taken", schema)
		}
	}
}

// TestSchemaChangeOverRestore restores into a handle whose struct has changed, in memory and on disk, and again from what that wrote.
func TestSchemaChangeOverRestore(t *testing.T) {
	type v1 struct {
		A int
		B string
	}
	type v2 struct {
		C []string
		B string
	}
	for name, n := range map[string]int{"inline": 10, "files": 2000} {
		for _, cfg := range []Config{{}, {Dir: t.TempDir(), Memory: 1}} {
			s, _ := New(Config{})
			old := NewValue(s, "v", Strings[string](), Struct[v1]())
			for i := range n {
				old.Set(benchKey(i), v1{i, "b"})
			}
			vault := newVault()
			part, _, _ := save(t, s, 1, vault)
			for range 2 {
				s, _ = New(cfg)
				v := NewValue(s, "v", Strings[string](), Struct[v2]())
				if err := s.Restore(recovery(part, vault)); err != nil {
					t.Fatal(err)
				}
				if x, ok := v.Get(benchKey(n - 1)); !ok || x.B != "b" {
					t.Errorf("%s: %+v, %v", name, x, ok)
				}
				v.Set("one more", v2{C: []string{"c"}, B: "b"})
				part, _, _ = save(t, s, 2, vault)
				if x, ok := v.Get("one more"); !ok || len(x.C) != 1 {
					t.Errorf("%s: %+v, %v", name, x, ok)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}
