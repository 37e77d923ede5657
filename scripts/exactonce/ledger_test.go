package main

import "testing"

func TestLedger(t *testing.T) {
	const n = 3 * keys
	var whole ledger
	for i := range n {
		whole.add(keyOf(i), outcome(i))
	}
	if whole.visible != n || whole.lost(n) != 0 || whole.duplicated != 0 || whole.wrongs != 0 || whole.beyond(n) != 0 {
		t.Errorf("of a whole run: %+v, lost %d, beyond %d", whole, whole.lost(n), whole.beyond(n))
	}
	var l ledger
	for i := range n {
		if i != 100 && i != n-1 {
			l.add(keyOf(i), outcome(i))
		}
	}
	l.add(keyOf(7), outcome(7))
	l.add(keyOf(7), "7 python java 1 go 2") // counted twice
	l.add(keyOf(8), outcome(7))
	l.add("k", "")
	l.add(keyOf(n+5), outcome(n+5)) // nobody wrote it
	if l.lost(n) != 2 || l.duplicated != 1 || l.wrongs != 3 || len(l.wrong) != 3 || l.beyond(n) != 1 {
		t.Errorf("lost %d, duplicated %d, wrong %d %q, beyond %d", l.lost(n), l.duplicated, l.wrongs, l.wrong, l.beyond(n))
	}
}

// The count of a record within its key follows from its number.
func TestModelCounts(t *testing.T) {
	counted := map[string]int{}
	for i := range 1000 {
		counted[keyOf(i)]++
		if want := i/keys + 1; counted[keyOf(i)] != want {
			t.Fatalf("record %d is number %d of key %s, the model says %d", i, counted[keyOf(i)], keyOf(i), want)
		}
	}
}
