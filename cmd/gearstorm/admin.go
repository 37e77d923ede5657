package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// adminFailed is the status of an admin command that failed.
const adminFailed = 3

// adminCommand is Storm's admin (org.apache.storm.command.AdminCommands). Storm's reads ZooKeeper; this asks Nimbus, so it
// runs anywhere, and shows what Nimbus shows.
func adminCommand() *cli.Command {
	return &cli.Command{
		Name: "admin", Category: catCluster, Usage: "look at the state of the cluster, remove what is broken",
		Description: "It exits with 2 without a command and for one that it does not know, 3 when one fails.",
		Subcommands: []*cli.Command{
			adminLeaf("remove_corrupt_topologies", "kill topologies whose blobs are lost", "", removeCorrupt),
			adminLeaf("print_topo", "a topology as it was submitted, by id or from a file of its code, as JSON", "ID|FILE...", printTopologies),
			adminLeaf("print_super", "what Nimbus knows of nodes, as JSON", "[ID]...", printSupervisors),
			adminLeaf("print_assignment", "where the executors of topologies run, as JSON", "[ID]...", printAssignments),
			adminLeaf("zk_cli", "not here", "", func(*cli.Context, *session) error {
				return errors.New("ZooKeeper's own zkCli.sh opens a shell to it; nothing that gearstorm keeps there is meant to be changed by hand")
			}),
			adminLeaf("creds", "not here", "ID...", func(*cli.Context, *session) error {
				return errors.New("credentials of topologies are given to their workers only")
			}),
			{Name: "help", Usage: "what these commands do", ArgsUsage: "[COMMAND]...", Action: func(c *cli.Context) error {
				return showHelp(c, append([]string{"admin"}, c.Args().Slice()...))
			}},
		},
		Action: noSubcommand,
	}
}

func adminLeaf(name, usage, args string, do func(*cli.Context, *session) error) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, ArgsUsage: args,
		Action: func(c *cli.Context) error {
			if err := withNimbus(c, func(n *session) error { return do(c, n) }); err != nil {
				return exitError{code: adminFailed, why: explain(err)}
			}
			return nil
		},
	}
}

func removeCorrupt(c *cli.Context, n *session) error {
	ts, err := n.rpc.GetTopologySummaries(c.Context)
	if err != nil {
		return err
	}
	now := int32(0)
	for _, t := range ts {
		if !strings.HasPrefix(t.GetSchedStatus(), brokenMark) {
			continue
		}
		if err := n.rpc.KillTopologyWithOpts(c.Context, t.Name, &stormrpc.KillOptions{WaitSecs: &now}); err != nil {
			return err
		}
		fmt.Fprintf(c.App.Writer, "Killed corrupt topology: %s\n", t.Name)
	}
	return nil
}

func printTopologies(c *cli.Context, n *session) error {
	if c.NArg() == 0 {
		return errors.New("print_topo takes ids of topologies or files of their code")
	}
	for _, name := range c.Args().Slice() {
		t, err := topologyCode(c, n, name)
		if err != nil {
			return err
		}
		if err := printStruct(c, name, t); err != nil {
			return err
		}
	}
	return nil
}

// topologyCode reads the code of a topology from a file, if there is one of that name, else asks Nimbus for that of an id.
func topologyCode(c *cli.Context, n *session, name string) (*stormrpc.StormTopology, error) {
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		return client.DecodeTopology(data)
	}
	return n.rpc.GetUserTopology(c.Context, name)
}

// printStruct writes a struct below its name, indented by tabs.
func printStruct(c *cli.Context, name string, v any) error {
	fmt.Fprintf(c.App.Writer, "%s:\n", name)
	return writeJSON(c.App.Writer, v, "\t")
}

func printSupervisors(c *cli.Context, n *session) error {
	cluster, err := n.rpc.GetClusterInfo(c.Context)
	if err != nil {
		return err
	}
	byID := map[string]*stormrpc.SupervisorSummary{}
	ids := c.Args().Slice()
	for _, s := range cluster.Supervisors {
		byID[s.SupervisorID] = s
		if c.NArg() == 0 {
			ids = append(ids, s.SupervisorID)
		}
	}
	for _, id := range ids {
		if byID[id] == nil {
			return fmt.Errorf("no supervisor has the id %s; `gearstorm nodes` lists them", id)
		}
		if err := printStruct(c, id, byID[id]); err != nil {
			return err
		}
	}
	return nil
}

// executorPlace is where an executor runs, in JSON; the names are part of the interface.
type executorPlace struct {
	Component string `json:"component"`
	First     int32  `json:"first_task"`
	Last      int32  `json:"last_task"`
	Host      string `json:"host"`
	Port      int32  `json:"port"`
}

func printAssignments(c *cli.Context, n *session) error {
	ids := c.Args().Slice()
	if len(ids) == 0 {
		ts, err := n.rpc.GetTopologySummaries(c.Context)
		if err != nil {
			return err
		}
		for _, t := range ts {
			ids = append(ids, t.ID)
		}
	}
	for _, id := range ids {
		ti, err := n.rpc.GetTopologyInfo(c.Context, id)
		if err != nil {
			return err
		}
		places := []executorPlace{}
		for _, e := range ti.Executors {
			places = append(places, executorPlace{e.ComponentID, e.ExecutorInfo.TaskStart, e.ExecutorInfo.TaskEnd, e.Host, e.Port})
		}
		if err := printStruct(c, id, places); err != nil {
			return err
		}
	}
	return nil
}
