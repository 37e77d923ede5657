package ackers

import (
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// TestPageGenerations lets the pages of a link that mostly brings frames of one row grow so old that the words of the
// other rows would be half of all generations behind, if nobody had written them in between.
func TestPageGenerations(t *testing.T) {
	var p Proxies
	open := func(rows int) []gearcore.RootEdge {
		roots := make([]gearcore.RootEdge, rows)
		p.Open(1, 1, roots)
		return roots
	}
	end := func(roots []gearcore.RootEdge) {
		for _, r := range roots {
			p.Settle(r.Root, gearcore.AckDone)
		}
		n, _ := p.Next(nil, 1)
		p.Confirm(n)
	}
	for end(open(1)); p.pages[*p.vacant.peek()].gen < 1<<31; {
		p.pages[*p.vacant.peek()].gen |= refreshEvery - 1 // those in between would not write
		end(open(1))
	}
	for i, r := range open(PageRows) {
		p.Add(r.Root, 1)
		if p.Release(r.Root) {
			t.Fatalf("row %d: the first of two references was the last one", i)
		}
		if !p.Release(r.Root) {
			t.Fatalf("row %d: the last reference was not", i)
		}
	}
}
