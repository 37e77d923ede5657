package worker

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Tuples up to the limit cross between workers, one beyond it is refused where it is emitted, by name.
func TestLargeTuplesBetweenWorkers(t *testing.T) {
	const limit = 24 << 20
	sizes := []int{10, limit, limit + 1, 1000, limit - 1}
	var mu sync.Mutex
	var seen []int
	i := 0
	spout := storm.SpoutFunc(func(c *storm.Collector) error {
		if i == len(sizes) {
			return storm.ErrIdle
		}
		i++
		c.EmitID(gearcore.Long(int64(i)), make([]byte, sizes[i-1]))
		return nil
	})
	b := storm.NewTopologyBuilder().Ackers(1).AddConfig("gearstorm.tuple.max.bytes", limit)
	b.SetSpout("sizes", spout, 1).Fields("payload")
	b.SetBolt("note", storm.BoltFunc(func(tup storm.Tuple, _ storm.Emitter) error {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, len(tup.Bytes(0)))
		return nil
	}), 1).ShuffleGrouping("sizes")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 2)
	cl := newCluster(t, topo, map[int][][2]int64{ports[0]: {{1, 1}, {3, 3}}, ports[1]: {{2, 2}}})
	cl.start(ports[0])
	cl.start(ports[1])
	want := []int{10, limit, 1000, limit - 1}
	await(t, "all but one arrived", func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) == len(want) })
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(seen, want) {
		t.Errorf("tuples of %v bytes arrived, want %v", seen, want)
	}
	await(t, "the error is reported", func() bool {
		cl.sup.mu.Lock()
		defer cl.sup.mu.Unlock()
		return slices.ContainsFunc(cl.sup.errs, func(e *stormrpc.WorkerError) bool {
			return e.Component == "sizes" && strings.Contains(e.Message, gearcore.ErrTupleTooLarge.Error())
		})
	})
}

func TestTupleLimitIsChecked(t *testing.T) {
	for _, n := range []int64{1, 1 << 40} {
		_, err := settingsOf(&dag.Graph{Conf: conf.Conf{"gearstorm.tuple.max.bytes": n}})
		if err == nil || !strings.Contains(err.Error(), "gearstorm.tuple.max.bytes") {
			t.Errorf("a limit of %d gives %v", n, err)
		}
	}
}

func TestMetricsAreServed(t *testing.T) {
	const n = 500
	r := newRelay(t, n, nil)
	dir := t.TempDir()
	writeResources(t, dir)
	l, err := NewLocal(LocalConfig{Name: "relay", Topology: r.topo.Thrift, Conf: r.topo.Conf, Registry: r.topo.Components, CodeDir: dir, PidDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan error, 1)
	go func() { end <- l.Run(t.Context()) }()
	await(t, "every message is acked", func() bool { return r.spout.done() == n })
	scrape := func(method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		l.host.ServeHTTP(w, httptest.NewRequest(method, "/metrics", nil))
		return w
	}
	for _, line := range []string{
		`storm_ack_count_total{topology="relay",component="words",task="5",stream="default"} ` + strconv.Itoa(n),
		`storm_execute_count_total{topology="relay",component="echo",task="3",source="words",stream="default"} ` + strconv.Itoa(n),
		`storm_complete_latency_seconds_count{topology="relay",component="words",stream="default"} ` + strconv.Itoa(n),
		`gearstorm_pending_tuples{topology="relay",component="words",task="5"} 0`,
		`gearstorm_inbox_batches{topology="relay",component="sink",task="4"} 0`,
	} {
		await(t, line, func() bool { return strings.Contains(scrape(http.MethodGet).Body.String(), line+"\n") })
	}
	if w := scrape(http.MethodPost); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST gives %d", w.Code)
	}
	if ct := scrape(http.MethodGet).Header().Get("Content-Type"); !strings.HasPrefix(ct, "text/plain; version=0.0.4") {
		t.Errorf("content type %q", ct)
	}
}
