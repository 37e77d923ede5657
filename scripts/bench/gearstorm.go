package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// ours is a `gearstorm dev`, that is Nimbus and supervisor in one process.
type ours struct {
	cluster
	dir string
}

// startOurs starts one with those options and its state below dir, and waits until it says where it listens.
func startOurs(ctx context.Context, binary, dir string, options []string) (*ours, error) {
	dir = filepath.Join(dir, "gearstorm")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	d, err := spawn(exec.Command(binary, append([]string{"dev", "--quiet", "--dir", dir}, options...)...), filepath.Join(dir, "dev.out"))
	if err != nil {
		return nil, err
	}
	o := &ours{cluster{parent: d, daemons: []*daemon{d}}, dir}
	var ports struct{ Nimbus int }
	err = until(ctx, 20*time.Second, "gearstorm dev did not say where it listens", func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "ports.json"))
		return err == nil && json.Unmarshal(data, &ports) == nil && ports.Nimbus != 0
	})
	if err != nil {
		return nil, errors.Join(err, o.stop())
	}
	o.nimbus = fmt.Sprintf("127.0.0.1:%d", ports.Nimbus)
	return o, nil
}

func (o *ours) submit(ctx context.Context, name string, s shape, c conf.Conf) error {
	_, err := gearstorm.Submit(ctx, program, gearstorm.Options{Name: name, Args: s.args(), Conf: c, Nimbus: []string{o.nimbus}})
	return err
}

// timing is what Nimbus knows of the time and checkpoints of a topology.
func (o *ours) timing(ctx context.Context, name string) (*stormrpc.TopologyTiming, error) {
	n, err := gearstorm.Connect(o.nimbus)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	info, err := n.Nimbus().GetTopologyInfoByName(ctx, name)
	if err != nil {
		return nil, err
	}
	if info.Timing == nil {
		return &stormrpc.TopologyTiming{}, nil // not heard of yet
	}
	return info.Timing, nil
}

func (o *ours) said() string {
	return tail(filepath.Join(o.dir, "logs", "workers-artifacts", "*", "*", "worker.log*"))
}

// alone is gearstorm without a cluster: a child with the topology and nothing else, on the SDK's RunLocal.
type alone struct {
	dir   string
	child *daemon // nil: none runs
}

func (a *alone) submit(_ context.Context, name string, s shape, c conf.Conf) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	settings, err := c.JSON()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, append([]string{"alone", string(settings)}, s.args()...)...)
	a.child, err = spawn(cmd, filepath.Join(a.dir, "alone.out"))
	return err
}

// runAlone is the child of alone.
func runAlone(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want a configuration and a shape, got %q", args)
	}
	c, err := conf.ParseJSON([]byte(args[0]))
	if err != nil {
		return err
	}
	setBase()
	return gearstorm.RunLocal(ctx, program, gearstorm.Options{Args: args[1:], Conf: c})
}

func (a *alone) said() string { return tail(filepath.Join(a.dir, "alone.out")) }

func (a *alone) deactivate(context.Context, string) (bool, error) { return false, nil }

func (a *alone) kill(context.Context) error {
	if a.child == nil {
		return nil
	}
	err := a.child.stop()
	for _, p := range processes() {
		if p.session == a.child.pid() {
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	a.child = nil
	return err
}

func (a *alone) parts(all []process) (workers, daemons []process) {
	for _, p := range all {
		if a.child != nil && p.pid == a.child.pid() {
			workers = append(below(all, p.pid), p)
		}
	}
	return workers, nil
}
