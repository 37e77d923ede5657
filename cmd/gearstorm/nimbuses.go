package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// nimbusRow is a master in JSON output; the names are part of the interface.
type nimbusRow struct {
	Addr    string `json:"addr"`
	Role    string `json:"role"` // leader, follower, no leader known, no answer
	Version string `json:"version,omitempty"`
	Uptime  int32  `json:"uptime_secs"`
}

func nimbusesCommand() *cli.Command {
	return &cli.Command{
		Name: "nimbuses", Category: catCluster, Usage: "the masters: who leads, who follows, who does not answer",
		Description: "Asks every seed by itself, so it works while nobody leads. With -o json (or yaml) a list of objects with addr, role, version, uptime_secs. Exit status 1 says that nobody leads.\n\n" +
			"  gearstorm nimbuses\n  gearstorm nimbuses -o json | jq -r '.[] | select(.role == \"leader\") | .addr'",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			asData, err := dataWanted(c)
			if err != nil {
				return err
			}
			at, err := findNimbus(c)
			if err != nil {
				return err
			}
			rows := nimbusRows(c.Context, at)
			if asData {
				err = printData(c, rows)
			} else {
				err = plainNimbuses(c.App.Writer, rows)
			}
			if err == nil && !slices.ContainsFunc(rows, func(r nimbusRow) bool { return r.Role == "leader" }) {
				return errTold // for scripts: nobody leads
			}
			return err
		},
	}
}

// seedPatience bounds the answer of one seed.
const seedPatience = 3 * time.Second

// nimbusRows lists the masters that the leader knows and the seeds that it does not.
func nimbusRows(ctx context.Context, at []string) []nimbusRow {
	rows := []nimbusRow{}
	known := make(map[string]bool)
	add := func(r nimbusRow) {
		if !known[r.Addr] {
			known[r.Addr] = true
			rows = append(rows, r)
		}
	}
	silent := make(map[string]string)
	for _, seed := range at {
		role, all := askSeed(ctx, seed)
		for _, n := range all {
			r := nimbusRow{Addr: fmt.Sprintf("%s:%d", n.Host, n.Port), Role: "follower", Version: n.Version, Uptime: n.UptimeSecs}
			if n.IsLeader {
				r.Role = "leader"
			}
			add(r)
		}
		if all == nil {
			silent[seed] = role
		}
	}
	for _, seed := range at {
		if role, ok := silent[seed]; ok {
			add(nimbusRow{Addr: seed, Role: role})
		}
	}
	return rows
}

// askSeed asks one seed for all masters; where it cannot say, the role tells why.
func askSeed(ctx context.Context, seed string) (role string, all []*stormrpc.NimbusSummary) {
	ctx, cancel := context.WithTimeout(ctx, seedPatience)
	defer cancel()
	nc, err := client.New(client.Options{Seeds: []string{seed}, Retries: -1})
	if err != nil {
		return err.Error(), nil
	}
	defer nc.Close()
	info, err := nc.Nimbus().GetClusterInfo(ctx)
	switch {
	case err == nil:
		return "", info.Nimbuses
	case client.Leaderless(err):
		return "no leader known", nil
	}
	return "no answer", nil
}

func plainNimbuses(w io.Writer, rows []nimbusRow) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NIMBUS\tROLE\tUPTIME\tVERSION")
	for _, r := range rows {
		uptime := "-"
		if r.Version != "" {
			uptime = (time.Duration(r.Uptime) * time.Second).String()
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", r.Addr, r.Role, uptime, r.Version)
	}
	return tw.Flush()
}
