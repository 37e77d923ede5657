package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/stores"
)

// inStore does to a store itself what is asked for, without a cluster: for what topologies that are gone have left.
func inStore(c *cli.Context, asData bool) error {
	switch {
	case c.NArg() > 1 || c.NArg() == 0 && c.Bool("delete") || c.NArg() == 1 && !c.Bool("delete"):
		return usageError("with --store savepoint takes --delete and the name of a savepoint, or nothing to list them")
	case c.IsSet("purge") && c.NArg() > 0:
		return usageError("--purge removes a topology's checkpoints, --delete a savepoint: one at a time")
	}
	s, err := stores.Open(c.Context, c.String("store"))
	if err != nil {
		return err
	}
	defer s.Close()
	switch name := c.Args().First(); {
	case c.IsSet("purge"):
		if err := checkpoint.Purge(c.Context, s, c.String("purge")); err != nil {
			return err
		}
		fmt.Fprintf(c.App.Writer, "Removed the checkpoints of %s that no savepoint needs\n", c.String("purge"))
		return nil
	case c.Bool("delete"):
		if err := checkpoint.DeleteSavepoint(c.Context, s, name); err != nil {
			return err
		}
		fmt.Fprintf(c.App.Writer, "Deleted savepoint %s\n", name)
		return nil
	}
	names, err := checkpoint.Savepoints(c.Context, s)
	if err != nil {
		return err
	}
	list := []savepointInfo{}
	for _, name := range names {
		m, err := checkpoint.ReadSavepoint(c.Context, s, name)
		if err != nil {
			fmt.Fprintf(c.App.ErrWriter, "%s: %s\n", c.App.Name, oneLine(err.Error()))
			continue
		}
		list = append(list, savepointInfo{name, m.Topology, int64(m.Epoch), m.Time, m.Bytes(), watermark(m.Watermark)})
	}
	if asData {
		return printData(c, list)
	}
	return printSavepoints(c.App.Writer, list)
}
