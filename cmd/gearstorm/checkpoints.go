package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const checkpointsHelp = `The newest checkpoint stands first. Below each are its components: a source's watermark and position, a task's watermark and state, as they
say themselves. A checkpoint that failed says why; the topology goes on, and the next one is made. With -o json (or yaml) an object with state,
generation, watermark, stalled, trouble (of the worker with the clock), checkpoint_interval_ms, store, clocks (component, watermark, out, task, stuck), checkpoints (epoch, state, why, begun,
took_ms, bytes, watermark, components) and savepoints (name, topology, epoch, time, bytes, watermark). Watermarks are milliseconds since 1970, "idle", "end" or null.

  gearstorm checkpoints wordcount
  gearstorm checkpoints wordcount -o json | jq '.checkpoints[0].took_ms'`

func checkpointsCommand() *cli.Command {
	return &cli.Command{
		Name: "checkpoints", Category: catCluster, Usage: "how far a topology is in event time, and its checkpoints", ArgsUsage: "NAME", Description: checkpointsHelp,
		Flags: []cli.Flag{&cli.IntFlag{Name: "n", Value: 10, Usage: "show the last `N`; 20 are known at most"}, outputFlag()},
		Action: func(c *cli.Context) error {
			name, err := oneName(c)
			if err != nil {
				return err
			}
			asData, err := dataWanted(c)
			if err != nil {
				return err
			}
			if c.Int("n") < 1 {
				return usagef("-n %d: want 1 or more", c.Int("n"))
			}
			return withNimbus(c, func(n *session) error {
				t, err := timingByName(c, n, name)
				if err != nil {
					return err
				}
				t.Checkpoints = t.Checkpoints[:min(len(t.Checkpoints), c.Int("n"))]
				if asData {
					return printData(c, t)
				}
				return printCheckpoints(c.App.Writer, t)
			})
		},
	}
}

// timingByName asks for the time of a topology that has one.
func timingByName(c *cli.Context, n *session, name string) (*timingInfo, error) {
	ti, err := n.rpc.GetTopologyInfoByName(c.Context, name)
	if err != nil {
		return nil, err
	}
	if t := timingOf(ti.Timing); t != nil {
		t.Trouble = clockTrouble(ti)
		return t, nil
	}
	clock := clockOf(ti)
	switch {
	case len(ti.Executors) == 0:
		return nil, fmt.Errorf("%s has no place in the cluster yet (%s); `gearstorm nodes` shows which slots there are", name, cmp.Or(ti.GetSchedStatus(), "nothing is known of it"))
	case clock == nil:
		return nil, fmt.Errorf("%s has no clock: submit it with -c gearstorm.checkpoint.interval.ms=1000, or -c gearstorm.event.time=true", name)
	}
	if why := clockTrouble(ti); why != "" {
		return nil, fmt.Errorf("nothing is known of the checkpoints of %s: %s; `info %s` shows all workers and errors", name, why, name)
	}
	return nil, fmt.Errorf("the worker with the clock of %s (%s:%d) has not said anything yet; `info %s` shows the workers", name, clock.Host, clock.Port, name)
}

// clockOf is the executor with the topology's clock, nil if it has none.
func clockOf(ti *stormrpc.TopologyInfo) *stormrpc.ExecutorSummary {
	for _, e := range ti.Executors {
		if e.ComponentID == gearcore.ClockComponent {
			return e
		}
	}
	return nil
}

// clockTrouble says why the worker with the clock of a topology is not at work, as far as anybody knows, "" if it is.
func clockTrouble(ti *stormrpc.TopologyInfo) string {
	clock := clockOf(ti)
	if clock == nil {
		return ""
	}
	for _, w := range workerInfos(ti.Workers) {
		if w.Worker == fmt.Sprintf("%s:%d", clock.Host, clock.Port) && w.State == "ready" {
			return ""
		}
	}
	for _, e := range ti.Errors[gearcore.SystemComponent] { // the newest is the first
		if e.GetHost() == clock.Host && e.GetPort() == clock.Port {
			return fmt.Sprintf("the worker with the clock (%s:%d) is not at work; the last that was heard of it, at %s:\n%s", clock.Host, clock.Port,
				time.Unix(int64(e.ErrorTimeSecs), 0).Format(time.DateTime), strings.TrimSpace(e.Error))
		}
	}
	return ""
}

func printCheckpoints(w io.Writer, t *timingInfo) error {
	if t.IntervalMs > 0 {
		fmt.Fprintf(w, "a checkpoint every %v in %s\n", time.Duration(t.IntervalMs)*time.Millisecond, t.Store)
	}
	if err := printClocks(w, t); err != nil {
		return err
	}
	if t.Trouble != "" {
		fmt.Fprintf(w, "\n%s\n", indented(t.Trouble))
	}
	if t.IntervalMs == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\nEPOCH\tCLOCK\tBEGUN\tTOOK\tSIZE\t")
	for _, c := range t.Checkpoints {
		took := "-"
		if c.State != "under way" {
			took = (time.Duration(c.TookMs) * time.Millisecond).String()
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\t%s\n", c.Epoch, c.Watermark, c.Begun.Local().Format(time.TimeOnly), took, bytesText(c.Bytes), stateText(c))
		for _, p := range c.Parts {
			kind := "state"
			if p.Source {
				kind = "source"
			}
			fmt.Fprintf(tw, "  %s\t%s\t%s\t\t%s\t%s\n", p.Component, p.Watermark, kind, bytesText(p.Bytes), strings.Join(p.Notes, ", "))
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return printSavepoints(w, t.Savepoints)
}

func stateText(c checkpointInfo) string {
	if c.State == "committed" || c.Why == "" {
		return c.State
	}
	return c.State + ": " + c.Why
}

func printSavepoints(w io.Writer, list []savepointInfo) error {
	if len(list) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\nSAVEPOINT\tTOPOLOGY\tEPOCH\tCLOCK\tMADE\tSIZE")
	for _, s := range list {
		fmt.Fprintf(tw, "%s\t%s\t%d\t%s\t%s\t%s\n", s.Name, s.Topology, s.Epoch, s.Watermark, s.Time.Local().Format(time.DateTime), bytesText(s.Bytes))
	}
	return tw.Flush()
}
