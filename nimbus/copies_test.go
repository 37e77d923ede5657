package nimbus

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// What is acknowledged outlives the master that took it: by default another one holds it by then, also at the start of a term.
func TestWhatIsAcknowledgedHasACopy(t *testing.T) {
	m := startMasters(t, 3, nil)
	leader := m.all[0]
	for term := range 2 {
		id := leader.submitWords(fmt.Sprint("words", term), "{}")
		blob := fmt.Sprint("blob", term)
		leader.putBlob(blob, []byte("text"), true)
		for _, key := range []string{client.JarKey(id), client.CodeKey(id), client.ConfKey(id), blob} {
			if n := leader.holders(key); n < 2 {
				t.Errorf("%s was acknowledged when %d held it", key, n)
			}
		}
		if term == 0 {
			leader = m.fail(leader)
		}
	}
}

// Masters that are still to report in a new term are waited for, if there should be some.
func TestCopiesOfANewTerm(t *testing.T) {
	for seeds, awaited := range map[string]bool{`["a", "b"]`: true, `["a"]`: false} {
		c := start(t, func(cfg *Config) { cfg.Conf = mergeConf(cfg.Conf, `{"nimbus.seeds": `+seeds+`}`) })
		if got := c.spare().least == 2; got != awaited {
			t.Errorf("seeds %s: others are waited for %v", seeds, got)
		}
	}
}

// A master that is silent holds up an answer for a bounded time, and not where the topology wants one copy.
func TestCopiesAreNotWaitedForLong(t *testing.T) {
	m := startMasters(t, 2, nil)
	m.all[1].stop()
	for name, tt := range map[string]struct {
		conf  string
		waits bool
	}{"default": {"{}", true}, "one": {`{"topology.min.replication.count": 1}`, false}} {
		begun := time.Now()
		m.all[0].submitWords(name, tt.conf)
		if took := time.Since(begun); (took >= copyPatience) != tt.waits || took > 4*copyPatience {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// A peer that tells of its copy while the blob's record is written gets into the record.
func TestCopyToldDuringTheWriteIsRecorded(t *testing.T) {
	store := &busyStore{Store: mem.New()}
	defer store.Close()
	c := start(t, func(cfg *Config) { cfg.Store = store })
	c.putBlob("k", []byte("text"), true)
	info, err := c.blobs.Info("k")
	must(t, err)
	report := &stormrpc.PeerReport{Host: "elsewhere", Port: 6627, Anew: true}
	must(t, c.hearPeer(report))
	c.change.Lock()
	tell := func() {
		store.during.Store(nil)
		report.Anew, report.Held = false, []*stormrpc.PeerBlob{{Key: "k", Sha256: info.SHA256}}
		must(t, c.hearPeer(report))
	}
	store.during.Store(&tell)
	err = c.recordBlob(t.Context(), "k")
	c.change.Unlock()
	must(t, err)
	eventually(t, "the copy is recorded", func() bool {
		must(t, c.flushHolders(t.Context()))
		return slices.Contains(holdersOf(t, store.Store, "k"), "elsewhere:6627")
	})
}

// The id that a lost leader gave is not given again, even if only a part of its blobs was copied.
func TestIDsOfCopiesAreTaken(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	for i, key := range []func(string) string{client.JarKey, client.CodeKey, client.ConfKey} {
		taken := fmt.Sprintf("words%d-%d-%d", i, 2*i+1, clk.Now().Unix())
		_, err := c.blobs.Create(key(taken), nil, []byte("copy"))
		must(t, err)
		if id := c.submitWords(fmt.Sprint("words", i), "{}"); id == taken {
			t.Errorf("%s was given again", id)
		}
	}
}
