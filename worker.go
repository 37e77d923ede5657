package gearstorm

import (
	"context"
	"fmt"
	"os"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/worker"
)

// workerMain runs this program as the worker that a supervisor started, and returns the exit status.
func workerMain(p Program) int {
	err := worker.Main(context.Background(), func(c conf.Conf) (worker.Registry, error) { return p.components(c) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 1
	}
	return 0
}
