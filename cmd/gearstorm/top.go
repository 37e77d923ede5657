package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// maxTopTopologies bounds how many topologies a frame asks for.
const maxTopTopologies = 200

func topCommand() *cli.Command {
	return &cli.Command{
		Name: "top", Category: catCluster, Usage: "what all topologies do, or the components of one, until Ctrl-C", ArgsUsage: "[NAME]",
		Description: "Redraws itself on a terminal; elsewhere it prints a frame each interval, after an empty line. Rates are those since the frame before,\n" +
			"of the first one since nothing.\n\n  gearstorm top -n 2 wordcount | tail -n +3   # one frame with rates, for a script",
		Flags: []cli.Flag{
			&cli.Float64Flag{Name: "i", Aliases: []string{"interval"}, Value: 1, Usage: "`SECONDS` between frames"},
			&cli.IntFlag{Name: "n", Aliases: []string{"frames"}, Usage: "end after `N` frames"},
		},
		Action: func(c *cli.Context) error {
			every := time.Duration(c.Float64("i") * float64(time.Second))
			switch {
			case c.NArg() > 1:
				return usagef("top takes one topology name at most, got %d", c.NArg())
			case every < 10*time.Millisecond || every > time.Hour:
				return usagef("-i %v: want 0.01 to 3600 seconds", c.Float64("i"))
			case c.Int("n") < 0:
				return usagef("-n %d: want a number of frames", c.Int("n"))
			}
			return withNimbus(c, func(n *session) error {
				t := topper{rpc: n.rpc, view: topView{name: c.Args().First()}, out: c.App.Writer, on: newScreen(c.App.Writer)}
				return t.run(c.Context, every, c.Int("n"))
			})
		},
	}
}

// topper shows frames.
type topper struct {
	rpc  *stormrpc.NimbusClient
	view topView
	out  io.Writer
	on   *screen
}

// run shows frames until the context ends or there were as many as asked for (0: no end). A Nimbus that stops answering
// later on is waited for.
func (t *topper) run(ctx context.Context, every time.Duration, frames int) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer t.on.end()
	for shown := 0; ; {
		now, err := t.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			t.show(t.view.lines(now))
		case shown == 0 || t.view.name != "":
			return err
		default:
			t.show([]string{"Nimbus does not answer: " + oneLine(explain(err))})
		}
		if shown++; shown == frames {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (t *topper) show(lines []string) {
	if t.on.live() {
		t.on.show(lines)
		return
	}
	for _, l := range lines {
		fmt.Fprintln(t.out, l)
	}
	fmt.Fprintln(t.out)
}

// topSample is what Nimbus says at one moment.
type topSample struct {
	at          time.Time
	supervisors []*stormrpc.SupervisorSummary // with all topologies
	topologies  []topologyInfo
	summaries   []*stormrpc.TopologySummary // beside topologies
	more        int                         // topologies that were not asked for
}

// look asks for one topology, or for the cluster and all topologies.
func (t *topper) look(ctx context.Context) (topSample, error) {
	none := stormrpc.NumErrorsChoice_NONE
	opts := &stormrpc.GetInfoOptions{NumErrChoice: &none}
	s := topSample{at: time.Now()}
	if t.view.name != "" {
		ti, err := t.rpc.GetTopologyInfoByNameWithOpts(ctx, t.view.name, opts)
		if err == nil {
			s.topologies = []topologyInfo{summarize(ti)}
		}
		return s, err
	}
	cluster, err := t.rpc.GetClusterInfo(ctx)
	if err != nil {
		return s, err
	}
	s.supervisors = cluster.Supervisors
	for _, ts := range cluster.Topologies {
		if len(s.topologies) == maxTopTopologies {
			s.more = len(cluster.Topologies) - maxTopTopologies
			break
		}
		ti, err := t.rpc.GetTopologyInfoWithOpts(ctx, ts.ID, opts)
		if err != nil {
			continue // it ended meanwhile
		}
		s.topologies, s.summaries = append(s.topologies, summarize(ti)), append(s.summaries, ts)
	}
	return s, nil
}
