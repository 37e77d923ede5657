package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Watch reads the files of a run twenty times a second while it runs.
type Watch struct {
	dir    string
	wanted float64 // records a second

	mu      sync.Mutex
	check   *Checker
	tail    *tail
	samples []Sample
	err     error

	stop, done chan struct{}
}

// NewWatch begins to watch the run of a topology.
func NewWatch(t Topology) (*Watch, error) {
	t, err := t.checked()
	if err != nil {
		return nil, err
	}
	w := &Watch{dir: t.Dir, wanted: float64(t.Rate), check: NewChecker(t.Sources), stop: make(chan struct{}), done: make(chan struct{})}
	w.tail = newTail(t.Dir, w.check)
	w.poll()
	go w.run()
	return w, nil
}

func (w *Watch) run() {
	defer close(w.done)
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
			w.poll()
		}
	}
}

func (w *Watch) poll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.tail.poll(); err != nil && w.err == nil {
		w.err = fmt.Errorf("watch the run: %w", err)
	}
	w.samples = append(w.samples, Sample{time.Now(), w.check.totals.Seen})
}

// Close ends the watch.
func (w *Watch) Close() {
	close(w.stop)
	<-w.done
	w.tail.close()
}

// Totals returns the sums as they are now.
func (w *Watch) Totals() (Totals, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.check.Totals(), w.err
}

// Rate is the throughput over the last span.
func (w *Watch) Rate(span time.Duration) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.samples[len(w.samples)-1].At
	r, _ := rate(w.since(now.Add(-span-2*sampleEvery)), now.Add(-span), now)
	return r
}

// RateBetween is the throughput from one moment to another.
func (w *Watch) RateBetween(from, to time.Time) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, _ := rate(w.since(from.Add(-2*sampleEvery)), from, to)
	return r
}

// since returns the samples from a moment on. The caller holds mu.
func (w *Watch) since(at time.Time) []Sample {
	return w.samples[firstAfter(w.samples, at):]
}

// Steady waits until records arrive at the rate of the topology for two seconds, give or take 5 %.
func (w *Watch) Steady(ctx context.Context) error {
	return until(ctx, "a steady rate", func() error {
		totals, err := w.Totals()
		if err != nil {
			return fatal{err}
		}
		if r := w.Rate(beforeSpan); r < 0.95*w.wanted || r > 1.05*w.wanted {
			return fmt.Errorf("it is %.0f instead of %.0f a second, %d arrived in all", r, w.wanted, totals.Seen)
		}
		return nil
	})
}

// Stop has the sources claim no more numbers and waits until all that were claimed are acked.
func (w *Watch) Stop(ctx context.Context) error {
	if err := os.WriteFile(filepath.Join(w.dir, stopFile), nil, 0o600); err != nil {
		return err
	}
	last := Mark(nil)
	quiet := time.Now()
	return until(ctx, "the acks of all records", func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.err != nil {
			return fatal{w.err}
		}
		now := w.check.Mark()
		for i := range now {
			if last == nil || now[i] != last[i] {
				last, quiet = now, time.Now()
				break
			}
		}
		if time.Since(quiet) < 5*sampleEvery {
			return errors.New("sources still claim numbers")
		}
		if open := w.check.Open(now); open > 0 {
			return fmt.Errorf("%d are not acked", open)
		}
		return nil
	})
}

// Slow has every relay take that long for a record; 0 ends it.
func (w *Watch) Slow(each time.Duration) error {
	path := filepath.Join(w.dir, slowFile)
	if each == 0 {
		return os.Remove(path)
	}
	return os.WriteFile(path, []byte(strconv.FormatInt(int64(each), 10)), 0o600)
}
