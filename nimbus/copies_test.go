package nimbus

import (
	"slices"
	"testing"

	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

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
