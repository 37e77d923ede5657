package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/stores"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// exactCluster is the topology that checks itself on three workers: tasks __clock 1, counter 2 to 4, sink 5 and 6, source 7 and 8.
type exactCluster struct {
	*cluster
	t     *testing.T
	topo  exact.Topology
	rnd   *rand.Rand
	ports []int
	procs map[int]*process
	moves int
}

func startExact(t *testing.T, records, rate int) *exactCluster {
	t.Helper()
	return startExactAs(t, records, rate, stormrpc.TopologyStatus_ACTIVE)
}

func startExactAs(t *testing.T, records, rate int, status stormrpc.TopologyStatus) *exactCluster {
	t.Helper()
	return startExactWith(t, records, rate, status, func(r Registry) Registry { return r })
}

// startExactWith has the registry wrapped, and the cluster prepared before its workers start.
func startExactWith(t *testing.T, records, rate int, status stormrpc.TopologyStatus, with func(Registry) Registry, prepare ...func(*exactCluster)) *exactCluster {
	t.Helper()
	return startExactOf(t, exact.Topology{Records: records, Rate: rate}, status, with, prepare...)
}

// startExactOf has the records, the rate, the keys and the configuration of topo.
func startExactOf(t *testing.T, topo exact.Topology, status stormrpc.TopologyStatus, with func(Registry) Registry, prepare ...func(*exactCluster)) *exactCluster {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	e := &exactCluster{t: t, topo: topo, rnd: rand.New(rand.NewPCG(seed, 1)), ports: freePorts(t, 3), procs: map[int]*process{}}
	e.topo.Dir, e.topo.Sources, e.topo.Counters, e.topo.Sinks, e.topo.Workers = t.TempDir(), 2, 3, 2, 3
	e.topo.Conf = map[string]any{"gearstorm.checkpoint.interval.ms": 100, "gearstorm.checkpoint.store": "file://" + filepath.Join(t.TempDir(), "store")}
	maps.Copy(e.topo.Conf, topo.Conf)
	built, err := e.topo.Build()
	if err != nil {
		t.Fatal(err)
	}
	e.cluster = newCluster(t, built, e.deal())
	reg, err := exact.RegistryOf(built.Conf)
	must(t, err)
	e.reg = with(reg)
	e.sup.plan.Status = status
	for _, f := range prepare {
		f(e)
	}
	for _, p := range e.ports {
		e.procs[p] = e.start(p)
	}
	return e
}

// deal gives each worker a task at least, and the others to any of them.
func (e *exactCluster) deal() map[int][][2]int64 {
	out := map[int][][2]int64{}
	for i, task := range e.rnd.Perm(8) {
		p := e.ports[i%3]
		if i >= 3 {
			p = e.ports[e.rnd.IntN(3)]
		}
		out[p] = append(out[p], [2]int64{int64(task) + 1, int64(task) + 1})
	}
	return out
}

func (e *exactCluster) move() {
	e.moves++
	e.sup.change(func(p *stormrpc.TopologyPlan) {
		p.AssignmentID, p.Assignment = fmt.Sprint("1-", 1+e.moves), assignment(e.deal())
	})
}

// restart ends a worker and starts another one in its place.
func (e *exactCluster) restart(port int) {
	e.procs[port].stop()
	e.procs[port] = e.start(port)
}

// timing is what the worker with the clock said last.
func (e *exactCluster) timing() *stormrpc.TopologyTiming {
	var newest *stormrpc.TopologyTiming
	for _, p := range e.procs {
		if r := e.sup.report(p.id); r != nil && r.Timing != nil && (newest == nil || r.Timing.Generation > newest.Generation) {
			newest = r.Timing
		}
	}
	return newest
}

// epoch is the newest checkpoint that counts, as far as was reported; 0 if none.
func (e *exactCluster) epoch() int64 {
	if v := e.timing(); v != nil && firstCommitted(v) != nil {
		return firstCommitted(v).Epoch
	}
	return 0
}

// visible waits until that many records are, and nothing is wrong.
func (e *exactCluster) visible(n int) {
	e.t.Helper()
	var r exact.Result
	await(e.t, fmt.Sprintf("%d records are visible", n), func() bool {
		var err error
		if r, err = exact.Check(e.topo); err != nil {
			e.t.Fatal(err)
		}
		return r.Visible >= n || len(r.Wrong) > 0
	})
	if len(r.Wrong) > 0 {
		e.t.Fatalf("wrong:\n%s", strings.Join(r.Wrong, "\n"))
	}
}

// TestWorkersCountOnce restarts workers and moves tasks, the clock among them: every record is counted once.
func TestWorkersCountOnce(t *testing.T) {
	const rounds, each = 8, 1000
	e := startExact(t, rounds*each, 4000)
	for i := range rounds {
		e.visible(i * each)
		if i%2 == 0 {
			e.move()
		} else {
			e.restart(e.ports[e.rnd.IntN(3)])
		}
	}
	e.visible(2 * rounds * each)
	await(t, "the clock is at its end, and reported", func() bool { v := e.timing(); return v != nil && v.WatermarkMs == 1<<63-1 })
	r := checked(t, e.topo)
	v := e.timing()
	if r.Epochs < rounds/2 || v.Generation < rounds/2 || v.State != "running" || len(v.Clocks) != 3 {
		t.Errorf("%d epochs; %v", r.Epochs, v)
	}
}

// TestSavepointOfACluster asks for one as Nimbus does, with the plan.
func TestSavepointOfACluster(t *testing.T) {
	e := startExact(t, 100_000, 1000)
	e.visible(100)
	e.sup.change(func(p *stormrpc.TopologyPlan) { p.Savepoints = []*stormrpc.SavepointRequest{{ID: 5, Name: "one"}} })
	var a *stormrpc.SavepointAnswer
	await(t, "the answer", func() bool {
		if v := e.timing(); v != nil {
			for _, x := range v.Answers {
				a = x
			}
		}
		return a != nil
	})
	if a.ID != 5 || a.Error != nil || a.Savepoint.GetName() != "one" || a.Savepoint.GetTopology() != testTopology {
		t.Errorf("answer %v", a)
	}
}

// become has the topology active or not.
func (e *exactCluster) become(s stormrpc.TopologyStatus) {
	e.sup.change(func(p *stormrpc.TopologyPlan) { p.Status = s })
}

// committed is the newest checkpoint that counts, nil if none does.
func (e *exactCluster) committed() *stormrpc.CheckpointSummary {
	if v := e.timing(); v != nil {
		return firstCommitted(v)
	}
	return nil
}

// further waits until some more checkpoints count.
func (e *exactCluster) further(n int64) {
	e.t.Helper()
	at := int64(0)
	if row := e.committed(); row != nil {
		at = row.Epoch
	}
	await(e.t, "checkpoints go on", func() bool { row := e.committed(); return row != nil && row.Epoch > at+n })
}

// noted adds up the numbers in what the tasks of a component say of their part in a checkpoint.
func noted(t *testing.T, row *stormrpc.CheckpointSummary, component string) (sum int) {
	t.Helper()
	if row == nil {
		return 0
	}
	for _, p := range row.Parts {
		for _, note := range p.Notes {
			if p.Component != component {
				continue
			}
			for _, word := range strings.Fields(note) {
				if n, err := strconv.Atoi(word); err == nil {
					sum += n
				}
			}
		}
	}
	return sum
}

// TestInactiveTopologyKeepsItsCheckpoints begins inactive, and makes checkpoints while it is, after a worker is another one too.
func TestInactiveTopologyKeepsItsCheckpoints(t *testing.T) {
	e := startExactAs(t, 2000, 2000, stormrpc.TopologyStatus_INACTIVE)
	e.further(2)
	if n := noted(t, e.committed(), "source"); n != 0 {
		t.Errorf("an inactive topology has emitted %d records", n)
	}
	e.become(stormrpc.TopologyStatus_ACTIVE)
	e.visible(500)
	e.become(stormrpc.TopologyStatus_INACTIVE)
	e.further(2)
	e.restart(e.ports[1])
	e.further(2)
	at := noted(t, e.committed(), "source")
	e.further(2)
	if now := noted(t, e.committed(), "source"); now != at {
		t.Errorf("an inactive topology has emitted %d records and then %d", at, now)
	}
	e.become(stormrpc.TopologyStatus_ACTIVE)
	e.visible(4000)
	checked(t, e.topo)
}

// heldBack makes sinks that do not hear that checkpoints count as long as it says so.
type heldBack struct {
	Registry
	deaf *atomic.Bool
}

func (h heldBack) Task(name string) (gearcore.Task, error) {
	task, err := h.Registry.Task(name)
	if name == "sink" && err == nil {
		task = deafSink{task.(committing), h.deaf}
	}
	return task, err
}

type committing interface {
	gearcore.Task
	gearcore.Checkpointed
	gearcore.Committer
}

type deafSink struct {
	committing
	deaf *atomic.Bool
}

func (s deafSink) Commit(epoch uint64) {
	if !s.deaf.Load() {
		s.committing.Commit(epoch)
	}
}

// TestInactiveTopologyShowsWhatCounts loses its workers while it is inactive and sinks hold back what counts: the next ones make it
// visible, and nobody has to activate the topology for that.
func TestInactiveTopologyShowsWhatCounts(t *testing.T) {
	var deaf atomic.Bool
	e := startExactWith(t, 2000, 2000, stormrpc.TopologyStatus_ACTIVE, func(r Registry) Registry { return heldBack{r, &deaf} })
	e.visible(500)
	deaf.Store(true)
	e.further(2)
	e.become(stormrpc.TopologyStatus_INACTIVE)
	var emitted int
	await(t, "all that was emitted is in a checkpoint, and some of it is not visible", func() bool {
		row := e.committed()
		r, err := exact.Check(e.topo)
		must(t, err)
		held := noted(t, row, "sink")
		emitted = noted(t, row, "source")
		return held > 0 && emitted == r.Visible+held
	})
	var ends sync.WaitGroup
	for _, p := range e.procs {
		ends.Go(func() { p.stop() })
	}
	ends.Wait()
	for _, p := range e.ports {
		e.procs[p] = e.start(p)
	}
	e.visible(emitted)
	deaf.Store(false)
	e.become(stormrpc.TopologyStatus_ACTIVE)
	e.visible(4000)
	checked(t, e.topo)
}

// TestCheckpointsOfSeveralNodesNeedAStore: kept on each node they are of no use, and users hear of it.
func TestCheckpointsOfSeveralNodesNeedAStore(t *testing.T) {
	built, err := exact.Topology{Dir: t.TempDir(), Records: 100, Counters: 1, Conf: map[string]any{"gearstorm.checkpoint.interval.ms": 100}}.Build()
	must(t, err)
	ports := freePorts(t, 2)
	c := newCluster(t, built, map[int][][2]int64{ports[0]: {{1, 1}, {2, 2}}, ports[1]: {{3, 3}, {4, 4}}}) // __clock, counter, sink, source
	c.reg, err = exact.RegistryOf(built.Conf)
	must(t, err)
	local := t.TempDir()
	c.nodeConf = []byte(fmt.Sprintf(`{"storm.local.dir": %q}`, local))
	all := *c.sup.plan.Assignment.ExecutorNodePort
	for i := range all {
		if int(all[i].Value.Port[0]) == ports[1] {
			all[i].Value.Node = "n2"
		}
	}
	(*c.sup.plan.Assignment.NodeHost)["n2"] = "127.0.0.2"
	c.start(ports[0])
	await(t, "users hear of it", func() bool {
		c.sup.mu.Lock()
		defer c.sup.mu.Unlock()
		for _, e := range c.sup.errs {
			if strings.Contains(e.Message, "checkpoints are kept in file://"+local+"/checkpoints of each node, but the topology has workers on 2") {
				return true
			}
		}
		return false
	})
}

// TestStoreThatCannotBeOpened: what ends the worker says where, why and what to do.
func TestStoreThatCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	away, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no answer within 30s"))
	for _, c := range []struct {
		ctx         context.Context
		where, want string
	}{
		{t.Context(), "file://" + file + "/below", "checkpoints cannot be kept in file://" + file + "/below: make the directory of checkpoints: stat " + file + "/below: not a directory; mend that"},
		{away, "s3://bucket/x?endpoint=http://127.0.0.1:1&region=r", "checkpoints cannot be kept in s3://bucket/x?endpoint=http://127.0.0.1:1&region=r: no answer within 30s: "},
	} {
		s, err := openStore(c.ctx, c.where, func() stores.Secrets { return stores.Secrets{} })
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || !strings.HasSuffix(err.Error(), "or submit the topology with another gearstorm.checkpoint.store") {
			t.Errorf("%s: %v, want %s", c.where, err, c.want)
		}
	}
}
