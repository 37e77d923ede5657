package main

import (
	"fmt"
	"net/url"
	"os"

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
	if u, err := url.Parse(c.String("store")); err == nil && u.Scheme == "file" {
		if _, err := os.Stat(u.Path); err != nil { // opening it would make it
			return fmt.Errorf("there is no store of checkpoints: %w", err)
		}
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
			fmt.Fprintf(c.App.ErrWriter, "%s: savepoint %s cannot be read; --delete removes it: %s\n", c.App.Name, name, oneLine(err.Error()))
			continue
		}
		list = append(list, savepointInfo{name, m.Topology, int64(m.Epoch), m.Time, m.Bytes(), watermark(m.Watermark)})
	}
	if asData {
		return printData(c, list)
	}
	if len(names) == 0 {
		fmt.Fprintln(c.App.Writer, "no savepoints are there")
		return nil
	}
	return printSavepoints(c.App.Writer, list)
}
