package worker

import (
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// hoarder is a bolt that keeps the credentials it was given and logs a line for people who look for details.
type hoarder struct {
	mu   sync.Mutex
	ctx  *storm.Context
	got  []map[string]string // read where they are used
	told []map[string]string
}

func (k *hoarder) Prepare(ctx *storm.Context, _ *storm.Collector) error {
	k.ctx = ctx
	k.note()
	return nil
}

func (k *hoarder) note() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.ctx.Credentials.Values(); len(k.got) == 0 || !maps.Equal(k.got[len(k.got)-1], now) {
		k.got = append(k.got, now)
	}
}

// SetCredentials implements storm.CredentialsListener.
func (k *hoarder) SetCredentials(values map[string]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told = append(k.told, values)
}

func (k *hoarder) Execute(t storm.Tuple, c *storm.Collector) error {
	k.note()
	k.ctx.Log.Debug("a detail")
	c.Ack(t)
	return nil
}

func (k *hoarder) heard() []map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.told
}

func (k *hoarder) seen() []map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.got
}

// What users ask of running workers reaches them with the next plan: credentials, log levels, dumps and a restart.
func TestOrdersReachWorker(t *testing.T) {
	k := &hoarder{}
	b := storm.NewTopologyBuilder().Ackers(1).Workers(1).MessageTimeout(time.Minute)
	b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return endless{} }), 1).Fields("n")
	b.SetBolt("keep", storm.BoltFactory(func() storm.Bolt { return k }), 1).ShuffleGrouping("words")
	topo, err := b.Build()
	must(t, err)
	ports := freePorts(t, 1)
	c := newCluster(t, topo, map[int][][2]int64{ports[0]: {{1, 1}, {2, 2}, {3, 3}}})
	c.sup.plan.Credentials = map[string]string{"token": "1"}
	out := &lines{}
	c.logs = out
	logged := func(text string) bool {
		out.mu.Lock()
		defer out.mu.Unlock()
		return strings.Contains(string(out.b), text)
	}
	p := c.start(ports[0])
	await(t, "the first credentials", func() bool { return len(k.seen()) == 1 })
	if got := k.seen()[0]["token"]; got != "1" {
		t.Fatalf("Prepare sees the credentials %v", k.seen())
	}
	c.sup.change(func(plan *stormrpc.TopologyPlan) { plan.Credentials = map[string]string{"token": "2"} })
	await(t, "the next credentials", func() bool { return len(k.seen()) == 2 && k.seen()[1]["token"] == "2" })
	await(t, "the listener", func() bool { return len(k.heard()) == 2 })
	if told := k.heard(); told[0]["token"] != "1" || told[1]["token"] != "2" {
		t.Errorf("the listener was told %v", told)
	}
	if logged("a detail") {
		t.Error("details are logged though nobody asked for them")
	}
	c.sup.change(func(plan *stormrpc.TopologyPlan) { plan.LogConfig = logConfig(t, "keep=DEBUG") })
	await(t, "details in the log", func() bool { return logged("a detail") && logged("log levels are changed") })

	ask := func(id int64, a stormrpc.ProfileAction) {
		c.sup.change(func(plan *stormrpc.TopologyPlan) {
			plan.Actions = []*stormrpc.WorkerAction{{ID: id, Node: "n1", Port: int32(ports[0]), Action: a}}
		})
		await(t, "the report of "+a.String(), func() bool {
			r := c.sup.report(p.id)
			return len(r.ActionsDone) == 1 && r.ActionsDone[0] == id
		})
	}
	ask(1, stormrpc.ProfileAction_JSTACK_DUMP)
	if files, err := filepath.Glob(filepath.Join(c.logDir, "jstack-*.txt")); err != nil || len(files) != 1 {
		t.Errorf("dumps %v, %v", files, err)
	}
	ask(2, stormrpc.ProfileAction_JVM_RESTART)
	select {
	case err := <-p.end:
		t.Fatalf("the worker ended before its supervisor took note: %v", err)
	default:
	}
	c.sup.change(func(plan *stormrpc.TopologyPlan) { plan.Actions = nil })
	if err := <-p.end; err != nil {
		t.Errorf("the worker ended with %v", err)
	}
}

// endless is a spout that emits for ever.
type endless struct{}

func (endless) Open(*storm.Context, *storm.Collector) error { return nil }

func (endless) Next(c *storm.Collector) error {
	c.Emit(int64(1))
	time.Sleep(time.Millisecond)
	return nil
}
