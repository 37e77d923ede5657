package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/worker"
)

// callTimeout bounds a look at the statistics, stopTimeout the end of the topology.
const (
	callTimeout = 2 * time.Second
	stopTimeout = 30 * time.Second
)

// onCluster is the topology on a cluster.
type onCluster struct {
	nimbus *client.Client
	name   string
}

func startCluster(ctx context.Context, nimbus string, o gearstorm.Options) (*onCluster, error) {
	c, err := gearstorm.Connect(nimbus)
	if err != nil {
		return nil, err
	}
	if nimbus != "" {
		o.Nimbus = []string{nimbus}
	}
	if _, err := gearstorm.Submit(ctx, program, o); err != nil {
		c.Close()
		return nil, err
	}
	return &onCluster{c, program.Name}, nil
}

func (r *onCluster) stats(ctx context.Context) ([]componentStats, []string) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := r.nimbus.Nimbus().GetTopologyInfoByName(ctx, r.name)
	if err != nil {
		return nil, []string{client.Message(err)}
	}
	var errs []string
	for component, list := range info.Errors {
		for _, e := range list {
			errs = append(errs, component+": "+e.Error)
		}
	}
	return statsOf(info.Executors), errs
}

func (r *onCluster) ended() error { return nil }

func (r *onCluster) stop() error {
	defer r.nimbus.Close()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	now := int32(0)
	err := r.nimbus.Nimbus().KillTopologyWithOpts(ctx, r.name, &stormrpc.KillOptions{WaitSecs: &now})
	if err != nil {
		return fmt.Errorf("kill the topology: %w", err)
	}
	return nil
}

// inProcess is the topology in this process.
type inProcess struct {
	local  atomic.Pointer[worker.Local] // nil until it runs
	cancel context.CancelFunc
	done   chan struct{} // closed when err is set
	err    error
}

func startLocal(o gearstorm.Options) *inProcess {
	ctx, cancel := context.WithCancel(context.Background())
	r := &inProcess{cancel: cancel, done: make(chan struct{})}
	o.Started = r.local.Store
	go func() {
		defer close(r.done)
		r.err = gearstorm.RunLocal(ctx, program, o)
	}()
	return r
}

func (r *inProcess) stats(context.Context) ([]componentStats, []string) {
	l := r.local.Load()
	if l == nil {
		return nil, nil
	}
	return localStats(l.Stats()), nil
}

func (r *inProcess) ended() error {
	select {
	case <-r.done:
		if r.err == nil {
			return errors.New("the topology ended by itself")
		}
		return r.err
	default:
		return nil
	}
}

func (r *inProcess) stop() error {
	r.cancel()
	<-r.done
	return r.err
}
