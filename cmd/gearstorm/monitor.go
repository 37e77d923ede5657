package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// monitorCommand is Storm's monitor (org.apache.storm.utils.Monitor).
func monitorCommand() *cli.Command {
	return &cli.Command{
		Name: "monitor", Category: catCluster, Usage: "the throughput of a component's stream, a line each interval, until Ctrl-C", ArgsUsage: "NAME",
		Description: "Without -m it lists the components. The columns, parted by tabs, are those of Storm; throughput is in tuples each millisecond.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "i", Aliases: []string{"interval"}, Value: 4, Usage: "`SECONDS` between lines"},
			&cli.StringFlag{Name: "m", Aliases: []string{"component"}, Usage: "look at `COMPONENT`"},
			&cli.StringFlag{Name: "s", Aliases: []string{"stream"}, Value: "default", Usage: "look at `STREAM`"},
			&cli.StringFlag{Name: "w", Aliases: []string{"watch"}, Value: "emitted", Usage: "count what is `ITEM`: emitted or transferred"},
		},
		Action: func(c *cli.Context) error {
			name, err := oneName(c)
			if err != nil {
				return err
			}
			m := monitor{topology: name, component: c.String("m"), stream: c.String("s"), watch: c.String("w"), out: c.App.Writer}
			every := c.Int("i")
			switch {
			case every <= 0 || every > 1<<20:
				return badValue(c, "poll interval must be positive")
			case m.watch != "emitted" && m.watch != "transferred":
				return badValue(c, "watch item must either be transferred or emitted")
			}
			return withNimbus(c, func(n *session) error {
				if m.component == "" {
					return m.components(c.Context, n.rpc)
				}
				return m.run(c.Context, n.rpc, time.Duration(every)*time.Second)
			})
		},
	}
}

// monitor prints how a counter of a component grows.
type monitor struct {
	topology, component, stream, watch string
	out                                io.Writer

	at    time.Time
	count int64
}

func (m *monitor) info(ctx context.Context, rpc *stormrpc.NimbusClient) (*stormrpc.TopologyInfo, error) {
	none := stormrpc.NumErrorsChoice_NONE
	return rpc.GetTopologyInfoByNameWithOpts(ctx, m.topology, &stormrpc.GetInfoOptions{NumErrChoice: &none})
}

// components lists what -m may name.
func (m *monitor) components(ctx context.Context, rpc *stormrpc.NimbusClient) error {
	info, err := m.info(ctx, rpc)
	if err == nil {
		m.printComponents(info)
		fmt.Fprintln(m.out, "Please use -m to specify one component")
	}
	return err
}

func (m *monitor) printComponents(info *stormrpc.TopologyInfo) {
	var names []string
	for _, e := range info.Executors {
		names = append(names, e.ComponentID)
	}
	slices.Sort(names)
	const rule = "------------------\n"
	fmt.Fprintf(m.out, "Available components for %s :\n%s%s%s", m.topology, rule, strings.Join(append(slices.Compact(names), ""), "\n"), rule)
}

// run prints a line now and each interval until the context ends.
func (m *monitor) run(ctx context.Context, rpc *stormrpc.NimbusClient, every time.Duration) error {
	fmt.Fprintf(m.out, "topology\tcomponent\tparallelism\tstream\ttime-diff ms\t%s\tthroughput (Kt/s)\n", m.watch)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		info, err := m.info(ctx, rpc)
		if err == nil {
			err = m.line(info, time.Now())
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// line prints how far the counter is from the last line.
func (m *monitor) line(info *stormrpc.TopologyInfo, now time.Time) error {
	executors, found, total := 0, false, int64(0)
	for _, e := range info.Executors {
		if e.ComponentID != m.component {
			continue
		}
		executors++
		if e.Stats == nil {
			continue
		}
		counts := e.Stats.Emitted
		if m.watch == "transferred" {
			counts = e.Stats.Transferred
		}
		n, ok := counts[allTime][m.stream]
		found, total = found || ok, total+n
	}
	switch {
	case executors == 0:
		m.printComponents(info)
		return fmt.Errorf("component: %s not found", m.component)
	case !found:
		return fmt.Errorf("stream: %s not found", m.stream)
	}
	if m.at.IsZero() { // the first line tells the count so far, without a rate
		m.at = now
	}
	passed, grown := now.Sub(m.at).Milliseconds(), total-m.count
	rate := 0.0
	if passed > 0 {
		rate = float64(grown) / float64(passed)
	}
	m.at, m.count = now, total
	fmt.Fprintf(m.out, "%s\t%s\t%d\t%s\t%d\t%d\t%s\n", m.topology, m.component, executors, m.stream, passed, grown, javaDouble(rate))
	return nil
}

// javaDouble writes a rate as Java does where the numbers are not far out: with a fraction always.
func javaDouble(v float64) string {
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
