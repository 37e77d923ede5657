package chaos

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Measure is a fault under observation: Begin it right before the fault, End it after the fault is healed.
type Measure struct {
	w      *Watch
	began  time.Time
	before float64
	was    Totals
}

// Result is what a fault did.
type Result struct {
	N      int    `json:"n"`
	Name   string `json:"name"`
	Target string `json:"target,omitempty"`
	// Lost are records that never arrived, Duplicated arrivals of some that had arrived before; nil where nobody can tell.
	Lost       *int          `json:"lost"`
	Duplicated *uint64       `json:"duplicated"`
	Recovery   time.Duration `json:"recovery_ns"`
	// Dip is the lowest throughput over half a second as a part of the one before.
	Dip  float64 `json:"lowest_part_of_rate"`
	Seed uint64  `json:"seed"`
	// Failed says what was not as it should be; none is ok.
	Failed []string `json:"failed,omitempty"`
}

// Failf notes that something was not as it should be.
func (r *Result) Failf(format string, args ...any) {
	r.Failed = append(r.Failed, fmt.Sprintf(format, args...))
}

// String is the line of a fault.
func (r Result) String() string {
	verdict := "ok"
	if len(r.Failed) > 0 {
		verdict = "FAILED: " + strings.Join(r.Failed, "; ")
	}
	return fmt.Sprintf("fault %d %s lost=%s duplicated=%s recovery=%.1fs seed=%d %s",
		r.N, r.Name, figure(r.Lost), figure(r.Duplicated), r.Recovery.Seconds(), r.Seed, verdict)
}

func figure[T int | uint64](n *T) string {
	if n == nil {
		return "?"
	}
	return fmt.Sprint(*n)
}

// beforeSpan is over how long the throughput before a fault is taken. Steady waits for as much.
const beforeSpan = 2 * time.Second

// Begin notes how things are right before a fault.
func (w *Watch) Begin() *Measure {
	w.poll()
	w.mu.Lock()
	defer w.mu.Unlock()
	m := &Measure{w: w, began: time.Now(), was: w.check.Totals()}
	before, _ := rate(w.since(m.began.Add(-beforeSpan-2*sampleEvery)), m.began.Add(-beforeSpan), m.began.Add(-sampleEvery))
	m.before = min(before, w.wanted) // more is replay, which ends
	return m
}

// Began is the moment of Begin, Before the throughput then.
func (m *Measure) Began() time.Time { return m.began }
func (m *Measure) Before() float64  { return m.before }

// Recovered waits until the throughput is as before, at least for the time watch. It returns how long after the moment
// from that took, 0 if it never fell.
func (m *Measure) Recovered(ctx context.Context, from time.Time, watch time.Duration) (took time.Duration, dip float64, err error) {
	err = until(ctx, "the throughput to recover", func() error {
		m.w.mu.Lock()
		defer m.w.mu.Unlock()
		if m.w.err != nil {
			return fatal{m.w.err}
		}
		samples := m.w.since(m.began.Add(-sampleEvery))
		var done bool
		took, dip, done = recovered(samples, from, m.before)
		if last := samples[len(samples)-1].At; !done || last.Before(from.Add(watch)) {
			return fmt.Errorf("it fell to %.0f %% of %.0f a second", dip*100, m.before)
		}
		return nil
	})
	return took, dip, err
}

// Settled waits until everything that was claimed up to now has arrived, and returns how much of it did not if ctx ends
// before.
func (m *Measure) Settled(ctx context.Context) (lost int, err error) {
	m.w.mu.Lock()
	claimed := m.w.check.Mark()
	m.w.mu.Unlock()
	err = until(ctx, "all records to arrive", func() error {
		m.w.mu.Lock()
		defer m.w.mu.Unlock()
		if lost = m.w.check.Missing(claimed); lost > 0 {
			return fmt.Errorf("%d are missing", lost)
		}
		return nil
	})
	return lost, err
}

// settleLimit is how long the throughput may take to recover, and then again all records to arrive.
const settleLimit = 90 * time.Second

// End waits for recovery, counted from the moment from, and for everything to arrive, each for settleLimit, and fills the
// figures of r in. bound is how much may have arrived twice.
func (m *Measure) End(ctx context.Context, r *Result, from time.Time, bound int) {
	limited, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	var err error
	if r.Recovery, r.Dip, err = m.Recovered(limited, from, 2*time.Second); err != nil {
		r.Failf("%v", err)
	}
	limited, cancelToo := context.WithTimeout(ctx, settleLimit)
	defer cancelToo()
	lost, err := m.Settled(limited)
	if err != nil {
		r.Failf("%v", err)
	}
	now, err := m.w.Totals()
	if err != nil {
		r.Failf("%v", err)
	}
	duplicated := now.Duplicated - m.was.Duplicated
	r.Lost, r.Duplicated = &lost, &duplicated
	if duplicated > uint64(bound) {
		r.Failf("more duplicates than the %d records that can be under way", bound)
	}
	for _, f := range now.faults() {
		r.Failf("%s", f)
	}
}

// faults are what must never be, of the whole run.
func (t Totals) faults() (all []string) {
	for _, f := range []struct {
		n    uint64
		what string
	}{
		{t.Corrupt, "arrived damaged"}, {t.Foreign, "arrived that nobody sent"}, {t.Unseen, "were acked and never arrived"},
		{t.Disordered, "arrived in another order than sent"},
	} {
		if f.n > 0 {
			all = append(all, fmt.Sprintf("%d records %s", f.n, f.what))
		}
	}
	return all
}
