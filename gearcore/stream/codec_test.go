package stream

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

type order struct {
	ID     string
	Amount int
	Paid   bool
}

type basket struct {
	Items []string
	At    time.Time
	Next  *basket
}

// roundTrip checks that the codec of T has these fields and gives v back.
func roundTrip[T any](t *testing.T, v T, fields ...string) {
	t.Helper()
	c, err := CodecOf[T]()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Fields(); !reflect.DeepEqual(got, fields) {
		t.Errorf("%T has the fields %v, want %v", v, got, fields)
	}
	vals, err := c.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	if len(vals) != len(fields) {
		t.Fatalf("%T became %d values, and has %d fields", v, len(vals), len(fields))
	}
	back, err := c.Read(vals)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, v) {
		t.Errorf("%#v came back as %#v", v, back)
	}
}

func TestCodecsGiveBackWhatTheyGot(t *testing.T) {
	type name string
	roundTrip(t, "text", "value")
	roundTrip(t, name("text"), "value")
	roundTrip(t, int32(-7), "value")
	roundTrip(t, 2.5, "value")
	roundTrip(t, true, "value")
	roundTrip(t, []byte("bytes"), "value")
	roundTrip(t, gearcore.Long(7), "value")
	roundTrip(t, order{"a", 7, true}, "iD", "amount", "paid")
	roundTrip(t, basket{Items: []string{"x"}, At: time.UnixMilli(7).UTC(), Next: &basket{Items: []string{"y"}, At: time.UnixMilli(8).UTC()}}, "json")
	roundTrip(t, []string{"a", "b"}, "json")
	roundTrip(t, map[string]int{"a": 1}, "json")
}

func TestTypesThatWouldNotComeBackAreRefused(t *testing.T) {
	type hidden struct {
		Shown  []int
		hidden int
	}
	_ = hidden{}.hidden
	for what, err := range map[string]error{
		"chan":          refusal[chan int](),
		"func()":        refusal[func()](),
		"interface":     refusal[struct{ V any }](),
		"not exported":  refusal[hidden](),
		"complex":       refusal[[]complex128](),
		"codec of its ": refusal[map[string]chan int](),
	} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want an error about %q, got %v", what, err)
		}
	}
}

func refusal[T any]() error {
	_, err := CodecOf[T]()
	return err
}

func TestBadFieldsAreErrors(t *testing.T) {
	c, _ := CodecOf[order]()
	for _, vals := range [][]gearcore.Value{nil, {gearcore.Str("a")}, {gearcore.Str("a"), gearcore.Str("b"), gearcore.Bool(true)}} {
		if v, err := c.Read(vals); err == nil {
			t.Errorf("%d values were read as %v", len(vals), v)
		}
	}
	if v, err := JSON[basket]().Read([]gearcore.Value{gearcore.Str("{")}); err == nil {
		t.Errorf("half a JSON object was read as %v", v)
	}
}
