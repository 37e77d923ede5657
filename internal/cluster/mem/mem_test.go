package mem_test

import (
	"testing"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/clustertest"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
)

func TestConformance(t *testing.T) {
	clustertest.Run(t, clustertest.Harness{
		Open: func(string) (cluster.Store, error) { return mem.New(), nil },
	})
}
