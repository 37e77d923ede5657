package nimbus

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func TestErrorsAreKeptOnceAndStored(t *testing.T) {
	dir := t.TempDir()
	config := func(cfg *Config) { cfg.Store, cfg.BlobDir = openEmbedded(t, dir), dir+"/blobs" }
	c := start(t, config)
	a := c.node("a", 6700)
	id := c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	a.works()
	for i := range 12 {
		a.report.Workers[0].Errors = append(a.report.Workers[0].Errors, &stormrpc.WorkerError{Component: "count", Message: string(rune('a' + i)), TimeMs: int64(i) * 1000})
	}
	a.report.Workers[0].Errors = append(a.report.Workers[0].Errors, &stormrpc.WorkerError{Component: "words", Message: strings.Repeat("ü", errorBytes)})
	a.sync(0)
	a.sync(0) // the same report again, as after a lost answer
	texts := func() string {
		info, err := c.client.GetTopologyInfo(t.Context(), id)
		must(t, err)
		out := ""
		for _, e := range info.Errors["count"] {
			out += e.Error
		}
		if got := len(info.Errors["words"][0].Error); got != errorBytes {
			t.Errorf("long error of %d bytes, want it cut to %d", got, errorBytes)
		}
		return out
	}
	if got := texts(); got != "lkjihgfedc" {
		t.Fatalf("errors %q, want the newest ten, newest first", got)
	}
	eventually(t, "errors are stored", func() bool {
		all, err := cluster.ListErrors(context.Background(), c.cfg.Store, id)
		return err == nil && len(all) == 2
	})
	c.stop()
	must(t, c.cfg.Store.Close())
	c = start(t, config)
	if got := texts(); got != "lkjihgfedc" {
		t.Fatalf("errors after a restart %q", got)
	}
	must(t, c.client.KillTopologyWithOpts(t.Context(), "words", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
	eventually(t, "nothing of the topology is left", func() bool {
		items, err := c.cfg.Store.List(context.Background(), "")
		return err == nil && len(items) == 2 // leader and history
	})
}

// busyStore calls during before each write, as other callers do while a master waits for the disk.
type busyStore struct {
	cluster.Store
	during atomic.Pointer[func()]
}

func (s *busyStore) Txn(ctx context.Context, e cluster.Epoch, ops ...cluster.Op) error {
	if f := s.during.Load(); f != nil {
		(*f)()
	}
	return s.Store.Txn(ctx, e, ops...)
}

func TestNoErrorsOutliveATopology(t *testing.T) {
	store := &busyStore{Store: mem.New()}
	defer store.Close()
	c := start(t, func(cfg *Config) { cfg.Store = store })
	a := c.node("a", 6700)
	c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	a.works()
	a.report.Workers[0].Errors = []*stormrpc.WorkerError{{Component: "count", Message: "oops"}}
	report := func() { c.hear(a.report) }
	store.during.Store(&report)
	must(t, c.client.KillTopologyWithOpts(t.Context(), "words", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
	eventually(t, "removal", func() bool { _, ok := c.named("words"); return !ok })
	c.errors.mu.Lock()
	defer c.errors.mu.Unlock()
	if len(c.errors.books) != 0 {
		t.Errorf("errors of %d components are kept", len(c.errors.books))
	}
}

func TestLogConfig(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	id := c.submitWords("words", "{}")
	set := func(levels map[string]*stormrpc.LogLevel) {
		t.Helper()
		must(t, c.client.SetLogConfig(t.Context(), id, &stormrpc.LogConfig{NamedLoggerLevel: levels}))
	}
	set(map[string]*stormrpc.LogLevel{
		"ROOT": {Action: stormrpc.LogLevelAction_UPDATE, TargetLogLevel: ref("DEBUG"), ResetLogLevelTimeoutSecs: ref(int32(30))},
		"org":  {Action: stormrpc.LogLevelAction_UPDATE, TargetLogLevel: ref("WARN")}})
	set(map[string]*stormrpc.LogLevel{"org": {Action: stormrpc.LogLevelAction_REMOVE}, "new": {Action: stormrpc.LogLevelAction_UPDATE, TargetLogLevel: ref("INFO")}})
	got, err := c.client.GetLogConfig(t.Context(), id)
	must(t, err)
	root := got.NamedLoggerLevel["ROOT"]
	if len(got.NamedLoggerLevel) != 2 || root.Action != stormrpc.LogLevelAction_UNCHANGED || root.GetResetLogLevelTimeoutEpoch() != clk.Now().Add(30*time.Second).UnixMilli() {
		t.Fatalf("log config %v", got)
	}
	if got := answer(c.client.SetLogConfig(t.Context(), id, &stormrpc.LogConfig{NamedLoggerLevel: map[string]*stormrpc.LogLevel{"": {Action: stormrpc.LogLevelAction_UPDATE}}})); got != "application 6" {
		t.Errorf("logger without a name: %s", got)
	}
	if got := answer(c.client.SetLogConfig(t.Context(), "nobody", &stormrpc.LogConfig{})); got != "application 6" {
		t.Errorf("log config of nothing: %s", got) // Storm declares no exception here
	}
}

func TestDebugKeepsThePercentage(t *testing.T) {
	c := start(t, nil)
	id := c.submitWords("words", "{}")
	must(t, c.client.Debug(t.Context(), "words", "", true, 30))
	must(t, c.client.Debug(t.Context(), "words", "", false, 0))
	page, err := c.client.GetTopologyPageInfo(t.Context(), id, "600", false)
	must(t, err)
	if page.DebugOptions.GetEnable() || page.DebugOptions.GetSamplingpct() != 30 {
		t.Errorf("debug options %v", page.DebugOptions)
	}
	if got := answer(c.client.Debug(t.Context(), "words", "nobody", true, 1)); got != "application 6" {
		t.Errorf("debug of an unknown component: %s", got)
	}
}

func TestCredentials(t *testing.T) {
	c := start(t, nil)
	id := c.submitWords("words", "{}")
	ctx := t.Context()
	must(t, c.client.UploadNewCredentials(ctx, "words", &stormrpc.Credentials{Creds: map[string]string{"a": "1", "b": "1"}}))
	must(t, c.client.UploadNewCredentials(ctx, "words", &stormrpc.Credentials{Creds: map[string]string{"b": "2"}, TopoOwner: ref("tester")}))
	got, err := cluster.ReadCredentials(ctx, c.cfg.Store, id)
	must(t, err)
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "2"}, got.Values); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for user, owner := range map[string]string{"": "eve", "eve": ""} {
		err := c.UploadNewCredentials(as(t, user), "words", &stormrpc.Credentials{Creds: map[string]string{}, TopoOwner: text(owner)})
		if got, want := answer(err), "Authorization "+id+" is expected to be owned by eve but is actually owned by tester"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAuthorization(t *testing.T) {
	c := start(t, func(cfg *Config) {
		cfg.Conf = conf.Merge(cfg.Conf, conf.Conf{"nimbus.authorizer": "org.apache.storm.security.auth.authorizer.SimpleACLAuthorizer",
			"nimbus.admins": []any{"root"}, "nimbus.supervisor.users": []any{"node"}})
	})
	location, err := c.BeginFileUpload(as(t, "bob"))
	must(t, err)
	must(t, c.UploadChunk(as(t, "bob"), location, jar(t, "x")))
	must(t, c.FinishFileUpload(as(t, "bob"), location))
	must(t, c.SubmitTopology(as(t, "bob"), "words", location, `{"topology.readonly.users": ["eve"]}`, words()))
	top, _ := c.named("words")
	for name, step := range map[string]struct {
		err  error
		want string
	}{
		"nobody lists":        {second(c.GetClusterInfo(as(t, ""))), "Authorization getClusterInfo is not authorized"},
		"anyone lists":        {second(c.GetClusterInfo(as(t, "mallory"))), "ok"},
		"supervisor syncs":    {second(c.SyncNode(as(t, "node"), &stormrpc.NodeReport{NodeID: "n", Hostname: "h"}, 0, 0)), "ok"},
		"user does not sync":  {second(c.SyncNode(as(t, "bob"), &stormrpc.NodeReport{NodeID: "n", Hostname: "h"}, 0, 0)), "Authorization syncNode is not authorized"},
		"supervisor's leader": {second(c.GetLeader(as(t, "node"))), "ok"},
		"reader reads":        {second(c.GetTopologyConf(as(t, "eve"), top.ID)), "ok"},
		"reader pauses":       {c.Deactivate(as(t, "eve"), "words"), "Authorization deactivate on topology words is not authorized"},
		"stranger reads":      {second(c.GetTopologyConf(as(t, "mallory"), top.ID)), "Authorization getTopologyConf on topology words is not authorized"},
		"stranger kills":      {c.KillTopology(as(t, "mallory"), "words"), "Authorization killTopology on topology words is not authorized"},
		"supervisor uploads":  {second(c.BeginFileUpload(as(t, "node"))), "ok"},
		"nobody submits":      {c.SubmitTopology(as(t, ""), "w2", location, "{}", words()), "Authorization submitTopology on topology w2 is not authorized"},
		"owner debugs":        {c.Debug(as(t, "bob"), "words", "", true, 1), "ok"},
		"admin debugs":        {c.Debug(as(t, "root"), "words", "", true, 1), "ok"},
	} {
		if got := answer(step.err); got != step.want {
			t.Errorf("%s: got %s, want %s", name, got, step.want)
		}
	}
	if top.Owner != "bob" || top.Principal != "bob" {
		t.Errorf("owner %q, principal %q", top.Owner, top.Principal)
	}
	for user, want := range map[string]int{"bob": 1, "mallory": 0, "root": 1} {
		if h, err := c.GetTopologyHistory(as(t, user), user); err != nil || len(h.TopoIds) != want {
			t.Errorf("history of %s: %v, %v; want %d", user, h, err, want)
		}
	}
}

func TestAuthorizers(t *testing.T) {
	for class, want := range map[string]string{"": "yes", "a.b.NoopAuthorizer": "yes", "a.b.DenyAuthorizer": "no",
		"x.SimpleWhitelistAuthorizer": "yes", "org.example.MyOwn": "error"} {
		a, err := newAuthorizer(conf.Conf{"nimbus.authorizer": class, "storm.auth.simple-white-list.users": []any{"bob"}})
		got := "error"
		if err == nil {
			got = map[bool]string{true: "yes", false: "no"}[a.permit("bob", "killTopology", nil)]
		}
		if got != want {
			t.Errorf("%q: %s, want %s", class, got, want)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	store := openEmbedded(t, t.TempDir())
	for name, cfg := range map[string]Config{
		"no store":      {BlobDir: "x"},
		"no directory":  {Store: store},
		"negative":      {Store: store, BlobDir: "x", MaxNodes: -1},
		"bad timeout":   {Store: store, BlobDir: "x", Conf: conf.Conf{"nimbus.task.timeout.secs": int64(0)}},
		"bad authority": {Store: store, BlobDir: "x", Conf: conf.Conf{"nimbus.authorizer": "org.example.MyOwn"}},
		"bad address":   {Store: store, BlobDir: t.TempDir(), Listen: "nonsense"},
	} {
		if n, err := New(cfg); err == nil {
			n.Close()
			t.Errorf("%s was accepted", name)
		}
	}
	if n, err := New(Config{Store: store, BlobDir: t.TempDir(), Listen: ":0"}); err != nil || n.cfg.Host == "" || n.cfg.Host == "::" {
		t.Errorf("a master on every address: host %q, %v", n.cfg.Host, err)
	} else {
		must(t, n.Close())
	}
	n, err := New(Config{Store: store, BlobDir: t.TempDir(), Conf: conf.Merge(conf.Defaults(), conf.Conf{"nimbus.thrift.port": int64(0)})})
	must(t, err)
	if !strings.HasPrefix(n.Addr(), "127.0.0.1:") {
		t.Errorf("default address %s is not loopback", n.Addr())
	}
	must(t, n.Close())
}
