package zk_test

import (
	"context"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/clustertest"
	"github.com/gearstorm/gearstorm/internal/cluster/zk"
	"github.com/gearstorm/gearstorm/internal/cluster/zk/zktest"
)

// Masters lose connections, answers and sessions while they write.
func TestLinearizableOverCuts(t *testing.T) {
	t.Parallel()
	addr := serverAddr(t)
	var p proxied
	var stores []cluster.Store
	at := root(t.TempDir())
	for range 3 {
		s, err := p.open(t, addr, at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		stores = append(stores, s)
	}
	var faults []func()
	for i := range 20 {
		s := stores[i%3]
		switch i % 10 {
		case 4, 7:
			faults = append(faults, func() { p.expire(s) })
		case 2, 6, 8:
			faults = append(faults, func() { p.of(s).Cut() })
		case 1, 9:
			faults = append(faults, func() { removeCandidates(t, at) })
		default: // what is asked is done, and nobody hears of it
			faults = append(faults, func() {
				p.of(s).DeafenTo([]byte(`"number":`)) // which only writes have
				time.Sleep(30 * time.Millisecond)
				p.of(s).Cut()
				p.of(s).Hear()
			})
		}
	}
	clustertest.Linearizable(t, stores, clustertest.Linear{Calls: 3000, Faults: faults})
}

// The leader of an ensemble is killed while masters write, and comes back; the next one stands still until it is replaced.
func TestLinearizableOverServers(t *testing.T) {
	t.Parallel()
	e := zktest.New(t, zktest.Config{Servers: 3})
	var stores []cluster.Store
	for range 2 {
		s, err := zk.Open(config("/linear", e.Addrs()...))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		stores = append(stores, s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var killed *zktest.Server
	kill := func() {
		s, err := e.Leader(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		s.Kill()
		killed = s
	}
	restart := func() {
		if killed == nil {
			return
		}
		if err := killed.Restart(ctx); err != nil {
			t.Error(err)
		}
	}
	stall := func() {
		s, err := e.Leader(ctx)
		if err == nil {
			err = s.Pause()
		}
		if err == nil {
			_, err = e.Leader(ctx, s)
		}
		if err == nil {
			err = s.Resume()
		}
		if err != nil {
			t.Error(err)
		}
	}
	clustertest.Linearizable(t, stores, clustertest.Linear{Calls: 1500, Faults: []func(){kill, restart, stall}})
}
