package nimbus

import "sync/atomic"

// figures count what happened since the start of this process.
type figures struct {
	terms, fenced, relayed, replicas, raised atomic.Int64
}

// Figures are counts since the start of a master, for metrics and tests.
type Figures struct {
	// Terms is how often it led.
	Terms int64
	// Fenced are writes that the store refused because another master led: each is a write that fencing prevented.
	Fenced int64
	// Relayed are calls that were passed on to the leader.
	Relayed int64
	// Replicas are blobs fetched from other masters.
	Replicas int64
	// Raised is how often its epoch was put above what nodes had seen.
	Raised int64
}

// Figures returns the counts so far.
func (n *Nimbus) Figures() Figures {
	f := &n.figures
	return Figures{f.terms.Load(), f.fenced.Load(), f.relayed.Load(), f.replicas.Load(), f.raised.Load()}
}
