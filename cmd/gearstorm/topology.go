package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// The commands below take Storm's short and long options (storm.py and the Java mains spell some differently) and
// print Storm's sentences.

func waitFlag() cli.Flag {
	return &cli.IntFlag{Name: "w", Aliases: []string{"wait", "wait-time-secs"}, Value: -1, DefaultText: "the topology's message timeout", Usage: "`SECONDS` between deactivation and the change"}
}

// wait returns the value of -w, nil if it was not given.
func wait(c *cli.Context) (*int32, error) {
	if !c.IsSet("w") {
		return nil, nil
	}
	w := c.Int("w")
	if w < 0 || w > math.MaxInt32 {
		return nil, usagef("-w %d: want 0 or more seconds", w)
	}
	v := int32(w)
	return &v, nil
}

// oneName returns the single argument.
func oneName(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", usagef("%s takes one topology name, got %d", c.Command.Name, c.NArg())
	}
	return c.Args().First(), nil
}

func killCommand() *cli.Command {
	return &cli.Command{
		Name: "kill", Category: catCluster, Usage: "end topologies", ArgsUsage: "NAME...",
		Flags: []cli.Flag{waitFlag(), &cli.BoolFlag{Name: "i", Aliases: []string{"ignore-errors"}, Usage: "go on with the next name after an error"}},
		Action: func(c *cli.Context) error {
			secs, err := wait(c)
			if err != nil {
				return err
			}
			if c.NArg() == 0 {
				return usageError("kill takes one or more topology names")
			}
			return withNimbus(c, func(n *session) error {
				failed := 0
				for _, name := range c.Args().Slice() {
					if err := n.rpc.KillTopologyWithOpts(c.Context, name, &stormrpc.KillOptions{WaitSecs: secs}); err != nil {
						if !c.Bool("i") {
							return err
						}
						failed++
						fmt.Fprintf(c.App.ErrWriter, "%s: %s\n", c.App.Name, oneLine(explain(err)))
						continue
					}
					fmt.Fprintf(c.App.Writer, "Killed topology: %s\n", name)
				}
				if failed > 0 {
					return fmt.Errorf("Failed to successfully kill %d topologies.", failed)
				}
				return nil
			})
		},
	}
}

func activateCommand() *cli.Command {
	return statusCommand("activate", "let the spouts of a topology emit again", "Activated topology: %s\n", func(c *cli.Context, n *session, name string) error {
		return n.rpc.Activate(c.Context, name)
	})
}

func deactivateCommand() *cli.Command {
	return statusCommand("deactivate", "stop the spouts of a topology", "Deactivated topology: %s\n", func(c *cli.Context, n *session, name string) error {
		return n.rpc.Deactivate(c.Context, name)
	})
}

func statusCommand(cmd, usage, done string, do func(*cli.Context, *session, string) error) *cli.Command {
	return &cli.Command{
		Name: cmd, Category: catCluster, Usage: usage, ArgsUsage: "NAME",
		Action: func(c *cli.Context) error {
			name, err := oneName(c)
			if err != nil {
				return err
			}
			return withNimbus(c, func(n *session) error {
				if err := do(c, n, name); err != nil {
					return whyNot(c, n, name, err)
				}
				fmt.Fprintf(c.App.Writer, done, name)
				return nil
			})
		},
	}
}

// whyNot replaces the error of a command that a topology does not take in its status; Nimbus, as Storm's, calls it internal.
func whyNot(c *cli.Context, n *session, name string, err error) error {
	if client.KindOf(err) != client.Internal {
		return err
	}
	t, lookErr := n.rpc.GetTopologySummaryByName(c.Context, name)
	if lookErr != nil || t.Status == "ACTIVE" || t.Status == "INACTIVE" {
		return err
	}
	return fmt.Errorf("%s is %s now and cannot %s; `list` shows its status", name, strings.ToLower(t.Status), c.Command.Name)
}

func rebalanceCommand() *cli.Command {
	return &cli.Command{
		Name: "rebalance", Category: catCluster, Usage: "change the workers and executors of a running topology", ArgsUsage: "NAME",
		Flags: []cli.Flag{
			waitFlag(),
			&cli.IntFlag{Name: "n", Aliases: []string{"num-workers"}, Usage: "`WORKERS` to run on"},
			&cli.StringSliceFlag{Name: "e", Aliases: []string{"executor"}, Usage: "`COMPONENT=N` executors; may stand several times"},
			&cli.StringFlag{Name: "r", Aliases: []string{"resources"}, Usage: "`JSON` of resources to change: {\"component\":{\"resource\":number}}"},
			&cli.StringFlag{Name: "t", Aliases: []string{"topology-conf"}, Usage: "`JSON` of configuration to change"},
		},
		Action: func(c *cli.Context) error {
			name, err := oneName(c)
			if err != nil {
				return err
			}
			opts, err := rebalanceOptions(c)
			if err != nil {
				return err
			}
			return withNimbus(c, func(n *session) error {
				if over := opts.TopologyConfOverrides; over != nil && asStorm(c) {
					fmt.Fprintf(c.App.Writer, "Rebalancing topology with overrides %s\n", *over)
				}
				if err := n.rpc.Rebalance(c.Context, name, opts); err != nil {
					return whyNot(c, n, name, err)
				}
				fmt.Fprintf(c.App.Writer, "Topology %s is rebalancing\n", name)
				return nil
			})
		},
	}
}

func rebalanceOptions(c *cli.Context) (*stormrpc.RebalanceOptions, error) {
	secs, err := wait(c)
	if err != nil {
		return nil, err
	}
	opts := &stormrpc.RebalanceOptions{WaitSecs: secs}
	if c.IsSet("n") {
		n := c.Int("n")
		if n <= 0 || n > math.MaxInt32 {
			return nil, usagef("-n %d: want a positive number of workers", n)
		}
		v := int32(n)
		opts.NumWorkers = &v
	}
	for _, e := range c.StringSlice("e") {
		at := max(strings.LastIndexByte(e, '='), 0)
		n, err := strconv.ParseInt(strings.TrimPrefix(e[at:], "="), 10, 32)
		if at == 0 || err != nil || n <= 0 {
			return nil, usagef("-e %q: want COMPONENT=N with a positive number of executors", e)
		}
		if opts.NumExecutors == nil {
			opts.NumExecutors = map[string]int32{}
		}
		opts.NumExecutors[e[:at]] = int32(n)
	}
	if r := c.String("r"); r != "" {
		if err := json.Unmarshal([]byte(r), &opts.TopologyResourcesOverrides); err != nil {
			return nil, usagef("-r %q: want {\"component\":{\"resource\":number}}", r)
		}
	}
	// Storm merges -c options over -t.
	over := conf.Conf{}
	if t := c.String("t"); t != "" {
		if over, err = conf.ParseJSON([]byte(t)); err != nil {
			return nil, usagef("-t: %v", err)
		}
	}
	set, err := conf.ParseOptions(c.StringSlice("c"))
	if err != nil {
		return nil, usageError(err.Error())
	}
	if over = conf.Merge(over, set); len(over) > 0 {
		text, err := over.JSON()
		if err != nil {
			return nil, err
		}
		s := string(text)
		opts.TopologyConfOverrides = &s
	}
	return opts, nil
}
