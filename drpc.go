package gearstorm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/drpc"
)

// ownDRPC makes a DRPC server for a topology that runs in this process, serves functions and names no server. Its ports are
// free ones, but for those that the topology's configuration names. It returns nil where none is needed.
func ownDRPC(t *storm.Topology) (*drpc.Server, error) {
	if len(compat.DRPCFunctions(t.Thrift)) == 0 || t.Conf.Has(drpc.KeyServers) {
		return nil, nil
	}
	cfg, err := drpc.FromConf(conf.Merge(conf.Defaults(), t.Conf))
	if err != nil {
		return nil, err
	}
	for key, port := range map[string]*int{drpc.KeyPort: &cfg.Ports.Execute, drpc.KeyInvocationsPort: &cfg.Ports.Invocations, drpc.KeyHTTPPort: &cfg.Ports.HTTP} {
		if !t.Conf.Has(key) && *port >= 0 {
			*port = 0
		}
	}
	return drpc.New(cfg)
}

// besideDRPC runs a topology while its DRPC server runs, which may be nil.
func besideDRPC(ctx context.Context, s *drpc.Server, functions []string, run func(context.Context) error) error {
	if s == nil {
		return run(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx)) // the topology ends first and answers until then
	defer stop()
	served := make(chan error, 1)
	go func() {
		served <- s.Run(serving)
		cancel()
	}()
	ports := s.Ports()
	for _, f := range functions {
		attrs := []any{slog.String("function", f), slog.String("thrift", fmt.Sprintf("127.0.0.1:%d", ports.Execute))}
		if ports.HTTP > 0 {
			attrs = append(attrs, slog.String("http", fmt.Sprintf("http://127.0.0.1:%d/drpc/%s", ports.HTTP, f)))
		}
		slog.Info("drpc is served", attrs...)
	}
	err := run(ctx)
	stop()
	return errors.Join(err, <-served)
}
