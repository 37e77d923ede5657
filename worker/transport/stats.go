package transport

import "sync/atomic"

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
