package gearstorm

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/worker"
)

// RunLocal runs the topology p in this process, with all its tasks, until ctx ends. It is the same engine as on a
// cluster, without a network: topology.workers does not matter. It returns nil when ctx ended, and an error if the
// topology cannot run. Errors that components report go to slog.Default.
func RunLocal(ctx context.Context, p Program, o Options) error {
	name, t, err := p.build(o)
	if err != nil {
		return err
	}
	return RunTopology(ctx, name, t, p.Resources, o)
}

// RunTopology runs t in this process as RunLocal does a Program. t.Components may be nil if all components are programs of
// other languages, or made by o.Components. Of the options this and Started count.
func RunTopology(ctx context.Context, name string, t *storm.Topology, resources fs.FS, o Options) error {
	dir, err := os.MkdirTemp("", "gearstorm-run-")
	if err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	defer os.RemoveAll(dir)
	// Multilang children leave their pid files here.
	if err := os.Mkdir(filepath.Join(dir, "pids"), 0o700); err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	if err := unpackResources(resources, filepath.Join(dir, resourcesDir)); err != nil {
		return fmt.Errorf("run %s: unpack its resources: %w", name, err)
	}
	server, err := ownDRPC(t)
	if err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	own := t.Conf
	if server != nil {
		defer server.Close()
		own = conf.Merge(t.Conf, server.Keys())
	}
	cfg := worker.LocalConfig{Name: name, Topology: t.Thrift, Conf: own, CodeDir: dir, PidDir: filepath.Join(dir, "pids"), Log: slog.Default()}
	if cfg.Registry = o.Components; t.Components != nil {
		cfg.Registry = t.Components
	}
	defer worker.TuneMemory()()
	l, err := worker.NewLocal(cfg)
	if err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	if o.Started != nil {
		o.Started(l)
	}
	if err := besideDRPC(ctx, server, compat.DRPCFunctions(t.Thrift), l.Run); err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	return nil
}
