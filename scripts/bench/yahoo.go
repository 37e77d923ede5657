package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// How long a system runs before it is measured.
const (
	warmJVM = 30 * time.Second
	warmGo  = 5 * time.Second
)

// yahooGoal is how many times Storm's rate gearstorm is to sustain.
const yahooGoal = 5.0

// yahooOn is the benchmark in Java, on the real Storm or on gearstorm.
func yahooOn(jar string, sys system, j javaClient, at func(conf.Conf) conf.Conf) yahooSystem {
	return yahooSystem{warm: warmJVM, stop: sys.kill, errors: sys.said, parts: sys.parts, start: func(ctx context.Context, topology string, w yahooWork) error {
		c := conf.Conf{"topology.workers": 1, "topology.acker.executors": w.Tasks, "topology.max.spout.pending": 20_000}
		maps.Copy(c, tuned)
		c["yahoo"] = w
		return j.submit(ctx, jar, "yahoo.Main", topology, at(c))
	}}
}

// yahooIn is the benchmark in Go.
func yahooIn(kind string, our *ours) yahooSystem {
	return yahooSystem{warm: warmGo, stop: our.kill, errors: our.said, parts: our.parts, start: func(ctx context.Context, topology string, w yahooWork) error {
		c := conf.Conf{"topology.workers": 1, "topology.acker.executors": w.Tasks}
		return our.submit(ctx, topology, shape{Kind: kind, Yahoo: &w}, c)
	}}
}

// runYahoo measures all systems and prints a line for each rung, one for each system, and one for each comparison with Storm:
//
//	bench yahoo-<system> rate=<events a second>/s p50=<ms> p99=<ms> ratio=<to Storm's rate> goal=5x ok|miss|wrong
func runYahoo(ctx context.Context, args []string, out io.Writer) (err error) {
	o, err := parseYahoo(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "yahoo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := startServices(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	found := map[string]*rung{}
	var failed error
	chosen := slices.DeleteFunc(o.contenders(dir), func(c contender) bool { return !o.only.MatchString(c.name) })
	if len(chosen) == 0 {
		return fmt.Errorf("no system matches %q", o.only)
	}
	for _, c := range chosen {
		best, double, err := c.climb(ctx, s, o.tasks, o.limit/time.Duration(len(chosen)), out)
		if err != nil {
			return fmt.Errorf("yahoo %s: %w", c.name, err)
		}
		found[c.name] = best
		line, word := yahooLine(c.name, best, found["storm"])
		if double > 0 && c.name == "gearstorm-exact" {
			word, failed = "wrong", fmt.Errorf("%s counted events twice", c.name)
		}
		fmt.Fprintln(out, line, word)
	}
	return failed
}

// contender is a system that is started for its ladder, at the rate first, and stopped then.
type contender struct {
	name  string
	first int
	start func(ctx context.Context) (sys yahooSystem, stop func() error, err error)
}

// contenders are all systems, Storm first.
func (o yahooOptions) contenders(dir string) []contender {
	inGo := func(kind string) func(context.Context) (yahooSystem, func() error, error) {
		return func(ctx context.Context) (sys yahooSystem, stop func() error, err error) {
			our, err := startOurs(ctx, o.gearstorm, filepath.Join(dir, kind), nil)
			if err != nil {
				return sys, nil, err
			}
			return yahooIn(kind, our), our.stop, nil
		}
	}
	onStorm := func(ctx context.Context) (sys yahooSystem, stop func() error, err error) {
		storm, err := startTheirs(ctx, o.storm, dir)
		if err != nil {
			return sys, nil, err
		}
		return yahooOn(o.jar, storm, storm.client(), func(c conf.Conf) conf.Conf {
			c["topology.producer.batch.size"] = o.batch
			return c
		}), storm.stop, nil
	}
	onOurs := func(ctx context.Context) (sys yahooSystem, stop func() error, err error) {
		options, err := setUpJava(ctx, o.gearstorm, o.storm, dir)
		if err != nil {
			return sys, nil, err
		}
		our, err := startOurs(ctx, o.gearstorm, dir, options)
		if err != nil {
			return sys, nil, err
		}
		jar := &ownJar{our, o.storm}
		return yahooOn(o.jar, jar, jar.client(), jar.at), our.stop, nil
	}
	return []contender{
		{"storm", o.rate, onStorm},
		{"gearstorm-java", o.rate, onOurs},
		{"gearstorm", 5 * o.rate, inGo(kindYahoo)},
		{"gearstorm-exact", 5 * o.rate, inGo(kindYahooExact)},
	}
}

func (c contender) climb(ctx context.Context, s *services, tasks int, limit time.Duration, out io.Writer) (best *rung, double int, err error) {
	until := time.Now().Add(limit)
	sys, stop, err := c.start(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	sys.name = c.name
	return climb(ctx, s, sys, c.first, tasks, until, out)
}

// yahooLine is the line of a system, and how it did beside Storm.
func yahooLine(name string, best, storm *rung) (line, word string) {
	if best == nil {
		return fmt.Sprintf("bench yahoo-%s rate=- p50=- p99=- ratio=- goal=%.0fx", name, yahooGoal), "miss"
	}
	line = fmt.Sprintf("bench yahoo-%s rate=%d/s p50=%v p99=%v", name, best.rate, best.p50, best.p99)
	if name == "storm" {
		return line + " ratio=- goal=-", "ok"
	}
	if storm == nil {
		return fmt.Sprintf("%s ratio=- goal=%.0fx", line, yahooGoal), "miss"
	}
	ratio := float64(best.rate) / float64(storm.rate)
	if word = "ok"; ratio < yahooGoal {
		word = "miss"
	}
	return fmt.Sprintf("%s ratio=%.1f goal=%.0fx", line, ratio, yahooGoal), word
}

type yahooOptions struct {
	gearstorm, storm, jar string
	only                  *regexp.Regexp
	rate, tasks, batch    int
	limit                 time.Duration
}

func parseYahoo(args []string) (o yahooOptions, err error) {
	fs := flag.NewFlagSet("bench yahoo", flag.ContinueOnError)
	fs.StringVar(&o.gearstorm, "gearstorm", "bin/gearstorm", "the gearstorm `binary` to measure")
	fs.StringVar(&o.storm, "storm", ".tools/storm-cluster", "the `folder` with the real Storm")
	fs.StringVar(&o.jar, "jar", ".tools/yahoo/build/yahoo.jar", "the benchmark in Java")
	fs.IntVar(&o.rate, "rate", 10_000, "events a second to begin with in Java; Go begins with five times as many")
	fs.IntVar(&o.tasks, "tasks", 2, "tasks of each component, and partitions of the topic")
	fs.IntVar(&o.batch, "batch", 1, "Storm's `topology.producer.batch.size`: in larger ones its tuples wait for others, and it sustains less")
	fs.DurationVar(&o.limit, "limit", 14*time.Minute, "no rung begins when the system's share of this `time` is over")
	only := fs.String("only", "^(storm|gearstorm|gearstorm-exact)$", "measure the systems that match this `regexp`; gearstorm-java is the jar on gearstorm")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.rate < yahooLeast || o.rate > 1_000_000 || o.tasks < 1 || o.tasks > 64 || o.batch < 1 {
		return o, fmt.Errorf("-rate %d -tasks %d -batch %d: want %d to a million, 1 to 64, and at least 1", o.rate, o.tasks, o.batch, yahooLeast)
	}
	o.only, err = regexp.Compile(*only)
	return o, err
}
