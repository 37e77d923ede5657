package nimbus

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

func TestFollowersRelay(t *testing.T) {
	m := startMasters(t, 3, nil)
	ctx := t.Context()
	follower := m.all[2]
	id := follower.submitWords("words", "{}")
	for i, c := range m.all {
		l, err := c.client.GetLeader(ctx)
		must(t, err)
		if int(l.Port) != m.all[0].Port() || !l.IsLeader {
			t.Errorf("master %d says that %v leads", i, l)
		}
		info, err := c.client.GetClusterInfo(ctx)
		must(t, err)
		leaders, ports := 0, map[int32]bool{}
		for _, s := range info.Nimbuses {
			ports[s.Port] = true
			if s.IsLeader {
				leaders++
			}
		}
		if leaders != 1 || len(ports) != 3 || len(info.Topologies) != 1 {
			t.Errorf("master %d shows %d leaders, nimbuses %v, topologies %v", i, leaders, info.Nimbuses, info.Topologies)
		}
		if got, err := c.client.GetUserTopology(ctx, id); err != nil || len(got.Bolts) != 1 {
			t.Errorf("master %d has topology %v, %v", i, got, err)
		}
		if text, err := c.client.GetTopologyConf(ctx, id); err != nil || !strings.Contains(text, id) {
			t.Errorf("master %d has no configuration, %v", i, err)
		}
		if got, err := c.client.GetTopology(ctx, id); err != nil || got.Bolts["__acker"] == nil {
			t.Errorf("master %d has no topology with system components, %v", i, err)
		}
	}
	// The sessions of blobs and listings are the leader's.
	follower.putBlob("k", []byte("con|tents"), true)
	for i, c := range m.all {
		if got, _ := c.getBlob("k"); got != "contents" {
			t.Errorf("master %d has blob %q", i, got)
		}
		page, err := c.client.ListBlobs(ctx, "")
		must(t, err)
		next, err := c.client.ListBlobs(ctx, page.Session)
		if err != nil || len(page.Keys) != 4 || len(next.Keys) != 0 {
			t.Errorf("master %d lists %v, then %v, %v", i, page.Keys, next, err)
		}
	}
	// A node that never asks for the leader is served too, and its held call ends with news.
	node := follower.node("a", 6700)
	node.until("the topology", hasTopologies(1))
	node.works()
	must(t, m.all[1].client.Deactivate(ctx, "words"))
	node.until("an inactive topology", func(p *stormrpc.NodePlan) bool { return p.Topologies[0].Status == stormrpc.TopologyStatus_INACTIVE })
	must(t, follower.client.DeleteBlob(ctx, "k"))
	if answer(follower.client.Activate(ctx, "other")) != "NotAlive other is not alive" {
		t.Error("a declared exception was lost on the way")
	}
	must(t, follower.client.KillTopologyWithOpts(ctx, "words", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
	node.until("nothing", hasTopologies(0))
	if f := follower.Figures(); f.Relayed == 0 || f.Terms != 0 {
		t.Errorf("figures of a follower: %+v", f)
	}
}

func TestNobodyLeads(t *testing.T) {
	m := startMasters(t, 2, nil)
	ctx := t.Context()
	id := m.all[0].submitWords("words", "{}")
	follower := m.all[1]
	eventually(t, "copies", func() bool { return len(follower.blobs.Keys("", 10)) == 3 })
	release1, release0 := m.seats[1].lose(), m.seats[0].lose() // the second one waits in its campaign
	_ = release1
	m.seats[1].Expire()
	must(t, m.seats[1].Store.Close()) // a campaign that waits ends
	eventually(t, "nobody leads", func() bool { return m.all[0].lead() != nil && m.all[1].lead() != nil && !m.all[1].follows() })
	for _, c := range m.all {
		_, err := c.client.GetLeader(ctx)
		if client.KindOf(err) != client.NoResult {
			t.Errorf("getLeader: %v", err)
		}
		err = c.client.KillTopology(ctx, "words")
		if kind, ok := wire.ApplicationError(err); !ok || kind != wire.InternalError || client.KindOf(err) != client.NoLeader ||
			!strings.Contains(err.Error(), "try again") {
			t.Errorf("kill: %v", err)
		}
		if _, err := c.client.GetNimbusConf(ctx); err != nil {
			t.Errorf("getNimbusConf: %v", err)
		}
	}
	if _, err := m.all[0].client.GetTopologyConf(ctx, id); err != nil {
		t.Errorf("what is held here is not served: %v", err)
	}
	if _, err := m.all[0].client.GetTopologyConf(ctx, "other"); client.KindOf(err) != client.NoLeader {
		t.Errorf("what is not held here: %v", err)
	}
	// Our client waits for the next leader.
	finder := m.finder()
	done := make(chan error, 1)
	go func() {
		_, err := finder.Nimbus().GetTopologySummaries(context.Background())
		done <- err
	}()
	release0()
	if err := <-done; err != nil {
		t.Errorf("the client did not wait: %v", err)
	}
}

// A failover moves and restarts nothing, whether or not nodes have reported, and everything goes on with the next leader.
func TestFailover(t *testing.T) {
	clk := newClock()
	m := startMasters(t, 3, func(cfg *Config) { cfg.Now = clk.Now })
	ctx := t.Context()
	leader := m.all[0]
	finder := m.finder()
	a := leader.node("a", 6700, 6701)
	id := leader.submitWords("words", `{"topology.workers": 2}`)
	a.until("the topology", hasTopologies(1))
	a.works()
	m.copied()
	for range 5 {
		old := a.plan
		next := m.fail(leader)
		must(t, next.round(ctx, true))
		clk.advance(55 * time.Second)
		must(t, next.round(ctx, true)) // no node has reported yet
		m.seats[slices.Index(m.all, leader)].mu.Lock()
		close(m.seats[slices.Index(m.all, leader)].free) // the old one may lead again
		m.seats[slices.Index(m.all, leader)].mu.Unlock()
		b := next.node("b", 6700, 6701)
		if len(b.plan.Topologies) != 0 {
			t.Fatal("a topology moved")
		}
		again := &fakeNode{c: next, client: stormrpc.NewGearstormClient(next.dial()), plan: old, report: a.report}
		again.report.Epoch = old.Epoch
		again.sync(0)
		clk.advance(40 * time.Second)
		again.sync(0)
		must(t, next.round(ctx, true)) // workers have not reported to this leader yet
		got := again.sync(0)
		if len(got.Topologies) != 1 || got.Epoch != old.Epoch+1 || got.Topologies[0].AssignmentID != old.Topologies[0].AssignmentID {
			t.Fatalf("plan after the failover: %v, was %v", got, old)
		}
		again.works()
		if s, err := finder.Nimbus().GetTopologySummaryByName(ctx, "words"); err != nil || s.ID != id || s.NumWorkers != 2 {
			t.Fatalf("the client sees %v, %v", s, err)
		}
		if text, err := finder.Nimbus().GetTopologyConf(ctx, id); err != nil || !strings.Contains(text, id) {
			t.Fatalf("configuration: %v", err)
		}
		leader, a = next, again
	}
	must(t, leader.client.KillTopologyWithOpts(ctx, "words", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
	a.until("nothing", hasTopologies(0))
}

// A killed topology waits for its full time again under the next leader.
func TestTimersAreArmedByTheNextLeader(t *testing.T) {
	clk := newClock()
	m := startMasters(t, 2, func(cfg *Config) { cfg.Now = clk.Now })
	ctx := t.Context()
	for _, name := range []string{"killed", "rebalanced"} {
		m.all[0].submitWords(name, "{}")
	}
	must(t, m.all[0].client.KillTopologyWithOpts(ctx, "killed", &stormrpc.KillOptions{WaitSecs: ref(int32(3600))}))
	must(t, m.all[0].client.Rebalance(ctx, "rebalanced", &stormrpc.RebalanceOptions{WaitSecs: ref(int32(3600)), NumWorkers: ref(int32(3))}))
	m.copied()
	clk.advance(3000 * time.Second)
	next := m.fail(m.all[0])
	clk.advance(3599 * time.Second)
	must(t, next.ring(ctx))
	if top, ok := next.named("killed"); !ok || top.Status != cluster.Killed {
		t.Fatal("removed before its time")
	}
	clk.advance(2 * time.Second)
	must(t, next.ring(ctx))
	if _, ok := next.named("killed"); ok {
		t.Error("not removed")
	}
	if top, _ := next.named("rebalanced"); top.Status != cluster.Active || top.Workers != 3 {
		t.Errorf("not rebalanced: %s, %d workers", top.Status, top.Workers)
	}
}

// What was being uploaded when the leader was lost is lost with it, and the error says so.
func TestUploadsEndWithTheirLeader(t *testing.T) {
	m := startMasters(t, 3, nil)
	ctx := t.Context()
	follower := m.all[2].client
	location, err := follower.BeginFileUpload(ctx)
	must(t, err)
	must(t, follower.UploadChunk(ctx, location, []byte("x")))
	session, err := follower.BeginCreateBlob(ctx, "k", &stormrpc.SettableBlobMeta{})
	must(t, err)
	must(t, follower.UploadBlobChunk(ctx, session, []byte("x")))
	finished := m.all[2].upload(jar(t, "resources/script.py"))
	page, err := follower.ListBlobs(ctx, "")
	must(t, err)
	release := m.seats[0].lose()
	next := m.leaderAfter(m.all[0])
	for _, c := range []*stormrpc.NimbusClient{m.all[0].client, follower, next.client} {
		for what, err := range map[string]error{
			"chunk":        c.UploadChunk(ctx, location, []byte("x")),
			"finish":       c.FinishFileUpload(ctx, location),
			"blob chunk":   c.UploadBlobChunk(ctx, session, []byte("x")),
			"blob finish":  c.FinishBlobUpload(ctx, session),
			"list":         second(c.ListBlobs(ctx, page.Session+"x")),
			"read of blob": second(c.DownloadBlobChunk(ctx, "gone")),
		} {
			if client.KindOf(err) != client.SessionLost || !strings.Contains(err.Error(), "begin it again") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if got := answer(c.SubmitTopology(ctx, "words", finished, "{}", words())); !strings.Contains(got, "not a finished upload") {
			t.Errorf("submit of a jar that is gone: %s", got)
		}
	}
	release()
	m.all[2].submitWords("words", "{}")
}

// The leader loses its session at every step of a submission, by which the topology is whole at the next leader or absent.
func TestFailoverDuringSubmit(t *testing.T) {
	for point, want := range map[string]struct {
		kind     client.Kind
		survives bool
	}{
		"before blobs": {client.NoLeader, false}, "jar stored": {client.NoLeader, false}, "conf stored": {client.NoLeader, false},
		"code stored": {client.NoLeader, false}, "copies made": {client.NoLeader, false}, "committed": {client.Other, true},
	} {
		t.Run(point, func(t *testing.T) {
			m := startMasters(t, 3, nil)
			ctx := t.Context()
			leader := m.all[0]
			leader.submitWords("earlier", "{}")
			location := leader.upload(jar(t, "resources/script.py"))
			var once sync.Once
			leader.atPoint = func(at string) {
				if at == point {
					once.Do(func() {
						m.seats[0].lose()
						eventually(t, "the leader steps down", func() bool { return leader.lead() != nil })
					})
				}
			}
			err := m.all[2].client.SubmitTopology(ctx, "doomed", location, "{}", words())
			// The follower may see its leader go before the answer comes.
			if kind := client.KindOf(err); kind != client.InDoubt && (err == nil) != want.survives || err != nil && kind != want.kind && kind != client.InDoubt {
				t.Errorf("the submission ended with %v", err)
			}
			next := m.leaderAfter(leader)
			m.checkWhole(next, map[string]bool{"earlier": true, "doomed": want.survives})
			if !want.survives {
				next.submitWords("doomed", "{}")
			}
		})
	}
}

// checkWhole checks that exactly these topologies exist, and that all that belongs to them can be read.
func (m *masters) checkWhole(leader *testCluster, want map[string]bool) {
	t := m.t
	t.Helper()
	ctx := t.Context()
	live := 0
	eventually(t, "the topologies are whole", func() bool {
		summaries, err := leader.client.GetTopologySummaries(ctx)
		must(t, err)
		live = len(summaries)
		for _, s := range summaries {
			if !want[s.Name] {
				t.Fatalf("topology %s exists", s.Name)
			}
			for _, key := range []string{client.JarKey(s.ID), client.CodeKey(s.ID), client.ConfKey(s.ID)} {
				if _, err := leader.blobs.ReadFile(key, 1<<20); err != nil {
					return false // on its way from a peer
				}
			}
			if _, err := leader.client.GetTopology(ctx, s.ID); err != nil {
				return false
			}
		}
		return true
	})
	for _, exists := range want {
		if exists {
			live--
		}
	}
	if live != 0 {
		t.Fatalf("%d topologies more than wanted %v", live, want)
	}
	records, err := cluster.ListBlobs(ctx, leader.cfg.Store)
	must(t, err)
	for _, b := range records {
		if id, ok := topologyOf(b.Key); !ok || !slices.ContainsFunc(leader.all(), func(t *topology) bool { return t.ID == id }) {
			t.Errorf("record of blob %s belongs to nothing", b.Key)
		}
	}
}
