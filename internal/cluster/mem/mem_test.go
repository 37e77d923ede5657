package mem_test

import (
	"testing"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/clustertest"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
)

func TestConformance(t *testing.T) {
	clustertest.Run(t, clustertest.Harness{
		Open:   func(string) (cluster.Store, error) { return mem.New(), nil },
		Peer:   func(s cluster.Store, _ string) (cluster.Store, error) { return s.(*mem.Store).Peer(), nil },
		Expire: func(s cluster.Store) { s.(*mem.Store).Expire() },
	})
}

func TestLinearizable(t *testing.T) {
	first := mem.New()
	stores := []cluster.Store{first, first.Peer(), first.Peer()}
	var faults []func()
	for i := range 12 {
		faults = append(faults, stores[i%len(stores)].(*mem.Store).Expire)
	}
	clustertest.Linearizable(t, stores, clustertest.Linear{Calls: 3000, Faults: faults})
}
