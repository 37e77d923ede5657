package main

import (
	"context"
	"fmt"
	"os"

	"github.com/gearstorm/gearstorm/worker"
)

// workerMain is what a supervisor starts for topologies without a binary of their own: all components are programs of
// other languages.
func workerMain() int {
	if err := worker.Main(context.Background(), nil); err != nil {
		fmt.Fprintln(os.Stderr, "gearstorm worker:", err)
		return 1
	}
	return 0
}
