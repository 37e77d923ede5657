package clustersim

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gearstorm/gearstorm/internal/raced"
)

var (
	seedFlag   = flag.Uint64("seed", 1, "TestSeed runs this seed")
	seedsFlag  = flag.Int("seeds", 1, "and so many from there")
	timesFlag  = flag.Int("times", 1, "each so many times")
	totalsFlag = flag.String("totals", "", "file for what TestSeed counted")
)

// allSeeds is what a run covers unless -short or the race detector is on.
const allSeeds = 500

// TestSeeds lives through the worlds of all seeds, on every processor one process with one run queue each: the order of
// goroutines then depends on little but the seed. Package clustersim says how one is run again.
func TestSeeds(t *testing.T) {
	n, part := allSeeds, runtime.NumCPU()
	if testing.Short() || raced.Enabled {
		n = 20
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var sum totals
	var mu sync.Mutex
	var group sync.WaitGroup
	began := time.Now()
	for i := range part {
		from, to := 1+i*n/part, 1+(i+1)*n/part
		file := filepath.Join(t.TempDir(), "totals")
		group.Go(func() {
			out, err := sweep(self, from, to-from, file)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("seeds %d to %d: %v\n%s", from, to-1, err, out)
				return
			}
			var part totals
			if data, err := os.ReadFile(file); err != nil || json.Unmarshal(data, &part) != nil {
				t.Errorf("seeds %d to %d: no totals: %v", from, to-1, err)
			}
			sum.add(part)
		})
	}
	group.Wait()
	t.Logf("%d seeds in %v: %+v", n, time.Since(began).Round(time.Millisecond), sum)
	if !t.Failed() {
		checkTotals(t, n, sum)
	}
}

// sweep is TestSeed of n seeds in a process of its own. One that the race detector ends by a failed check in itself
// (golang/go#78156) is run again.
func sweep(self string, from, n int, totals string) ([]byte, error) {
	out, err := sweepOnce(self, from, n, totals)
	if err != nil && raced.Enabled && bytes.Contains(out, []byte("ThreadSanitizer: CHECK failed")) {
		out, err = sweepOnce(self, from, n, totals)
	}
	return out, err
}

func sweepOnce(self string, from, n int, totals string) ([]byte, error) {
	cmd := exec.Command(self, "-test.run", "^TestSeed$", "-test.timeout", "10m",
		"-seed", strconv.Itoa(from), "-seeds", strconv.Itoa(n), "-totals", totals)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=400")
	return cmd.CombinedOutput()
}

// checkTotals sees to it that the worlds are not idyllic.
func checkTotals(t *testing.T, n int, sum totals) {
	t.Helper()
	if sum.Seeds != n {
		t.Errorf("%d seeds were run, want %d", sum.Seeds, n)
	}
	if n < allSeeds {
		return
	}
	for what, count := range map[string]int{
		"workers launched": sum.Launches / 3, "workers adopted": sum.Adopted, "workers killed": sum.Kills, "attempts failed": sum.Failed,
		"terms": sum.Terms / 2, "writes": sum.Writes, "plans followed": sum.Followed,
	} {
		if count < n/10 {
			t.Errorf("%s: %d in %d seeds, which is next to nothing", what, count, n)
		}
	}
	if sum.StaleWrites == 0 {
		t.Error("no write of a deposed master was refused")
	}
	for kind, times := range sum.Faults {
		if times < n/50 {
			t.Errorf("fault %q: %d times in %d seeds", kind, times, n)
		}
	}
}

// TestSeed lives through the world of one seed, or of a few that follow each other.
func TestSeed(t *testing.T) {
	var sum totals
	for i := range *seedsFlag * *timesFlag {
		seed := *seedFlag + uint64(i / *timesFlag)
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			w := live(t, seed, bug{})
			sum.add(w.journal.totals)
			for _, wrong := range w.journal.wrongs {
				t.Errorf("seed %d: %s", seed, wrong)
			}
			if t.Failed() || *seedsFlag == 1 && testing.Verbose() {
				t.Logf("\n%s%s\nagain: GOMAXPROCS=1 go test ./internal/clustersim -run 'TestSeed$' -seed %d -v", w.journal, w.ledger, seed)
			}
		})
	}
	if *totalsFlag != "" {
		data, err := json.Marshal(sum)
		if err == nil {
			err = os.WriteFile(*totalsFlag, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// live runs the world of a seed to its end.
func live(t *testing.T, seed uint64, b bug) (w *world) {
	t.Helper()
	dir := scratch(t)
	defer os.RemoveAll(dir)
	synctest.Test(t, func(*testing.T) {
		w = newWorld(seed, dir)
		w.bug = b
		w.run()
	})
	w.ledger.report(&w.journal.totals)
	return w
}

// TestPlantedBugs: the checks find what is wrong, within a few seeds.
func TestPlantedBugs(t *testing.T) {
	const seeds = 8
	for name, c := range map[string]struct {
		bug  bug
		says string
	}{
		"a sink acks what it has not seen": {bug{loseDelivery: true}, `is acked, but .* has not seen it`},
		"a tuple is emitted twice":         {bug{doubleRow: true}, `comes 2 times by`},
		"a spout forgets what failed":      {bug{loseRoot: true}, `every root acked: not within`},
	} {
		t.Run(name, func(t *testing.T) {
			says := regexp.MustCompile(c.says)
			var all []string
			for seed := uint64(1); seed <= seeds; seed++ {
				w := live(t, seed, c.bug)
				if text := strings.Join(w.journal.wrongs, "\n"); says.MatchString(text) {
					t.Logf("found by seed %d", seed)
					return
				}
				all = append(all, fmt.Sprint(seed, w.journal.wrongs))
			}
			t.Errorf("not found by %d seeds: %v", seeds, all)
		})
	}
}
