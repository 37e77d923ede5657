package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func listCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Category: catCluster, Usage: "the topologies of the cluster",
		Description: "With -o json (or yaml) a list of objects with name, id, status, workers, executors, tasks, uptime_secs, owner, and broken where blobs are missing.",
		Flags:       []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			asData, err := dataWanted(c)
			if err != nil {
				return err
			}
			return withNimbus(c, func(n *session) error {
				ts, err := n.rpc.GetTopologySummaries(c.Context)
				if err != nil {
					return err
				}
				switch {
				case asData:
					return printData(c, listJSON(ts))
				case asStorm(c):
					stormList(c.App.Writer, ts)
				default:
					return plainList(c.App.Writer, ts)
				}
				return nil
			})
		},
	}
}

// stormRow is the format of Storm's list, columns and widths.
const stormRow = "%-20s %-10s %-10v %-12v %-12v %-20s %-20s\n"

// stormList prints what `storm list` prints (org.apache.storm.command.ListTopologies).
func stormList(w io.Writer, ts []*stormrpc.TopologySummary) {
	if len(ts) == 0 {
		fmt.Fprintln(w, "No topologies running.")
		return
	}
	fmt.Fprintf(w, stormRow, "Topology_name", "Status", "Num_tasks", "Num_workers", "Uptime_secs", "Topology_Id", "Owner")
	fmt.Fprintln(w, strings.Repeat("-", 88))
	for _, t := range ts {
		fmt.Fprintf(w, stormRow, t.Name, t.Status, t.NumTasks, t.NumWorkers, t.UptimeSecs, t.ID, t.GetOwner())
	}
}

func plainList(w io.Writer, ts []*stormrpc.TopologySummary) error {
	if len(ts) == 0 {
		fmt.Fprintln(w, "no topologies; `gearstorm submit topology.yaml` starts one")
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NAME\tSTATUS\tWORKERS\tEXECUTORS\tTASKS\tUPTIME\tID")
	for _, t := range ts {
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", t.Name, t.Status, t.NumWorkers, t.NumExecutors, t.NumTasks, time.Duration(t.UptimeSecs)*time.Second, t.ID)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, t := range ts {
		if why := t.GetSchedStatus(); strings.HasPrefix(why, brokenMark) {
			fmt.Fprintf(w, "%s: %s\n", t.Name, why)
		}
	}
	return nil
}

// brokenMark begins the scheduling status of a topology whose blobs are missing or damaged.
const brokenMark = "BROKEN"

// topologyRow is a topology in JSON output; the names are part of the interface.
type topologyRow struct {
	Name      string `json:"name"`
	ID        string `json:"id"`
	Status    string `json:"status"`
	Workers   int32  `json:"workers"`
	Executors int32  `json:"executors"`
	Tasks     int32  `json:"tasks"`
	Uptime    int32  `json:"uptime_secs"`
	Owner     string `json:"owner"`
	Broken    string `json:"broken,omitempty"` // why, when its blobs are missing or damaged
}

func listJSON(ts []*stormrpc.TopologySummary) []topologyRow {
	out := []topologyRow{}
	for _, t := range ts {
		row := topologyRow{t.Name, t.ID, t.Status, t.NumWorkers, t.NumExecutors, t.NumTasks, t.UptimeSecs, t.GetOwner(), ""}
		if why := t.GetSchedStatus(); strings.HasPrefix(why, brokenMark) {
			row.Broken = why
		}
		out = append(out, row)
	}
	return out
}
