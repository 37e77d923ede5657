package cluster

import "context"

// Raiser is implemented by stores in which a term can go on under a larger epoch. A leader needs that when its store was
// wiped: nodes have seen a larger epoch than the new store would ever hand out, and refuse everything below.
type Raiser interface {
	// RaiseEpoch makes to the newest epoch; the term of guard goes on under it, with the same Lost. It is a fenced write:
	// ErrFenced when guard is not the newest epoch, so a leader that was replaced cannot raise itself above the new one.
	// An epoch that is not above guard is an error.
	RaiseEpoch(ctx context.Context, guard, to Epoch) error
}
