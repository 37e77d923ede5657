package nimbus

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// What is asked of running workers is in the plan of their nodes at once, survives a change of leader and a rebalance, and ends
// with the topology.
func TestOrdersReachNodes(t *testing.T) {
	m := startMasters(t, 2, nil)
	ctx := t.Context()
	leader := m.all[0]
	a := leader.node("a", 6700)
	location := leader.upload(jar(t, "resources/script.py"))
	must(t, leader.client.SubmitTopologyWithOpts(ctx, "words", location, "{}", words(), &stormrpc.SubmitOptions{
		InitialStatus: stormrpc.TopologyInitialStatus_ACTIVE, Creds: &stormrpc.Credentials{Creds: map[string]string{"token": "1", "user": "u"}}}))
	levelOf := func(p *stormrpc.TopologyPlan) string {
		if p.LogConfig == nil {
			return ""
		}
		return p.LogConfig.NamedLoggerLevel["ROOT"].GetTargetLogLevel()
	}
	has := func(level, token string, actions int) func(*stormrpc.NodePlan) bool {
		return func(p *stormrpc.NodePlan) bool {
			return len(p.Topologies) == 1 && levelOf(p.Topologies[0]) == level &&
				maps.Equal(p.Topologies[0].Credentials, map[string]string{"token": token, "user": "u"}) && len(p.Topologies[0].Actions) == actions
		}
	}
	id := a.until("the topology with the first credentials", has("", "1", 0)).Topologies[0].TopologyID
	// A follower relays all of them.
	follower := m.all[1].client
	must(t, follower.UploadNewCredentials(ctx, "words", &stormrpc.Credentials{Creds: map[string]string{"token": "2"}}))
	must(t, follower.SetLogConfig(ctx, id, &stormrpc.LogConfig{NamedLoggerLevel: map[string]*stormrpc.LogLevel{
		"ROOT": {Action: stormrpc.LogLevelAction_UPDATE, TargetLogLevel: ref("DEBUG")}}}))
	must(t, follower.SetWorkerProfiler(ctx, id, &stormrpc.ProfileRequest{NodeInfo: &stormrpc.NodeInfo{Node: "a.example", Port: []int64{6700}},
		Action: stormrpc.ProfileAction_JSTACK_DUMP}))
	got := a.until("all orders", has("DEBUG", "2", 1))
	want := &stormrpc.WorkerAction{ID: 1, Node: "a", Port: 6700, Action: stormrpc.ProfileAction_JSTACK_DUMP}
	if diff := cmp.Diff(want, got.Topologies[0].Actions[0]); diff != "" {
		t.Errorf("action (-want +got):\n%s", diff)
	}
	must(t, follower.Rebalance(ctx, "words", &stormrpc.RebalanceOptions{WaitSecs: ref(int32(0)), TopologyConfOverrides: ref(`{"topology.debug": true}`)}))
	a.until("the rebalanced topology", func(p *stormrpc.NodePlan) bool { return has("DEBUG", "2", 1)(p) && p.Topologies[0].CodeVersion == 1 })
	m.copied()
	next := m.fail(leader)
	again := &fakeNode{c: next, client: stormrpc.NewGearstormClient(next.dial()), plan: a.plan, report: a.report}
	again.until("all orders of the next leader", has("DEBUG", "2", 1))
	must(t, next.client.KillTopologyWithOpts(ctx, "words", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
	again.until("nothing", hasTopologies(0))
	left, err := next.readOrders(ctx, id)
	if err != nil || left.credentials != nil || left.levels.Levels != nil || left.requests.Last != 0 {
		t.Errorf("left of the topology: %+v, %v", left, err)
	}
}

func TestLevelsAreChecked(t *testing.T) {
	c := start(t, nil)
	id := c.submitWords("words", "{}")
	set := func(name, level string) error {
		return c.client.SetLogConfig(t.Context(), id, &stormrpc.LogConfig{NamedLoggerLevel: map[string]*stormrpc.LogLevel{
			name: {Action: stormrpc.LogLevelAction_UPDATE, TargetLogLevel: &level}}})
	}
	for _, bad := range [][2]string{{"", "DEBUG"}, {"x", "LOUD"}, {"x", ""}, {strings.Repeat("x", 256), "DEBUG"}} {
		if got := answer(set(bad[0], bad[1])); got != "application 6" {
			t.Errorf("logger of %d bytes, level %q: %s", len(bad[0]), bad[1], got)
		}
	}
	many := &stormrpc.LogConfig{NamedLoggerLevel: map[string]*stormrpc.LogLevel{}}
	for i := range maxLoggers {
		many.NamedLoggerLevel[strings.Repeat("y", i%200+1)+strings.Repeat("z", i/200)] = &stormrpc.LogLevel{
			Action: stormrpc.LogLevelAction_UPDATE, TargetLogLevel: ref("WARN")}
	}
	must(t, c.client.SetLogConfig(t.Context(), id, many))
	if got := answer(set("one more", "DEBUG")); got != "application 6" {
		t.Errorf("one logger too many: %s", got)
	}
	for what, err := range map[string]error{"set": c.client.SetLogConfig(t.Context(), "other", many), "get": second(c.client.GetLogConfig(t.Context(), "other"))} {
		if got := answer(err); got != "application 6" { // the methods declare no exception
			t.Errorf("%s of an unknown topology: %s", what, got)
		}
	}
}

func TestCredentialsAreBounded(t *testing.T) {
	c := start(t, nil)
	c.submitWords("words", "{}")
	err := c.client.UploadNewCredentials(t.Context(), "words", &stormrpc.Credentials{Creds: map[string]string{"k": strings.Repeat("x", maxCredentialBytes)}})
	if got := answer(err); got != "Invalid credentials of 262145 bytes, allowed are 262144" {
		t.Errorf("got %s", got)
	}
	if got := answer(c.client.UploadNewCredentials(t.Context(), "other", &stormrpc.Credentials{Creds: map[string]string{}})); got != "NotAlive other is not alive" {
		t.Errorf("got %s", got)
	}
}

// A request to a worker stays in the plan and in what is pending until the worker says that it is done.
func TestProfileRequests(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	ctx := t.Context()
	a := c.node("a", 6700, 6701)
	id := c.submitWords("words", `{"topology.workers": 2}`)
	a.until("the topology", hasTopologies(1))
	a.works()
	ask := func(host string, port int64, action stormrpc.ProfileAction, stamp int64) error {
		return c.client.SetWorkerProfiler(ctx, id, &stormrpc.ProfileRequest{NodeInfo: &stormrpc.NodeInfo{Node: host, Port: []int64{port}}, Action: action, TimeStamp: &stamp})
	}
	pending := func(component string, action stormrpc.ProfileAction) []*stormrpc.ProfileRequest {
		t.Helper()
		got, err := c.client.GetComponentPendingProfileActions(ctx, id, component, action)
		must(t, err)
		return got
	}
	stop := stormrpc.ProfileAction_JPROFILE_STOP
	until := clk.Now().Add(10 * time.Minute).UnixMilli()
	must(t, ask("a.example", 6700, stop, 17))
	must(t, ask("a", 6701, stormrpc.ProfileAction_JMAP_DUMP, 0))
	must(t, ask("a.example", 6700, stop, until)) // takes the place of the first
	for _, component := range []string{"words", "count", "__acker"} {
		want := []*stormrpc.ProfileRequest{{NodeInfo: &stormrpc.NodeInfo{Node: "a.example", Port: []int64{6700}}, Action: stop, TimeStamp: &until}}
		if diff := cmp.Diff(want, pending(component, stop)); diff != "" {
			t.Errorf("pending of %s (-want +got):\n%s", component, diff)
		}
	}
	if got := pending("nobody", stop); len(got) != 0 {
		t.Errorf("pending of a component that is not there: %v", got)
	}
	if got := pending("words", stormrpc.ProfileAction_JMAP_DUMP); len(got) != 1 || got[0].TimeStamp != nil || got[0].NodeInfo.Port[0] != 6701 {
		t.Errorf("pending dumps: %v", got)
	}
	a.until("the requests", func(p *stormrpc.NodePlan) bool { return len(p.Topologies[0].Actions) == 2 })
	want := []*stormrpc.WorkerAction{{ID: 2, Node: "a", Port: 6701, Action: stormrpc.ProfileAction_JMAP_DUMP}, {ID: 3, Node: "a", Port: 6700, Action: stop, UntilMs: until}}
	if diff := cmp.Diff(want, a.plan.Topologies[0].Actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}

	// Only the worker that was asked can say so.
	for _, w := range a.report.Workers {
		if w.ActionsDone = []int64{3}; w.Port == 6700 {
			w.ActionsDone = []int64{2}
		}
	}
	a.sync(0)
	must(t, c.settleRequests(ctx))
	if got := a.sync(0); len(got.Topologies[0].Actions) != 2 {
		t.Fatalf("a worker ended what another was asked for: %v", got.Topologies[0].Actions)
	}
	for _, w := range a.report.Workers {
		w.ActionsDone = []int64{2, 3}
	}
	a.sync(0)
	a.until("no requests", func(p *stormrpc.NodePlan) bool { return len(p.Topologies[0].Actions) == 0 }) // by the leader's own round
	if len(pending("words", stop)) != 0 {
		t.Error("what is done is pending")
	}

	// What nobody carries out ends too. Its number is not used again.
	must(t, ask("a", 6700, stop, until))
	must(t, ask("a", 6700, stormrpc.ProfileAction_JVM_RESTART, 0))
	a.until("the requests", func(p *stormrpc.NodePlan) bool { return len(p.Topologies[0].Actions) == 2 })
	if got := a.plan.Topologies[0].Actions[0].ID; got != 4 {
		t.Errorf("the next request is number %d", got)
	}
	pass(clk, requestPatience+time.Second, a)
	a.until("no requests", func(p *stormrpc.NodePlan) bool { return len(p.Topologies[0].Actions) == 0 })
	stored, err := cluster.ReadRequests(ctx, c.cfg.Store, id)
	must(t, err)
	if stored.Last != 5 || len(stored.Pending) != 0 {
		t.Errorf("stored is %+v", stored)
	}
}

func TestProfileRequestsThatMakeNoSense(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700, 6701)
	id := c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	for _, bad := range []struct {
		id     string
		node   *stormrpc.NodeInfo
		action stormrpc.ProfileAction
	}{
		{"other", &stormrpc.NodeInfo{Node: "a", Port: []int64{6700}}, 0},
		{id, &stormrpc.NodeInfo{Node: "b", Port: []int64{6700}}, 0},
		{id, &stormrpc.NodeInfo{Node: "a", Port: []int64{7}}, 0},
		{id, &stormrpc.NodeInfo{Node: "a"}, 0},
		{id, &stormrpc.NodeInfo{Node: "a", Port: []int64{6700, 6701}}, 0},
		{id, &stormrpc.NodeInfo{Node: "a", Port: []int64{6700}}, 6},
		{id, &stormrpc.NodeInfo{Node: "a", Port: []int64{6700}}, -1},
	} {
		err := c.client.SetWorkerProfiler(t.Context(), bad.id, &stormrpc.ProfileRequest{NodeInfo: bad.node, Action: bad.action})
		if got := answer(err); got != "application 6" {
			t.Errorf("%s %v %d: %s", bad.id, bad.node, bad.action, got)
		}
	}
	if _, err := c.client.GetComponentPendingProfileActions(t.Context(), "other", "words", 0); answer(err) != "application 6" {
		t.Errorf("pending of an unknown topology: %v", err)
	}
}
