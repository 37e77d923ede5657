package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
)

// keepsAll keeps half a kilobyte for every record, and counts how often each came.
type keepsAll struct {
	s      storm.KeyValueState[string, string]
	failed *atomic.Bool // the record in the middle has failed once
}

var kept = strings.Repeat("x", 500)

func (h *keepsAll) Prepare(*storm.Context, *storm.Collector) error { return nil }

func (h *keepsAll) InitState(s storm.KeyValueState[string, string]) error {
	h.s = s
	return nil
}

func (h *keepsAll) Execute(t storm.Tuple, c *storm.Collector) error {
	if t.Int(1) == countedRecords/2 && !h.failed.Swap(true) {
		return errors.New("the topology goes back")
	}
	key := fmt.Sprint(t.Int(1))
	had, _ := h.s.Get(key)
	h.s.Put(key, had+kept)
	total, _ := h.s.Get("total")
	n, _ := strconv.Atoi(total)
	h.s.Put("total", strconv.Itoa(n+1))
	c.Ack(t)
	return nil
}

// TestStateOutgrowsMemory has a worker keep more than a task may in memory: it goes on in a directory of its own below that which the topology names, through
// a rollback, and leaves nothing there.
func TestStateOutgrowsMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var rounds atomic.Int64
	var failed atomic.Bool
	b := storm.NewTopologyBuilder().AddConfig("gearstorm.checkpoint.interval.ms", 100).AddConfig("gearstorm.checkpoint.store", "file://"+filepath.Join(t.TempDir(), "store")).
		AddConfig("gearstorm.state.dir", dir).AddConfig("gearstorm.state.memory.mb", 1)
	b.SetSpout("source", storm.SourceFactory(func() (gearcore.Source, error) { return &positioned{rounds: &rounds}, nil }), 1).Fields("key", "n")
	b.SetBolt("keep", storm.Stateful(func() storm.StatefulBolt[string, string] { return &keepsAll{failed: &failed} }), 1).ShuffleGrouping("source")
	topo, err := b.Build()
	must(t, err)
	t.Run("runs", func(t *testing.T) {
		l := localOf(t, "keep", topo)
		tasks := l.host.plan().TasksOf("keep")
		value := func(key string) string {
			for _, e := range inspect(t, l, tasks, gearcore.StateQuery{Key: key, HasKey: true}) {
				return string(e.JSON)
			}
			return ""
		}
		await(t, "all records are kept after it has gone back", func() bool { return rounds.Load() > 1 && len(value(fmt.Sprint(countedRecords-1))) > 0 })
		if got := value("total"); got != fmt.Sprintf("%q", fmt.Sprint(countedRecords)) {
			t.Errorf("%s records are kept of %d", got, countedRecords)
		}
		for n := 0; n < countedRecords; n += 97 {
			if got := value(fmt.Sprint(n)); got != `"`+kept+`"` {
				t.Fatalf("record %d: %.20q... of %d bytes", n, got, len(got))
			}
		}
		files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.sst"))
		if more, _ := filepath.Glob(filepath.Join(dir, "*", "*.sst")); err != nil || len(files)+len(more) == 0 {
			t.Errorf("nothing is on disk below %s: %v", dir, err)
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the topology is gone, and in %s is %v, %v", dir, left, err)
	}
}
