package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/internal/pause"
)

// Runner does faults one after the other and judges each.
type Runner struct {
	// Faults are the kinds to choose from, Seed makes the choices, For and Every say how long and how often.
	Faults     []Kind
	Seed       uint64
	For, Every time.Duration
	// View and Harm are those of Cluster, or of Host.
	View func(context.Context) (View, error)
	Harm func(Fault) (heal func() error, err error)
	// Begin starts to observe; the result's End is called when the fault is healed.
	Begin func(context.Context) (Gauge, error)
	// Whole, if not nil, waits until everything that a fault took away is back.
	Whole func(context.Context) error
	// Told, if not nil, is called with a line about what happens, and Done with each result.
	Told func(string)
	Done func(Result)
}

// Gauge observes one fault.
type Gauge interface {
	// End waits for the effects to end and fills the figures of r in; what is not right goes to r.Failf.
	End(ctx context.Context, r *Result)
}

// Run does faults for as long as it should. It returns all results; an error is one that kept it from going on.
func (r *Runner) Run(ctx context.Context) (all []Result, err error) {
	random := rand.New(rand.NewPCG(r.Seed, r.Seed))
	began := time.Now()
	for n := 1; ; n++ {
		if time.Since(began)+r.Every > r.For+r.Every/10 && n > 1 { // the wake-up was a little late
			return all, nil
		}
		res, err := r.one(ctx, n, random)
		if err != nil {
			return all, err
		}
		all = append(all, res)
		if r.Done != nil {
			r.Done(res)
		}
		if err := pause.For(ctx, time.Until(began.Add(time.Duration(n)*r.Every))); err != nil {
			return all, err
		}
	}
}

func (r *Runner) one(ctx context.Context, n int, random *rand.Rand) (Result, error) {
	view, err := r.look(ctx)
	if err != nil {
		return Result{}, err
	}
	f, ok := Choose(random, r.Faults, view)
	if !ok {
		return Result{}, errors.New("there is nothing to harm: no worker runs")
	}
	res := Result{N: n, Name: string(f.Kind), Target: f.String(), Seed: r.Seed}
	g, err := r.Begin(ctx)
	if err != nil {
		return res, err
	}
	if r.Told != nil {
		r.Told(fmt.Sprintf("%s: %s", f.Kind, f))
	}
	heal, err := r.Harm(f)
	if err != nil {
		return res, fmt.Errorf("do fault %s to %s: %w", f.Kind, f, err)
	}
	cut := pause.For(ctx, f.Hold)
	if err := heal(); err != nil {
		return res, fmt.Errorf("heal fault %s of %s: %w", f.Kind, f, err)
	}
	if cut != nil {
		return res, cut
	}
	if r.Whole != nil {
		limited, cancel := context.WithTimeout(ctx, settleLimit)
		defer cancel()
		if err := r.Whole(limited); err != nil {
			res.Failf("%v", err)
		}
	}
	g.End(ctx, &res)
	if err := ctx.Err(); err != nil {
		return res, err
	}
	if f.Kind == KillSupervisor || f.Kind == KillNimbus {
		if err := r.untouched(ctx, view.Workers); err != nil {
			res.Failf("%v", err)
		}
	}
	return res, nil
}

// look waits for a view of the cluster: there may be no leader right after a fault.
func (r *Runner) look(ctx context.Context) (v View, err error) {
	limited, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	err = until(limited, "a view of the cluster", func() error {
		v, err = r.View(limited)
		return err
	})
	return v, err
}

// untouched checks that the workers are still the ones they were.
func (r *Runner) untouched(ctx context.Context, were []Worker) error {
	view, err := r.look(ctx)
	if err != nil {
		return err
	}
	return Untouched(were, view.Workers)
}

// Untouched is an error if some of the workers that were there are not there any more.
func Untouched(were, are []Worker) error {
	gone := 0
	for _, w := range were {
		if !slices.Contains(are, w) {
			gone++
		}
	}
	if gone > 0 {
		return fmt.Errorf("%d of %d workers were restarted", gone, len(were))
	}
	return nil
}

// Gauge returns Begin for a Runner whose topology is the watched one.
func (w *Watch) Gauge(t Topology) func(context.Context) (Gauge, error) {
	return func(ctx context.Context) (Gauge, error) {
		limited, cancel := context.WithTimeout(ctx, settleLimit)
		defer cancel()
		if err := w.Steady(limited); err != nil {
			return nil, err
		}
		return watchGauge{w.Begin(), t.InFlight()}, nil
	}
}

type watchGauge struct {
	*Measure
	bound int
}

func (g watchGauge) End(ctx context.Context, r *Result) { g.Measure.End(ctx, r, g.began, g.bound) }
