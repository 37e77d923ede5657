package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/nimbus/client"
)

// localSlots is how many workers a local cluster takes.
const localSlots = 4

func localCommand() *cli.Command {
	return &cli.Command{
		Name: "local", Category: catRun, Usage: "start a topology as jar does, on a cluster of its own that ends with the command",
		ArgsUsage: "JAR CLASS [ARGUMENT]... | PROGRAM [ARGUMENT]... | TOPOLOGY.yaml",
		Description: "The cluster is that of \"gearstorm dev\": Nimbus and supervisor in this process, workers as its children. It runs for --local-ttl from when\n" +
			"the class or program has ended, and tells what happens meanwhile. Nothing of it is left.\n\n" + jarHelp,
		Flags: append(jarFlags(),
			&cli.IntFlag{Name: "local-ttl", Value: 20, Usage: "`SECONDS` to run; 0 runs until Ctrl-C"},
			&cli.StringFlag{Name: "java-debug", Usage: "debug the class with these `OPTIONS` of jdwp, such as transport=dt_socket,address=localhost:8000"},
			&cli.StringFlag{Name: "local-zookeeper", Usage: "ignored: a `HOST:PORT`; nothing here needs ZooKeeper"}),
		Action: func(c *cli.Context) error {
			p, err := mainOf(c)
			if err != nil {
				return err
			}
			if c.Int("local-ttl") < 0 {
				return usagef("--local-ttl %d: want 0 or more seconds", c.Int("local-ttl"))
			}
			var jvm []string
			if debug := c.String("java-debug"); debug != "" {
				jvm = []string{"-agentlib:jdwp=" + debug}
			}
			return runLocally(c, time.Duration(c.Int("local-ttl"))*time.Second, func(ctx context.Context, at []string) error {
				return p.submit(ctx, c, at, jvm)
			})
		},
	}
}

// runLocally runs a cluster with the topology that submit starts on it, for ttl or, if that is 0, until the context ends.
func runLocally(c *cli.Context, ttl time.Duration, submit func(ctx context.Context, at []string) error) error {
	loaded, err := loadSources(c)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", ".gearstorm-local-") // hidden, so that nobody takes it for files of a topology
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d, err := openDevCluster(loaded, nil, dir, 0, localSlots)
	if err != nil {
		return err
	}
	defer d.close()
	out := newScreen(c.App.Writer)
	topology := func(ctx context.Context) error {
		nc, err := client.New(client.Options{Seeds: []string{d.nimbus.Addr()}})
		if err != nil {
			return err
		}
		defer nc.Close()
		if _, err := nc.Leader(ctx); err != nil {
			return err
		}
		if err := submit(ctx, []string{d.nimbus.Addr()}); err != nil || ctx.Err() != nil {
			return err
		}
		return stay(ctx, out, ttl)
	}
	w := &watcher{nimbus: d.nimbus.Addr(), logs: filepath.Join(dir, "logs"), out: out.line, every: watchEvery}
	return d.run(c.Context, w.run, topology)
}

// stay waits for ttl, or for ever if it is 0, or until ctx ends.
func stay(ctx context.Context, out *screen, ttl time.Duration) error {
	if ttl == 0 {
		out.line("RUNNING LOCAL CLUSTER until it is interrupted.")
		<-ctx.Done()
		return nil
	}
	out.line(fmt.Sprintf("RUNNING LOCAL CLUSTER for %v seconds.", ttl.Seconds()))
	select {
	case <-ctx.Done():
	case <-time.After(ttl):
	}
	out.line("STOPPING LOCAL CLUSTER")
	return nil
}
