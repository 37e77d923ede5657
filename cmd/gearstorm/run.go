package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/connectors"
	"github.com/gearstorm/gearstorm/worker"
)

// tableEvery is how often the table of a topology that runs here is redrawn.
const tableEvery = time.Second

func runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Category: catRun, Usage: "run a topology from Flux YAML in this process, until Ctrl-C", ArgsUsage: "TOPOLOGY.yaml",
		Description: "Shows what components log, each error of a component once and, on a terminal, a table of what they do.",
		Flags: append(yamlFlags(),
			&cli.StringFlag{Name: "metrics", Usage: "serve Prometheus at http://`HOST:PORT`/metrics"}),
		Action: func(c *cli.Context) error {
			y, err := loadYAML(c)
			if err != nil {
				return err
			}
			return runHere(c.Context, y, newScreen(c.App.Writer), c.String("metrics"))
		},
	}
}

// runHere runs the topology in this process until ctx ends. Its metrics are served at an address unless that is "".
func runHere(ctx context.Context, y *fluxTopology, s *screen, metricsAt string) error {
	log := newConsole(s.line)
	slog.SetDefault(slog.New(log))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var ln net.Listener
	if metricsAt != "" {
		var err error
		if ln, err = net.Listen("tcp", metricsAt); err != nil {
			return fmt.Errorf("serve metrics: %w", err)
		}
		defer ln.Close()
		s.line(fmt.Sprintf("metrics at http://%s/metrics", ln.Addr()))
	}
	var beside sync.WaitGroup
	err := gearstorm.RunTopology(ctx, y.name, y.topology, y.resources, gearstorm.Options{
		Components: connectors.Registry{},
		Started: func(l *worker.Local) {
			s.line(y.name + " runs in this process; Ctrl-C ends it")
			beside.Go(func() { draw(ctx, s, y.name, l, log.seen) })
			if ln != nil {
				beside.Go(func() {
					if err := l.ServeMetrics(ctx, ln); err != nil {
						s.line(err.Error())
					}
				})
			}
		},
	})
	cancel()
	beside.Wait()
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	s.line(y.name + " ended")
	return nil
}

// draw redraws the table until ctx ends, and leaves the last one.
func draw(ctx context.Context, s *screen, name string, l *worker.Local, errs *seenErrors) {
	if !s.live() {
		return
	}
	tick := time.NewTicker(tableEvery)
	defer tick.Stop()
	t := liveTable{name: name, errors: errs.of, began: time.Now()}
	for {
		s.show(t.lines(l.Stats(), time.Now()))
		select {
		case <-ctx.Done():
			s.end()
			return
		case <-tick.C:
		}
	}
}

// liveTable makes the table of a running topology.
type liveTable struct {
	name   string
	errors func(component string) int
	began  time.Time

	last   map[string]int64 // work done at the last look
	lastAt time.Time
}

// lines is the table now. The rate of a component is what it executed, of a spout what it emitted, since the last call.
func (t *liveTable) lines(stats []worker.ComponentStats, now time.Time) []string {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "component\ttasks\tper s\texecuted\temitted\tacked\tfailed\terrors\tlatency ms\tp50\tp99\tqueue p99\tpending\t")
	seconds, done := now.Sub(t.lastAt).Seconds(), map[string]int64{}
	var throttled []string
	for _, c := range stats {
		if strings.HasPrefix(c.Component, "__") {
			continue // Storm's own
		}
		work, latency := c.Executed, c.ProcessMs
		if c.Spout {
			work, latency = c.Emitted, c.CompleteMs
		}
		rate := 0.0
		if t.last != nil && seconds > 0 {
			rate = float64(work-t.last[c.Component]) / seconds
		}
		done[c.Component] = work
		row(tw, c, rate, latency, t.errors(c.Component))
		throttled = append(throttled, throttleLines(c.Component, throttles(c.Throttles))...)
	}
	t.last, t.lastAt = done, now
	tw.Flush()
	head := fmt.Sprintf("%s, up %s", t.name, now.Sub(t.began).Round(time.Second))
	lines := append([]string{"", head}, strings.Split(strings.TrimRight(b.String(), "\n"), "\n")...)
	return append(lines, throttled...)
}

func row(w io.Writer, c worker.ComponentStats, rate, latency float64, errs int) {
	pending := ""
	if c.Spout {
		pending = fmt.Sprint(c.Pending)
	}
	fmt.Fprintf(w, "%s\t%d\t%.0f\t%d\t%d\t%d\t%d\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%s\t\n",
		c.Component, c.Tasks, rate, c.Executed, c.Emitted, c.Acked, c.Failed, errs, latency, c.P50Ms, c.P99Ms, c.QueueP99Ms, pending)
}
