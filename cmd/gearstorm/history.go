package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// versionJSON is a version of a topology as -o json shows it.
type versionJSON struct {
	Version int64                 `json:"version"`
	Time    time.Time             `json:"time"`
	Base    int64                 `json:"base"`
	State   string                `json:"state"`
	Kept    bool                  `json:"kept"`
	User    string                `json:"user,omitempty"`
	InPlace bool                  `json:"in_place"`
	Rows    []gearstorm.ChangeRow `json:"rows"`
	Note    string                `json:"note,omitempty"`
}

func historyCommand() *cli.Command {
	return &cli.Command{
		Name: "history", Category: catCluster, Usage: "the versions of a topology, and what each changed", ArgsUsage: "NAME",
		Description: "The last one is the one that runs, is starting or on trial: then it goes back by itself if it does not run. Of those that are kept `rollback`\n" +
			"makes a new version. One that went back did so by itself, and the next one says why; one that never ran was starting when the next one came.\n" +
			"With -o json (or yaml) a list of objects with version, time, base (the version it was made from), state (starting, trial, runs, went back, never ran,\n" +
			"kept, gone), kept (rollback can make a new version of it), user (who asked for it), in_place (workers that ran took it over), rows, each as plan prints\n" +
			"them, and note, why it was made if nobody asked for it, whole where the table cuts it.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			data, err := dataWanted(c)
			if err != nil {
				return err
			}
			name, err := oneName(c)
			if err != nil {
				return err
			}
			return withNimbus(c, func(n *session) error {
				all, err := n.Gearstorm().GetTopologyVersions(c.Context, name)
				if err != nil {
					return err
				}
				list := versionsJSON(all)
				if data {
					return printData(c, list)
				}
				return printHistory(c.App.Writer, list)
			})
		},
	}
}

func versionsJSON(all []*stormrpc.TopologyVersion) []versionJSON {
	out := []versionJSON{}
	for i, v := range all {
		j := versionJSON{Version: v.Version, Time: time.UnixMilli(v.TimeMillis).UTC(), Base: v.BaseVersion, State: "gone", Kept: v.GetKept(), User: v.GetUser(),
			Note: v.GetNote(), InPlace: v.GetInPlace(), Rows: []gearstorm.ChangeRow{}}
		switch {
		case i == len(all)-1 && v.GetStarting():
			j.State = "starting"
		case i == len(all)-1 && v.GetOnTrial():
			j.State = "trial"
		case i == len(all)-1:
			j.State = "runs"
		case all[i+1].Note != nil: // which came because this one did not run
			j.State = "went back"
		case v.GetNeverRan():
			j.State = "never ran"
		case v.GetKept():
			j.State = "kept"
		}
		for _, r := range v.Rows {
			j.Rows = append(j.Rows, gearstorm.ChangeRow{Kind: r.Kind, Component: r.Component, Text: r.Text, Restarts: r.GetRestarts()})
		}
		out = append(out, j)
	}
	return out
}

// printHistory writes a line for each version, and below it what it changed.
func printHistory(w io.Writer, all []versionJSON) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "VERSION\tTIME\tSTATE\tBY\tWHAT")
	for _, v := range all {
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\n", v.Version, v.Time.Local().Format(time.DateTime), v.State, v.User, short(v.what()))
		for _, r := range v.Rows {
			fmt.Fprintf(tw, "\t\t\t\t  %s\n", short(r.String()))
		}
	}
	return tw.Flush()
}

// short is the beginning of a text that is too long for a column.
func short(text string) string {
	const most = 120
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return cut(text, most-3) + "..."
}

// what says how a version came about.
func (v versionJSON) what() string {
	var parts []string
	switch {
	case v.Base == 0:
		parts = append(parts, "submitted")
	case v.Base == v.Version-1 && v.Note == "":
		parts = append(parts, "changed")
	default:
		parts = append(parts, fmt.Sprintf("as version %d", v.Base))
	}
	if v.InPlace {
		parts = append(parts, "in place")
	}
	if v.Note != "" {
		parts = append(parts, v.Note)
	}
	return strings.Join(parts, "; ")
}

func rollbackCommand() *cli.Command {
	return &cli.Command{
		Name: "rollback", Category: catCluster, Usage: "have a topology run as it was before", ArgsUsage: "NAME [VERSION]",
		Description: "Makes a new version that is as an earlier one was: the one that ran before, or VERSION, which `history` must\n" +
			"have kept. Without VERSION it goes past those that never ran or went back by themselves.\n" +
			"It is on trial as one that is applied: one that does not run goes back by itself.\n" +
			"It exits with 0 if that runs, with 1 if it was given up or is neither in force nor given up within -w, and\n" +
			"with 2 if it is refused. With -o json (or yaml) the object that plan prints.",
		Flags: append(awaitFlags(), outputFlag(),
			&cli.BoolFlag{Name: "drop-state", Usage: "let components go that keep state or a position in checkpoints, or all checkpoints"},
			&cli.Int64Flag{Name: "base", Usage: "refuse it unless version `N` runs"}),
		Action: func(c *cli.Context) error {
			data, err := dataWanted(c)
			if err != nil {
				return err
			}
			wait, err := awaited(c)
			if err != nil {
				return err
			}
			to, err := rollbackTo(c)
			if err == nil {
				err = checkBase(c)
			}
			if err != nil {
				return err
			}
			var got *gearstorm.Change
			err = withNimbus(c, func(n *session) (err error) {
				got, err = rollBack(c, n.Client, c.Args().First(), to)
				return err
			})
			if err != nil {
				return err
			}
			if !data {
				fmt.Fprint(c.App.Writer, got)
			}
			at, err := findNimbus(c)
			if err != nil {
				return err
			}
			return finishChange(c, gearstorm.Options{Nimbus: at, Wait: wait}, got, data)
		},
	}
}

// rollbackTo returns the version that the command line names, 0 if none.
func rollbackTo(c *cli.Context) (int64, error) {
	switch c.NArg() {
	case 1:
		return 0, nil
	case 2:
		to, err := strconv.ParseInt(c.Args().Get(1), 10, 64)
		if err != nil || to < 1 {
			return 0, usagef("version %q: want a number that `history` shows", c.Args().Get(1))
		}
		return to, nil
	}
	return 0, usagef("rollback takes a topology name and perhaps a version, got %d arguments", c.NArg())
}

// rollBack asks Nimbus to go back to a version, for 0 to what ran before the one that runs now.
func rollBack(c *cli.Context, n *client.Client, name string, to int64) (*gearstorm.Change, error) {
	o := &stormrpc.ChangeOptions{}
	if c.Bool("drop-state") {
		yes := true
		o.DropState = &yes
	}
	if base := c.Int64("base"); base > 0 {
		o.BaseVersion = &base
	}
	if to == 0 {
		all, err := n.Gearstorm().GetTopologyVersions(c.Context, name)
		if err != nil {
			return nil, err
		}
		if to = before(all); to == 0 {
			return nil, fmt.Errorf("topology %s has run as one version only, there is none to go back to; `history %s` shows those that it has", name, name)
		}
		if o.BaseVersion == nil {
			o.BaseVersion = &all[len(all)-1].Version
		}
	}
	answer, err := n.Gearstorm().RollbackTopology(c.Context, name, to, o)
	if err != nil {
		return nil, err
	}
	return gearstorm.ChangeOf(name, answer), nil
}

// before returns the version that ran before the one that runs now, 0 if none. Versions that were changed again while they were starting
// did not run, nor did those that went back by themselves; the one that came for these is what it goes back to.
func before(all []*stormrpc.TopologyVersion) int64 {
	i := len(all) - 1
	for i > 0 && all[i].Note != nil {
		at := slices.IndexFunc(all[:i], func(v *stormrpc.TopologyVersion) bool { return v.Version == all[i].GetBaseVersion() })
		if at < 0 {
			return 0
		}
		i = at
	}
	for i--; i >= 0 && (all[i+1].Note != nil || all[i].GetNeverRan()); {
		i--
	}
	if i < 0 {
		return 0
	}
	return all[i].Version
}
