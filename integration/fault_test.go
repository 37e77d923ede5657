package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// TestFaults does the faults of docs/faults.md one after the other to one cluster that carries load all the while.
func TestFaults(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: minutes of faults")
	}
	r := newFaultRig(t)
	r.fault(1, "worker", killedWorker)
	r.fault(2, "supervisor", killedSupervisor)
	r.fault(3, "node", killedNode)
	r.fault(4, "nimbus", killedNimbus)
	r.fault(5, "stopped-nimbus", stoppedLeader)
	r.fault(6, "nimbus-zookeeper", leaderWithoutZooKeeper)
	if r.cuttable {
		r.fault(7, "partition", cutOff)
		r.fault(8, "oneway", cutOneWay)
	} else {
		t.Run("07-partition", func(t *testing.T) { missing(t, "faults 7, 8 and 13 need root, for namespaces") })
	}
	r.fault(9, "zookeeper-down", zooKeeperDown)
	r.fault(10, "sessions", expiredSessions)
	r.fault(11, "commit", crashedCommit)
	if r.cuttable {
		r.fault(13, "disk", fullDisk)
	}
	r.fault(15, "damage", damagedCheckpoint)
	r.fault(16, "slow", slowBolt)
	r.fault(17, "child", badChild)
	if os.Getenv("GEARSTORM_FAULTS") != "" { // make faults only: it builds a gearstorm with another package time, which takes minutes
		r.fault(18, "clocks", wrongClocks)
	}
	r.fault(19, "upgrade", rollingUpgrade)
	r.fault(20, "nemesis", nemesis)
	if t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := r.w.Stop(ctx); err != nil {
		t.Error(err)
	}
	totals, err := r.w.Totals()
	if err != nil || totals.Claimed != totals.Seen || totals.Claimed != totals.Acked {
		t.Errorf("in the end: %+v, %v", totals, err)
	}
	t.Logf("in the end: %+v", totals)
}

// 1. A worker is killed with -9: each one in turn, since they host different tasks, and at the same moment one of the topology that
// counts exactly once. The line has the sums and the longest recovery.
func killedWorker(f *faultRun) {
	o := f.beside(exact.Topology{Sinks: 2})
	rounds, lost, duplicated, longest := 1, 0, uint64(0), time.Duration(0)
	if f.long {
		rounds = 10
	}
	for range rounds {
		exactly := o.workers()
		for i, w := range f.workers() {
			f.must("a steady rate before the kill", f.w.Steady(f.ctx))
			f.m = f.w.Begin()
			for _, w := range []chaos.Worker{w, exactly[i%len(exactly)]} {
				f.harm(chaos.Fault{Kind: chaos.KillWorker, Node: w.Node, Port: w.Port})
			}
			f.end(f.m.Began(), 2*time.Second)
			o.wentOn(f.m.Began(), 10*time.Second)
			f.Log(f.result)
			lost, duplicated, longest = lost+*f.result.Lost, duplicated+*f.result.Duplicated, max(longest, f.result.Recovery)
		}
	}
	f.result.Lost, f.result.Duplicated, f.result.Recovery = &lost, &duplicated, longest
}

// 2. A supervisor is killed; its workers go on, nothing is replayed, and its next life takes them over.
func killedSupervisor(f *faultRun) {
	were := f.workers()
	s := f.supervisor()
	heal := f.harm(chaos.Fault{Kind: chaos.KillSupervisor, Node: s.Name})
	f.hold(3*time.Second, 4*time.Second)
	f.untouched(were)
	heal()
	began := time.Now()
	f.must("the supervisor's report", f.heard(s, began))
	adopted := time.Since(began)
	f.end(f.m.Began(), 2*time.Second)
	f.untouched(were)
	f.within(adopted, 5*time.Second, "adoption")
	if d := f.result.Duplicated; d != nil && *d > 0 {
		f.result.Failf("%d records were replayed", *d)
	}
	f.result.Recovery = max(adopted, f.result.Recovery)
}

// heard waits until Nimbus heard of workers from the life of the supervisor that began then.
func (f *faultRun) heard(s *chaos.Node, began time.Time) error {
	for {
		sum, err := f.c.Client().Nimbus().GetClusterInfo(f.ctx)
		if err == nil {
			for _, x := range sum.Supervisors {
				if x.Host == s.Addr() && time.Duration(x.UptimeSecs)*time.Second <= time.Since(began) && x.NumUsedWorkers > 0 {
					return nil
				}
			}
		}
		select {
		case <-f.ctx.Done():
			return errors.Join(f.ctx.Err(), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// 3. A supervisor and all its workers are killed: others take over what ran there.
func killedNode(f *faultRun) {
	o := f.beside(exact.Topology{Sinks: 2})
	s := f.supervisorOf(o)
	heal := f.harm(chaos.Fault{Kind: chaos.KillNode, Node: s.Name})
	took, _, err := f.m.Recovered(f.ctx, f.m.Began(), 2*time.Second)
	f.must("recover without the node", err)
	f.within(took, 8*time.Second, "reassigned")
	heal()
	f.end(f.m.Began(), 8*time.Second)
	o.wentOn(f.m.Began(), 15*time.Second)
}

// 4. The Nimbus that leads is killed while topologies are submitted. The next leader is there soon, each topology is there
// whole or not at all, and those that run notice nothing.
func killedNimbus(f *faultRun) {
	were := f.workers()
	leader, err := f.c.Leader(f.ctx)
	f.must("find the leader", err)
	nc, err := client.New(client.Options{Seeds: f.c.Seeds(), Retries: -1})
	f.must("dial Nimbus", err)
	defer nc.Close()
	attempts := make(chan []attempt)
	go func() { attempts <- submitUntilItFails(nc, "cut", jarOf(f.T, "resources/numbers.py"), topology(f.T)) }()
	time.Sleep(time.Duration(50+f.random.IntN(150)) * time.Millisecond) // somewhere in the middle of a submit
	heal := f.harm(chaos.Fault{Kind: chaos.KillNimbus, Node: leader.Name})
	began := time.Now()
	tried := <-attempts
	if len(f.c.Nimbuses()) == 1 {
		heal() // it is its own successor
		f.newLeader(nil)
	} else {
		f.newLeader(leader)
	}
	elected := time.Since(began)
	f.within(elected, 4*time.Second, "a new leader")
	f.whole(tried)
	if !leader.Running() {
		heal()
	}
	f.end(f.m.Began(), 2*time.Second)
	f.untouched(were)
	kept := f.w.RateBetween(f.m.Began(), time.Now().Add(-200*time.Millisecond)) / f.m.Before()
	f.Logf("%.0f %% of the throughput meanwhile, no worker was restarted: %v", kept*100, chaos.Untouched(were, f.workers()) == nil)
	if kept < 0.95 {
		f.result.Failf("throughput was %.0f %% while Nimbus was away", kept*100)
	}
	f.result.Recovery = max(elected, f.result.Recovery)
}

// newLeader waits until a Nimbus leads that is not the given one.
func (f *faultRun) newLeader(not *chaos.Node) (leader *chaos.Node) {
	f.Helper()
	waitFor(f.T, 60*time.Second, "a leader", func() bool {
		ctx, cancel := context.WithTimeout(f.ctx, 2*time.Second)
		defer cancel()
		var err error
		leader, err = f.c.Leader(ctx)
		return err == nil && leader != not
	})
	return leader
}

// whole checks what became of submissions that a killed Nimbus cut short, and removes the topologies.
func (f *faultRun) whole(tried []attempt) {
	nimbus := f.c.Client().Nimbus()
	listed, err := nimbus.GetTopologySummaries(f.ctx)
	f.must("list topologies", err)
	for _, a := range tried {
		i := slices.IndexFunc(listed, func(s *stormrpc.TopologySummary) bool { return s.Name == a.name })
		if i < 0 {
			if a.accepted {
				f.result.Failf("%s was accepted and is not there", a.name)
			}
			continue
		}
		if code, err := nimbus.GetTopology(f.ctx, listed[i].ID); err != nil || len(code.Bolts) < 2 {
			f.result.Failf("%s is there by half: %v", a.name, err)
		}
		f.must("kill "+a.name, chaos.Kill(f.ctx, f.c.Client(), a.name))
	}
	f.Logf("%d submits answered before Nimbus was killed", len(tried)-1)
}

// 7. A supervisor is cut off from everything, its workers too, but for the disk with the checkpoints. Others replace them; back in the
// network, the old ones end.
func cutOff(f *faultRun) {
	o := f.beside(exact.Topology{Sinks: 2})
	s := f.supervisorOf(o)
	zombies, err := s.Workers()
	f.must("list workers", err)
	heal := f.harm(chaos.Fault{Kind: chaos.Partition, Node: s.Name})
	f.hold(12*time.Second, 30*time.Second)
	took, _, err := f.m.Recovered(f.ctx, f.m.Began(), 2*time.Second)
	f.must("recover without the node", err)
	f.within(took, 15*time.Second, "reassigned")
	heal()
	healed := time.Now()
	waitFor(f.T, 60*time.Second, "the end of the workers that were replaced", func() bool {
		return !slices.ContainsFunc(zombies, func(w chaos.Worker) bool { return w.Alive() })
	})
	f.within(time.Since(healed), 5*time.Second, "end of the old workers")
	f.end(f.m.Began(), 15*time.Second)
	o.wentOn(f.m.Began(), 15*time.Second)
}

// 8. What one node sends to another vanishes; what comes back arrives.
func cutOneWay(f *faultRun) {
	from := f.supervisor()
	to := from
	for to == from {
		to = f.supervisor()
	}
	heal := f.harm(chaos.Fault{Kind: chaos.OneWay, Node: from.Name, Toward: to.Name})
	f.hold(10*time.Second, 30*time.Second)
	heal()
	f.end(time.Now(), 15*time.Second)
}

// 16. The relays take a hundred times as long, and the counters of the other topology. Sources are held back, memory stays bounded, and
// soon after the end all is as before.
func slowBolt(f *faultRun) {
	o := f.beside(exact.Topology{Sinks: 2, Rate: 5 * onceRate})
	f.must("slow the relays down", f.w.Slow(10*time.Millisecond))
	f.must("slow the counters down", o.topo.Slow(10*time.Millisecond))
	held := f.hold(8*time.Second, 60*time.Second)
	slow := f.w.Rate(held / 2)
	most := int64(0)
	for _, w := range slices.Concat(f.workers(), o.workers()) {
		most = max(most, rss(f.T, w.Pid))
	}
	f.must("let the relays go", f.w.Slow(0))
	f.must("let the counters go", o.topo.Slow(0))
	released := time.Now()
	f.end(released, 60*time.Second)
	o.wentOn(released, 60*time.Second)
	f.Logf("%.0f a second while slow, largest worker %d MiB", slow, most>>20)
	if slow > rigRate/4 {
		f.result.Failf("%.0f records a second went through relays that take 10 ms each", slow)
	}
	if limit := int64(256 << 20); most > limit {
		f.result.Failf("a worker took %d MiB, more than %d", most>>20, limit>>20)
	}
}

// A cluster whose owner is killed with -9 leaves no process and no link behind.
func TestChaosLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := startDaemon(t, dir, "verify", "--for", "5m", "--keep", filepath.Join(dir, "kept"))
	var workers []chaos.Worker
	waitFor(t, 60*time.Second, "workers", func() bool {
		v.mustRun(t)
		workers = nil
		for _, s := range []string{"supervisor1", "supervisor2", "supervisor3"} {
			ws, _ := chaos.WorkersOf(s, filepath.Join(dir, "kept", s, "local"))
			workers = append(workers, ws...)
		}
		return len(workers) == 3
	})
	links := linksAround(t, workers[0].Pid)
	if chaos.CanCut() == nil && len(links()) == 0 {
		t.Error("a cluster whose links can be cut has none")
	}
	v.cmd.Process.Signal(syscall.SIGKILL)
	<-v.done
	noneLeft(t, dir)
	// Supervisors that were killed with their workers leave these, and a process counts in its group for an instant after its end.
	waitFor(t, 20*time.Second, "the removal of control groups", func() bool { return removeGroups(filepath.Join(dir, "kept")) })
	for _, w := range workers {
		if w.Alive() || !errors.Is(w.Signal(0), isolate.ErrGone) {
			t.Errorf("worker %v is alive", w)
		}
	}
	waitFor(t, 20*time.Second, "the removal of the cluster's links", func() bool { return len(links()) == 0 })
}

// linksAround lists the network links of the cluster that a process is of. Other clusters of internal/chaos come and go meanwhile.
func linksAround(t *testing.T, pid int) func() []string {
	t.Helper()
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut("\x00"+string(env), "\x00GEARSTORM_CHAOS=")
	mark, _, _ := strings.Cut(rest, "\x00")
	if !ok || mark == "" {
		t.Fatalf("process %d carries no mark of a cluster", pid)
	}
	return func() []string {
		links, err := filepath.Glob("/sys/class/net/gsc" + mark + "*")
		if err != nil {
			t.Fatal(err)
		}
		return links
	}
}
