package clustersim

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/internal/raced"
)

var exactSeeds = flag.Int("exact-seeds", 12, "TestExactSeeds runs so many seeds from -seed on")

// TestExactSeeds lives through worlds whose topology makes checkpoints: whatever hits them, each record is counted once, and at each
// checkpoint the counts are those of the records before the sources' positions.
func TestExactSeeds(t *testing.T) {
	n := *exactSeeds
	if testing.Short() || raced.Enabled {
		n = min(n, 3)
	}
	for i := range n {
		seed := *seedFlag + uint64(i)
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			dir := scratch(t)
			defer os.RemoveAll(dir)
			var w *world
			synctest.Test(t, func(*testing.T) {
				w = newWorld(seed, dir)
				w.exact = &exact.Topology{}
				w.run()
			})
			for _, wrong := range w.journal.wrongs {
				t.Errorf("seed %d: %s", seed, wrong)
			}
			if t.Failed() || n == 1 && testing.Verbose() {
				t.Logf("\n%s\nagain: GOMAXPROCS=1 go test ./internal/clustersim -run TestExactSeeds -seed %d -exact-seeds 1 -v", w.journal, seed)
			}
		})
	}
}

// beExact draws the topology.
func (w *world) beExact() {
	r := rand.New(rand.NewPCG(w.seed, 4))
	files := filepath.Join(w.dir, "exact")
	if err := os.MkdirAll(files, 0o700); err != nil {
		panic(err) // w.dir is the test's own
	}
	*w.exact = exact.Topology{Dir: files, Rate: 30 + r.IntN(100), Sources: 1 + r.IntN(2), Counters: 1 + r.IntN(3), Sinks: 1 + r.IntN(2), Workers: 2 + r.IntN(2),
		Conf: map[string]any{"gearstorm.checkpoint.interval.ms": 100 + r.IntN(900), "gearstorm.checkpoint.store": "file://" + filepath.Join(w.dir, "store"),
			"gearstorm.transport.unix": false, "gearstorm.checkpoint.align.limit.ms": 5000}}
	w.exact.Records = w.exact.Rate * int(faultPhase/time.Second)
	topo, err := w.exact.Build()
	if err != nil {
		panic(err)
	}
	w.topo, w.shape, w.ledger = topo, &shape{workers: w.exact.Workers, bolts: []boltShape{{name: "counter"}}}, &ledger{w: w, tasks: map[string]int{}, began: time.Now()}
	w.journal.say("%s: topology %+v", w, *w.exact)
}

// allVisible says whether all records are, and notes what is wrong.
func (w *world) allVisible() bool {
	r, err := exact.Check(*w.exact)
	if err != nil {
		w.journal.wrong("read the records: %v", err)
	}
	for _, text := range r.Wrong {
		w.journal.wrong("%s", text)
	}
	return r.Whole(*w.exact) || len(r.Wrong) > 0 || err != nil
}
