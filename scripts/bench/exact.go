package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"time"
)

// Goals of exactly once.
const (
	costGoal       = 0.85 // of the rate without checkpoints
	checkpointGoal = 2 * time.Second
	recoveryGoal   = 5 * time.Second
)

// exactOptions is the command line of `bench exact`.
type exactOptions struct {
	gearstorm string
	only      *regexp.Regexp
	rounds    int
	window    time.Duration
	megabytes int
	profile   string
}

func parseExact(args []string) (o exactOptions, err error) {
	fs := flag.NewFlagSet("bench exact", flag.ContinueOnError)
	fs.StringVar(&o.gearstorm, "gearstorm", "bin/gearstorm", "the gearstorm `binary` to measure")
	fs.IntVar(&o.rounds, "rounds", 5, "how often each side of a comparison runs, and how often a worker is killed")
	fs.DurationVar(&o.window, "round", 7*time.Second, "length of a round of the comparison")
	fs.IntVar(&o.megabytes, "mb", 1024, "size of the state that is saved and recovered")
	fs.StringVar(&o.profile, "profile", "", "write where the processor time goes to this `folder`, which exists")
	only := fs.String("only", "", "measure the figures that match this `regexp`")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.rounds < 1 || o.window < time.Second || o.megabytes < 1 || o.megabytes > 1<<16 {
		return o, fmt.Errorf("-rounds %d -round %v -mb %d: want a round of a second, and a megabyte to 64 GB", o.rounds, o.window, o.megabytes)
	}
	o.only, err = regexp.Compile(*only)
	return o, err
}

// runExact measures what exactly once costs, and prints a line for each figure:
//
//	bench <figure> <what it consists of> goal=<g> ok|miss|wrong
func runExact(ctx context.Context, args []string, out io.Writer) (err error) {
	o, err := parseExact(args)
	if err != nil {
		return err
	}
	probes, err := listen()
	if err != nil {
		return err
	}
	defer probes.close()
	our, err := startOurs(ctx, o.gearstorm, probes.dir, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, our.stop()) }()
	r := &runner{probes, pace{warm: 3 * time.Second, window: o.window, windows: 1}, o.profile}
	x := &exactly{runner: r, o: o, our: our, out: out}
	if o.only.MatchString("exactly-once-cost") {
		if err := x.cost(ctx); err != nil {
			return fmt.Errorf("exactly-once-cost: %w", err)
		}
	}
	for _, disk := range []bool{false, true} {
		name := map[bool]string{false: "memory", true: "disk"}[disk]
		if !o.only.MatchString("state-checkpoint-"+name) && !o.only.MatchString("state-recovery-"+name) {
			continue
		}
		if err := x.large(ctx, name, disk); err != nil {
			return fmt.Errorf("state in %s: %w", name, err)
		}
	}
	if x.failed {
		return errors.New("a result is wrong")
	}
	return nil
}

// exactly measures what exactly once costs.
type exactly struct {
	*runner
	o      exactOptions
	our    *ours
	out    io.Writer
	failed bool
}

// print prints a line. What is wrong in a result counts more than how fast it came.
func (x *exactly) print(line string, met bool, wrong []string) {
	word := "ok"
	switch {
	case len(wrong) > 0:
		word, x.failed = "wrong", true
	case !met:
		word = "miss"
	}
	fmt.Fprintln(x.out, line, word)
	for _, w := range wrong {
		fmt.Fprintln(x.out, "#", w)
	}
}

// Configuration of the topologies here.
const (
	keyInterval = "gearstorm.checkpoint.interval.ms"
	keyStateDir = "gearstorm.state.dir"
)
