package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

func verifyCommand() *cli.Command {
	var names, what []string
	for _, k := range chaos.Kinds() {
		names = append(names, string(k))
		what = append(what, fmt.Sprintf("  %-11s %s", k, k.Does()))
	}
	return &cli.Command{
		Name: "verify", Category: catCluster, Usage: "kill, stop and cut off parts of a cluster under load, and prove that nothing is lost",
		Description: "Starts a cluster of its own in a temporary folder, one process for each daemon, and on it a topology that writes down every\n" +
			"record it sends and gets. Then it does one fault after the other, chosen by the seed, and prints a line for each:\n\n" +
			"  fault N NAME lost=L duplicated=D recovery=S seed=SEED ok\n\n" +
			"lost counts records that never arrived, duplicated arrivals of records that had arrived before, recovery is the time from the\n" +
			"fault until 90 % of the throughput before it. It exits with 1 if a record was lost or a fault was not survived.\n\n" +
			strings.Join(what, "\n") + "\n\n" +
			"With --topology it works on a topology of yours instead, on workers that run on this machine (worker, pause). What is lost\n" +
			"only you can tell then: --invariant is run at the end, with $GEARSTORM_NIMBUS and $GEARSTORM_VERIFY_SEED set.\n\n" +
			"  gearstorm verify --for 1m --seed 7\n  gearstorm verify --topology words --faults worker --invariant ./compare.sh",
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "for", Value: 2 * time.Minute, Usage: "go on for this `TIME`"},
			&cli.DurationFlag{Name: "every", Value: 10 * time.Second, Usage: "one fault each `TIME`, or later if the last one takes longer"},
			&cli.Uint64Flag{Name: "seed", Usage: "`N` that chooses the faults (default: a random one, which is printed)"},
			&cli.StringFlag{Name: "faults", Usage: "`LIST` of " + strings.Join(names, ",") + " (default: all that can be done here)"},
			&cli.IntFlag{Name: "rate", Value: 2000, Usage: "`N` records a second"},
			&cli.IntFlag{Name: "supervisors", Value: 3, Usage: "`N` supervisors of the cluster"},
			&cli.StringFlag{Name: "topology", Usage: "work on the running topology `NAME`"},
			&cli.StringSliceFlag{Name: "local-dir", Usage: "with --topology: storm.local.dir of a supervisor on this machine, `DIR` (default: that of storm.yaml, or of the gearstorm dev here)"},
			&cli.StringFlag{Name: "invariant", Usage: "`COMMAND` of the shell that is run at the end and has to exit with 0"},
			&cli.StringFlag{Name: "keep", Usage: "keep the cluster's logs and the run's files in `DIR`, which must be empty"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON document at the end; what happens goes to standard error"},
		},
		Action: func(c *cli.Context) error { return verify(c) },
	}
}

// verification is one run of the command.
type verification struct {
	c       *cli.Context
	out     io.Writer // of what happens
	began   time.Time
	runner  chaos.Runner
	nimbus  string // for the invariant
	results []chaos.Result
	totals  *chaos.Totals
	failed  []string
}

func verify(c *cli.Context) error {
	v := &verification{c: c, out: c.App.Writer, began: time.Now()}
	if c.Bool("json") {
		v.out = c.App.ErrWriter
	}
	if c.NArg() > 0 {
		return usagef("verify takes no argument %q", c.Args().First())
	}
	if err := v.choose(); err != nil {
		return err
	}
	run := v.ownCluster
	if c.String("topology") != "" {
		run = v.running
	}
	if err := run(c.Context); err != nil {
		return err
	}
	return v.report()
}

// choose reads which faults to do and says what is left out.
func (v *verification) choose() error {
	c := v.c
	r := &v.runner
	r.Seed, r.For, r.Every = c.Uint64("seed"), c.Duration("for"), c.Duration("every")
	if !c.IsSet("seed") {
		r.Seed = uint64(rand.IntN(1_000_000))
	}
	if r.For <= 0 || r.Every <= 0 {
		return usagef("--for %v and --every %v must be above 0", r.For, r.Every)
	}
	if n := c.Int("supervisors"); n < 1 || n > 50 {
		return usagef("--supervisors %d: want 1 to 50", n)
	}
	if n := c.Int("rate"); n < 10 || n > 100_000 {
		return usagef("--rate %d: want 10 to 100000", n)
	}
	wanted := chaos.Kinds()
	if list := c.String("faults"); list != "" {
		var err error
		if wanted, err = chaos.ParseKinds(list); err != nil {
			return usageError(err.Error())
		}
	}
	able, skipped := chaos.Able(wanted, c.String("topology") == "", chaos.CanCut() == nil)
	for _, k := range wanted {
		if why := skipped[k]; why != "" {
			v.say("skipped %s: %s", k, why)
		}
	}
	if len(able) == 0 {
		return errors.New("none of the faults can be done here")
	}
	r.Faults = able
	r.Told = func(s string) { v.say("%s", s) }
	r.Done = func(res chaos.Result) { fmt.Fprintln(v.out, res) }
	return nil
}

// say prints a line about what happens, with the time since the start.
func (v *verification) say(format string, args ...any) {
	d := time.Since(v.began).Round(time.Second)
	fmt.Fprintf(v.out, "%4d:%02d  %s\n", int(d.Minutes()), int(d.Seconds())%60, fmt.Sprintf(format, args...))
}

// folder is where the cluster lives, and what removes it.
func (v *verification) folder() (dir string, remove func(), err error) {
	keep := v.c.String("keep")
	if keep == "" {
		dir, err = os.MkdirTemp("", "gearstorm-verify-")
		return dir, func() { os.RemoveAll(dir) }, err
	}
	if dir, err = filepath.Abs(keep); err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return "", nil, errors.Join(err, fmt.Errorf("--keep %s: the folder is not empty", keep))
	}
	return dir, func() {}, nil
}

// ownCluster does the faults to a cluster that it starts.
func (v *verification) ownCluster(ctx context.Context) (err error) {
	dir, remove, err := v.folder()
	if err != nil {
		return err
	}
	defer remove()
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	cfg := chaos.Config{Dir: dir, Binary: binary}
	if slices.ContainsFunc(v.runner.Faults, func(k chaos.Kind) bool { return k == chaos.Partition || k == chaos.OneWay }) {
		cfg.Network = chaos.Namespaces
	}
	v.say("seed %d: a Nimbus and %d supervisors in %s, %d records a second", v.runner.Seed, v.c.Int("supervisors"), dir, v.c.Int("rate"))
	cl, err := chaos.New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	starting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := cl.StartNimbus(starting, 1, nil); err != nil {
		return err
	}
	if err := cl.StartSupervisors(starting, v.c.Int("supervisors")); err != nil {
		return err
	}
	t, w, err := v.submit(starting, cl, filepath.Join(dir, "run"))
	if err != nil {
		return err
	}
	defer w.Close()
	v.nimbus = cl.Seeds()[0]
	v.runner.View, v.runner.Harm, v.runner.Whole, v.runner.Begin = cl.View, cl.Harm, cl.Registered, w.Gauge(t)
	if v.results, err = v.runner.Run(ctx); err != nil {
		return v.stopped(err)
	}
	return v.drain(ctx, w)
}

// submit starts the topology that checks itself and watches it.
func (v *verification) submit(ctx context.Context, cl *chaos.Cluster, dir string) (t chaos.Topology, w *chaos.Watch, err error) {
	t = chaos.Topology{Run: rand.Uint64(), Dir: dir, Rate: v.c.Int("rate"), Sources: 2, Pending: 500, Workers: v.c.Int("supervisors")}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return t, nil, err
	}
	built, err := t.Build()
	if err != nil {
		return t, nil, err
	}
	if err := chaos.Submit(ctx, cl.Client(), chaos.TopologyName, built, nil); err != nil {
		return t, nil, err
	}
	w, err = chaos.NewWatch(t)
	return t, w, err
}

// drain ends the load and waits for every record.
func (v *verification) drain(ctx context.Context, w *chaos.Watch) error {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := w.Stop(limited); err != nil {
		v.failed = append(v.failed, err.Error())
	}
	totals, err := w.Totals()
	if err != nil {
		return err
	}
	v.totals = &totals
	if lost := totals.Claimed - totals.Seen; totals.Claimed > totals.Seen {
		v.failed = append(v.failed, fmt.Sprintf("%d records never arrived", lost))
	}
	return v.invariant(ctx)
}

// running does the faults to the workers of a topology of the user's.
func (v *verification) running(ctx context.Context) error {
	c := v.c
	at, err := findNimbus(c)
	if err != nil {
		return err
	}
	nc, err := client.New(client.Options{Seeds: at, Retries: 2, RetryInterval: 200 * time.Millisecond})
	if err != nil {
		return err
	}
	defer nc.Close()
	h := chaos.Host{Client: nc, Name: c.String("topology"), Locals: c.StringSlice("local-dir")}
	if len(h.Locals) == 0 {
		if h.Locals, err = localDirs(c); err != nil {
			return err
		}
	}
	view, err := h.View(ctx)
	if err != nil {
		return nobody(at, err)
	}
	if len(view.Workers) == 0 {
		return fmt.Errorf("no worker of %s runs here below %s; --local-dir names storm.local.dir of a supervisor on this machine", h.Name, strings.Join(h.Locals, ", "))
	}
	v.say("seed %d: %d workers of %s on this machine", v.runner.Seed, len(view.Workers), h.Name)
	v.nimbus = at[0]
	v.runner.View, v.runner.Harm, v.runner.Begin = h.View, h.Harm, h.Begin
	if v.results, err = v.runner.Run(ctx); err != nil {
		return v.stopped(err)
	}
	return v.invariant(ctx)
}

// localDirs guesses the folders of the supervisors of this machine.
func localDirs(c *cli.Context) ([]string, error) {
	cf, err := loadConf(c)
	if err != nil {
		return nil, err
	}
	dev, err := filepath.Abs(seeds.DevDir)
	return []string{dev, localDir(cf)}, err
}

// stopped is the error of a run that was cut short; what was found until then is still reported.
func (v *verification) stopped(err error) error {
	v.failed = append(v.failed, explain(err))
	return nil
}

// invariant runs the user's own check.
func (v *verification) invariant(ctx context.Context) error {
	command := v.c.String("invariant")
	if command == "" {
		return nil
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = append(os.Environ(), seeds.Env+"="+v.nimbus, "GEARSTORM_VERIFY_SEED="+strconv.FormatUint(v.runner.Seed, 10))
	cmd.Stdout, cmd.Stderr = v.out, v.c.App.ErrWriter
	if err := cmd.Run(); err != nil {
		v.failed = append(v.failed, fmt.Sprintf("the invariant does not hold: %v", err))
		return nil
	}
	v.say("the invariant holds")
	return nil
}

// summary is the JSON of a run; its names are part of the interface.
type summary struct {
	Seed     uint64         `json:"seed"`
	Faults   []chaos.Result `json:"faults"`
	Totals   *chaos.Totals  `json:"records,omitempty"`
	Recovery time.Duration  `json:"longest_recovery_ns"`
	Failed   []string       `json:"failed,omitempty"`
	OK       bool           `json:"ok"`
}

func (v *verification) report() error {
	s := summary{Seed: v.runner.Seed, Faults: v.results, Totals: v.totals, Failed: v.failed}
	bad := 0
	for _, r := range v.results {
		s.Recovery = max(s.Recovery, r.Recovery)
		if len(r.Failed) > 0 {
			bad++
		}
	}
	s.OK = bad == 0 && len(v.failed) == 0
	if v.c.Bool("json") {
		if err := writeJSON(v.c.App.Writer, s, "  "); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(v.out, s.line(bad))
	}
	if !s.OK {
		return errTold
	}
	return nil
}

// line is the last line of the output.
func (s summary) line(bad int) string {
	text := fmt.Sprintf("verify: %d faults", len(s.Faults))
	if t := s.Totals; t != nil {
		text += fmt.Sprintf(", %d records, lost=%d duplicated=%d", t.Claimed, t.Claimed-min(t.Claimed, t.Seen), t.Duplicated)
	}
	text += fmt.Sprintf(", longest recovery %.1fs, seed=%d", s.Recovery.Seconds(), s.Seed)
	if s.OK {
		return text + ": ok"
	}
	if bad > 0 {
		text += fmt.Sprintf(": %d faults FAILED", bad)
	}
	for _, f := range s.Failed {
		text += ": FAILED: " + f
	}
	return text
}
