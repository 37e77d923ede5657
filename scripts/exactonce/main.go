// Exactonce shows that a topology from Kafka to Kafka counts every record exactly once, whatever of it is killed. The records go through bolts in
// Python and Java and a count by key in Go, each with its state in checkpoints. Meanwhile workers, supervisors, Nimbus, children in Python and
// Java processes are killed (SIGKILL) at random. In the end the records of committed transactions are held against a sequential model, and a
// table says for each checkpoint k how many records its source had read, offset(k), and how many were counted, state(k).
//
// The same program is the topology: started as a worker it runs its part of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm"
)

// options say what to do.
type options struct {
	gearstorm, lib, dir string
	kills, rate         int
	seed                uint64
	limit               time.Duration
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		gearstorm.Main(program)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "exactly-once:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, out, told io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "exactly-once-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.dir)
		if err := os.Setenv("TMPDIR", o.dir); err != nil { // what killed workers leave there goes with it
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	return run(ctx, o, out, told)
}

func parse(args []string) (o options, err error) {
	fs := flag.NewFlagSet("exactonce", flag.ContinueOnError)
	fs.StringVar(&o.gearstorm, "gearstorm", "bin/gearstorm", "the gearstorm `binary`")
	fs.StringVar(&o.lib, "lib", ".tools/storm/lib-worker", "the `folder` with the jars of Storm's workers")
	fs.StringVar(&o.dir, "dir", "", "a `folder` for logs and state that is kept; it must be there")
	fs.IntVar(&o.kills, "kills", 100, "how many processes to kill")
	fs.IntVar(&o.rate, "rate", 500, "records a second")
	fs.Uint64Var(&o.seed, "seed", 0, "repeats the choices of another run; 0: chosen at random")
	fs.DurationVar(&o.limit, "limit", 2*time.Hour, "for all of it")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.kills < 0 || o.rate < 1 || fs.NArg() > 0 {
		return o, fmt.Errorf("%d kills at %d records a second, and %d arguments more: want 0 or more, 1 or more, none", o.kills, o.rate, fs.NArg())
	}
	if o.seed == 0 {
		o.seed = uint64(1 + rand.IntN(1_000_000))
	}
	for _, path := range []*string{&o.gearstorm, &o.lib, &o.dir} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return o, err
		}
		if _, err := os.Stat(*path); err != nil {
			return o, err
		}
	}
	return o, nil
}
