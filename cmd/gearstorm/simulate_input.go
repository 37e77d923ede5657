package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"

	"github.com/gearstorm/gearstorm/nimbus/schedule"
)

// Bounds of what is simulated.
const (
	maxSimulatedNodes     = 100_000
	maxSimulatedExecutors = 10_000_000
	maxSimulatedFile      = 16 << 20
	firstSlot             = 6700
)

func simulatedInput(c *cli.Context) (*simulated, error) {
	if path := c.String("file"); path != "" {
		for _, name := range []string{"supervisors", "executors", "topologies"} {
			if c.IsSet(name) {
				return nil, usagef("--%s and --file exclude each other", name)
			}
		}
		return readSimulated(path)
	}
	supervisors, executors, topologies := c.Int("supervisors"), c.Int("executors"), c.Int("topologies")
	switch {
	case supervisors < 1 || supervisors > maxSimulatedNodes:
		return nil, usagef("--supervisors %d: want 1 to %d", supervisors, maxSimulatedNodes)
	case executors < 1 || executors > maxSimulatedExecutors:
		return nil, usagef("--executors %d: want 1 to %d", executors, maxSimulatedExecutors)
	case topologies < 1 || topologies > executors:
		return nil, usagef("--topologies %d: want 1 to the number of executors", topologies)
	}
	return makeUp(supervisors, executors, topologies, rand.New(rand.NewPCG(c.Uint64("seed"), 1))), nil
}

// makeUp makes topologies of a spout and two or three bolts, and supervisors of two sizes in racks of 40 that have about half as
// much again as all of them ask for.
func makeUp(supervisors, executors, topologies int, random *rand.Rand) *simulated {
	in := &simulated{}
	cpu, mb := 0.0, 0.0
	for i := range topologies {
		n := executors/topologies + min(1, max(0, executors%topologies-i))
		t := schedule.Topology{ID: fmt.Sprintf("topology-%04d", i), Owner: fmt.Sprintf("user-%d", random.IntN(10)), Priority: random.IntN(30),
			Workers: max(1, supervisors*3/topologies)}
		parts := min(n, 3+random.IntN(2))
		for p := range parts {
			d := schedule.Demand{CPU: float64(5 * (1 + random.IntN(4))), OnHeap: float64(64 * (1 + random.IntN(4)))}
			t.Components = append(t.Components, schedule.Component{ID: fmt.Sprint("part-", p), Demand: d})
			if p > 0 {
				t.Components[p-1].To = []string{t.Components[p].ID}
			}
			count := n/parts + min(1, max(0, n%parts-p))
			addExecutors(&t, count)
			cpu, mb = cpu+d.CPU*float64(count), mb+d.OnHeap*float64(count)
		}
		t.Name = t.ID
		in.topologies = append(in.topologies, t)
	}
	for i := range supervisors {
		size := []float64{1.25, 1.75}[i%2] // of the mean that is asked for
		in.nodes = append(in.nodes, node(fmt.Sprintf("supervisor-%05d", i), 4, math.Ceil(size*cpu/float64(supervisors)/100)*100,
			math.Ceil(size*mb/float64(supervisors)/256)*256))
		in.nodes[i].Rack = fmt.Sprintf("rack-%03d", i/40)
	}
	for i := range in.topologies {
		in.topologies[i].MaxHeap = max(768, mb/float64(supervisors))
	}
	return in
}

// addExecutors gives the last component of a topology so many executors of one task each.
func addExecutors(t *schedule.Topology, count int) {
	for range count {
		task := int32(len(t.Executors) + 1)
		t.Executors, t.Of = append(t.Executors, schedule.Executor{First: task, Last: task}), append(t.Of, len(t.Components)-1)
	}
}

func node(id string, slots int, cpu, mb float64) schedule.Node {
	n := schedule.Node{ID: id, CPU: cpu, Memory: mb}
	for p := range slots {
		n.Ports = append(n.Ports, int32(firstSlot+p))
	}
	return n
}

// simulatedFile is the form of a file.
type simulatedFile struct {
	Scheduler   string
	Machines    map[string]int
	Pools       map[string]int
	Supervisors []struct {
		ID, Host, Rack string
		Count, Slots   int
		CPU, Memory    float64
		Resources      map[string]float64
	}
	Topologies []struct {
		Name, Owner, Strategy    string
		Count, Workers, Priority int
		MaxHeap                  float64 `yaml:"max-heap"`
		OwnMachines              int     `yaml:"own-machines"`
		OneExecutor              bool    `yaml:"one-executor-per-worker"`
		Components               []struct {
			ID          string
			Executors   int
			CPU         float64
			OnHeap      float64 `yaml:"on-heap"`
			OffHeap     float64 `yaml:"off-heap"`
			Resources   map[string]float64
			To, Apart   []string
			MostPerNode int `yaml:"most-per-node"`
		}
	}
}

func readSimulated(path string) (*simulated, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSimulatedFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(raw) > maxSimulatedFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxSimulatedFile)
	}
	var file simulatedFile
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	in, err := file.expand()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return in, nil
}

// expand makes everything that a file counts.
func (f *simulatedFile) expand() (*simulated, error) {
	in := &simulated{scheduler: f.Scheduler, policy: schedule.Policy{Machines: f.Machines, Tenants: f.Pools}}
	seen := make(map[string]bool)
	for i, s := range f.Supervisors {
		if s.ID == "" || s.Slots < 0 || s.Slots > 1024 || s.Count < 0 || s.Count > maxSimulatedNodes-len(in.nodes) || !amounts(s.Resources, s.CPU, s.Memory) {
			return nil, fmt.Errorf("supervisor %d (%q): want an id, 0 to 1024 slots, nothing below 0, and at most %d in all", i+1, s.ID, maxSimulatedNodes)
		}
		for _, id := range numbered(s.ID, s.Count) {
			n := node(id, s.Slots, s.CPU, s.Memory)
			n.Host, n.Rack, n.Generic = s.Host, s.Rack, s.Resources
			if in.nodes = append(in.nodes, n); seen[id] {
				return nil, fmt.Errorf("there are two supervisors %s", id)
			}
			seen[id] = true
		}
	}
	executors := 0
	seen = make(map[string]bool)
	for i, t := range f.Topologies {
		if t.Name == "" || t.Count < 0 || t.Count > maxSimulatedExecutors || !amounts(nil, t.MaxHeap) {
			return nil, fmt.Errorf("topology %d (%q): want a name and nothing below 0", i+1, t.Name)
		}
		top := schedule.Topology{Owner: t.Owner, Strategy: t.Strategy, Workers: t.Workers, Priority: t.Priority, MaxHeap: t.MaxHeap,
			Machines: t.OwnMachines, OneExecutor: t.OneExecutor}
		for _, c := range t.Components {
			if c.ID == "" || c.Executors < 0 || c.Executors > (maxSimulatedExecutors-executors)/max(1, t.Count) || !amounts(c.Resources, c.CPU, c.OnHeap, c.OffHeap) {
				return nil, fmt.Errorf("component %q of topology %s: want an id, nothing below 0, and at most %d executors in all", c.ID, t.Name, maxSimulatedExecutors)
			}
			executors += max(1, t.Count) * c.Executors
			top.Components = append(top.Components, schedule.Component{ID: c.ID, To: c.To, Apart: c.Apart, MaxPerNode: c.MostPerNode,
				Demand: schedule.Demand{CPU: c.CPU, OnHeap: c.OnHeap, OffHeap: c.OffHeap, Generic: c.Resources}})
			addExecutors(&top, c.Executors)
		}
		for _, id := range numbered(t.Name, t.Count) {
			top.ID, top.Name = id, id
			if in.topologies = append(in.topologies, top); seen[id] {
				return nil, fmt.Errorf("there are two topologies %s", id)
			}
			seen[id] = true
		}
	}
	if len(in.nodes) == 0 || executors == 0 {
		return nil, errors.New("want at least one supervisor and one executor")
	}
	return in, nil
}

// amounts tells whether all of these are numbers from 0 up.
func amounts(named map[string]float64, more ...float64) bool {
	return !slices.ContainsFunc(slices.AppendSeq(more, maps.Values(named)), func(v float64) bool { return !(v >= 0 && v <= math.MaxFloat32) })
}

// numbered names count things, a single one by its plain name.
func numbered(name string, count int) []string {
	if count <= 1 {
		return []string{name}
	}
	var out []string
	for i := range count {
		out = append(out, fmt.Sprintf("%s-%d", name, i+1))
	}
	return out
}
