package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/supervisor/isolate/shim"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// The test binary is also the worker it launches and a supervisor that can be killed. Everything it starts inherits
// runMark, so that at the end nothing can be left unseen.
const (
	runMark        = "TEST_SUPERVISOR_RUN"
	roleVar        = "TEST_WORKER"
	supervisorConf = "TEST_SUPERVISOR"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(testWorker(os.Getenv(roleVar)))
	}
	if len(os.Args) > 1 && os.Args[1] == isolate.EntryCommand {
		os.Exit(shim.Main(os.Args[2:]))
	}
	if c := os.Getenv(supervisorConf); c != "" {
		os.Exit(testSupervisor(c))
	}
	os.Setenv(runMark, newID())
	code := m.Run()
	if err := goleak.Find(); err != nil {
		fmt.Println(err)
		code = 1
	}
	if left := marked(); len(left) > 0 {
		fmt.Println("processes left behind:", left)
		code = 1
	}
	os.Exit(code)
}

// marked lists the processes of this run but for this one.
func marked() []string {
	var left []string
	mark := runMark + "=" + os.Getenv(runMark)
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err == nil && e.Name() != strconv.Itoa(os.Getpid()) && e.Name() != "self" && e.Name() != "thread-self" && strings.Contains(string(env), mark) {
			left = append(left, e.Name())
		}
	}
	return left
}

// testWorker is a worker that acts out a role.
func testWorker(role string) int {
	spec, err := isolate.ReadSpec(isolate.SpecFD)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	plan := stormrpc.NewTopologyPlan()
	if err := wire.Unmarshal(spec.Plan, plan); err != nil || len(plan.Secret) != 32 {
		fmt.Fprintln(os.Stderr, "no plan", err)
		return 98
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if spec.Lifeline {
		line, err := isolate.OpenLifeline(isolate.LifelineFD)
		if err != nil {
			return 97
		}
		go func() {
			line.Wait()
			os.Exit(0)
		}()
	}
	w := &fakeWorker{spec: spec, plan: plan, started: time.Now()}
	switch role {
	case "", "good":
		return w.report(ctx, nil)
	case "dies":
		fmt.Fprintln(os.Stderr, "panic: no more ideas")
		return 7
	case "dies once":
		mark := filepath.Join(filepath.Dir(spec.LogPath), "died")
		if _, err := os.Stat(mark); err == nil {
			return w.report(ctx, nil)
		}
		os.WriteFile(mark, nil, 0o600)
		return w.report(ctx, func(int) bool { os.Exit(3); return false })
	case "leaves":
		return w.report(ctx, func(n int) bool { return n == 2 })
	case "mute":
		<-ctx.Done()
		return 0
	case "falls silent":
		w.report(ctx, func(int) bool { return true })
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Hour) // with nothing else to do select{} would count as a deadlock
	case "storm":
		return w.beatAsStorm(ctx)
	case "leaks":
		return w.report(ctx, func(n int) bool {
			for ; n > 1 && len(w.kept) < 1<<10; w.kept = append(w.kept, bytes.Repeat([]byte("x"), 1<<20)) {
			}
			return false
		})
	case "answers":
		return w.report(ctx, func(int) bool {
			w.answer(ctx)
			return false
		})
	case "complains":
		w.errors = []*stormrpc.WorkerError{{Component: "split", Message: os.Getenv("TEXT"), TimeMs: 1}}
		return w.report(ctx, nil)
	}
	return 96
}

type fakeWorker struct {
	spec    isolate.WorkerSpec
	plan    *stormrpc.TopologyPlan
	started time.Time
	errors  []*stormrpc.WorkerError
	kept    [][]byte
}

// report keeps calling the supervisor until it is told to leave or until says so after a number of answers.
func (w *fakeWorker) report(ctx context.Context, until func(answers int) bool) int {
	var conn *wire.Client
	pid := int32(os.Getpid())
	for answers := 1; ctx.Err() == nil; {
		if conn == nil || conn.Closed() {
			var err error
			if conn, err = wire.Dial(ctx, w.spec.Supervisor, wire.DialOptions{}); err != nil {
				time.Sleep(20 * time.Millisecond) // the supervisor is away: a worker goes on
				continue
			}
		}
		next, err := stormrpc.NewGearstormClient(conn).SyncWorker(ctx, &stormrpc.WorkerReport{
			TopologyID: w.spec.Topology, Port: int32(w.spec.Port), WorkerID: w.spec.Worker, AssignmentID: w.plan.AssignmentID,
			Epoch: w.plan.Epoch, Ready: true, Pid: &pid, UptimeSecs: int64(time.Since(w.started).Seconds()), TimeMs: time.Now().UnixMilli(),
			ExecutorStats: []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{}, Errors: w.errors, Token: &w.spec.Token,
		}, w.plan.PlanVersion, 500)
		var gone *stormrpc.NotAliveException
		if errors.As(err, &gone) {
			return 0
		}
		if err != nil {
			continue
		}
		w.errors, w.plan = nil, next
		if until != nil && until(answers) {
			return 0
		}
		answers++
	}
	return 0
}

// answer replies to the questions of the last plan: first with a wrong token, then as it should.
func (w *fakeWorker) answer(ctx context.Context) {
	for _, q := range w.plan.Questions {
		conn, err := wire.Dial(ctx, w.spec.Supervisor, wire.DialOptions{})
		if err != nil {
			return
		}
		for _, token := range []string{"wrong", w.spec.Token} {
			text := token
			if err := stormrpc.NewGearstormClient(conn).ReplyState(ctx, &stormrpc.StateReply{ID: q.ID, TopologyID: q.TopologyID, Port: int32(w.spec.Port),
				WorkerID: w.spec.Worker, Token: &token, Rows: []*stormrpc.StateRow{{Task: 1, JSON: &text}}}); err != nil {
				fmt.Fprintln(os.Stderr, "reply:", err)
			}
		}
		conn.Close()
	}
}

func (w *fakeWorker) beatAsStorm(ctx context.Context) int {
	conn, err := wire.Dial(ctx, w.spec.Supervisor, wire.DialOptions{})
	if err != nil {
		return 1
	}
	sup := stormrpc.NewSupervisorClient(conn)
	for ctx.Err() == nil {
		a, err := sup.GetLocalAssignmentForStorm(ctx, w.spec.Topology)
		if err != nil {
			return 0
		}
		for _, e := range *a.ExecutorNodePort {
			if e.Value.Node == w.spec.Node && e.Value.Port[0] == int64(w.spec.Port) {
				sup.SendSupervisorWorkerHeartbeat(ctx, &stormrpc.SupervisorWorkerHeartbeat{StormID: w.spec.Topology,
					Executors: []*stormrpc.ExecutorInfo{{TaskStart: int32(e.Key[0]), TaskEnd: int32(e.Key[1])}}})
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return 0
}

// remote is the configuration of a supervisor in a process of its own.
type remote struct {
	LocalDir, LogDir, Nimbus string
	Ports                    []int
	Lifeline                 bool
	WorkerTimeout            time.Duration
	Conf                     conf.Conf // nil: limits of single processes only
}

// testSupervisor runs a supervisor until SIGTERM. It tells that it runs by a line.
func testSupervisor(text string) int {
	var r remote
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := New(quick(Config{LocalDir: r.LocalDir, LogDir: r.LogDir, Ports: r.Ports, Lifeline: r.Lifeline, WorkerTimeout: r.WorkerTimeout, Conf: r.Conf,
		Nimbus: client.Options{Seeds: []string{r.Nimbus}}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("runs", s.NodeID(), s.Ports())
	if err := s.Run(ctx); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// quick shortens the times of a configuration.
func quick(c Config) Config {
	os.Unsetenv(supervisorConf) // workers are none
	c.Binary, c.Shim = os.Args[0], isolate.Self()
	c.ReportInterval = 50 * time.Millisecond
	c.RetryWait, c.RetryCeiling = 50*time.Millisecond, 200*time.Millisecond
	c.Grace = 300 * time.Millisecond
	c.Nimbus.Retries, c.Nimbus.RetryInterval = -1, time.Millisecond
	if c.Conf == nil {
		c.Conf = conf.Conf{isolationKey: "rlimit"}
	}
	return c
}

// fakeNimbus leads on a free port: it gives out one plan and blobs, and keeps what nodes report.
type fakeNimbus struct {
	stormrpc.Nimbus
	stormrpc.Gearstorm // what is not below is not called
	t                  testing.TB
	addr               string
	srv                *wire.Server
	done               chan error

	mu      sync.Mutex
	away    bool
	mute    bool                 // answers no reports
	follows bool                 // knows no leader
	asked   int                  // who leads
	first   *stormrpc.NodeReport // since it was nil
	fewest  int                  // workers that were ready in a report, since it was set
	vers    map[string]int64
	plan    *stormrpc.NodePlan
	changed chan struct{}
	blobs   map[string][]byte
	open    map[string][]byte
	opened  int
	last    *stormrpc.NodeReport
	errors  []string // "topology port component: message"
	workers map[int32]*stormrpc.WorkerReport
	heard   chan struct{}             // closed and replaced with every report
	asks    []*stormrpc.StateQuestion // with the next answer to a node
	replies []*stormrpc.StateReply
}

func newFakeNimbus(t testing.TB) *fakeNimbus {
	t.Helper()
	n := &fakeNimbus{t: t, plan: &stormrpc.NodePlan{PlanVersion: 1, Epoch: 1, Topologies: []*stormrpc.TopologyPlan{}},
		changed: make(chan struct{}), blobs: map[string][]byte{}, vers: map[string]int64{}, open: map[string][]byte{},
		workers: map[int32]*stormrpc.WorkerReport{}, heard: make(chan struct{})}
	n.start("127.0.0.1:0")
	t.Cleanup(n.stop)
	return n
}

func (n *fakeNimbus) start(at string) {
	n.t.Helper()
	srv, err := wire.NewServer(wire.Options{Held: []string{"syncNode"}, Log: slog.New(slog.DiscardHandler)},
		stormrpc.NewNimbusProcessor(n), stormrpc.NewGearstormProcessor(n))
	if err != nil {
		n.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", at)
	if err != nil {
		n.t.Fatal(err)
	}
	n.srv, n.addr, n.done = srv, ln.Addr().String(), make(chan error, 1)
	go func() { n.done <- srv.Serve(ln) }()
}

func (n *fakeNimbus) stop() {
	if n.srv == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(n.srv.Shutdown(ctx), <-n.done); err != nil {
		n.t.Error(err)
	}
	n.srv = nil
}

func (n *fakeNimbus) GetLeader(context.Context) (*stormrpc.NimbusSummary, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.asked++; n.follows {
		return nil, errors.New("no leader")
	}
	host, port, _ := net.SplitHostPort(n.addr)
	p, _ := strconv.Atoi(port)
	return &stormrpc.NimbusSummary{Host: host, Port: int32(p), IsLeader: true, Version: "2.8.3"}, nil
}

func (n *fakeNimbus) GetBlobMeta(_ context.Context, key string) (*stormrpc.ReadableBlobMeta, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.blobs[key]; !ok {
		return nil, &stormrpc.KeyNotFoundException{Msg: key}
	}
	return &stormrpc.ReadableBlobMeta{Settable: &stormrpc.SettableBlobMeta{}, Version: n.vers[key]}, nil
}

func (n *fakeNimbus) BeginBlobDownload(_ context.Context, key string) (*stormrpc.BeginDownloadResult_, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	data, ok := n.blobs[key]
	if !ok {
		return nil, &stormrpc.KeyNotFoundException{Msg: key}
	}
	n.opened++
	session := fmt.Sprint(n.opened)
	n.open[session] = data
	return &stormrpc.BeginDownloadResult_{Version: n.vers[key], Session: session}, nil
}

func (n *fakeNimbus) DownloadBlobChunk(_ context.Context, session string) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	data := n.open[session]
	n.open[session] = nil
	return data, nil
}

func (n *fakeNimbus) SyncWorker(context.Context, *stormrpc.WorkerReport, int64, int32) (*stormrpc.TopologyPlan, error) {
	return nil, wire.ErrNotImplemented
}

func (n *fakeNimbus) SyncNode(ctx context.Context, r *stormrpc.NodeReport, known int64, waitMs int32) (*stormrpc.NodePlan, error) {
	over := time.After(time.Duration(waitMs) * time.Millisecond)
	n.hear(r)
	for {
		n.mu.Lock()
		plan, changed, away, mute, asks := n.plan, n.changed, n.away, n.mute, n.asks
		n.asks = nil
		n.mu.Unlock()
		if len(asks) > 0 {
			with := *plan
			with.Questions = asks
			return &with, nil
		}
		if mute {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if away {
			return nil, errors.New("not the leader")
		}
		if plan.PlanVersion != known {
			return plan, nil
		}
		select {
		case <-changed:
		case <-over:
			return plan, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (n *fakeNimbus) ReplyState(_ context.Context, r *stormrpc.StateReply) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.replies = append(n.replies, r)
	return nil
}

func (n *fakeNimbus) hear(r *stormrpc.NodeReport) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return
	}
	n.last = r
	if n.first == nil {
		n.first = r
	}
	n.fewest = min(n.fewest, countReady(r))
	clear(n.workers)
	for _, w := range r.Workers {
		if w.WorkerID != "" {
			n.workers[w.Port] = w
		}
		for _, e := range w.Errors {
			n.errors = append(n.errors, fmt.Sprintf("%s %d %s: %s", w.TopologyID, w.Port, e.Component, e.Message))
		}
	}
	close(n.heard)
	n.heard = make(chan struct{})
}

func countReady(r *stormrpc.NodeReport) int {
	ready := 0
	for _, w := range r.Workers {
		if w.Ready {
			ready++
		}
	}
	return ready
}

// change gives the plan a new version.
func (n *fakeNimbus) change(f func(p *stormrpc.NodePlan)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := *n.plan
	next.Topologies = slices.Clone(n.plan.Topologies)
	next.PlanVersion++
	f(&next)
	n.plan = &next
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *fakeNimbus) setAway(away bool) {
	n.change(func(*stormrpc.NodePlan) { n.away = away })
}

// submit stores the blobs of a topology whose workers act out role and puts it on the slots of a node.
func (n *fakeNimbus) submit(id, role, node string, ports ...int) {
	n.t.Helper()
	n.store(id, conf.Conf{"topology.environment": map[string]any{roleVar: role, "TEXT": "no words"}})
	n.change(func(p *stormrpc.NodePlan) {
		p.Topologies = append(p.Topologies, planOf(id, p.Epoch, node, ports...))
	})
}

func (n *fakeNimbus) store(id string, c conf.Conf) {
	n.t.Helper()
	data, err := client.EncodeConf(c)
	if err != nil {
		n.t.Fatal(err)
	}
	code, err := client.EncodeTopology(&stormrpc.StormTopology{Spouts: map[string]*stormrpc.SpoutSpec{}, Bolts: map[string]*stormrpc.Bolt{},
		StateSpouts: map[string]*stormrpc.StateSpoutSpec{}})
	if err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blobs[client.ConfKey(id)], n.blobs[client.CodeKey(id)] = data, code
	n.vers[client.ConfKey(id)]++
}

// put stores a blob.
func (n *fakeNimbus) put(key, data string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blobs[key] = []byte(data)
	n.vers[key]++
}

func (n *fakeNimbus) remove(id string) {
	n.change(func(p *stormrpc.NodePlan) {
		p.Topologies = slices.DeleteFunc(p.Topologies, func(t *stormrpc.TopologyPlan) bool { return t.TopologyID == id })
	})
}

// planOf puts executor i of a topology on the i-th port.
func planOf(id string, epoch int64, node string, ports ...int) *stormrpc.TopologyPlan {
	where := []wire.MapEntry[[]int64, *stormrpc.NodeInfo]{}
	tasks := map[int32]string{}
	for i, port := range ports {
		task := int64(i + 1)
		where = append(where, wire.MapEntry[[]int64, *stormrpc.NodeInfo]{Key: []int64{task, task},
			Value: &stormrpc.NodeInfo{Node: node, Port: []int64{int64(port)}}})
		tasks[int32(task)] = "spout"
	}
	hosts := map[string]string{node: "localhost"}
	return &stormrpc.TopologyPlan{TopologyID: id, PlanVersion: 1, Epoch: epoch, AssignmentID: fmt.Sprintf("%d-1", epoch),
		Assignment:     &stormrpc.Assignment{NodeHost: &hosts, ExecutorNodePort: &where},
		TaskComponents: tasks, Secret: make([]byte, 32), DagVersion: 1}
}

// until waits for a condition on what Nimbus knows. It is asked after every report and now and then.
func (n *fakeNimbus) until(what string, ok func() bool) {
	n.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		n.mu.Lock()
		met, heard := ok(), n.heard
		n.mu.Unlock()
		if met {
			return
		}
		select {
		case <-heard:
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			n.mu.Lock()
			defer n.mu.Unlock()
			n.t.Fatalf("not in 30 s: %s; workers %v, errors %q", what, slices.Collect(maps.Keys(n.workers)), n.errors)
		}
	}
}

// ready waits until the slot's worker of a topology is up and gives its id and pid.
func (n *fakeNimbus) ready(id string, port int) (string, int) {
	n.t.Helper()
	var w *stormrpc.WorkerReport
	n.until(fmt.Sprintf("%s is ready on %d", id, port), func() bool {
		w = n.workers[int32(port)]
		return w != nil && w.Ready && w.TopologyID == id
	})
	return w.WorkerID, int(w.GetPid())
}

// hears waits for an error that has all the parts.
func (n *fakeNimbus) hears(parts ...string) string {
	n.t.Helper()
	found := ""
	n.until(fmt.Sprintf("error with %q", parts), func() bool {
		i := slices.IndexFunc(n.errors, func(e string) bool {
			return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(e, p) })
		})
		if i >= 0 {
			found = n.errors[i]
		}
		return i >= 0
	})
	return found
}

// told lists the errors so far.
func (n *fakeNimbus) told() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.errors)
}

// worker is what was last reported of a slot.
func (n *fakeNimbus) worker(port int) *stormrpc.WorkerReport {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.workers[int32(port)]
}

// alive tells whether a process runs; one that only waits to be reaped does not.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func (n *fakeNimbus) SyncPeer(context.Context, *stormrpc.PeerReport, int64, int32) (*stormrpc.PeerPlan, error) {
	return nil, wire.ErrNotImplemented
}

func (n *fakeNimbus) Savepoint(context.Context, string, string, bool, int32) (*stormrpc.SavepointAnswer, error) {
	return nil, wire.ErrNotImplemented
}

func (n *fakeNimbus) FetchBlob(context.Context, string, string, int64, int32) ([]byte, error) {
	return nil, wire.ErrNotImplemented
}
