package worker

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/raced"
	"github.com/gearstorm/gearstorm/internal/testserver"
	"github.com/gearstorm/gearstorm/multilang/clients"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
	"github.com/gearstorm/gearstorm/worker/transport"
)

const testTopology = "relay-1-1"

// await waits for at most two minutes, and for longer where the race detector slows everything down.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := 2 * time.Minute
	if raced.Enabled {
		limit *= 3
	}
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, limit)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// counter is a spout that emits 0 to n-1 with ids and emits again what fails, and knows what was acked.
type counter struct {
	n int

	mu     sync.Mutex
	next   int
	again  []int
	acked  map[int]int
	failed int
	opened int
	active bool
}

func newCounter(n int) *counter { return &counter{n: n, acked: map[int]int{}} }

func (s *counter) Open(*storm.Context, *storm.Collector) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	return nil
}

func (s *counter) Next(c *storm.Collector) error {
	i, ok := s.take()
	if !ok {
		return storm.ErrIdle
	}
	c.EmitID(gearcore.Long(int64(i)), fmt.Sprint("m", i), i)
	return nil
}

// take returns the number to emit now, false if there is none.
func (s *counter) take() (i int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i = s.next
	switch {
	case len(s.again) > 0:
		i, s.again = s.again[0], s.again[1:]
	case s.next < s.n:
		s.next++
	default:
		return 0, false
	}
	return i, true
}

func (s *counter) Ack(id storm.Value, _ *storm.Collector) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked[int(id.Int())]++
}

func (s *counter) Fail(id storm.Value, _ *storm.Collector) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed++
	s.again = append(s.again, int(id.Int()))
}

func (s *counter) Activate(*storm.Collector)   { s.mu.Lock(); s.active = true; s.mu.Unlock() }
func (s *counter) Deactivate(*storm.Collector) { s.mu.Lock(); s.active = false; s.mu.Unlock() }

func (s *counter) done() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.acked) }

func (s *counter) isActive() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.active }

// relay is words (Go spout) -> echo (Python) -> sink (Go), all tracked. Numbered: __acker 1 and 2, echo 3, sink 4,
// words 5.
type relay struct {
	spout *counter
	topo  *storm.Topology
	seen  sync.Map // text -> true, at the sink
	nseen atomic.Int64
}

func newRelay(t testing.TB, n int, change func(*storm.TopologyBuilder)) *relay {
	t.Helper()
	r, err := buildRelay(n, change)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func buildRelay(n int, change func(*storm.TopologyBuilder)) (*relay, error) {
	r := &relay{spout: newCounter(n)}
	b := storm.NewTopologyBuilder().Ackers(2).Workers(2).MaxSpoutPending(200).MessageTimeout(time.Minute)
	b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return r.spout }), 1).Fields("word", "n")
	b.SetBolt("echo", storm.ShellBolt("python3", "echo.py"), 1).Fields("word").ShuffleGrouping("words")
	b.SetBolt("sink", storm.BoltFunc(func(tup storm.Tuple, _ storm.Emitter) error {
		if _, was := r.seen.LoadOrStore(tup.String(0), true); !was {
			r.nseen.Add(1)
		}
		return nil
	}), 1).FieldsGrouping("echo", "word")
	if change != nil {
		change(b)
	}
	var err error
	r.topo, err = b.Build()
	return r, err
}

const echoScript = `import gearstorm

class Echo(gearstorm.BasicBolt):
    def process(self, tup):
        self.emit([tup["word"] + "!"])

Echo().run()
`

// codeDir lays a topology out as a supervisor's localizer does and returns its plan.
func codeDir(t testing.TB, topo *storm.Topology) (dir string, plan *dag.Plan) {
	t.Helper()
	dir = t.TempDir()
	st, c, err := compat.Normalize(conf.Defaults(), topo.Conf, topo.Thrift, compat.Submission{ID: testTopology, Name: "relay"})
	if err != nil {
		t.Fatal(err)
	}
	code, err := wire.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"stormcode.ser": code, "stormconf.ser": text} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		z := gzip.NewWriter(f)
		z.Write(data)
		if err := errors.Join(z.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	writeResources(t, filepath.Join(dir, "resources"))
	if plan, err = expand(st, c); err != nil {
		t.Fatal(err)
	}
	return dir, plan
}

// numbers are the tasks of a plan as it is told.
func numbers[K ~map[gearcore.TaskID]string](tasks K) map[int32]string {
	out := map[int32]string{}
	for id, name := range tasks {
		out[int32(id)] = name
	}
	return out
}

func writeResources(t testing.TB, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(clients.WriteTo(dir), os.WriteFile(filepath.Join(dir, "echo.py"), []byte(echoScript), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// supervisor is a stand-in for a supervisor's service: it holds reports as the real one does and notes them.
type supervisor struct {
	stormrpc.Gearstorm // what is not below is not called
	addr               string
	stop               func()
	mu                 sync.Mutex
	plan               *stormrpc.TopologyPlan
	dead               bool
	moved              chan struct{} // closed and replaced with every change
	last               map[string]*stormrpc.WorkerReport
	errs               []*stormrpc.WorkerError
	calls              map[string]int
	frozen             map[string]*stormrpc.TopologyPlan // what a worker is told whatever the plan is
	questions          []*stormrpc.StateQuestion         // for the next worker that calls
	replies            chan *stormrpc.StateReply         // nil: not taken
}

func newSupervisor(t testing.TB, plan *stormrpc.TopologyPlan) *supervisor {
	t.Helper()
	s := &supervisor{plan: plan, moved: make(chan struct{}), last: map[string]*stormrpc.WorkerReport{}, calls: map[string]int{}, frozen: map[string]*stormrpc.TopologyPlan{}}
	s.serve(t, "127.0.0.1:0")
	return s
}

// serve listens on addr until stop.
func (s *supervisor) serve(t testing.TB, addr string) {
	t.Helper()
	srv, err := wire.NewServer(wire.Options{Held: []string{"syncWorker"}, Log: slog.New(slog.DiscardHandler)}, stormrpc.NewGearstormProcessor(s))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	s.addr = ln.Addr().String()
	s.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		srv.Shutdown(ctx)
		<-ended
	})
	t.Cleanup(s.stop)
}

func (s *supervisor) SyncNode(context.Context, *stormrpc.NodeReport, int64, int32) (*stormrpc.NodePlan, error) {
	return nil, errors.New("not here")
}

func (s *supervisor) SyncWorker(ctx context.Context, r *stormrpc.WorkerReport, known int64, waitMs int32) (*stormrpc.TopologyPlan, error) {
	timeout := time.After(time.Duration(waitMs) * time.Millisecond)
	s.mu.Lock()
	s.last[r.WorkerID] = r
	s.calls[r.WorkerID]++
	s.errs = append(s.errs, r.Errors...)
	for {
		plan, dead, moved, questions := s.plan, s.dead, s.moved, s.questions
		s.questions = nil
		if f := s.frozen[r.WorkerID]; f != nil {
			plan = f
		}
		s.mu.Unlock()
		if len(questions) > 0 {
			asks := *plan
			asks.Questions = questions
			return &asks, nil
		}
		if dead {
			return nil, &stormrpc.NotAliveException{Msg: "gone"}
		}
		if plan.PlanVersion > known {
			return plan, nil
		}
		select {
		case <-moved:
		case <-timeout:
			return plan, nil
		case <-ctx.Done():
			return plan, nil
		}
		s.mu.Lock()
	}
}

// change makes a new version of the plan.
func (s *supervisor) change(f func(*stormrpc.TopologyPlan)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := *s.plan
	next.PlanVersion++
	f(&next)
	s.plan = &next
	close(s.moved)
	s.moved = make(chan struct{})
}

// freeze has a worker told that plan whatever changes, nil: the present one again.
func (s *supervisor) freeze(worker string, plan *stormrpc.TopologyPlan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen[worker] = plan
	close(s.moved)
	s.moved = make(chan struct{})
}

// called is how often a worker has reported.
func (s *supervisor) called(worker string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[worker]
}

func (s *supervisor) report(worker string) *stormrpc.WorkerReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[worker]
}

func (s *supervisor) isReady(worker string) bool {
	r := s.report(worker)
	return r != nil && r.Ready
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	ports, err := testserver.FreePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

// cluster is one node with a topology on some slots.
type cluster struct {
	t    testing.TB
	sup  *supervisor
	dir  string
	n    int
	logs io.Writer

	transport func(*transport.Config) // of workers of this process; may be nil
	logDir    string                  // of the worker started last
	nodeConf  []byte                  // the node's configuration; may be nil

	bornWithin time.Duration // Config.BornWithin

	plan    *dag.Plan // of the newest version
	highest gearcore.TaskID

	regMu sync.Mutex
	reg   Registry // guarded by regMu once workers run
}

// newCluster places spans (by slot) of a topology.
func newCluster(t testing.TB, topo *storm.Topology, byPort map[int][][2]int64) *cluster {
	t.Helper()
	dir, graph := codeDir(t, topo)
	plan := &stormrpc.TopologyPlan{
		TopologyID: testTopology, PlanVersion: 1, Epoch: 1, AssignmentID: "1-1", Status: stormrpc.TopologyStatus_ACTIVE, DagVersion: 1,
		Secret: []byte("0123456789abcdef0123456789abcdef"), TaskComponents: numbers(graph.Numbering), Assignment: assignment(byPort),
	}
	return &cluster{t: t, sup: newSupervisor(t, plan), dir: dir, reg: topo.Components, logs: testLog(t), plan: graph, highest: gearcore.TaskID(len(graph.Numbering))}
}

func assignment(byPort map[int][][2]int64) *stormrpc.Assignment {
	var all []wire.MapEntry[[]int64, *stormrpc.NodeInfo]
	for port, spans := range byPort {
		all = append(all, at(int64(port), spans...)...)
	}
	return &stormrpc.Assignment{NodeHost: &map[string]string{"n1": "127.0.0.1"}, ExecutorNodePort: &all}
}

// testLog shows what workers log when the test fails.
func testLog(t testing.TB) io.Writer {
	l := &lines{}
	t.Cleanup(func() {
		if t.Failed() {
			l.mu.Lock()
			defer l.mu.Unlock()
			t.Logf("workers' log:\n%s", l.b)
		}
	})
	return l
}

type lines struct {
	mu sync.Mutex
	b  []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, p...)
	return len(p), nil
}

// process is one worker of a cluster, running in this process.
type process struct {
	id   string
	stop func() error // ends it and returns what Run returned
	end  chan error   // gets what Run returned, when it returned by itself
}

func (c *cluster) spec(port int) isolate.WorkerSpec {
	c.t.Helper()
	c.n++
	c.sup.mu.Lock()
	plan, err := wire.Marshal(c.sup.plan)
	c.sup.mu.Unlock()
	if err != nil {
		c.t.Fatal(err)
	}
	dir := c.t.TempDir()
	c.logDir = dir
	return isolate.WorkerSpec{
		Topology: testTopology, Worker: "worker-" + strconv.Itoa(c.n), Node: "n1", Hostname: "127.0.0.1", Port: port, Supervisor: c.sup.addr,
		CodeDir: c.dir, WorkerDir: dir, PidDir: dir, LogPath: filepath.Join(dir, "worker.log"), Plan: plan, Conf: c.nodeConf,
	}
}

// registry is read by workers while the test sets another version's.
func (c *cluster) registry() Registry {
	c.regMu.Lock()
	defer c.regMu.Unlock()
	return c.reg
}

func (c *cluster) setRegistry(r Registry) {
	c.regMu.Lock()
	defer c.regMu.Unlock()
	c.reg = r
}

func (c *cluster) start(port int) *process {
	c.t.Helper()
	return c.startOn(port, "")
}

// startOn starts a worker that listens elsewhere than its peers dial, unless listen is "".
func (c *cluster) startOn(port int, listen string) *process {
	c.t.Helper()
	cfg := Config{
		Spec: c.spec(port), Components: func(conf.Conf) (Registry, error) { return c.registry(), nil },
		Log: slog.New(slog.NewTextHandler(c.logs, nil)), BornWithin: c.bornWithin,
		Transport: func(tc *transport.Config) {
			tc.MinBackoff, tc.MaxBackoff = 2*time.Millisecond, 50*time.Millisecond
			if listen != "" {
				tc.Listen = listen
			}
			if c.transport != nil {
				c.transport(tc)
			}
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{id: cfg.Spec.Worker, end: make(chan error, 1)}
	ended := make(chan struct{})
	var err error
	go func() {
		err = Run(ctx, cfg)
		p.end <- err
		close(ended)
	}()
	p.stop = func() error { cancel(); <-ended; return err }
	c.t.Cleanup(func() { p.stop() })
	return p
}

func statOf(r *stormrpc.WorkerReport, task int32) *stormrpc.ExecutorStats {
	i := slices.IndexFunc(r.ExecutorStats, func(e wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]) bool {
		return e.Key.TaskStart == task
	})
	if i < 0 {
		return nil
	}
	return r.ExecutorStats[i].Value
}

func (s *supervisor) SyncPeer(context.Context, *stormrpc.PeerReport, int64, int32) (*stormrpc.PeerPlan, error) {
	return nil, wire.ErrNotImplemented
}

func (s *supervisor) Savepoint(context.Context, string, string, bool, int32) (*stormrpc.SavepointAnswer, error) {
	return nil, wire.ErrNotImplemented
}

func (s *supervisor) FetchBlob(context.Context, string, string, int64, int32) ([]byte, error) {
	return nil, wire.ErrNotImplemented
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
