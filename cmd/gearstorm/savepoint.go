package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// longestSavepoint is how long Nimbus lets a call wait for a savepoint.
const longestSavepoint = time.Hour

const savepointHelp = `The next checkpoint of the topology is kept by this name until it is deleted, also when the topology is killed. A topology that is
submitted with -c gearstorm.checkpoint.from=SAVEPOINT begins with it: sources where they were, state by key, whatever the number of tasks. The command
ends when the savepoint is there. Names are those of a store: all topologies with checkpoints there share them. Without SAVEPOINT it lists those that there are.

  gearstorm savepoint wordcount before-upgrade
  gearstorm savepoint wordcount
  gearstorm savepoint --delete wordcount before-upgrade
  gearstorm savepoint --store file:///mnt/shared/checkpoints
  gearstorm savepoint --store file:///mnt/shared/checkpoints --purge wordcount-1-1764400000`

func savepointCommand() *cli.Command {
	return &cli.Command{
		Name: "savepoint", Category: catCluster, Usage: "keep a checkpoint of a topology by name", ArgsUsage: "NAME [SAVEPOINT]", Description: savepointHelp,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "delete", Usage: "forget the savepoint"},
			&cli.DurationFlag{Name: "w", Aliases: []string{"wait"}, Value: 2 * time.Minute, Usage: "how `LONG` to wait for it, an hour at most"},
			&cli.StringFlag{Name: "store", Usage: "look into the store at `URL` itself, for what topologies that are gone have left there"},
			&cli.StringFlag{Name: "purge", Usage: "with --store: remove all checkpoints of the topology `ID`, which must not run any more, but for what savepoints need"},
			outputFlag(),
		},
		Action: func(c *cli.Context) error {
			asData, err := dataWanted(c)
			if err != nil {
				return err
			}
			if c.IsSet("store") {
				return inStore(c, asData)
			}
			if c.IsSet("purge") {
				return usageError("--purge goes with --store")
			}
			wait := c.Duration("w")
			switch {
			case c.NArg() < 1 || c.NArg() > 2 || c.NArg() == 1 && c.Bool("delete"):
				return usagef("savepoint takes the name of a topology and that of a savepoint, got %d", c.NArg())
			case wait < 0 || wait > longestSavepoint:
				return usagef("-w %v: want 0 to %v", wait, longestSavepoint)
			}
			topology, name := c.Args().Get(0), c.Args().Get(1)
			if c.NArg() == 2 {
				if err := checkpoint.CheckSavepoint(name); err != nil {
					return usagef("%v", err)
				}
			}
			return withNimbus(c, func(n *session) error {
				if c.NArg() == 1 {
					return listSavepoints(c, n, topology, asData)
				}
				nc, err := client.New(n.holding(wait))
				if err != nil {
					return err
				}
				defer nc.Close()
				a, err := nc.Gearstorm().Savepoint(c.Context, topology, name, c.Bool("delete"), int32(wait/time.Millisecond))
				switch {
				case err != nil:
					return err
				case a.Error != nil:
					return errors.New(*a.Error)
				case a.Savepoint == nil:
					fmt.Fprintf(c.App.Writer, "Deleted savepoint %s of %s\n", name, topology)
					return nil
				}
				made := savepointOf(a.Savepoint)
				if asData {
					return printData(c, made)
				}
				fmt.Fprintf(c.App.Writer, "Savepoint %s of %s: epoch %d, clock %s, %s\n  start from it with -c gearstorm.checkpoint.from=%s\n",
					made.Name, topology, made.Epoch, made.Watermark, bytesText(made.Bytes), made.Name)
				return nil
			})
		},
	}
}

// holding are the options of a client whose calls Nimbus may hold for so long.
func (n *session) holding(wait time.Duration) client.Options {
	o := n.opts
	o.Dial.CallTimeout = wait + time.Minute
	return o
}

func listSavepoints(c *cli.Context, n *session, topology string, asData bool) error {
	t, err := timingByName(c, n, topology)
	if err != nil {
		return err
	}
	if asData {
		return printData(c, append([]savepointInfo{}, t.Savepoints...))
	}
	if len(t.Savepoints) == 0 {
		fmt.Fprintf(c.App.Writer, "%s has no savepoints; `savepoint %s SAVEPOINT` makes one\n", topology, topology)
		return nil
	}
	return printSavepoints(c.App.Writer, t.Savepoints)
}
