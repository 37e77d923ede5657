package main

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore/stream"
	"github.com/gearstorm/gearstorm/gearcore/stream/streamtest"
)

// What comes out of order counts as if it had come in order, whichever task runs when, and across failures.
func TestOutOfOrderIsEqualToTheSequentialResult(t *testing.T) {
	said := events(20_000)
	want := sequential(said)
	come := delayed(said)
	for seed := range uint64(4) {
		top := stream.New("streamcount")
		define(top, nil, func(Count, time.Time) error { return nil })
		h := streamtest.Run(t, top, streamtest.Seed(seed+1))
		for i := 0; i < len(come); i += 2000 {
			for _, e := range come[i : i+2000] {
				h.Queue("events", e)
			}
			switch (uint64(i/2000) + seed) % 5 {
			case 0:
				h.Checkpoint()
			case 2:
				h.Rollback()
			case 3:
				h.Rescale("count", 1+i%3)
			case 4:
				h.Crash()
			}
		}
		h.End("events")
		got := result{}
		for _, c := range streamtest.Take[Count](h, "out") {
			got.add(c.Key, c.Span.Start, c.Value)
		}
		if !maps.Equal(got, want) {
			t.Errorf("seed %d: %d windows, want %d, or other counts", seed, len(got), len(want))
		}
	}
}

func TestInThisProcess(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, c := range []conf.Conf{nil, {"gearstorm.checkpoint.interval.ms": int64(100)}} {
		if err := compare(ctx, 100_000, c); err != nil {
			t.Errorf("with %v: %v", c, err)
		}
	}
}
