package nimbus

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/embed"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// waitFor is how long a test waits for what must happen soon, on a slow machine too.
const waitFor = time.Minute

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// pass lets time pass while nodes report.
func pass(clk *clock, d time.Duration, nodes ...*fakeNode) {
	for ; d > 0; d -= 10 * time.Second {
		clk.advance(min(d, 10*time.Second))
		for _, n := range nodes {
			n.sync(0)
		}
	}
}

func newClock() *clock { return &clock{now: time.Unix(1_800_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// testCluster is a running master and a client of it.
type testCluster struct {
	*Nimbus
	t      *testing.T
	client *stormrpc.NimbusClient
	stop   func() // ends the master and waits for it
}

// start runs a master and waits until it leads. Without a Store it gets one in memory.
func start(t *testing.T, change func(*Config)) *testCluster {
	t.Helper()
	c := startAny(t, change)
	eventually(t, "the master leads", func() bool { return c.lead() == nil })
	return c
}

// startAny runs a master that leads or follows.
func startAny(t *testing.T, change func(*Config)) *testCluster {
	t.Helper()
	cfg := Config{Conf: conf.Defaults(), Listen: "127.0.0.1:0", User: "tester", Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(&cfg)
	}
	if cfg.BlobDir == "" {
		cfg.BlobDir = filepath.Join(t.TempDir(), "blobs")
	}
	if cfg.Store == nil {
		store := mem.New()
		t.Cleanup(func() { store.Close() })
		cfg.Store = store
	}
	n, err := New(cfg)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	var once sync.Once
	c := &testCluster{Nimbus: n, t: t}
	c.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("master ended with %v", err)
			}
		})
	}
	t.Cleanup(c.stop)
	c.client = stormrpc.NewNimbusClient(c.dial())
	return c
}

// openEmbedded opens a store on disk for a test that restarts its master.
func openEmbedded(t *testing.T, dir string) cluster.Store {
	t.Helper()
	s, err := embed.Open(filepath.Join(dir, "cluster.db"))
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func (c *testCluster) dial() *wire.Client {
	c.t.Helper()
	w, err := wire.Dial(context.Background(), c.Addr(), wire.DialOptions{CallTimeout: waitFor})
	must(c.t, err)
	c.t.Cleanup(func() { w.Close() })
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(waitFor)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// jar makes a zip file of these names.
func jar(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "/") {
			io.WriteString(w, "contents of "+name)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload sends a jar as clients do.
func (c *testCluster) upload(data []byte) string {
	c.t.Helper()
	ctx := c.t.Context()
	location, err := c.client.BeginFileUpload(ctx)
	must(c.t, err)
	for len(data) > 0 {
		piece := data[:min(len(data), 307200)]
		must(c.t, c.client.UploadChunk(ctx, location, piece))
		data = data[len(piece):]
	}
	must(c.t, c.client.FinishFileUpload(ctx, location))
	return location
}

func shell(command string) *stormrpc.ComponentObject {
	return &stormrpc.ComponentObject{Shell: &stormrpc.ShellComponent{ExecutionCommand: command, Script: "script.py"}}
}

func stream(fields ...string) map[string]*stormrpc.StreamInfo {
	return map[string]*stormrpc.StreamInfo{"default": {OutputFields: fields}}
}

// words is a topology of a spout with 2 executors and a bolt with 3 over 4 tasks.
func words() *stormrpc.StormTopology {
	return &stormrpc.StormTopology{
		Spouts: map[string]*stormrpc.SpoutSpec{"words": {SpoutObject: shell("python3"), Common: &stormrpc.ComponentCommon{
			Streams: stream("word"), ParallelismHint: ref(int32(2))}}},
		Bolts: map[string]*stormrpc.Bolt{"count": {BoltObject: shell("python3"), Common: &stormrpc.ComponentCommon{
			Inputs: []wire.MapEntry[*stormrpc.GlobalStreamId, *stormrpc.Grouping]{{
				Key: &stormrpc.GlobalStreamId{ComponentId: "words", StreamId: "default"}, Value: &stormrpc.Grouping{Fields: []string{"word"}}}},
			Streams: stream("word", "count"), ParallelismHint: ref(int32(3)), JSONConf: ref(`{"topology.tasks": 4}`)}}},
		StateSpouts: map[string]*stormrpc.StateSpoutSpec{},
	}
}

// submit submits words under a name and returns its id.
func (c *testCluster) submitWords(name, jsonConf string) string {
	c.t.Helper()
	ctx := c.t.Context()
	must(c.t, c.client.SubmitTopology(ctx, name, c.upload(jar(c.t, "resources/script.py")), jsonConf, words()))
	s, err := c.client.GetTopologySummaryByName(ctx, name)
	must(c.t, err)
	return s.ID
}

// fakeNode is a supervisor that reports when it is told to.
type fakeNode struct {
	c      *testCluster
	client *stormrpc.GearstormClient
	report *stormrpc.NodeReport
	plan   *stormrpc.NodePlan
}

func (c *testCluster) node(id string, ports ...int32) *fakeNode {
	c.t.Helper()
	f := &fakeNode{c: c, client: stormrpc.NewGearstormClient(c.dial()), plan: &stormrpc.NodePlan{},
		report: &stormrpc.NodeReport{NodeID: id, Hostname: id + ".example", Ports: ports, ThriftPort: 6628, Version: "2.8.3",
			Resources: map[string]float64{cpuPercent: 400, "memory.mb": 4096}}}
	f.sync(0)
	return f
}

// sync reports and takes the plan, waiting for a newer one as long as told.
func (f *fakeNode) sync(wait time.Duration) *stormrpc.NodePlan {
	f.c.t.Helper()
	plan, err := f.client.SyncNode(context.Background(), f.report, f.plan.PlanVersion, int32(wait/time.Millisecond))
	must(f.c.t, err)
	if plan.PlanVersion < f.plan.PlanVersion {
		f.c.t.Fatalf("plan version went from %d to %d", f.plan.PlanVersion, plan.PlanVersion)
	}
	f.plan = plan
	return plan
}

// until syncs until the plan is as wanted.
func (f *fakeNode) until(what string, ok func(*stormrpc.NodePlan) bool) *stormrpc.NodePlan {
	f.c.t.Helper()
	deadline := time.Now().Add(waitFor)
	for !ok(f.plan) {
		if time.Now().After(deadline) {
			f.c.t.Fatalf("plan never became: %s", what)
		}
		f.sync(200 * time.Millisecond)
	}
	return f.plan
}

func hasTopologies(count int) func(*stormrpc.NodePlan) bool {
	return func(p *stormrpc.NodePlan) bool { return len(p.Topologies) == count }
}

// has tells whether a topology has executors on the node by its plan.
func (f *fakeNode) has() bool { return strings.Contains(placement(f.plan), f.report.NodeID+":") }

// withWords submits the topology words, which a node of one slot has at work, and returns the node.
func (c *testCluster) withWords() *fakeNode {
	c.t.Helper()
	a := c.node("a", 6700)
	c.submitWords("words", oneWorker)
	a.until("the topology", hasTopologies(1))
	a.works()
	return a
}

// works makes the node report a worker for each slot that its plan gives it.
func (f *fakeNode) works() {
	f.report.Workers = nil
	for _, t := range f.plan.Topologies {
		ports := make(map[int32][]*stormrpc.ExecutorInfo)
		for _, e := range *t.Assignment.ExecutorNodePort {
			if e.Value.Node == f.report.NodeID {
				p := int32(e.Value.Port[0])
				ports[p] = append(ports[p], &stormrpc.ExecutorInfo{TaskStart: int32(e.Key[0]), TaskEnd: int32(e.Key[1])})
			}
		}
		for p := range ports {
			f.report.Workers = append(f.report.Workers, &stormrpc.WorkerReport{TopologyID: t.TopologyID, Port: p, WorkerID: "w",
				AssignmentID: t.AssignmentID, Epoch: t.Epoch, UptimeSecs: 100, TimeMs: time.Now().UnixMilli(), Ready: true, AtWork: ref(true)})
		}
	}
	f.sync(0)
}

func mustJSON(t *testing.T, text string) conf.Conf {
	t.Helper()
	c, err := conf.ParseJSON([]byte(text))
	must(t, err)
	return c
}

func fileCount(t *testing.T, dir string) int {
	t.Helper()
	count := 0
	must(t, filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed while this looks
		}
		if err == nil && !d.IsDir() {
			count++
		}
		return err
	}))
	return count
}

// mergeConf puts keys over a configuration.
func mergeConf(base conf.Conf, json string) conf.Conf {
	over, err := conf.ParseJSON([]byte(json))
	if err != nil {
		panic(err)
	}
	return conf.Merge(base, over)
}
