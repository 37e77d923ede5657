// Command bench measures gearstorm, by itself or beside the real Storm, and prints a line for each figure;
// docs/performance.md says what they mean.
//
//	bench -gearstorm bin/gearstorm [-only REGEXP] [-rounds 3] [-round 1.5s] [-profile FOLDER]
//	bench -gearstorm bin/gearstorm -storm .tools/storm-cluster -raw FILE [-quick] [-only REGEXP] [-rounds 3]
//	bench -table FILE
//	bench exact [-only REGEXP] [-rounds 5] [-mb 1024]
//	bench yahoo [-only REGEXP] [-rate 10000] [-tasks 2]
//
// It is a topology's program too (gearstorm.Main): what it measures are processes that run itself, so that nothing of
// the measuring is in them but a counter (probe.go). What runs is the same on both sides: scripts/bench/storm has the
// twins of the components here in Java, which report to the same listener.
//
// By itself a scenario runs once; after a warm-up its rounds follow each other, and the median of their rates counts.
// Beside Storm each round is a run of its own, Storm's and gearstorm's in turns. In a line that starts with "#" stands
// what is worth knowing beside a figure.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "worker":
		gearstorm.Main(program)
	case len(os.Args) > 1 && os.Args[1] == "alone":
		err = runAlone(ctx, os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "exact":
		err = runExact(ctx, os.Args[2:], os.Stdout)
	case len(os.Args) > 1 && os.Args[1] == "yahoo":
		err = runYahoo(ctx, os.Args[2:], os.Stdout)
	default:
		err = measure(ctx, os.Args[1:], os.Stdout)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	gearstorm, tools, storm, raw, table, profile string
	only                                         *regexp.Regexp
	quick                                        bool
	rounds                                       int
	round                                        time.Duration
}

func parseOptions(args []string) (o options, err error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.StringVar(&o.gearstorm, "gearstorm", "bin/gearstorm", "the gearstorm `binary` to measure")
	fs.StringVar(&o.tools, "tools", ".tools", "the `folder` with Python clients")
	fs.StringVar(&o.storm, "storm", "", "measure beside the real Storm of this `folder`")
	fs.StringVar(&o.raw, "raw", "", "append the raw results to this `file`, as lines of JSON")
	fs.StringVar(&o.table, "table", "", "only print the tables of docs/performance.md from that `file` of raw results")
	fs.StringVar(&o.profile, "profile", "", "write where the processor time goes to this `folder`, a file for each process")
	fs.BoolVar(&o.quick, "quick", false, "beside Storm: one short round, for a look at whether everything works")
	fs.IntVar(&o.rounds, "rounds", 3, "rounds of each figure")
	fs.DurationVar(&o.round, "round", 0, "length of a round (default 1.5s by itself, 10s beside Storm)")
	only := fs.String("only", "", "measure the figures that match this `regexp`")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.tools, err = filepath.Abs(o.tools); err != nil { // scripts run elsewhere
		return o, err
	}
	if o.profile != "" {
		if o.profile, err = filepath.Abs(o.profile); err != nil {
			return o, err
		}
		if err := os.MkdirAll(o.profile, 0o755); err != nil {
			return o, err
		}
	}
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, err
	}
	if o.rounds < 1 || o.round < 0 || o.round > 0 && o.round < 10*time.Millisecond {
		return o, fmt.Errorf("-rounds %d -round %v: want at least one round of 10 ms", o.rounds, o.round)
	}
	return o, nil
}

// pace is how long the parts of a run take with o. A JVM is as fast as it gets some 20 to 30 s after it began.
func (o options) pace() pace {
	p := pace{warm: time.Second, stormWarm: 20 * time.Second, window: 1500 * time.Millisecond, windows: o.rounds}
	switch {
	case o.storm != "" && o.quick:
		p = pace{warm: time.Second, stormWarm: 5 * time.Second, window: 3 * time.Second, windows: 1}
	case o.storm != "":
		p = pace{warm: 3 * time.Second, stormWarm: 20 * time.Second, window: 7 * time.Second, windows: 1}
	}
	if o.round > 0 {
		p.window = o.round
	}
	return p
}

func measure(ctx context.Context, args []string, out io.Writer) (err error) {
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if o.table != "" {
		return printTables(o.table, out)
	}
	g, err := parseGoals(goalsFile)
	if err != nil {
		return err
	}
	probes, err := listen()
	if err != nil {
		return err
	}
	defer probes.close()
	var options []string
	if o.storm != "" {
		if options, err = setUpJava(ctx, o.gearstorm, o.storm, probes.dir); err != nil {
			return err
		}
	}
	our, err := startOurs(ctx, o.gearstorm, probes.dir, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, our.stop()) }()
	r := runner{probes, o.pace(), o.profile}
	sides := map[string]system{sideOurs: our, sideAlone: &alone{dir: probes.dir}}
	if o.storm == "" {
		return (&survey{r, o.only, sides, our, out}).all(ctx, o.tools)
	}
	storm, err := startTheirs(ctx, o.storm, probes.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, storm.stop()) }()
	sides[sideStorm], sides[sideJar] = storm, &ownJar{our, o.storm}
	raw := io.Discard
	if o.raw != "" {
		f, err := os.OpenFile(o.raw, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		raw = f
	}
	c := &comparison{runner: r, goals: g, rounds: o.rounds, out: out, raw: json.NewEncoder(raw), sides: sides, rows: map[string]result{}}
	if o.quick {
		c.rounds = 1
	}
	return c.all(ctx, scenarios(o.tools), o.only)
}
