package clustersim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/internal/simnet"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	masters = 3
	nodes   = 3
)

// world is a cluster, what it works on, and what is known to be wrong.
type world struct {
	seed    uint64
	rng     *rand.Rand // of the test's own goroutine
	dir     string     // scratch, emptied after the run
	conf    conf.Conf
	net     *simnet.Net
	store   *mem.Store
	masters []*master
	nodes   []*node
	admin   *simnet.Process
	ledger  *ledger
	shape   *shape
	topo    *storm.Topology
	journal *journal

	ctx    context.Context // ends when the cluster is to shut down
	group  sync.WaitGroup  // everything that runs
	bug    bug
	gentle bool  // nothing hits a worker: none may notice anything
	lost   *node // stays down for ever; nil: none does
}

// bug is a planted fault of the product, by which the checks are checked.
type bug struct {
	loseDelivery bool // a sink acks what it never saw
	doubleRow    bool // a bolt emits a tuple twice
	loseRoot     bool // a spout forgets a failed root
}

func masterHost(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 1, byte(i + 1)}) }
func nodeHost(i int) netip.Addr   { return netip.AddrFrom4([4]byte{10, 0, 2, byte(i + 1)}) }

// newWorld makes a cluster of which nothing runs. It is called inside the bubble.
func newWorld(seed uint64, dir string) *world {
	w := &world{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), dir: dir, conf: conf.Defaults(), store: mem.New(), journal: newJournal(),
	}
	for key, value := range map[string]any{
		"nimbus.supervisor.timeout.secs": int64(8), "nimbus.task.timeout.secs": int64(6), "nimbus.task.launch.secs": int64(10),
		"nimbus.monitor.freq.secs": int64(3), "supervisor.worker.timeout.secs": int64(6), "supervisor.worker.start.timeout.secs": int64(10),
		"supervisor.worker.shutdown.sleep.secs": int64(1), "gearstorm.transport.unix": false,
	} {
		w.conf[key] = value
	}
	w.net = simnet.New(seed, func(r *rand.Rand) time.Duration {
		if r.IntN(8) == 0 {
			return time.Duration(5+r.IntN(40)) * time.Millisecond
		}
		return time.Duration(50+r.IntN(1500)) * time.Microsecond
	})
	w.admin = w.net.Process(netip.AddrFrom4([4]byte{10, 0, 9, 1}))
	for i := range masters {
		w.masters = append(w.masters, newMaster(w, i))
	}
	for i := range nodes {
		w.nodes = append(w.nodes, newNode(w, i))
	}
	w.gentle = w.rng.IntN(4) == 0
	if !w.gentle && w.rng.IntN(4) == 0 {
		w.lost = w.nodes[w.rng.IntN(nodes)]
	}
	if w.rng.IntN(5) == 0 {
		w.masters[w.rng.IntN(masters)].skew = time.Duration(1-2*w.rng.IntN(2)) * 10 * time.Minute
	}
	return w
}

// seeds is nimbus.seeds.
func (w *world) seeds() (hosts []string) {
	for i := range masters {
		hosts = append(hosts, masterHost(i).String())
	}
	return hosts
}

func (w *world) clientOptions(p *simnet.Process) client.Options {
	o := client.Options{Seeds: w.seeds(), Port: nimbusPort}
	o.Dial.Dial = p.Dial
	o.Dial.CallTimeout = 10 * time.Second
	return o
}

// await waits in virtual time until ok, and says so otherwise.
func (w *world) await(what string, within time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(within); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.journal.wrong("%s: not within %v", what, within)
			return false
		}
	}
	return true
}

// run is the life of a world: the cluster comes up, gets a topology, suffers, is healed and loses the topology again.
func (w *world) run() {
	ctx, stop := context.WithCancel(context.Background())
	w.ctx = ctx
	w.ledger, w.topo = newTopology(w)
	for _, m := range w.masters {
		m.start()
	}
	for _, n := range w.nodes {
		n.start()
	}
	// Who submits before the nodes are there sees the topology spread over them later.
	if early := !w.gentle && w.rng.IntN(5) == 0; early || w.await("all nodes", 20*time.Second, w.allNodes) && w.submit() {
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
	w.await("every root acked", 90*time.Second, w.ledger.complete)
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

type slotName struct {
	node string
	port int
}

// scratch makes a directory, in memory where there is one.
func scratch(t *testing.T) string {
	t.Helper()
	for _, base := range []string{"/dev/shm", ""} {
		if dir, err := os.MkdirTemp(base, "clustersim"); err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	t.Fatal("no directory for files")
	return ""
}

func (w *world) String() string { return fmt.Sprintf("seed %d", w.seed) }
