package nimbus

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

func holdersOf(t *testing.T, s cluster.Store, key string) []string {
	t.Helper()
	b, err := cluster.ReadBlob(t.Context(), s, key)
	must(t, err)
	return b.Holders
}

// Followers copy blobs, new versions of them and their rights, tell what they hold, and remove what was deleted.
func TestBlobsAreCopied(t *testing.T) {
	m := startMasters(t, 3, func(cfg *Config) { cfg.Conf["nimbus.topology.blobstore.deletion.delay.ms"] = int64(0) })
	ctx := t.Context()
	leader := m.all[0]
	all := []string{m.all[0].self(), m.all[1].self(), m.all[2].self()}
	slices.Sort(all)
	big := bytes.Repeat(append(bytes.Repeat([]byte("0123456789abcdef"), 30_000), '|'), 3) // several pieces
	for _, data := range [][]byte{[]byte("first"), big} {
		leader.putBlob("k", data, len(data) < 10)
		eventually(t, "copies are made and recorded", func() bool {
			for _, c := range m.all {
				if got, err := c.blobs.ReadFile("k", 1<<30); err != nil || !bytes.Equal(got, bytes.ReplaceAll(data, []byte("|"), nil)) {
					return false
				}
			}
			return slices.Equal(holdersOf(t, leader.cfg.Store, "k"), all)
		})
	}
	if n, err := m.all[1].client.GetBlobReplication(ctx, "k"); err != nil || n != 3 {
		t.Errorf("replication %d, %v", n, err)
	}
	was, err := leader.blobs.Info("k")
	must(t, err)
	must(t, leader.client.SetBlobMeta(ctx, "k", &stormrpc.SettableBlobMeta{Acl: []*stormrpc.AccessControl{
		{Type: stormrpc.AccessControlType_USER, Name: ref("alice"), Access: 7}}, ReplicationFactor: ref(int32(5))}))
	eventually(t, "rights are copied", func() bool {
		info, err := m.all[2].blobs.Info("k")
		return err == nil && info.Replication == 5 && info.Version == was.Version && slices.ContainsFunc(thriftACL(info.ACL),
			func(a *stormrpc.AccessControl) bool { return a.GetName() == "alice" })
	})
	must(t, leader.client.DeleteBlob(ctx, "k"))
	eventually(t, "copies are removed", func() bool {
		return !slices.ContainsFunc(m.all, func(c *testCluster) bool { return len(c.blobs.Keys("", 10)) > 0 })
	})
}

// A submission waits for the copies asked for, and goes on without them when its time is over.
func TestSubmitWaitsForCopies(t *testing.T) {
	m := startMasters(t, 3, nil)
	id := m.all[1].submitWords("copied", `{"topology.min.replication.count": 3, "topology.max.replication.wait.time.sec": -1}`)
	for _, key := range []string{client.JarKey(id), client.CodeKey(id), client.ConfKey(id)} {
		if got := holdersOf(t, m.seats[0], key); len(got) != 3 {
			t.Errorf("%s was submitted when %v held it", key, got)
		}
	}
	begun := time.Now()
	m.all[0].submitWords("short of one", `{"topology.min.replication.count": 4, "topology.max.replication.wait.time.sec": 1}`)
	if time.Since(begun) < time.Second {
		t.Error("the submission did not wait")
	}
}

// The leader is lost while a submission waits for copies: nothing of it stays.
func TestFailoverWhileCopiesAreMade(t *testing.T) {
	m := startMasters(t, 3, nil)
	leader := m.all[0]
	location := leader.upload(jar(t, "resources/script.py"))
	done := make(chan error, 1)
	go func() {
		done <- leader.client.SubmitTopology(t.Context(), "doomed", location,
			`{"topology.min.replication.count": 9, "topology.max.replication.wait.time.sec": -1}`, words())
	}()
	eventually(t, "the submission waits", func() bool { return len(m.all[2].blobs.Keys("", 10)) == 3 })
	next := m.fail(leader)
	if err := <-done; client.KindOf(err) != client.NoLeader {
		t.Errorf("the submission ended with %v", err)
	}
	m.checkWhole(next, map[string]bool{"doomed": false})
	next.submitWords("doomed", "{}")
}

// damage changes the contents of a blob on the disk of a master, or takes them away.
func (m *masters) damage(i int, key string, remove bool) {
	m.t.Helper()
	dirs, err := filepath.Glob(filepath.Join(m.dirs[i], "blobs", "*"))
	must(m.t, err)
	for _, dir := range dirs {
		meta, err := os.ReadFile(filepath.Join(dir, "meta"))
		must(m.t, err)
		if !strings.Contains(string(meta), fmt.Sprintf("%q:%q", "key", key)) {
			continue
		}
		if remove {
			must(m.t, os.RemoveAll(dir))
			return
		}
		data, err := filepath.Glob(filepath.Join(dir, "d*"))
		must(m.t, err)
		raw, err := os.ReadFile(data[0])
		must(m.t, err)
		raw[len(raw)/2] ^= 1
		must(m.t, os.WriteFile(data[0], raw, 0o600))
		return
	}
	m.t.Fatalf("master %d has no blob %s", i, key)
}

// restart ends a master, does something to its disk, and starts it again.
func (m *masters) restart(i int, change func()) {
	m.t.Helper()
	m.all[i].stop()
	m.seats[i].Expire()
	change()
	fresh := newSeat(m.seats[i].Peer())
	m.seats[i] = fresh
	m.all[i] = startAny(m.t, func(cfg *Config) { cfg.Store, cfg.BlobDir = fresh, m.dirs[i] })
}

// A follower whose copies are damaged or gone sets them aside and gets them again.
func TestDamagedCopiesAreReplaced(t *testing.T) {
	m := startMasters(t, 2, nil)
	id := m.all[0].submitWords("words", "{}")
	m.copied()
	m.restart(1, func() {
		m.damage(1, client.JarKey(id), false)
		m.damage(1, client.CodeKey(id), false)
		m.damage(1, client.ConfKey(id), true)
	})
	m.copied()
	for _, key := range []string{client.JarKey(id), client.CodeKey(id), client.ConfKey(id)} {
		must(t, m.all[1].blobs.Verify(key))
	}
	eventually(t, "three blobs are counted as fetched", func() bool { return m.all[1].Figures().Replicas == 3 })
}

// A source that sends other bytes than promised is passed over.
func TestCopyOfDamagedContentsIsRefused(t *testing.T) {
	m := startMasters(t, 3, nil)
	leader := m.all[0]
	leader.putBlob("k", []byte("contents"), true)
	m.copied()
	m.restart(2, func() { m.damage(0, "k", false); m.damage(2, "k", true) })
	m.copied() // the third got it from the second: the leader's is damaged
	if err := m.all[2].blobs.Verify("k"); err != nil {
		t.Errorf("the copy is %v", err)
	}
}

// A leader that lacks blobs leads all the same. It gets them from whoever has them; a topology whose blobs nobody has is
// broken: it is shown as that, stays where it runs and can be killed, and everything else works.
func TestBrokenTopologyIsIsolated(t *testing.T) {
	m := startMasters(t, 2, nil)
	ctx := t.Context()
	leader := m.all[0]
	a := leader.node("a", 6700, 6701, 6702, 6703)
	ids := map[string]string{}
	for _, name := range []string{"whole", "fetched", "broken", "nojar"} {
		ids[name] = leader.submitWords(name, "{}")
	}
	a.until("the topologies", hasTopologies(4))
	a.works()
	m.copied()
	old := a.plan
	// The only master left has lost most of it; the other comes back later.
	m.all[1].stop()
	must(t, m.seats[1].Store.Close())
	m.restart(0, func() {
		m.damage(0, client.CodeKey(ids["fetched"]), false)
		m.damage(0, client.JarKey(ids["fetched"]), true)
		m.damage(0, client.ConfKey(ids["broken"]), false)
		m.damage(0, client.JarKey(ids["nojar"]), true)
		m.damage(1, client.ConfKey(ids["broken"]), false)
		m.damage(1, client.JarKey(ids["nojar"]), false)
	})
	leader = m.all[0]
	eventually(t, "the master leads again", func() bool { return leader.lead() == nil })
	status := func(name string) string {
		s, err := leader.client.GetTopologySummaryByName(ctx, name)
		must(t, err)
		return s.GetSchedStatus()
	}
	eventually(t, "what is missing is shown", func() bool {
		return !strings.Contains(status("whole"), "BROKEN") && strings.Contains(status("fetched"), "BROKEN") &&
			strings.Contains(status("broken"), client.ConfKey(ids["broken"])) && strings.Contains(status("nojar"), client.JarKey(ids["nojar"]))
	})
	for name, id := range ids {
		info, err := leader.client.GetTopologyInfo(ctx, id)
		must(t, err)
		if want := status(name); info.GetSchedStatus() != want {
			t.Errorf("%s: summary says %q, info says %q", name, want, info.GetSchedStatus())
		}
	}
	again := &fakeNode{c: leader, client: stormrpc.NewGearstormClient(leader.dial()), plan: old, report: a.report}
	if got := again.sync(0); len(got.Topologies) != 4 {
		t.Fatalf("the node has %d topologies", len(got.Topologies))
	}
	again.works()
	must(t, leader.round(ctx, true))
	for i, is := range again.sync(0).Topologies {
		if was := old.Topologies[i]; was.AssignmentID != is.AssignmentID {
			t.Errorf("topology %s moved", is.TopologyID)
		}
	}
	_, err := leader.client.GetUserTopology(ctx, ids["broken"])
	if r, ok := wire.RefusalOf(err); !ok || r.Reason != "topology broken" {
		t.Errorf("code of a broken topology: %v", err)
	}
	_, err = leader.client.BeginBlobDownload(ctx, client.JarKey(ids["nojar"]))
	if r, ok := wire.RefusalOf(err); !ok || r.Reason != "blob missing" {
		t.Errorf("a jar that nobody has: %v", err)
	}
	leader.submitWords("other", "{}")

	// The second master brings back what it has whole.
	fresh := newSeat(m.seats[0].Peer())
	m.seats[1] = fresh
	m.all[1] = startAny(t, func(cfg *Config) { cfg.Store, cfg.BlobDir = fresh, m.dirs[1] })
	eventually(t, "one topology is whole again", func() bool { return !strings.Contains(status("fetched"), "BROKEN") })
	must(t, leader.blobs.Verify(client.JarKey(ids["fetched"])))
	if s := status("broken"); !strings.Contains(s, "BROKEN") {
		t.Errorf("damage on both disks was taken: %s", s)
	}
	must(t, leader.client.KillTopologyWithOpts(ctx, "broken", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
	must(t, leader.client.KillTopologyWithOpts(ctx, "nojar", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
	again.until("two topologies less and one more", hasTopologies(3))
}

// A dependency that is gone breaks the topologies that use it, no others.
func TestMissingDependencyIsShown(t *testing.T) {
	m := startMasters(t, 1, nil)
	leader := m.all[0]
	leader.putBlob("dictionary", []byte("x"), true)
	leader.submitWords("with", `{"topology.blobstore.map": {"dictionary": {}}}`)
	leader.submitWords("without", "{}")
	m.restart(0, func() { m.damage(0, "dictionary", true) })
	leader = m.all[0]
	eventually(t, "it leads", func() bool { return leader.lead() == nil })
	for name, broken := range map[string]bool{"with": true, "without": false} {
		s, err := leader.client.GetTopologySummaryByName(t.Context(), name)
		must(t, err)
		if strings.Contains(s.GetSchedStatus(), "dictionary") != broken {
			t.Errorf("%s: %s", name, s.GetSchedStatus())
		}
	}
}

func TestPeerReportsAreBounded(t *testing.T) {
	c := start(t, nil)
	g := stormrpc.NewGearstormClient(c.dial())
	good := func() *stormrpc.PeerReport {
		return &stormrpc.PeerReport{Host: "h", Port: 1, Version: "v", Anew: true, Held: []*stormrpc.PeerBlob{}, Dropped: []string{}}
	}
	for name, spoil := range map[string]func(*stormrpc.PeerReport){
		"no host":      func(r *stormrpc.PeerReport) { r.Host = "" },
		"long host":    func(r *stormrpc.PeerReport) { r.Host = strings.Repeat("h", 256) },
		"no port":      func(r *stormrpc.PeerReport) { r.Port = 0 },
		"long version": func(r *stormrpc.PeerReport) { r.Version = strings.Repeat("v", 256) },
		"long key": func(r *stormrpc.PeerReport) {
			r.Held = append(r.Held, &stormrpc.PeerBlob{Key: strings.Repeat("k", 2000)})
		},
		"not known":   func(r *stormrpc.PeerReport) { r.Anew = false },
		"leader name": func(r *stormrpc.PeerReport) { r.Host, r.Port = c.cfg.Host, int32(c.Port()) },
	} {
		r := good()
		spoil(r)
		if _, err := g.SyncPeer(t.Context(), r, 0, 0); answer(err) != "application 6" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range maxPeers + 1 {
		r := good()
		r.Port = int32(i + 1)
		if _, err := g.SyncPeer(t.Context(), r, 0, 0); (err == nil) != (i < maxPeers) {
			t.Fatalf("peer %d: %v", i, err)
		}
	}
}
