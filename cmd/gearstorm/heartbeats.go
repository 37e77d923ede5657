package main

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const beatsRoot = "/workerbeats"

const beatsHelp = "Storm keeps the heartbeats of workers below " + beatsRoot + ". Here they are what Nimbus hears from the nodes, shown under the same paths:\n" +
	beatsRoot + ", " + beatsRoot + "/TOPOLOGY-ID and " + beatsRoot + "/TOPOLOGY-ID/HOST-PORT."

// heartbeatsCommand is Storm's heartbeats (org.apache.storm.command.Heartbeats).
func heartbeatsCommand() *cli.Command {
	return &cli.Command{
		Name: "heartbeats", Category: catCluster, Usage: "what workers report", Description: beatsHelp,
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "the topologies, or the workers of one", ArgsUsage: "PATH", Description: beatsHelp, Action: func(c *cli.Context) error {
				return onPath(c, func(n *session, path []string) error {
					children, err := beatChildren(c, n, path)
					if err == nil {
						fmt.Fprintf(c.App.Writer, "list %s:\n %s\n", c.Args().First(), strings.Join(children, "\n "))
					}
					return err
				})
			}},
			{Name: "get", Usage: "the last report of a worker, as JSON", ArgsUsage: "PATH", Description: beatsHelp, Action: func(c *cli.Context) error {
				return onPath(c, func(n *session, path []string) error {
					beat, err := beatOf(c, n, path)
					if err != nil {
						return err
					}
					if beat == nil {
						fmt.Fprintf(c.App.Writer, "get %s: No Heartbeats found\n", c.Args().First())
						return nil
					}
					fmt.Fprintf(c.App.Writer, "get %s: ", c.Args().First())
					return writeJSON(c.App.Writer, beat, "  ")
				})
			}},
		},
		Action: noSubcommand,
	}
}

// onPath runs do with the path that is the command's argument, its parts below beatsRoot.
func onPath(c *cli.Context, do func(n *session, path []string) error) error {
	if c.NArg() != 1 {
		return usagef("%s takes one path, got %d", c.Command.Name, c.NArg())
	}
	rest, ok := strings.CutPrefix(c.Args().First(), beatsRoot)
	path := strings.FieldsFunc(rest, func(r rune) bool { return r == '/' })
	if !ok || rest != "" && rest[0] != '/' || len(path) > 2 {
		return fmt.Errorf("there is nothing at %s; paths are %s, %s/TOPOLOGY-ID and %s/TOPOLOGY-ID/HOST-PORT", c.Args().First(), beatsRoot, beatsRoot, beatsRoot)
	}
	return withNimbus(c, func(n *session) error { return do(n, path) })
}

// beatChildren lists what is below a path.
func beatChildren(c *cli.Context, n *session, path []string) (children []string, err error) {
	switch len(path) {
	case 0:
		ts, err := n.rpc.GetTopologySummaries(c.Context)
		for _, t := range ts {
			children = append(children, t.ID)
		}
		return children, err
	case 1:
		ti, err := n.rpc.GetTopologyInfo(c.Context, path[0])
		if err != nil {
			return nil, err
		}
		for _, e := range ti.Executors {
			children = append(children, workerNode(e))
		}
		slices.Sort(children)
		return slices.Compact(children), nil
	}
	return nil, nil
}

func workerNode(e *stormrpc.ExecutorSummary) string { return e.Host + "-" + strconv.Itoa(int(e.Port)) }

// workerBeat is what a worker reports, in JSON; the names are part of the interface.
type workerBeat struct {
	Topology  string         `json:"storm_id"`
	Worker    string         `json:"worker"`
	Uptime    int32          `json:"uptime_secs"`
	Executors []executorBeat `json:"executors"`
}

type executorBeat struct {
	Component string                  `json:"component"`
	First     int32                   `json:"first_task"`
	Last      int32                   `json:"last_task"`
	Uptime    int32                   `json:"uptime_secs"`
	Stats     *stormrpc.ExecutorStats `json:"stats,omitempty"`
}

// beatOf is the report of a worker, nil if there is none.
func beatOf(c *cli.Context, n *session, path []string) (*workerBeat, error) {
	if len(path) < 2 {
		return nil, nil
	}
	ti, err := n.rpc.GetTopologyInfo(c.Context, path[0])
	if err != nil {
		return nil, err
	}
	var beat *workerBeat
	for _, e := range ti.Executors {
		if workerNode(e) != path[1] {
			continue
		}
		if beat == nil {
			beat = &workerBeat{Topology: ti.ID, Worker: net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))}
		}
		beat.Uptime = max(beat.Uptime, e.UptimeSecs)
		beat.Executors = append(beat.Executors, executorBeat{e.ComponentID, e.ExecutorInfo.TaskStart, e.ExecutorInfo.TaskEnd, e.UptimeSecs, e.Stats})
	}
	return beat, nil
}
