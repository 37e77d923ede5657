package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/internal/metrics"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// slowFor is how long the bolt is slow; GEARSTORM_SLOW changes it (scripts/backpressure.sh).
func slowFor(t testing.TB) time.Duration {
	if s := os.Getenv("GEARSTORM_SLOW"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("GEARSTORM_SLOW: %v", err)
		}
		return d
	}
	if testing.Short() {
		return time.Second
	}
	return 5 * time.Second
}

const (
	slowness = 100
	// maxGrowth is what a slow bolt may cost: full inboxes and links, and the garbage that the collector lets grow.
	maxGrowth = 192 << 20
	// maxAhead is how many tuples fit into inboxes and links, generously.
	maxAhead = 1 << 18
	// recovery is how soon the old speed must be back, or most of it on a machine that others use.
	recovery, most = 5 * time.Second, 0.6
)

// flood is numbers (a spout as fast as it can, a fresh 100-byte payload each) -> work, which can be slowed down. Numbered:
// numbers 1, work 2.
type flood struct {
	emitted, done atomic.Int64
	wrong         atomic.Int64 // out of order, lost or doubled
	enough        atomic.Bool
	rate          atomic.Int64 // tuples a second that work allows itself, 0: no bound
	topo          *storm.Topology
}

func newFlood(t testing.TB) *flood {
	t.Helper()
	f := &flood{}
	spout := storm.SpoutFunc(func(c *storm.Collector) error {
		if f.enough.Load() {
			return storm.ErrIdle
		}
		c.Emit(f.emitted.Add(1), make([]byte, 100))
		return nil
	})
	began, n := time.Now(), int64(0)
	was := int64(0)
	work := storm.BoltFunc(func(tup storm.Tuple, _ storm.Emitter) error {
		if tup.Int(0) != f.done.Add(1) {
			f.wrong.Add(1)
		}
		rate := f.rate.Load()
		if rate != was {
			began, n, was = time.Now(), 0, rate
		}
		if n++; rate > 0 && n%32 == 0 {
			time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / time.Duration(rate))))
		}
		return nil
	})
	b := storm.NewTopologyBuilder().Ackers(0)
	b.SetSpout("numbers", spout, 1).Fields("n", "payload")
	b.SetBolt("work", work, 1).ShuffleGrouping("numbers")
	var err error
	if f.topo, err = b.Build(); err != nil {
		t.Fatal(err)
	}
	return f
}

// speed is tuples a second over d.
func (f *flood) speed(d time.Duration) float64 {
	at, n := time.Now(), f.done.Load()
	time.Sleep(d)
	return float64(f.done.Load()-n) / time.Since(at).Seconds()
}

// resident is the resident memory of this process in bytes.
func resident(t testing.TB) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// A bolt that becomes a hundred times slower under a spout at full speed holds it back: memory stays bounded, nothing is
// lost, it is seen who throttles whom, and the speed comes back when the bolt does.
func TestBackpressure(t *testing.T) {
	t.Run("one process", func(t *testing.T) {
		f := newFlood(t)
		l, err := NewLocal(LocalConfig{Name: "flood", Topology: f.topo.Thrift, Conf: f.topo.Conf, Registry: f.topo.Components, CodeDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		end := make(chan error, 1)
		go func() { end <- l.Run(ctx) }()
		f.endure(t, "one-process", func() []metrics.Throttle {
			for _, c := range l.Stats() {
				if c.Component == "numbers" {
					return c.Throttles
				}
			}
			return nil
		})
		cancel()
		if err := <-end; err != nil {
			t.Errorf("run ended with %v", err)
		}
	})
	t.Run("two workers", func(t *testing.T) {
		f := newFlood(t)
		ports := freePorts(t, 2)
		cl := newCluster(t, f.topo, map[int][][2]int64{ports[0]: {{1, 1}}, ports[1]: {{2, 2}}})
		x, y := cl.start(ports[0]), cl.start(ports[1])
		await(t, "both are ready", func() bool { return cl.sup.isReady(x.id) && cl.sup.isReady(y.id) })
		f.endure(t, "two-workers", func() []metrics.Throttle {
			var times metrics.Times
			times.Add(statOf(cl.sup.report(x.id), 1))
			return times.Throttles()
		})
	})
}

// endure slows the bolt down and up again, and says on one line how it went.
func (f *flood) endure(t *testing.T, name string, throttles func() []metrics.Throttle) {
	await(t, "tuples flow", func() bool { return f.done.Load() > 100_000 })
	before := f.speed(time.Second)
	base := resident(t)
	f.rate.Store(int64(max(before/slowness, 1)))
	top, slow, waited := base, f.done.Load(), 0.0
	began := time.Now()
	for time.Since(began) < slowFor(t) {
		time.Sleep(20 * time.Millisecond)
		top = max(top, resident(t))
		for _, th := range throttles() {
			if th.By == "work" {
				waited = max(waited, th.Share)
			}
		}
	}
	rate := float64(f.done.Load()-slow) / time.Since(began).Seconds()
	ahead := f.emitted.Load() - f.done.Load()
	f.rate.Store(0)
	resumed := time.Now()
	back, best := time.Duration(0), 0.0
	for back == 0 && time.Since(resumed) < recovery {
		got := f.speed(100 * time.Millisecond)
		if best = max(best, got); got >= most*before {
			back = time.Since(resumed)
		}
	}
	f.enough.Store(true)
	await(t, "all arrived", func() bool { return f.done.Load() == f.emitted.Load() })
	line, _ := json.Marshal(map[string]any{
		"before_per_s": int64(before), "slow_per_s": int64(rate), "slow_s": slowFor(t).Seconds(), "grown_mib": (top - base) >> 20,
		"ahead": ahead, "throttled_share": waited, "back_ms": back.Milliseconds(), "lost_or_doubled": f.wrong.Load(),
	})
	fmt.Printf("backpressure %s %s\n", name, line)
	if rate > before/slowness*3 {
		t.Errorf("the bolt was not slow: %.0f tuples/s, %.0f before", rate, before)
	}
	if top-base > maxGrowth {
		t.Errorf("resident memory grew by %d MiB", (top-base)>>20)
	}
	if ahead > maxAhead {
		t.Errorf("%d tuples were under way", ahead)
	}
	if f.wrong.Load() != 0 {
		t.Errorf("%d tuples were lost, doubled or out of order", f.wrong.Load())
	}
	if back == 0 && !(raced.Enabled && best >= before/4) { // the race detector's run has others beside it
		t.Errorf("%v after the bolt is fast again it is at %.0f tuples/s at best, before %.0f", recovery, best, before)
	}
	if least := (1 - math.Exp(-slowFor(t).Seconds()/5)) / 3; waited < least { // the share follows within about five seconds
		t.Errorf("the spout is said to have waited for work %.0f %% of its time", 100*waited)
	}
}
