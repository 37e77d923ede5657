package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/drpc"
	"github.com/gearstorm/gearstorm/internal/seeds"
)

// devPortsFile remembers the ports of a dev's DRPC server: topologies keep in their configuration where it was when they
// were submitted, and go on at the next start.
const devPortsFile = "drpc.json"

// devDRPC makes the DRPC server of a gearstorm dev with its state in dir, and returns the configuration that names it. Ports are
// those that set, the options of the command line, names, else those of the last time, else free ones. There is no server if set
// names some. As with Nimbus, what storm.yaml says of servers and ports is another cluster's.
func devDRPC(c, set conf.Conf, dir string, log *slog.Logger) (devServer, conf.Conf, error) {
	if set.Has(drpc.KeyServers) {
		return devServer{}, c, nil
	}
	cfg, err := drpc.FromConf(conf.Merge(c, conf.Conf{"drpc.https.port": int64(-1)}, set))
	if err != nil {
		return devServer{}, nil, err
	}
	cfg.Log = log
	file := filepath.Join(dir, devPortsFile)
	last := lastPorts(file)
	s, err := drpc.New(withPorts(cfg, set, last))
	if errors.Is(err, syscall.EADDRINUSE) && last != (drpc.Ports{}) { // somebody has them by now
		s, err = drpc.New(withPorts(cfg, set, drpc.Ports{}))
	}
	if err != nil {
		return devServer{}, nil, err
	}
	if err := writePorts(file, s.Ports()); err != nil {
		s.Close()
		return devServer{}, nil, err
	}
	return devServer{s}, conf.Merge(c, s.Keys()), nil
}

// devServer is the DRPC server of a dev; the zero devServer is none.
type devServer struct{ server *drpc.Server }

func (d devServer) run(ctx context.Context) error {
	if d.server == nil {
		<-ctx.Done()
		return nil
	}
	return d.server.Run(ctx)
}

func (d devServer) close() {
	if d.server != nil {
		d.server.Close()
	}
}

// ports are those for the ports file.
func (d devServer) ports() seeds.Ports {
	if d.server == nil {
		return seeds.Ports{}
	}
	p := d.server.Ports()
	return seeds.Ports{DRPC: p.Execute, Invocations: p.Invocations, DRPCHTTP: max(p.HTTP, 0)}
}

// withPorts puts p where set names no port.
func withPorts(cfg drpc.Config, set conf.Conf, p drpc.Ports) drpc.Config {
	if !set.Has(drpc.KeyPort) {
		cfg.Ports.Execute = p.Execute
	}
	if !set.Has(drpc.KeyInvocationsPort) {
		cfg.Ports.Invocations = p.Invocations
	}
	if !set.Has(drpc.KeyHTTPPort) && cfg.Ports.HTTP >= 0 {
		cfg.Ports.HTTP = max(p.HTTP, 0)
	}
	return cfg
}

// lastPorts reads the file; ports that make no sense are none.
func lastPorts(file string) (p drpc.Ports) {
	b, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(b, &p) != nil || max(p.Execute, p.Invocations, p.HTTP) > 65535 || min(p.Execute, p.Invocations) < 0 {
		return drpc.Ports{}
	}
	return p
}

func writePorts(file string, p drpc.Ports) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".tmp", append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write ports: %w", err)
	}
	return os.Rename(file+".tmp", file)
}
