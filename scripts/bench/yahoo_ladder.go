package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// How long the parts of a rung of the ladder take.
const (
	yahooRamp  = 3 * time.Second  // at least, at the new rate
	yahooTime  = 20 * time.Second // measured: two windows from end to end
	yahooTail  = 6 * time.Second  // until late events of the last one have come, at the same rate
	yahooRung  = 40 * time.Second // what a rung takes at most, where the system keeps up
	yahooDrain = 15 * time.Second // at most, until everything is counted
	yahooP99   = time.Second      // the goal, and what the ladder looks for
	yahooFine  = 1.3              // the ladder ends when it knows two rates so near to each other, of which one is too high
	yahooLeast = 1000             // and below that
)

// yahooSystem is one who is measured.
type yahooSystem struct {
	name   string
	warm   time.Duration // after its start: a JVM is fast only then
	start  func(ctx context.Context, name string, w yahooWork) error
	stop   func(ctx context.Context) error
	errors func() string
	parts  func(all []process) (workers, daemons []process)
}

// yahooWork is what a topology works with, and how it is told (configuration key "yahoo" in Java).
type yahooWork struct {
	Kafka string `json:"kafka"`
	Topic string `json:"topic"`
	Redis string `json:"redis"`
	Tasks int    `json:"tasks"`
}

// steps are the rates that a ladder tries.
type steps struct{ low, high int }

// next returns the next rate after it was found out whether that one is sustained; 0 at the end. Rates double until one is too high, or halve until one is
// not; then those between are tried.
func (s *steps) next(rate int, sustained bool) int {
	if sustained {
		s.low = max(s.low, rate)
	} else {
		s.high = rate
	}
	switch {
	case s.high == 0:
		return rate * 2
	case s.low == 0 && rate/2 < yahooLeast:
		return 0
	case s.low == 0:
		return rate / 2
	case float64(s.high) <= float64(s.low)*yahooFine:
		return 0
	}
	return (s.low + s.high) / 2
}

// climb finds the highest rate that a system keeps up with, nil if there is none, and how many windows had too large counts. The topology goes on from one rate to the next; after one
// that was too high it begins anew.
func climb(ctx context.Context, s *services, sys yahooSystem, first, tasks int, until time.Time, out io.Writer) (best *rung, double int, err error) {
	var on *yahooRun
	defer func() {
		if on != nil {
			err = errors.Join(err, on.end(ctx))
		}
	}()
	ladder := steps{}
	for rate := first; rate > 0; {
		if time.Until(until) < yahooRung {
			fmt.Fprintf(out, "# yahoo %s: out of time before rate=%d\n", sys.name, rate)
			return best, double, nil
		}
		if on == nil {
			if on, err = s.begin(ctx, sys, rate, tasks); err != nil {
				return nil, 0, err
			}
		}
		r, err := on.measure(ctx, rate)
		if err != nil {
			return nil, 0, err
		}
		fmt.Fprintf(out, "yahoo %s rate=%d %v\n", sys.name, rate, r)
		if r.sustained() && (best == nil || r.rate > best.rate) {
			best = r
		}
		double += r.double
		if !r.sustained() {
			ended := on
			on = nil
			if err := ended.end(ctx); err != nil {
				return nil, 0, err
			}
		}
		rate = ladder.next(rate, r.sustained())
	}
	return best, double, nil
}
