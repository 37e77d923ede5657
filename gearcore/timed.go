package gearcore

import "math"

// Watermarks with a meaning of their own. A sender that is idle is left out when its receiver takes the minimum over its
// senders; a receiver all of whose senders are idle is idle. End is what a source says that will never emit again.
const (
	Idle Watermark = math.MaxInt64 - 1
	End  Watermark = math.MaxInt64
)

// MaxTime is the end of the year 9999 in milliseconds since 1970. No event is believed to be later.
const MaxTime int64 = 253_402_300_799_999

// Timed is implemented by sources that know event time. Others are idle.
type Timed interface {
	// Watermark is asked at the end of a run of the source's executor: no record that it emits from now on is older, but
	// late ones. It may not go back, but from Idle. It is called like the methods of Source.
	Watermark() Watermark
}

// Clocked is implemented by tasks that act on event time. For others what comes out is as old as what comes in: the output
// watermark is the input's.
type Clocked interface {
	// Advance says that the task's input watermark rose to w, the minimum over all its senders that are not idle; Idle if all
	// are, and then its clock goes on from where it was when one is not any more. It may emit. It returns the task's output watermark, which
	// is at most w: lower where the task may still emit something older (an open window), 0 while it has none to tell. It is called between tuples, behind all that came before w.
	//
	// A Holder may begin here what is done later: while it holds something after the call, w is told to nobody and no tuple comes, and when it
	// holds nothing any more Advance is called with w again.
	Advance(w Watermark, c *Collector) (Watermark, error)
}
