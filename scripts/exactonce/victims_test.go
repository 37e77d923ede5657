package main

import (
	"slices"
	"testing"
)

// The same seed kills the same kinds, all of them in the first kills.
func TestDraw(t *testing.T) {
	draws := func(seed uint64) (out []string) {
		k := newKiller(nil, seed)
		for range 100 {
			out = append(out, k.draw())
		}
		return out
	}
	one := draws(1)
	if !slices.Equal(one, draws(1)) || slices.Equal(one, draws(2)) {
		t.Error("the kinds do not follow from the seed")
	}
	for _, kind := range kinds {
		if !slices.Contains(one[:len(kinds)], kind.name) {
			t.Errorf("no %s among the first kills: %v", kind.name, one[:len(kinds)])
		}
		n := 0
		for _, name := range one {
			if name == kind.name {
				n++
			}
		}
		if n < 3 {
			t.Errorf("%d of 100 kills are of a %s", n, kind.name)
		}
	}
}
