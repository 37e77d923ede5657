package keeper

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Savepoints that others make and delete in the store are seen.
func TestKeeperSeesSavepointsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &flaky{}
		r := start(t, store, 1, func(c *Config) { c.Checkpoints.Interval = time.Hour })
		other := start(t, store, 1, func(c *Config) { c.Topology, c.Checkpoints.Interval = "other-2-2", time.Hour })
		list := func() (names []string) {
			for _, s := range r.Timing().Savepoints {
				names = append(names, s.Name+" of "+s.Topology)
			}
			return names
		}
		r.Ask([]*stormrpc.SavepointRequest{{ID: 1, Name: "mine"}})
		await(t, "it is there", func() bool { return len(list()) == 1 })
		other.Ask([]*stormrpc.SavepointRequest{{ID: 2, Name: "theirs"}})
		time.Sleep(2 * listAfter)
		if got := strings.Join(list(), ", "); got != "mine of top-1-1, theirs of other-2-2" {
			t.Errorf("there is %s", got)
		}
		if err := checkpoint.DeleteSavepoint(t.Context(), store, "mine"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * listAfter)
		if got := strings.Join(list(), ", "); got != "theirs of other-2-2" {
			t.Errorf("there is %s", got)
		}
		r.stop()
		other.stop()
	})
}
