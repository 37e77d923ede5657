package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/nimbus/schedule"
)

const simulateHelp = `It makes up a cluster and topologies, or reads them from a file, places everything as Nimbus would, loses one supervisor and places
what was there again. Nothing is started and no cluster is asked. The same seed makes up the same cluster.

A file is YAML: scheduler (a class or short name, as storm.scheduler), machines (name: count, as isolation.scheduler.machines), pools
(user: count, as multitenant.scheduler.user.pools), and
  supervisors: id, count, host, rack, slots, cpu (points, 100 a core), memory (MB), resources (name: amount)
  topologies: name, count, owner, priority, workers, strategy, max-heap (MB), own-machines, one-executor-per-worker, and components with
    id, executors, cpu, on-heap, off-heap (MB, each of one executor), resources, to (who gets its tuples), apart, most-per-node
Of what has a count above 1 there are that many, with numbers behind their names. examples/simulate/cluster.yaml is one.

With -o json (or --json) an object with scheduler, seed, supervisors, slots, topologies, executors, full and lost, each of these with ms, placed,
workers, nodes and moved (executors that were elsewhere before); lost also with supervisor, were_there and evicted; and spread: for executors_per_worker,
executors_per_node, workers_per_node, cpu_percent and memory_percent of nodes, min, median and max over the workers or nodes; and waiting:
by topology, why it is not placed.

  gearstorm simulate --supervisors 100 --executors 5000 --scheduler resource-aware
  gearstorm simulate --file examples/simulate/cluster.yaml -o json`

func simulateCommand() *cli.Command {
	return &cli.Command{
		Name: "simulate", Category: catDaemons, Usage: "schedule a cluster that does not exist, and time it", ArgsUsage: " ",
		Description: simulateHelp,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "supervisors", Value: 1000, Usage: "`NUMBER` of supervisors to make up"},
			&cli.IntFlag{Name: "executors", Value: 100_000, Usage: "`NUMBER` of executors of all topologies"},
			&cli.IntFlag{Name: "topologies", Value: 100, Usage: "`NUMBER` of topologies"},
			&cli.StringFlag{Name: "scheduler", Usage: "`NAME` or class: even (default), resource-aware, isolation, multitenant"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "`NUMBER` that decides what is made up and which supervisor is lost"},
			&cli.StringFlag{Name: "file", Usage: "read the cluster and the topologies from `FILE` instead"},
			&cli.BoolFlag{Name: "json", Usage: "the same as -o json"},
			outputFlag(),
		},
		Action: simulate,
	}
}

func simulate(c *cli.Context) error {
	if c.NArg() > 0 {
		return usagef("simulate takes options only, got %q", c.Args().First())
	}
	asData, err := dataWanted(c)
	if err != nil {
		return err
	}
	in, err := simulatedInput(c)
	if err != nil {
		return err
	}
	if name := c.String("scheduler"); name != "" {
		in.scheduler = name
	}
	if in.policy.Scheduler, err = schedule.FindScheduler(in.scheduler); err != nil {
		return usageError(err.Error())
	}
	done := make(chan simulation, 1)
	go func() { done <- in.run(c.Uint64("seed")) }()
	select {
	case out := <-done:
		if asData || c.Bool("json") {
			return printData(c, out)
		}
		return out.print(c.App.Writer)
	case <-c.Context.Done():
		return errors.New("stopped before the cluster was scheduled") // the process ends, and the scheduler with it
	}
}

// simulated is a cluster that does not exist.
type simulated struct {
	scheduler  string
	policy     schedule.Policy
	nodes      []schedule.Node
	topologies []schedule.Topology
}

// simulation is the JSON output; the names are part of the interface.
type simulation struct {
	Scheduler   string            `json:"scheduler"`
	Seed        uint64            `json:"seed"`
	Supervisors int               `json:"supervisors"`
	Slots       int               `json:"slots"`
	Topologies  int               `json:"topologies"`
	Executors   int               `json:"executors"`
	Full        placementRun      `json:"full"`
	Lost        lostRun           `json:"lost"`
	Spread      map[string]spread `json:"spread"`
	Waiting     map[string]string `json:"waiting,omitempty"`
}

type placementRun struct {
	Ms      float64 `json:"ms"`
	Placed  int     `json:"placed"`
	Workers int     `json:"workers"`
	Nodes   int     `json:"nodes"`
	Moved   int     `json:"moved"`
}

type lostRun struct {
	placementRun
	Supervisor string   `json:"supervisor"`
	WereThere  int      `json:"were_there"`
	Evicted    []string `json:"evicted,omitempty"`
}

// run places everything, then loses a supervisor where something runs.
func (in *simulated) run(seed uint64) simulation {
	out := simulation{Scheduler: in.scheduler, Seed: seed, Supervisors: len(in.nodes), Topologies: len(in.topologies), Waiting: map[string]string{}}
	if out.Scheduler == "" {
		out.Scheduler = "even"
	}
	for _, n := range in.nodes {
		out.Slots += len(n.Ports)
	}
	for _, t := range in.topologies {
		out.Executors += len(t.Executors)
	}
	full, ms := in.timed(in.nodes)
	out.Full = in.count(full, ms)
	out.Spread = in.spreads(full)
	for _, t := range in.topologies {
		if slices.Contains(full.Placed[t.ID], schedule.Slot{}) {
			out.Waiting[t.ID] = full.Status[t.ID]
		}
	}
	in.lose(&out, full, rand.New(rand.NewPCG(seed, 2)))
	return out
}

// timed places what has no place and measures how long that takes, in milliseconds.
func (in *simulated) timed(nodes []schedule.Node) (schedule.Result, float64) {
	began := time.Now()
	r := schedule.Run(in.policy, nodes, in.topologies)
	return r, float64(time.Since(began).Microseconds()) / 1000
}

func (in *simulated) lose(out *simulation, full schedule.Result, random *rand.Rand) {
	there := make(map[string]int)
	for _, placed := range full.Placed {
		for _, slot := range placed {
			there[slot.Node]++
		}
	}
	delete(there, "")
	var used []string
	for _, n := range in.nodes {
		if there[n.ID] > 0 {
			used = append(used, n.ID)
		}
	}
	if len(used) == 0 {
		return
	}
	gone := used[random.IntN(len(used))]
	for i := range in.topologies {
		t := &in.topologies[i]
		t.Current = slices.Clone(full.Placed[t.ID])
		for e, slot := range t.Current {
			if slot.Node == gone {
				t.Current[e] = schedule.Slot{}
			}
		}
	}
	after, ms := in.timed(slices.DeleteFunc(slices.Clone(in.nodes), func(n schedule.Node) bool { return n.ID == gone }))
	out.Lost = lostRun{placementRun: in.count(after, ms), Supervisor: gone, WereThere: there[gone], Evicted: after.Evicted}
}

// count sums up a placement against where executors were before.
func (in *simulated) count(r schedule.Result, ms float64) placementRun {
	out := placementRun{Ms: ms}
	slots, nodes := make(map[schedule.Slot]bool), make(map[string]bool)
	for _, t := range in.topologies {
		for e, slot := range r.Placed[t.ID] {
			if slot != (schedule.Slot{}) {
				out.Placed++
				slots[slot], nodes[slot.Node] = true, true
			}
			if e < len(t.Current) && t.Current[e] != (schedule.Slot{}) && t.Current[e] != slot {
				out.Moved++
			}
		}
	}
	out.Workers, out.Nodes = len(slots), len(nodes)
	return out
}

func (s simulation) print(w io.Writer) error {
	fmt.Fprintf(w, "scheduler %s, %d supervisors with %d slots, %d topologies with %d executors, seed %d\n\n", s.Scheduler, s.Supervisors, s.Slots,
		s.Topologies, s.Executors, s.Seed)
	fmt.Fprintf(w, "all placed in %.1f ms: %d of %d executors, in %d workers on %d supervisors\n", s.Full.Ms, s.Full.Placed, s.Executors, s.Full.Workers, s.Full.Nodes)
	if s.Lost.Supervisor != "" {
		fmt.Fprintf(w, "%s lost, placed again in %.1f ms: %d executors were there, %d others moved, %d of %d are placed\n", s.Lost.Supervisor, s.Lost.Ms,
			s.Lost.WereThere, s.Lost.Moved, s.Lost.Placed, s.Executors)
	}
	for _, id := range s.Lost.Evicted {
		fmt.Fprintf(w, "%s had to give way then\n", id)
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\tMIN\tMEDIAN\tMAX\t")
	for _, name := range spreadNames {
		v := s.Spread[name]
		fmt.Fprintf(tw, "%s\t%.6g\t%.6g\t%.6g\t\n", spreadText[name], v.Min, v.Median, v.Max)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return s.printWaiting(w)
}
