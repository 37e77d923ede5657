// Command bench measures gearstorm and prints a line for each figure; docs/performance.md says what they mean.
//
//	bench -gearstorm bin/gearstorm [-storm.py FILE] [-rounds 3] [-round 1.5s] [-only REGEXP]
//
// It is a topology's program too (gearstorm.Main): what it measures are processes that run itself, so that nothing of
// the measuring is in them but a counter (probe.go). A scenario runs once; after a warm-up its rounds follow each other,
// and the median of their rates counts. In a line that starts with "#" stands what is worth knowing beside a figure.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm"
)

func main() {
	if len(os.Args) > 1 && (os.Args[1] == "worker" || os.Args[1] == "run") {
		gearstorm.Main(program)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := measure(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run of this command.
type bench struct {
	gearstorm string // the binary
	stormPy   string // Storm's own Python module, "" if it is not there
	rounds    int
	round     time.Duration
	only      *regexp.Regexp
	probes    *listener
}

func measure(ctx context.Context, args []string) error {
	var b bench
	fs := flag.NewFlagSet("bench", flag.ExitOnError)
	fs.StringVar(&b.gearstorm, "gearstorm", "bin/gearstorm", "the gearstorm `binary` to measure")
	fs.StringVar(&b.stormPy, "storm.py", "", "Storm's storm.py; without it its scenario is left out")
	fs.IntVar(&b.rounds, "rounds", 3, "rounds of each figure")
	fs.DurationVar(&b.round, "round", 1500*time.Millisecond, "length of a round")
	only := fs.String("only", "", "measure the figures that match this `regexp`")
	fs.Parse(args)
	var err error
	if b.only, err = regexp.Compile(*only); err != nil {
		return err
	}
	if b.rounds < 1 || b.round < 10*time.Millisecond {
		return fmt.Errorf("-rounds %d -round %v: want at least one round of 10 ms", b.rounds, b.round)
	}
	if b.probes, err = listen(); err != nil {
		return err
	}
	defer b.probes.close()
	if err := b.inProcess(ctx); err != nil {
		return err
	}
	return b.cluster(ctx)
}

// wants says whether the figure called name was asked for.
func (b *bench) wants(name string) bool { return b.only.MatchString(name) }
