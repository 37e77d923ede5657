package dynamic

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/internal/pause"
)

// Run describes a run. Zero fields mean the defaults.
type Run struct {
	// Cluster is where it runs; it has a Nimbus and supervisors. Binary is gearstorm.
	Cluster *chaos.Cluster
	Binary  string
	// Dir gets the files of the run. It must exist and be absolute. Tasks write what they did into a folder of their own, Tasks, which is
	// made in Dir by default: in memory, a disk that is busy does not make them stand still.
	Dir, Tasks string
	// Seed chooses the edits, Edits is how many. Default 20.
	Seed  uint64
	Edits int
	// Rate is how many records a second all sources emit. Default 2,000.
	Rate int
	// Wait has each command wait until Nimbus is sure of the version. Else only its work is waited for.
	Wait bool
	// StateBytes, if not 0, is how large the state of the counters is when the edits begin; those are then not chosen but a rescale of the
	// counters, one back, and their replacement.
	StateBytes int64
	// Base is how long the topology is watched without edits, before them. Default 5 s.
	Base time.Duration
	// Told hears what happens, Done of each edit; both may be nil.
	Told func(string)
	Done func(Outcome)
}

// Outcome is what became of an edit.
type Outcome struct {
	Edit
	N       int
	Version int64
	// Took is the time from the start of the command until the edit was in force: all that it renews works, all that it removes does not any more.
	// Command is how long the command took.
	Took, Command time.Duration
	// Restarts is why workers start again for it, "" if they do not.
	Restarts string
	Stillness
}

// topologyName is what the topology is called, checkpointEvery its interval.
const (
	topologyName    = "dynamic"
	checkpointEvery = 200 * time.Millisecond
	manyRecords     = 1 << 27                // of each source: more than a run has time for
	checkEvery      = 500 * time.Millisecond // all files are read each time
	forceLimit      = time.Minute
	betweenEdits    = 100 * time.Millisecond
	settleLimit     = 2 * time.Minute
)

// running is a Run under way.
type running struct {
	Run
	cmd      commands
	topo     Topology
	config   map[string]any
	now      Spec
	versions []Version
	periods  []Period
	outcomes []Outcome
}

// Start does the run.
func (r Run) Start(ctx context.Context) (*Result, error) {
	setDefault(&r.Edits, 20)
	setDefault(&r.Rate, 2000)
	setDefault(&r.Base, 5*time.Second)
	if r.Told == nil {
		r.Told = func(string) {}
	}
	if r.Tasks == "" {
		r.Tasks = filepath.Join(r.Dir, "files")
		if err := os.Mkdir(r.Tasks, 0o700); err != nil {
			return nil, err
		}
	}
	g := &running{Run: r, now: first(), cmd: commands{r.Binary, []string{"--nimbus", r.Cluster.Seeds()[0]}, filepath.Join(r.Dir, "topology")}}
	g.topo = Topology{Exact: exact.Topology{Dir: r.Tasks, Records: manyRecords, Rate: r.Rate / sources, Sources: sources, Sinks: sinks, Stamp: true}}
	interval := checkpointEvery
	if r.StateBytes > 0 {
		g.large()
		interval = time.Second
	}
	var err error
	if g.config, err = g.topo.config(map[string]any{
		"topology.workers": 2, "gearstorm.checkpoint.interval.ms": interval.Milliseconds(),
		"gearstorm.checkpoint.store": "file://" + filepath.Join(r.Dir, "checkpoints"),
	}); err != nil {
		return nil, err
	}
	if err := g.submit(ctx); err != nil {
		return nil, err
	}
	if err := g.fill(ctx); err != nil {
		return nil, err
	}
	if err := g.edits(ctx); err != nil {
		return nil, err
	}
	return g.end(ctx)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// submit starts the topology and waits until something is visible.
func (g *running) submit(ctx context.Context) error {
	file, err := g.cmd.write(g.now, topologyName, g.topo.Exact.Dir, g.config)
	if err != nil {
		return err
	}
	if err := g.cmd.run(ctx, nil, "submit", file); err != nil {
		return err
	}
	g.versions = []Version{{1, g.now}}
	return until(ctx, settleLimit, checkEvery, "the first records", func() error {
		res, err := exact.Check(g.topo.Exact)
		if err == nil && res.Visible == 0 {
			err = errors.New("none is visible")
		}
		return err
	})
}

// edits watches the topology without edits and makes them then.
func (g *running) edits(ctx context.Context) error {
	g.period(nil, g.now)
	if err := pause.For(ctx, g.Base); err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(g.Seed, 7))
	edits := g.Edits
	if g.StateBytes > 0 {
		edits = len(largeEdits(g.now))
	}
	for n := 1; n <= edits; n++ {
		kept, err := g.kept(ctx)
		if err != nil {
			return err
		}
		e := g.choose(rnd, kept, n)
		o, err := g.edit(ctx, n, e)
		if err != nil {
			return fmt.Errorf("edit %d of seed %d, %s %s: %w", n, g.Seed, e.Kind, e.What, err)
		}
		g.outcomes = append(g.outcomes, o)
		how := "in place"
		if o.Restarts != "" {
			how = "with a restart: " + o.Restarts
		}
		g.Told(fmt.Sprintf("%d %s %s: version %d after %.2fs, %s", n, e.Kind, e.What, o.Version, o.Took.Seconds(), how))
	}
	g.period(nil, Spec{}) // what comes now is of no edit
	return nil
}

// period begins one.
func (g *running) period(touched map[string]bool, watched Spec) {
	p := Period{From: time.Now(), Touched: touched, Tasks: map[string]int{}}
	for name, c := range watched {
		if !touched[name] && c.Language == Go {
			p.Tasks[name] = c.Tasks
		}
	}
	g.periods = append(g.periods, p)
}

// kept are the versions that may be gone back to.
func (g *running) kept(ctx context.Context) ([]Version, error) {
	numbers, err := g.cmd.kept(ctx, topologyName)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(g.versions), func(v Version) bool { return !numbers[v.Number] }), nil
}

// edit makes an edit and waits until it is in force.
func (g *running) edit(ctx context.Context, n int, e Edit) (Outcome, error) {
	o := Outcome{Edit: e, N: n}
	file, err := g.cmd.write(e.Next, topologyName, g.topo.Exact.Dir, g.config)
	if err != nil {
		return o, err
	}
	g.period(g.now.Touched(e.Next), g.now)
	began := time.Now()
	got, err := g.cmd.made(ctx, topologyName, file, e, g.Wait)
	if err != nil {
		return o, err
	}
	o.Version, o.Restarts = got.Version, got.restarts()
	o.Command = time.Since(began)
	err = until(ctx, forceLimit, 20*time.Millisecond, "all that is new", func() error {
		at, err := inForce(g.topo.Exact.Dir, g.now, e.Next, began)
		o.Took = at.Sub(began)
		return err
	})
	if err != nil {
		return o, err
	}
	if err := pause.For(ctx, betweenEdits); err != nil {
		return o, err
	}
	g.now = e.Next
	g.versions = append(g.versions, Version{o.Version, e.Next})
	return o, nil
}

// flows waits until records become visible again: what begins with a deactivated topology has not opened its tasks, and makes nothing visible.
func (g *running) flows(ctx context.Context) error {
	first, err := exact.Check(g.topo.Exact)
	if err != nil {
		return err
	}
	return until(ctx, settleLimit, checkEvery, "more records", func() error {
		now, err := exact.Check(g.topo.Exact)
		if err == nil && len(now.Wrong) == 0 && (now.Visible == first.Visible || now.Last < first.Last+quietEpochs) {
			err = fmt.Errorf("%d were visible at epoch %d, and are %d at %d", first.Visible, first.Last, now.Visible, now.Last)
		}
		return err
	})
}

// end stops the load, waits for all records and counts.
func (g *running) end(ctx context.Context) (*Result, error) {
	if err := g.flows(ctx); err != nil {
		return nil, err
	}
	if err := g.cmd.run(ctx, nil, "deactivate", topologyName); err != nil {
		return nil, err
	}
	res := &Result{Seed: g.Seed, StateBytes: g.StateBytes, Outcomes: g.outcomes}
	last := exact.Result{}
	err := until(ctx, settleLimit, checkEvery, "the last records", func() (err error) {
		if res.Records, err = exact.Check(g.topo.Exact); err != nil {
			return err
		}
		if len(res.Records.Wrong) > 0 {
			return nil
		}
		if res.Records.Visible != last.Visible || last.Last == 0 {
			last = res.Records
		}
		if res.Records.Last < last.Last+quietEpochs {
			return fmt.Errorf("%d are visible at epoch %d", res.Records.Visible, res.Records.Last)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	gaps, err := readGaps(g.topo.Exact.Dir)
	if err != nil {
		return nil, err
	}
	still := Attribute(gaps, g.periods)
	res.Base = still[0]
	for i := range res.Outcomes {
		res.Outcomes[i].Stillness = still[i+1]
		if g.Done != nil {
			g.Done(res.Outcomes[i])
		}
	}
	return res, g.cmd.run(ctx, nil, "kill", topologyName, "-w", "0")
}

// quietEpochs is after how many checkpoints without anything new nothing is under way any more.
const quietEpochs = 5

// until calls ok every so often until it returns nil.
func until(ctx context.Context, limit, every time.Duration, what string, ok func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := ok()
		if err == nil {
			return nil
		}
		if pause.For(ctx, every) != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
	}
}
