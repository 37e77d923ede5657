package conf

import "testing"

func TestDescribed(t *testing.T) {
	type what struct{ A, B int }
	c := Conf{}
	var got what
	if ok, err := c.Described("mark", &got); ok || err != nil {
		t.Errorf("of nothing: %v, %v", ok, err)
	}
	if err := c.Describe("mark", what{1, 2}); err != nil {
		t.Fatal(err)
	}
	if ok, err := c.Described("other", &got); ok || err != nil || got != (what{}) {
		t.Errorf("by another mark: %v, %v, %v", ok, err, got)
	}
	if ok, err := c.Described("mark", &got); !ok || err != nil || got != (what{1, 2}) {
		t.Errorf("%v, %v, %v", ok, err, got)
	}
	for _, c := range []Conf{{ProgramArgs: []any{"mark", "{"}}, {ProgramArgs: int64(1)}} {
		if ok, err := c.Described("mark", &got); ok || err == nil {
			t.Errorf("%v: %v, %v", c, ok, err)
		}
	}
	if err := c.Describe("mark", func() {}); err == nil {
		t.Error("a function was described")
	}
}
