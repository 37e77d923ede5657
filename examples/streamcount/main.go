// Streamcount counts words by windows of ten seconds of the time at which they were said, while a fifth of them comes up to four seconds late. Without
// arguments it does so in this process with a million words, and compares the result with that of counting one after the other:
//
//	go run ./examples/streamcount
//	go run ./examples/streamcount submit -c gearstorm.checkpoint.interval.ms=1000
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore/stream"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

const number = 1_000_000

// Count is what the topology makes: how often a word was said in a window.
type Count = stream.Pane[string, int64]

// define declares the topology.
func define(t *stream.Topology, come []Event, write stream.SinkFunc[Count]) {
	events := stream.From(t, "events", stream.Slice(come), stream.Times(Event.Time, stream.Bounded(mostDelay)), stream.Parallelism(2))
	byWord := stream.KeyBy(events, "by-word", func(e Event) string { return e.Word })
	counts := stream.Count(stream.Window(byWord, window.Tumbling(windowSize)), "count", stream.Parallelism(2))
	stream.To(counts, "out", write, stream.Parallelism(1))
}

func main() {
	if len(os.Args) > 1 {
		gearstorm.Main(gearstorm.Stream("streamcount", func(t *stream.Topology, _ []string) error {
			define(t, delayed(events(number)), func(c Count, _ time.Time) error {
				slog.Info("counted", "word", c.Key, "from", c.Start().UTC(), "times", c.Value)
				return nil
			})
			return nil
		}))
	}
	if err := compare(context.Background(), number, nil); err != nil {
		fmt.Fprintln(os.Stderr, "streamcount:", err)
		os.Exit(1)
	}
}

// compare runs the topology in this process with n events, and says whether it counts what counting one after the other does.
func compare(ctx context.Context, n int, c conf.Conf) error {
	said := events(n)
	want, got := sequential(said), result{}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	program := gearstorm.Stream("streamcount", func(t *stream.Topology, _ []string) error {
		define(t, delayed(said), func(c Count, _ time.Time) error {
			mu.Lock()
			defer mu.Unlock()
			got.add(c.Key, c.Span.Start, c.Value)
			if len(got) == len(want) {
				cancel()
			}
			return nil
		})
		return nil
	})
	since := time.Now()
	if err := gearstorm.RunLocal(ctx, program, gearstorm.Options{Conf: c}); err != nil {
		return err
	}
	took := time.Since(since)
	if !maps.Equal(got, want) {
		return errors.New("the result is not that of counting one word after the other")
	}
	fmt.Printf("%d words, %.0f %% of them late by up to %v, in %d windows of words: equal to the sequential result, after %v (%.0f words/s)\n",
		n, lateShare*100, mostDelay, len(got), took.Round(time.Millisecond), float64(n)/took.Seconds())
	return nil
}
