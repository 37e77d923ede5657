package main

import (
	"context"
	"fmt"
	"os"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/connectors"
	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/dynamic"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/worker"
)

// workerMain is what a supervisor starts for topologies without a binary of their own: all components are programs of
// other languages, connectors of gearstorm's, or those of the topologies that check themselves.
func workerMain() int {
	err := worker.Main(context.Background(), func(c conf.Conf) (worker.Registry, error) {
		if r, err := chaos.Registry(c); r != nil || err != nil {
			return r, err
		}
		if r, err := exact.RegistryOf(c); r != nil || err != nil {
			return r, err
		}
		if r, err := dynamic.RegistryOf(c); r != nil || err != nil {
			return r, err
		}
		if r, err := exact.WindowsRegistryOf(c); r != nil || err != nil {
			return r, err
		}
		return connectors.Registry{}, nil
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
