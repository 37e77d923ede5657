package main

import (
	"fmt"
	"strconv"
)

// keys is how many keys there are. Each block of that many records has each key once.
const keys = 97

// keyOf is the key of record i.
func keyOf(i int) string { return "k" + strconv.Itoa(i*31%keys) }

// outcome is what counting one record after the other makes of record i.
func outcome(i int) string {
	number := i/keys + 1 // within its key
	return fmt.Sprintf("%d python java %d go %d", i, number, number)
}

// ledger holds what came out against the sequential model.
type ledger struct {
	seen       []bool // by record
	visible    int    // different records
	duplicated int
	wrong      []string // what the model does not have; some of them
	wrongs     int
}

// mostTold is how many wrong records are told of.
const mostTold = 10

// add takes a record that came out.
func (l *ledger) add(key, message string) {
	var i int
	if _, err := fmt.Sscanf(message, "%d ", &i); err != nil || i < 0 || key != keyOf(i) || message != outcome(i) {
		if l.wrongs++; len(l.wrong) < mostTold {
			l.wrong = append(l.wrong, fmt.Sprintf("%s: %q, want %q", key, message, outcome(max(i, 0))))
		}
		return
	}
	for len(l.seen) <= i {
		l.seen = append(l.seen, make([]bool, i+1)...)
	}
	if l.seen[i] {
		l.duplicated++
		return
	}
	l.seen[i] = true
	l.visible++
}

// lost is how many of the first n records did not come out.
func (l *ledger) lost(n int) int {
	lost := n
	for i := range min(n, len(l.seen)) {
		if l.seen[i] {
			lost--
		}
	}
	return lost
}

// beyond is how many records came out that are not among the first n.
func (l *ledger) beyond(n int) int { return l.visible - (n - l.lost(n)) }
