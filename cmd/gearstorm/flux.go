package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// usualFluxSleep is how long Flux runs a topology locally unless told otherwise, in milliseconds.
const usualFluxSleep = 60_000

func fluxCommand() *cli.Command {
	return &cli.Command{
		Name: "flux", Category: catRun, Usage: "submit, with the options of Storm's Flux (org.apache.storm.flux.Flux)", ArgsUsage: "TOPOLOGY.yaml",
		Description: "As Flux does it shows the topology first. --local runs it on a cluster of its own that ends with the command, for --sleep.",
		Flags: append(yamlFlags(),
			&cli.BoolFlag{Name: "inactive", Aliases: []string{"i"}, Usage: "start it deactivated"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"d"}, Usage: "check the file, show the topology and stop"},
			&cli.BoolFlag{Name: "no-detail", Aliases: []string{"q"}, Usage: "do not show the topology"},
			&cli.BoolFlag{Name: "local", Aliases: []string{"l"}, Usage: "run it here"},
			&cli.IntFlag{Name: "sleep", Aliases: []string{"s"}, Value: usualFluxSleep, Usage: "`MS` that --local runs"},
			&cli.BoolFlag{Name: "remote", Aliases: []string{"r"}, Usage: "run it on the cluster, as it does anyway"},
			&cli.BoolFlag{Name: "no-splash", Aliases: []string{"n"}, Usage: "ignored: there is no splash screen"},
			&cli.StringFlag{Name: "zookeeper", Aliases: []string{"z"}, Usage: "ignored: a `HOST:PORT`; nothing here needs ZooKeeper"}),
		Action: func(c *cli.Context) error {
			if c.Bool("local") && c.Bool("remote") {
				return usageError("--local and --remote: name one of them")
			}
			if c.Int("sleep") < 1 {
				return usagef("--sleep %d: want 1 or more milliseconds", c.Int("sleep"))
			}
			y, err := loadYAML(c)
			if err != nil {
				return err
			}
			if !c.Bool("no-detail") {
				describeFlux(c.App.Writer, y.name, y.topology.Thrift)
			}
			switch {
			case c.Bool("dry-run"):
				return y.check()
			case c.Bool("local"):
				return runLocally(c, time.Duration(c.Int("sleep"))*time.Millisecond, func(ctx context.Context, at []string) error {
					return y.submit(ctx, c, at, c.Bool("inactive"))
				})
			}
			at, err := findNimbus(c)
			if err != nil {
				return err
			}
			return y.submit(c.Context, c, at, c.Bool("inactive"))
		},
	}
}

// describeFlux lists a topology as Flux does.
func describeFlux(w io.Writer, name string, t *stormrpc.StormTopology) {
	fmt.Fprintf(w, "---------- TOPOLOGY DETAILS ----------\nTopology Name: %s\n", name)
	var spouts, bolts, streams []string
	for id, s := range t.Spouts {
		spouts = append(spouts, fmt.Sprintf("%s [%d]", id, s.Common.GetParallelismHint()))
	}
	for id, b := range t.Bolts {
		bolts = append(bolts, fmt.Sprintf("%s [%d]", id, b.Common.GetParallelismHint()))
		for _, in := range b.Common.Inputs {
			streams = append(streams, fmt.Sprintf("%s.%s --> %s", in.Key.ComponentId, in.Key.StreamId, id))
		}
	}
	for _, part := range []struct {
		head string
		list []string
	}{{"--------------- SPOUTS ---------------", spouts}, {"---------------- BOLTS ---------------", bolts}, {"--------------- STREAMS ---------------", streams}} {
		slices.Sort(part.list)
		fmt.Fprintln(w, strings.Join(append([]string{part.head}, part.list...), "\n"))
	}
	fmt.Fprintf(w, "Worker hooks: %d\n--------------------------------------\n", len(t.WorkerHooks))
}
