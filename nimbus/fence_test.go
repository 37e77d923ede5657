package nimbus

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// A write that hangs does not keep a master leading, nor from following and leading again.
func TestHangingWrite(t *testing.T) {
	m := startMasters(t, 2, nil)
	ctx := t.Context()
	leader := m.all[0]
	leader.submitWords("words", "{}")
	hang := make(chan struct{})
	m.seats[0].mu.Lock()
	m.seats[0].hang = hang
	m.seats[0].mu.Unlock()
	done := make(chan error, 1)
	go func() { done <- leader.client.Deactivate(context.Background(), "words") }()
	eventually(t, "the write hangs", func() bool {
		if leader.change.TryLock() {
			leader.change.Unlock()
			return false
		}
		return true
	})
	next := m.fail(leader)
	if err := <-done; client.KindOf(err) != client.InDoubt {
		t.Errorf("the call ended with %v", err)
	}
	close(hang)
	if top, _ := next.named("words"); top.Status != cluster.Active {
		t.Errorf("a write of the old term took effect: %s", top.Status)
	}
	must(t, m.all[0].client.Deactivate(ctx, "words")) // through the new leader
	m.seats[0].mu.Lock()
	close(m.seats[0].free)
	m.seats[0].mu.Unlock()
	if back := m.fail(next); back != leader {
		t.Fatal("the first master does not lead again")
	}
	if top, _ := leader.named("words"); top.Status != cluster.Inactive {
		t.Errorf("status %s under the third leader", top.Status)
	}
}

// After a write whose outcome is not known the caller hears just that, and what is stored is read again.
func TestWriteInDoubt(t *testing.T) {
	m := startMasters(t, 1, nil)
	leader := m.all[0]
	leader.submitWords("words", "{}")
	m.seats[0].doubt.Store(true)
	if err := leader.client.Deactivate(t.Context(), "words"); client.KindOf(err) != client.InDoubt {
		t.Errorf("the call ended with %v", err)
	}
	eventually(t, "the write that took effect is seen", func() bool {
		top, ok := leader.named("words")
		return leader.lead() == nil && ok && top.Status == cluster.Inactive
	})
	location := leader.upload(jar(t, "resources/script.py"))
	m.seats[0].doubt.Store(true)
	if err := leader.client.SubmitTopology(t.Context(), "other", location, "{}", words()); client.KindOf(err) != client.InDoubt {
		t.Errorf("the submission ended with %v", err)
	}
	eventually(t, "the master leads again", func() bool { return leader.lead() == nil && leader.epoch() == 3 })
	m.checkWhole(leader, map[string]bool{"words": true, "other": true})
}

// A leader that is not told of its end has its next write refused; it counts that, changes nothing and follows.
func TestStaleLeaderIsFenced(t *testing.T) {
	m := &masters{t: t}
	state := mem.New()
	defer state.Close()
	for range 2 {
		m.seats = append(m.seats, newSeat(state.Peer()))
		m.dirs, m.all = append(m.dirs, filepath.Join(t.TempDir(), "blobs")), append(m.all, nil)
	}
	m.seats[0].deaf = true
	m.start(0, nil)
	m.start(1, nil)
	stale := m.all[0]
	stale.submitWords("words", "{}")
	m.seats[0].lose()
	eventually(t, "both believe that they lead", func() bool { return m.all[1].lead() == nil && stale.lead() == nil })
	err := stale.client.Deactivate(t.Context(), "words")
	if client.KindOf(err) != client.NoLeader {
		t.Errorf("the stale leader's call ended with %v", err)
	}
	m.leaderAfter(stale)
	if f := stale.Figures(); f.Fenced != 1 {
		t.Errorf("figures of the stale leader: %+v", f)
	}
	if top, _ := m.all[1].named("words"); top.Status != cluster.Active {
		t.Errorf("the stale leader's write took effect: %s", top.Status)
	}
}

// An idle leader with topologies, nodes and peers writes nothing to the store.
func TestIdleClusterWritesNothing(t *testing.T) {
	m := startMasters(t, 3, func(cfg *Config) { cfg.Conf["nimbus.monitor.freq.secs"] = int64(1) })
	leader := m.all[0]
	a := leader.node("a", 6700, 6701, 6702, 6703, 6704, 6705, 6706, 6707, 6708, 6709)
	for i := range 10 {
		leader.submitWords(fmt.Sprintf("words%d", i), "{}")
	}
	a.until("the topologies", hasTopologies(10))
	a.works()
	eventually(t, "all copies are recorded", func() bool {
		records, err := cluster.ListBlobs(t.Context(), leader.cfg.Store)
		must(t, err)
		return len(records) == 30 && !slices.ContainsFunc(records, func(b cluster.Blob) bool { return len(b.Holders) != 3 })
	})
	before := m.seats[0].txns.Load()
	for range 20 {
		a.works()
		must(t, leader.round(t.Context(), true))
		must(t, errors.Join(leader.flushErrors(t.Context()), leader.flushHolders(t.Context())))
	}
	time.Sleep(2500 * time.Millisecond) // two ticks of the leader's own
	if got := m.seats[0].txns.Load() - before; got != 0 {
		t.Errorf("an idle leader made %d writes", got)
	}
}

// Without proof of who calls nobody speaks for others.
func TestWhoMayRelay(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.Conf["nimbus.admins"] = []any{"nimbus"} })
	for _, r := range []struct {
		peer, says, is string
		ok             bool
	}{{"", "", "", true}, {"", "alice", "", false}, {"bob", "alice", "", false}, {"nimbus", "alice", "alice", true}, {"nimbus", "", "", true}} {
		got, ok := c.relayed(wire.Peer{Principal: r.peer}, r.says)
		if ok != r.ok || ok && got.Principal != r.is {
			t.Errorf("%q relays a call of %q: taken as of %q, %v", r.peer, r.says, got.Principal, ok)
		}
	}
}

// Two masters with one name cannot be told apart; the second one is refused with what to do.
func TestPeerWithTheNameOfTheLeader(t *testing.T) {
	c := start(t, nil)
	err := c.hearPeer(&stormrpc.PeerReport{Host: c.cfg.Host, Port: int32(c.Port()), Anew: true})
	if err == nil || !strings.Contains(err.Error(), "storm.local.hostname") {
		t.Errorf("got %v", err)
	}
}
