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
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/internal/simnet"
	"github.com/gearstorm/gearstorm/nimbus/client"
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
	exact   *exact.Topology // runs in place of the ledger's; nil: not

	ctx      context.Context // ends when the cluster is to shut down
	group    sync.WaitGroup  // everything that runs
	bug      bug
	gentle   bool  // nothing hits a worker: none may notice anything
	swift    bool  // workers die and connections break, but nothing is out of reach: no tuple may have to time out
	lateNews bool  // a master that is cut off from the store goes on leading until it is back
	lost     *node // stays down for ever; nil: none does
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
	class := w.rng.IntN(12)
	w.gentle, w.swift = class < 3, class > 9
	if !w.gentle && !w.swift && w.rng.IntN(4) == 0 {
		w.lost = w.nodes[w.rng.IntN(nodes)]
	}
	w.lateNews = !w.gentle && w.rng.IntN(3) == 0
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
