package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const nodesHelp = `Health is ok, avoided (workers were lost there again and again, so it comes last), or what its health checks found.
CPU is in points, 100 for a processor, memory in MB: what the scheduler gave away of what there is. With -a the workers of each
node as well. With -o json (or yaml) a list of objects with id, host, version, uptime_secs, silent_secs (since its last report), health, slots, used_slots,
cpu, used_cpu, memory_mb, used_memory_mb, isolation, and with -a workers, as "gearstorm info" has them.

  gearstorm nodes -a
  gearstorm nodes -o json | jq '.[] | select(.health != "ok") | .host'`

func nodesCommand() *cli.Command {
	return &cli.Command{
		Name: "nodes", Category: catCluster, Usage: "the supervisors: slots, health, resources, isolation", Description: nodesHelp,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "also the workers of each"}, outputFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usagef("nodes takes options only, got %q", c.Args().First())
			}
			asData, err := dataWanted(c)
			if err != nil {
				return err
			}
			return withNimbus(c, func(n *session) error {
				rows, err := nodeRows(c.Context, n.rpc, c.Bool("all"))
				switch {
				case err != nil:
					return err
				case asData:
					return printData(c, rows)
				}
				return plainNodes(c.App.Writer, rows)
			})
		},
	}
}

// nodeRow is a node in JSON output; the names are part of the interface.
type nodeRow struct {
	ID         string       `json:"id"`
	Host       string       `json:"host"`
	Version    string       `json:"version"`
	Uptime     int32        `json:"uptime_secs"`
	Silent     int32        `json:"silent_secs"`
	Health     string       `json:"health"`
	Slots      int32        `json:"slots"`
	UsedSlots  int32        `json:"used_slots"`
	CPU        float64      `json:"cpu"`
	UsedCPU    float64      `json:"used_cpu"`
	Memory     float64      `json:"memory_mb"`
	UsedMemory float64      `json:"used_memory_mb"`
	Isolation  string       `json:"isolation"`
	Workers    []workerInfo `json:"workers,omitempty"`
}

// nodeRows asks for all nodes, and with all for their workers too.
func nodeRows(ctx context.Context, rpc *stormrpc.NimbusClient, all bool) ([]nodeRow, error) {
	info, err := rpc.GetClusterInfo(ctx)
	if err != nil {
		return nil, err
	}
	rows := []nodeRow{}
	for _, s := range info.Supervisors {
		r := nodeRow{ID: s.SupervisorID, Host: s.Host, Version: s.Version, Uptime: s.UptimeSecs, Silent: s.GetSilentSecs(), Health: healthOf(s),
			Slots: s.NumWorkers, UsedSlots: s.NumUsedWorkers, CPU: s.TotalResources["cpu.pcore.percent"], UsedCPU: s.GetUsedCPU(),
			Memory: s.TotalResources["memory.mb"], UsedMemory: s.GetUsedMem(), Isolation: s.GetIsolation()}
		if all {
			page, err := rpc.GetSupervisorPageInfo(ctx, s.SupervisorID, "", false)
			if err != nil {
				return nil, err
			}
			r.Workers = workerInfos(page.States)
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b nodeRow) int { return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.ID, b.ID)) })
	return rows, nil
}

const healthy = "ok"

func healthOf(s *stormrpc.SupervisorSummary) string {
	switch {
	case s.GetUnhealthy() != "":
		return s.GetUnhealthy()
	case s.GetBlacklisted():
		return "avoided"
	}
	return healthy
}

// silentTold is from how many seconds on the table says that a node is silent. Nodes report each second.
const silentTold = 10

func plainNodes(w io.Writer, rows []nodeRow) error {
	if len(rows) == 0 {
		fmt.Fprintln(w, "no nodes; `gearstorm supervisor` on each machine makes it one")
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "HOST\tHEALTH\tSLOTS\tCPU\tMEMORY MB\tUPTIME\tISOLATION\tID")
	for _, r := range rows {
		health := r.Health
		if r.Silent >= silentTold {
			health = fmt.Sprintf("silent for %s", time.Duration(r.Silent)*time.Second)
		} else if health != healthy && health != "avoided" {
			health = "unhealthy"
		}
		fmt.Fprintf(tw, "%s\t%s\t%d of %d\t%.0f of %.0f\t%.0f of %.0f\t%s\t%s\t%s\n", r.Host, health, r.UsedSlots, r.Slots, r.UsedCPU, r.CPU,
			r.UsedMemory, r.Memory, time.Duration(r.Uptime)*time.Second, cmp.Or(r.Isolation, "-"), r.ID)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Health != healthy && r.Health != "avoided" {
			fmt.Fprintf(w, "%s: %s\n", r.Host, oneLine(r.Health))
		}
	}
	var workers []workerInfo
	for _, r := range rows {
		workers = append(workers, r.Workers...)
	}
	return printWorkers(w, workers, true)
}

// workerInfo is a worker in JSON output; the names are part of the interface.
type workerInfo struct {
	Topology  string  `json:"topology"`
	Worker    string  `json:"worker"` // host:port
	ID        string  `json:"id,omitempty"`
	State     string  `json:"state"` // starting, ready, suspect
	Uptime    int32   `json:"uptime_secs"`
	Restarts  int32   `json:"restarts"`
	LastExit  string  `json:"last_exit,omitempty"`
	Suspect   string  `json:"suspect,omitempty"`
	MemoryMB  float64 `json:"memory_mb,omitempty"`
	LimitMB   float64 `json:"memory_limit_mb,omitempty"`
	CPUSecs   float64 `json:"cpu_secs,omitempty"`
	Throttled float64 `json:"throttled_secs,omitempty"`
}

func workerInfos(states []*stormrpc.WorkerState) []workerInfo {
	var out []workerInfo
	for _, s := range states {
		i := workerInfo{Topology: s.TopologyID, Worker: fmt.Sprintf("%s:%d", s.Host, s.Port), ID: s.GetWorkerID(), State: "starting", Uptime: s.GetUptimeSecs(),
			Restarts: s.GetRestarts(), LastExit: s.GetLastExit(), Suspect: s.GetSuspect()}
		switch {
		case i.Suspect != "":
			i.State = "suspect"
		case s.GetReady():
			i.State = "ready"
		}
		if u := s.Usage; u != nil {
			i.MemoryMB, i.LimitMB = tenths(float64(u.MemoryBytes)/(1<<20)), tenths(float64(u.MemoryLimitBytes)/(1<<20))
			i.CPUSecs, i.Throttled = float64(u.CPUUs)/1e6, float64(u.ThrottledUs)/1e6
		}
		out = append(out, i)
	}
	return out
}

func tenths(v float64) float64 { return math.Round(v*10) / 10 }

// printWorkers writes a table of workers, and what is wrong with them below it.
func printWorkers(w io.Writer, workers []workerInfo, named bool) error {
	if len(workers) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head, tail := "\nWORKER\tSTATE\tUP\tRESTARTS\tMEMORY MB\tOF\tCPU s\tSTOPPED BY CAP s", ""
	if named {
		tail = "\tTOPOLOGY"
	}
	fmt.Fprintln(tw, head+tail)
	for _, i := range workers {
		if named {
			tail = "\t" + i.Topology
		}
		used := "-\t-\t-\t-"
		if i.MemoryMB > 0 || i.CPUSecs > 0 {
			limit := "-"
			if i.LimitMB > 0 {
				limit = fmt.Sprintf("%.0f", i.LimitMB)
			}
			used = fmt.Sprintf("%.0f\t%s\t%.1f\t%.1f", i.MemoryMB, limit, i.CPUSecs, i.Throttled)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s%s\n", i.Worker, i.State, time.Duration(i.Uptime)*time.Second, i.Restarts, used, tail)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, i := range workers {
		if i.Suspect != "" {
			fmt.Fprintf(w, "%s is suspected: %s\n", i.Worker, oneLine(i.Suspect))
		}
		if i.LastExit != "" {
			fmt.Fprintf(w, "%s: the worker before it ended: %s\n", i.Worker, oneLine(i.LastExit))
		}
	}
	return nil
}
