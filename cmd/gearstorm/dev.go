package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/nimbus"
	"github.com/gearstorm/gearstorm/supervisor"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

func devCommand() *cli.Command {
	return &cli.Command{
		Name: "dev", Category: catRun, Usage: "a whole cluster on this machine, until Ctrl-C",
		Description: "Runs Nimbus, a supervisor and a DRPC server in this process and workers as its children, and tells when topologies start and end, when\n" +
			"workers die and what errors components have. Ports are free ones, written to DIR/ports.json, where the other commands\n" +
			"find them. Everything ends with this process; topologies are there again at the next start.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: seeds.DevDir, Usage: "state and logs go to `DIR`"},
			&cli.IntFlag{Name: "port", Usage: "Nimbus' Thrift `PORT`, for clients with a fixed configuration (default: a free one)"},
			&cli.IntFlag{Name: "slots", Value: 4, Usage: "`N` worker slots"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "say where Nimbus is and nothing of what happens then"},
			&cli.BoolFlag{Name: "reload", Usage: "restart Python and Node components when their files change"},
		},
		Action: func(c *cli.Context) error {
			loaded, err := loadSources(c)
			if err != nil {
				return err
			}
			return dev(c, loaded)
		},
	}
}

const (
	watchEvery  = 300 * time.Millisecond
	reloadEvery = 300 * time.Millisecond
)

// dev runs the daemons of a cluster until the context ends or one of them fails.
func dev(c *cli.Context, loaded *conf.Loaded) error {
	if n := c.Int("slots"); n < 1 || n > 1000 {
		return usagef("--slots %d: want 1 to 1000", n)
	}
	set, err := conf.ParseOptions(c.StringSlice("c"))
	if err != nil {
		return usageError(err.Error())
	}
	dir, err := filepath.Abs(c.String("dir"))
	if err != nil {
		return err
	}
	d, err := openDevCluster(loaded, set, dir, c.Int("port"), c.Int("slots"))
	if err != nil {
		return err
	}
	defer d.close()
	ports := d.rpc.ports()
	ports.Nimbus, ports.Supervisor, ports.PID = d.nimbus.Port(), d.supervisor.Addr().(*net.TCPAddr).Port, os.Getpid()
	remove, err := ports.Write(dir)
	if err != nil {
		d.supervisor.Close()
		return err
	}
	defer remove()
	out := newScreen(c.App.Writer)
	at := d.nimbus.Addr()
	out.line(banner(c, at))
	var parts []func(context.Context) error
	w := &watcher{nimbus: at, logs: filepath.Join(c.String("dir"), "logs"), out: out.line, every: watchEvery}
	if !c.Bool("quiet") {
		parts = append(parts, w.run)
	}
	if c.Bool("reload") {
		reloaded := func(text string) {
			w.anew.Store(time.Now().Unix())
			out.line(text)
		}
		parts = append(parts, (&reloader{nimbus: at, local: filepath.Join(dir, "supervisor"), out: reloaded, every: reloadEvery}).run)
	}
	err = d.run(c.Context, parts...)
	if err == nil && !c.Bool("quiet") {
		out.line(timed("gearstorm dev: ended, with all workers"))
	}
	return err
}

// devCluster is a Nimbus, a supervisor and a DRPC server in this process. close frees what run has left.
type devCluster struct {
	nimbus     *nimbus.Nimbus
	supervisor *supervisor.Supervisor
	rpc        devServer
	close      func()
}

// run runs the cluster and parts that talk to it until the context ends or one of them returns; see around.
func (d *devCluster) run(ctx context.Context, parts ...func(context.Context) error) error {
	return around(ctx, func(ctx context.Context) error { return together(ctx, d.nimbus.Run, d.rpc.run) }, append(parts, d.supervisor.Run)...)
}

// openDevCluster makes a cluster on loopback with all its state and logs in dir. Port 0 is a free one. Of set, which is what
// the command line says about the configuration, DRPC takes its servers and ports.
func openDevCluster(loaded *conf.Loaded, set conf.Conf, dir string, port, slots int) (*devCluster, error) {
	cf := loaded.Conf
	if port > 0 { // Storm's clients read in the configuration of a topology where Nimbus is
		cf = conf.Merge(cf, conf.Conf{"nimbus.seeds": []any{"127.0.0.1"}, "nimbus.thrift.port": int64(port)})
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	log, closeLog, err := daemonLog(filepath.Join(dir, "logs", "dev.log"))
	if err != nil {
		return nil, err
	}
	store, err := openEmbedded(filepath.Join(dir, "nimbus"))
	if err != nil {
		closeLog()
		return nil, explainLock(err, dir)
	}
	rpc, cf, err := devDRPC(cf, set, dir, log)
	if err != nil {
		store.Close()
		closeLog()
		return nil, err
	}
	n, closeNimbus, err := openNimbus(cf, store, filepath.Join(dir, "nimbus"), fmt.Sprintf("127.0.0.1:%d", port), log)
	if err != nil {
		rpc.close()
		closeLog()
		return nil, explainLock(err, dir)
	}
	s, err := newSupervisor(cf, log, func(sc *supervisor.Config) {
		sc.LocalDir, sc.LogDir = filepath.Join(dir, "supervisor"), filepath.Join(dir, "logs")
		sc.ThriftPort, sc.Ports, sc.Lifeline = 0, make([]int, slots), true
		sc.Nimbus.Seeds = []string{n.Addr()}
	})
	if err != nil {
		rpc.close()
		closeNimbus()
		closeLog()
		return nil, err
	}
	return &devCluster{n, s, rpc, func() { rpc.close(); closeNimbus(); closeLog() }}, nil
}

func banner(c *cli.Context, nimbus string) string {
	dir := c.String("dir")
	text := fmt.Sprintf("gearstorm dev: nimbus %s, %d slots, state and logs in %s; Ctrl-C ends it", nimbus, c.Int("slots"), dir)
	if filepath.Clean(dir) != seeds.DevDir {
		text += fmt.Sprintf("\nother commands find it with --nimbus %s, or %s=%s", nimbus, seeds.Env, nimbus)
	}
	return text
}

// openNimbus makes a Nimbus on a store, with its blobs in dir. Close ends what New opened, after Run, and the store.
func openNimbus(cf conf.Conf, store cluster.Store, dir, listen string, log *slog.Logger) (*nimbus.Nimbus, func(), error) {
	n, err := nimbus.New(nimbus.Config{Conf: cf, Store: store, BlobDir: filepath.Join(dir, "blobs"), Listen: listen, Version: stormVersion, Log: log})
	if err != nil {
		store.Close()
		return nil, nil, err
	}
	return n, func() { n.Close(); store.Close() }, nil
}

// newSupervisor makes a supervisor of the configuration, with what set changes.
func newSupervisor(cf conf.Conf, log *slog.Logger, set func(*supervisor.Config)) (*supervisor.Supervisor, error) {
	sc, err := supervisor.FromConf(cf)
	if err != nil {
		return nil, err
	}
	sc.Log, sc.Version, sc.Shim = log, stormVersion, isolate.Self()
	set(&sc)
	return supervisor.New(sc)
}

// around runs inner parts within outer: when the context ends or one part returns, the inner ones end first, so that they
// still have outer to talk to. It returns the first error that is not the context's.
func around(ctx context.Context, outer func(context.Context) error, inner ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outerCtx, endOuter := context.WithCancel(context.WithoutCancel(ctx))
	defer endOuter()
	outerEnd := make(chan error, 1)
	go func() {
		outerEnd <- outer(outerCtx)
		cancel()
	}()
	err := together(ctx, inner...)
	endOuter()
	if e := <-outerEnd; err == nil && !errors.Is(e, context.Canceled) {
		err = e
	}
	return err
}

// together runs all parts until the context ends or one of them returns; it waits for all and returns the first error
// that is not the context's.
func together(ctx context.Context, parts ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, len(parts))
	for _, run := range parts {
		go func() {
			errs <- run(ctx)
			cancel()
		}()
	}
	var first error
	for range parts {
		if err := <-errs; err != nil && !errors.Is(err, context.Canceled) && first == nil {
			first = err
		}
	}
	return first
}

// daemonLog opens the log of a daemon.
func daemonLog(path string) (*slog.Logger, func(), error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	return slog.New(slog.NewTextHandler(f, nil)), func() { f.Close() }, nil
}
