package engine

import (
	"testing"
	"time"
)

// What a source emitted for runs before other sources; whoever has waited longest can be taken away first.
func TestReceiversOfASourceRunFirst(t *testing.T) {
	var l loop
	at := time.Duration(0)
	add := func(r role, by *executor) *executor {
		at++
		x := &executor{role: r, queuedAt: at, run: &run{}}
		l.addLocked(x, by)
		return x
	}
	source, bolt := &executor{role: roleSpout, run: &run{}}, &executor{role: roleBolt, run: &run{}}
	late := add(roleSpout, nil)
	behind := add(roleBolt, bolt)
	first, second := add(roleBolt, source), add(roleBolt, source)
	acker := add(roleAcker, source)
	if q := l.oldestLocked(); q != &l.rest || q.late(1+stealAfter) || !q.late(2+stealAfter) {
		t.Error("the oldest is not the source that waits")
	}
	for i, want := range []*executor{first, second, late, behind, acker} {
		if n := l.waiting.Load(); n != int32(5-i) {
			t.Errorf("%d wait, want %d", n, 5-i)
		}
		if got := l.popLocked(); got != want {
			t.Errorf("number %d of the queue is the one queued as number %d, want %d", i, got.queuedAt, want.queuedAt)
		}
	}
	if l.popLocked() != nil || l.oldestLocked() != nil || l.oldestLocked().late(time.Hour) {
		t.Error("an empty queue has something")
	}
	add(roleBolt, source)
	if q := l.oldestLocked(); q != &l.first {
		t.Error("the only one that waits is not the oldest")
	}
}

// A source that lost its loop to a stand-in emits for as long as its call takes: its receivers wait behind the others.
func TestReceiversOfASourceThatLostItsLoop(t *testing.T) {
	l := loop{term: 1}
	l.addLocked(&executor{role: roleSpout, run: &run{}}, nil)
	l.addLocked(&executor{role: roleBolt, run: &run{}}, &executor{role: roleSpout, run: &run{}})
	if l.first.head != nil {
		t.Error("the receiver is in front")
	}
}
