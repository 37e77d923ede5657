package main

import (
	"fmt"
	"slices"
	"time"
)

// rung is what a rate gave.
type rung struct {
	rate          int
	p50, p99, max time.Duration
	windows       int
	wrong         int           // windows with another count than the sequential computation
	double        int           // of which so many have a larger one: the others may only be late
	behind        time.Duration // until everything was counted
	sent          int64
	cores         string // who used how much of the processors
	failed        string
	first         string // of the wrong windows
}

// sustained says whether the system kept up.
func (r *rung) sustained() bool {
	return r.failed == "" && r.wrong == 0 && r.windows > 0 && r.p99 <= yahooP99
}

func (r *rung) String() string {
	verdict := "kept-up"
	switch {
	case r.failed != "":
		verdict = r.failed
	case r.double > 0:
		verdict = "twice:" + r.first
	case r.wrong > 0:
		verdict = "behind:" + r.first
	case !r.sustained():
		verdict = "late"
	}
	return fmt.Sprintf("p50=%v p99=%v max=%v windows=%d wrong=%d behind=%v events=%d %s %s", r.p50, r.p99, r.max, r.windows, r.wrong,
		r.behind.Round(10*time.Millisecond), r.sent, r.cores, verdict)
}

// judge compares what came out with the sequential computation, and takes the latency of the windows between two times: from when the last of a
// window's views was sent until it was counted.
func (r *rung) judge(e *events, got map[adWindow]outcome, from, to int64) {
	var took []time.Duration
	for w, n := range e.views {
		o := got[w]
		if o.seen != n {
			if o.seen > n {
				r.double++
			}
			if r.wrong++; r.wrong <= 3 {
				r.first += fmt.Sprintf(" campaign %d at %+v: %d, not %d;", w.campaign, time.Duration(w.begin-from)*time.Millisecond, o.seen, n)
			}
		}
		if w.begin >= from && w.begin+windowMs <= to {
			took = append(took, time.Duration(o.updated-e.last[w])*time.Millisecond)
		}
	}
	for w := range got {
		if e.views[w] == 0 {
			r.wrong++
			r.double++
		}
	}
	slices.Sort(took)
	r.windows = len(took)
	if len(took) > 0 {
		r.p50, r.p99, r.max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}
}
