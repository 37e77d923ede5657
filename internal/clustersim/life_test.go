package clustersim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// run is the life of a world: the cluster comes up, gets a topology, suffers, is healed and loses the topology again.
func (w *world) run() {
	ctx, stop := context.WithCancel(context.Background())
	w.ctx = ctx
	if w.exact != nil {
		w.beExact()
	} else {
		w.ledger, w.topo = newTopology(w)
	}
	for _, m := range w.masters {
		m.start()
	}
	for _, n := range w.nodes {
		n.start()
	}
	// Who submits before the nodes are there sees the topology spread over them later.
	if early := !w.gentle && !w.swift && w.rng.IntN(5) == 0; early || w.await("all nodes", 20*time.Second, w.allNodes) && w.submit() {
		var faults sync.WaitGroup
		faults.Go(w.faults)
		if early {
			w.submit()
		}
		faults.Wait()
		w.settle()
		w.check()
		w.remove()
	}
	stop()
	for _, n := range w.nodes {
		n.end()
	}
	for _, m := range w.masters {
		m.end()
	}
	w.group.Wait()
}

// call makes a call to the leader, as a user would.
func (w *world) call(what string, f func(ctx context.Context, c *client.Client) error) bool {
	c, err := client.New(w.clientOptions(w.admin))
	if err != nil {
		w.journal.wrong("client: %v", err)
		return false
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	if err = f(ctx, c); err != nil {
		w.journal.say("%s: %v", what, err)
	}
	return err == nil
}

func (w *world) allNodes() bool {
	return w.call("cluster info", func(ctx context.Context, c *client.Client) error {
		info, err := c.Nimbus().GetClusterInfo(ctx)
		if err == nil && len(info.Supervisors) < nodes {
			err = fmt.Errorf("%d supervisors", len(info.Supervisors))
		}
		return err
	})
}

const topologyName = "sim"

// submit hands the topology to the cluster, again and again until it is there.
func (w *world) submit() bool {
	jsonConf, err := w.topo.Conf.JSON()
	if err != nil {
		w.journal.wrong("encode conf: %v", err)
		return false
	}
	return w.await("submit", faultPhase+20*time.Second, func() bool {
		return w.call("submit", func(ctx context.Context, c *client.Client) error {
			location, err := c.Upload(ctx, emptyJar(), nil)
			if err == nil {
				err = c.Nimbus().SubmitTopology(ctx, topologyName, location, string(jsonConf), w.topo.Thrift)
			}
			if client.KindOf(err) == client.AlreadyAlive {
				return nil // the answer to an earlier call was lost
			}
			return err
		})
	})
}

// settle heals everything and waits until the cluster is as it should be.
func (w *world) settle() {
	w.net.HealAll()
	for _, m := range w.masters {
		m.heal()
	}
	for _, n := range w.nodes {
		if n != w.lost {
			n.heal()
		}
	}
	if w.lost != nil {
		w.lost.crash()
	}
	w.journal.say("healed")
	w.await("active", 30*time.Second, func() bool {
		return w.call("activate", func(ctx context.Context, c *client.Client) error { return c.Nimbus().Activate(ctx, topologyName) })
	})
	if w.exact != nil {
		w.await("every record visible", 120*time.Second, w.allVisible)
	} else {
		w.await("every root acked", 90*time.Second, w.ledger.complete)
	}
	w.await("everything running", 60*time.Second, w.steady)
}

// remove kills the topology: nothing of it may be left.
func (w *world) remove() {
	w.await("kill", 30*time.Second, func() bool {
		return w.call("kill", func(ctx context.Context, c *client.Client) error {
			wait := int32(1)
			err := c.Nimbus().KillTopologyWithOpts(ctx, topologyName, &stormrpc.KillOptions{WaitSecs: &wait})
			if client.KindOf(err) == client.NotAlive {
				return nil
			}
			return err
		})
	})
	w.await("nothing left", 30*time.Second, func() bool {
		topologies, err1 := cluster.ListTopologies(w.ctx, w.store)
		assignments, err2 := cluster.ListAssignments(w.ctx, w.store)
		left := len(topologies) + len(assignments)
		for _, n := range w.nodes {
			left += len(n.live())
		}
		return err1 == nil && err2 == nil && left == 0
	})
}

// steady says whether every executor of the topology runs in the one worker it is assigned to, nothing else runs, and all
// follow the newest leader.
func (w *world) steady() bool {
	all, err := cluster.ListAssignments(context.Background(), w.store)
	if err != nil || len(all) != 1 {
		return false
	}
	want := map[slotName]bool{}
	for _, p := range all[0].Executors {
		want[slotName{p.Node, int(p.Port)}] = true
	}
	newest := w.journal.newest()
	have := 0
	for _, n := range w.nodes {
		if n != w.lost && w.journal.epoch(n.name()) != newest {
			return false
		}
		for _, p := range n.live() {
			if !want[slotName{p.spec.Node, p.spec.Port}] || p.epoch() != newest {
				return false
			}
			have++
		}
	}
	return have == len(want) && have > 0
}

// check looks at what can only be said at the end.
func (w *world) check() {
	launched := 0
	for _, n := range w.nodes {
		launched += n.launched()
		if n != w.lost && w.journal.epochs[n.name()] == 0 {
			w.journal.wrong("supervisor %s never followed a plan: its log has changed, or it saw none", n.name())
		}
	}
	if w.gentle && launched != w.shape.workers {
		w.journal.wrong("%d workers were started for %d slots though nothing has hit a worker", launched, w.shape.workers)
	}
	if n := w.ledger.lostOnTheWay(); w.gentle && n > 0 {
		w.journal.wrong("%d attempts failed that no bolt had failed though nothing has hit a worker", n)
	}
}
