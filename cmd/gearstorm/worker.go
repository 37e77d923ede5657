package main

import (
	"context"
	"fmt"
	"os"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/worker"
)

// workerMain is what a supervisor starts for topologies without a binary of their own: all components are programs of
// other languages, or those of the topology of verify.
func workerMain() int {
	err := worker.Main(context.Background(), func(c conf.Conf) (worker.Registry, error) {
		r, err := chaos.Registry(c)
		if r == nil || err != nil {
			return nil, err
		}
		return r, nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "gearstorm worker:", err)
		return 1
	}
	return 0
}

// reapMain cleans up after a cluster of verify.
func reapMain(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "gearstorm: verify starts", chaos.ReapCommand, "for itself")
		return 2
	}
	if err := chaos.Reap(args[0], os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "gearstorm verify:", err)
		return 1
	}
	return 0
}
