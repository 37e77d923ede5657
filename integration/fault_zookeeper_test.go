package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/cluster/zk/zktest"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// The rig has three masters and a ZooKeeper of three servers, with sessions of 3 s.
const (
	rigMasters     = 3
	rigServers     = 3
	sessionTimeout = 3 * time.Second
)

// rigZooKeeper is ZooKeeper with a link of its own from every master to every server.
type rigZooKeeper struct {
	*zktest.Ensemble
	links [][]*chaos.Proxy // by master, then by server
}

// startZooKeeper starts the servers and makes the links, which listen on host.
func startZooKeeper(t *testing.T, host string) *rigZooKeeper {
	t.Helper()
	z := &rigZooKeeper{Ensemble: zktest.New(t, zktest.Config{Servers: rigServers})}
	for range rigMasters {
		var links []*chaos.Proxy
		for _, s := range z.Servers {
			p, err := chaos.NewProxy(host, s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Close() })
			links = append(links, p)
		}
		z.links = append(z.links, links)
	}
	return z
}

// conf is the configuration of a master.
func (z *rigZooKeeper) conf(i int) map[string]any {
	var servers []string
	for _, p := range z.links[i] {
		servers = append(servers, p.Addr())
	}
	return map[string]any{
		"storm.zookeeper.servers": servers, "storm.zookeeper.session.timeout": int(sessionTimeout.Milliseconds()),
	}
}

// set makes the links of a master good or bad.
func (z *rigZooKeeper) set(master int, l chaos.Link) {
	for _, p := range z.links[master] {
		p.Set(l)
	}
}

// silent is a link on which nothing arrives.
var silent = chaos.Link{Up: chaos.Way{Hole: true}, Down: chaos.Way{Hole: true}}

// master is the place of a Nimbus among all.
func (f *faultRun) master(n *chaos.Node) int {
	for i, m := range f.c.Nimbuses() {
		if m == n {
			return i
		}
	}
	f.Fatalf("%s is no master", n.Name)
	return 0
}

// leader is the Nimbus that leads now.
func (f *faultRun) leader() *chaos.Node {
	f.Helper()
	return f.newLeader(nil)
}

// deposed asks one Nimbus, and nobody else, who leads; it waits until it does not say that it does itself.
func (f *faultRun) deposed(n *chaos.Node) {
	f.Helper()
	nc, err := client.New(client.Options{Seeds: []string{f.c.Seeds()[f.master(n)]}, Retries: -1})
	f.must("make a client of the old leader", err)
	defer nc.Close()
	waitFor(f.T, 30*time.Second, "the old leader to lead no longer", func() bool {
		ctx, cancel := context.WithTimeout(f.ctx, time.Second)
		defer cancel()
		l, err := nc.Nimbus().GetLeader(ctx)
		return err != nil || l.Host != n.Addr()
	})
}

// 5. The leader is stopped for longer than its session lives, and goes on. Another one leads meanwhile; the old one, with a
// call of a client still to answer, steps down as soon as it runs again and changes nothing.
func stoppedLeader(f *faultRun) {
	were := f.workers()
	old := f.leader()
	nc, err := client.New(client.Options{Seeds: []string{f.c.Seeds()[f.master(old)]}, Retries: -1})
	f.must("make a client of the leader", err)
	defer nc.Close()
	_, err = nc.Nimbus().GetLeader(f.ctx) // connects
	f.must("ask the leader", err)
	heal := f.harm(chaos.Fault{Kind: chaos.Pause, Node: old.Name})
	stopped := time.Now()
	late := make(chan error, 1)
	go func() { late <- nc.Nimbus().Deactivate(f.ctx, "verify") }() // it reads this when it wakes up
	f.newLeader(old)
	elected := time.Since(stopped)
	f.within(elected, 4*time.Second, "a new leader")
	f.hold(8*time.Second-time.Since(stopped), 20*time.Second)
	heal()
	woke := time.Now()
	f.deposed(old)
	f.within(time.Since(woke), time.Second, "stepping down")
	answer := <-late
	f.Logf("the call that the stopped leader had before it: %v", answer)
	sum, err := f.c.Client().Nimbus().GetTopologySummaryByName(f.ctx, "verify")
	f.must("look at the topology", err)
	if answer == nil && sum.Status != "INACTIVE" || answer != nil && sum.Status != "ACTIVE" {
		f.result.Failf("deactivate said %v, and the topology is %s", answer, sum.Status)
	}
	f.idle(old, woke)
	if sum.Status == "INACTIVE" { // the old leader passed the call on to the new one
		f.must("activate the topology", f.c.Client().Nimbus().Activate(f.ctx, "verify"))
	}
	f.epochs()
	f.end(time.Now(), 2*time.Second)
	f.untouched(were)
	f.result.Recovery = max(elected, f.result.Recovery)
}

// 6. The leader loses ZooKeeper, and nothing else. It steps down by its own clock, before its session can end and another
// one can lead; all that asks it afterwards is sent there.
func leaderWithoutZooKeeper(f *faultRun) {
	were := f.workers()
	old := f.leader()
	f.zk.set(f.master(old), silent)
	cut := time.Now()
	now := f.newLeader(old)
	elected := time.Since(cut)
	f.within(elected, 4*time.Second, "a new leader")
	f.deposed(old)
	var stepped, led time.Time
	for _, t := range f.terms() {
		if t.node == old.Name && t.end.After(cut) {
			stepped = t.end
		}
		if t.node == now.Name && t.began.After(cut) {
			led = t.began
		}
	}
	if stepped.IsZero() || led.IsZero() || stepped.After(led) {
		f.result.Failf("%s stepped down at %v, %s led from %v on", old.Name, stepped, now.Name, led)
	}
	f.Logf("stepped down %.1fs after the cut, %.1fs before the next term began", stepped.Sub(cut).Seconds(), led.Sub(stepped).Seconds())
	f.hold(2*time.Second, 20*time.Second)
	f.zk.set(f.master(old), chaos.Link{})
	f.epochs()
	f.end(f.m.Began(), 2*time.Second)
	f.untouched(were)
	f.result.Recovery = max(elected, f.result.Recovery)
}

// 9. All of ZooKeeper is down. What runs goes on, a submit says why it cannot be, and nothing is restarted afterwards.
func zooKeeperDown(f *faultRun) {
	were := f.workers()
	for _, s := range f.zk.Servers {
		s.Kill()
	}
	down := time.Now()
	f.hold(10*time.Second, time.Minute)
	ctx, cancel := context.WithTimeout(f.ctx, 20*time.Second)
	built, err := f.topo.Build()
	f.must("build a topology", err)
	err = chaos.Submit(ctx, f.c.Client(), "refused", built, nil)
	cancel()
	if err == nil {
		f.result.Failf("a submit was accepted without ZooKeeper")
	}
	f.Logf("a submit meanwhile: %v", err)
	kept := f.w.RateBetween(down, time.Now().Add(-200*time.Millisecond)) / f.m.Before()
	f.Logf("%.0f %% of the throughput while ZooKeeper was down", kept*100)
	if kept < 0.95 {
		f.result.Failf("throughput was %.0f %% while ZooKeeper was down", kept*100)
	}
	for _, s := range f.zk.Servers {
		go s.Restart(context.WithoutCancel(f.ctx))
	}
	up := time.Now()
	f.leader()
	f.Logf("a leader %.1fs after the servers were started", time.Since(up).Seconds())
	f.end(f.m.Began(), 2*time.Second)
	f.untouched(were)
}

// 10. All sessions expire, several times: nothing gets through to ZooKeeper for longer than they live.
func expiredSessions(f *faultRun) {
	were := f.workers()
	times := 2
	if f.long {
		times = 5
	}
	longest := time.Duration(0)
	for i := range times {
		for m := range f.zk.links {
			f.zk.set(m, silent)
		}
		f.hold(2*sessionTimeout, 2*sessionTimeout)
		for m := range f.zk.links {
			f.zk.set(m, chaos.Link{})
		}
		began := time.Now()
		f.leader()
		took := time.Since(began)
		longest = max(longest, took)
		f.within(took, 10*time.Second, fmt.Sprintf("a leader after expiry %d", i+1))
	}
	f.epochs()
	f.end(f.m.Began(), 2*time.Second)
	f.untouched(were)
	f.result.Recovery = max(longest, f.result.Recovery)
}
