package transport

import (
	"slices"
	"strings"
	"sync/atomic"
)

// Stats are a transport's counters since it was made. They may be read at any time.
type Stats struct {
	FramesOut, FramesIn atomic.Uint64 // data frames; duplicates after a reconnect are not counted in
	TuplesOut, TuplesIn atomic.Uint64
	BytesOut, BytesIn   atomic.Uint64
	Disconnects         atomic.Uint64 // links of ours that broke
	HandshakesRefused   atomic.Uint64 // accepted connections without a right proof, or that we refused
	LostTuples          atomic.Uint64 // peer gone
	RejectedTuples      atomic.Uint64 // cannot be encoded
	UndeliveredTuples   atomic.Uint64 // Deliver returned an error
	Sessions            atomic.Int64  // remembered by this receiver
}

// LinkState is the sending side towards one worker at some moment.
type LinkState struct {
	Peer string // host:port
	Over string // ring, unix or tcp; "" while it is down
}

// Links returns the state of all links, by peer.
func (t *Transport) Links() []LinkState {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []LinkState
	for addr, l := range t.links {
		if addr != "" {
			out = append(out, LinkState{addr, l.over()})
		}
	}
	slices.SortFunc(out, func(a, b LinkState) int { return strings.Compare(a.Peer, b.Peer) })
	return out
}
