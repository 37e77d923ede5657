package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// tally is what a windowed bolt has seen, in its state.
type tally struct{ Windows, Size, Sum, New, Expired int64 }

// tallied adds up its windows, all together and by their ends. It fails now and then, which takes the topology back.
type tallied struct {
	s       storm.KeyValueState[string, tally]
	fails   *atomic.Int64 // how often it still may
	told    *sync.Map     // by index: the tally of all windows
	index   int
	handled int
}

func (b *tallied) Prepare(ctx *storm.Context, _ *storm.Collector) error {
	b.index = ctx.Index
	return nil
}

func (b *tallied) InitState(s storm.KeyValueState[string, tally]) error {
	b.s = s
	return nil
}

func (b *tallied) Execute(w storm.Window, _ storm.WindowEmitter) error {
	one := tally{Windows: 1, New: int64(len(w.New)), Expired: int64(len(w.Expired))}
	for t := range w.All() {
		one.Size++
		one.Sum += t.Int(1)
	}
	b.add(fmt.Sprint(w.End.UnixMilli()), one)
	all := b.add("all", one)
	if b.handled++; b.handled%15 == 0 && b.fails.Add(-1) >= 0 {
		return errors.New("the topology goes back")
	}
	if b.told != nil {
		b.told.Store(b.index, all)
	}
	return nil
}

func (b *tallied) add(key string, one tally) tally {
	t, _ := b.s.Get(key)
	t = tally{t.Windows + one.Windows, t.Size + one.Size, t.Sum + one.Sum, t.New + one.New, t.Expired + one.Expired}
	b.s.Put(key, t)
	return t
}

const afterAll = 1000

// after is the time of a record of positioned: its number, and far behind all others for those that come after the countedRecords.
func after(t storm.Tuple) (int64, error) {
	n := t.Int(1)
	if n >= countedRecords {
		n += afterAll + 1
	}
	return n, nil
}

// windowsOf is source -> windows with a checkpoint ten times a second. The source has a record more for every key, to close windows.
func windowsOf(t *testing.T, dir string, rounds *atomic.Int64, shape *storm.WindowedSpec, tasks int, own map[string]any) *storm.Topology {
	t.Helper()
	b := storm.NewTopologyBuilder().AddConfig("gearstorm.checkpoint.interval.ms", 100).AddConfig("gearstorm.checkpoint.store", "file://"+dir)
	for k, v := range own {
		b.AddConfig(k, v)
	}
	b.SetSpout("source", storm.SourceFactory(func() (gearcore.Source, error) {
		return &positioned{rounds: rounds, pad: own["pad"] != nil, more: countedKeys}, nil
	}), 1).Fields("key", "n")
	b.SetBolt("windows", shape, tasks).FieldsGrouping("source", "key")
	topo, err := b.Build()
	must(t, err)
	return topo
}

// TestWindowsCountOnce fails in windows and loses batches: windows hold what they would have held, and each is handled once.
func TestWindowsCountOnce(t *testing.T) {
	const all = int64(countedRecords)
	for name, tc := range map[string]struct {
		shape       func(*storm.WindowedSpec) *storm.WindowedSpec
		size, slide int64 // 0: not by event time
		spills      bool
	}{
		"tumbling": {func(s *storm.WindowedSpec) *storm.WindowedSpec {
			return s.Tumbling(storm.Duration(100 * time.Millisecond)).Timestamps(after).WatermarkInterval(20 * time.Millisecond)
		}, 100, 100, false},
		"sliding and larger than memory": {func(s *storm.WindowedSpec) *storm.WindowedSpec {
			return s.Window(storm.Duration(3*time.Second), storm.Duration(500*time.Millisecond)).Timestamps(after).WatermarkInterval(20 * time.Millisecond).Persistent()
		}, 3000, 500, true},
		"by the clock": {func(s *storm.WindowedSpec) *storm.WindowedSpec {
			return s.Tumbling(storm.Duration(20 * time.Millisecond))
		}, 0, 0, false},
		"counted": {func(s *storm.WindowedSpec) *storm.WindowedSpec { return s.Tumbling(storm.Count(50)) }, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			var rounds, fails atomic.Int64
			fails.Store(4)
			shape := tc.shape(storm.StatefulWindowed(func() storm.StatefulWindowedBolt[string, tally] { return &tallied{fails: &fails} }))
			own, dir := map[string]any{}, filepath.Join(t.TempDir(), "state")
			if tc.spills {
				own = map[string]any{"gearstorm.state.dir": dir, "gearstorm.state.memory.mb": 1, "pad": true}
			}
			l := localOf(t, "windows", windowsOf(t, filepath.Join(t.TempDir(), "store"), &rounds, shape, 1, own))
			tasks := l.host.plan().TasksOf("windows")
			value := func(key string) (got tally) {
				for _, e := range inspect(t, l, tasks, gearcore.StateQuery{State: "state", Key: key, HasKey: true}) {
					must(t, json.Unmarshal(e.JSON, &got))
				}
				return got
			}
			want := tally{Windows: all/50 + 1, Size: all + countedKeys, Sum: (all + countedKeys) * (all + countedKeys - 1) / 2}
			if tc.slide > 0 {
				want = tally{}
				for end := int64(0); end <= all+afterAll && end-tc.size < all-1; end += tc.slide {
					one := windowTo(end, tc.size)
					want = tally{want.Windows + 1, want.Size + one.Size, want.Sum + one.Sum, 0, 0}
				}
			}
			var got tally
			lost := 0
			await(t, "all records are in windows", func() bool {
				got = value("all")
				if got.Size > want.Size {
					t.Fatalf("%d records in windows, there are %d", got.Size, want.Size)
				}
				if got.Size > want.Size*int64(lost+1)/5 && lost < 3 {
					lost++
					l.timed.lost(&gearcore.Batch{}, errors.New("a test"))
				}
				return got.Size == want.Size
			})
			if name == "by the clock" {
				want.Windows = got.Windows
			}
			if !tc.spills { // a tuple is new once, and leaves once
				want.New, want.Expired = want.Size, got.Expired
			}
			if got != want || rounds.Load() < 3 {
				t.Errorf("got %+v, want %+v; the topology began %d times", got, want, rounds.Load())
			}
			if !tc.spills && (got.Expired >= got.Size || got.Expired == 0) {
				t.Errorf("%d tuples left windows, of %d", got.Expired, got.Size)
			}
			for end := int64(0); tc.slide > 0 && end <= all+afterAll && end-tc.size < all-1; end += 7 * tc.slide {
				var got tally
				await(t, "the task answers", func() bool { got = value(fmt.Sprint(end)); return got.Windows > 0 })
				if want := windowTo(end, tc.size); got.Windows != 1 || got.Size != want.Size || got.Sum != want.Sum {
					t.Errorf("the window to %d has %+v, want %+v", end, got, want)
				}
			}
			if files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.sst")); tc.spills && (err != nil || len(files) == 0) {
				more, _ := filepath.Glob(filepath.Join(dir, "*", "*.sst"))
				if len(more) == 0 {
					t.Errorf("nothing is on disk below %s: %v", dir, err)
				}
			}
		})
	}
}

// windowTo is what a window of records has that ends there.
func windowTo(end, size int64) (one tally) {
	for n := max(end-size+1, 0); n <= min(end, countedRecords-1); n++ {
		one.Size++
		one.Sum += n
	}
	return one
}

// TestWindowsGoOnInOtherVersions replaces a windowed bolt while windows are open, and ends workers: its windows and state are those of the one before.
func TestWindowsGoOnInOtherVersions(t *testing.T) {
	const all = int64(countedRecords)
	var rounds, fails atomic.Int64
	var told sync.Map
	shape := storm.StatefulWindowed(func() storm.StatefulWindowedBolt[string, tally] { return &tallied{fails: &fails, told: &told} }).
		Tumbling(storm.Duration(700 * time.Millisecond)).Timestamps(after).WatermarkInterval(20 * time.Millisecond)
	topo := windowsOf(t, filepath.Join(t.TempDir(), "store"), &rounds, shape, 2, nil)
	ports := freePorts(t, 2)
	_, plan := codeDir(t, topo)
	byPort := map[int][][2]int64{}
	for id := range plan.Numbering {
		port := evenly(ports)(id)
		byPort[port] = append(byPort[port], [2]int64{int64(id), int64(id)})
	}
	c := newCluster(t, topo, byPort)
	procs := []*process{c.start(ports[0]), c.start(ports[1])}
	sum := func() (s tally) {
		told.Range(func(_, v any) bool {
			one := v.(tally)
			s.Size, s.Sum = s.Size+one.Size, s.Sum+one.Sum
			return true
		})
		return s
	}
	for round := range 4 {
		await(t, "windows are handled", func() bool { return sum().Size >= all*int64(round+1)/7 })
		if round == 2 {
			procs[1].stop()
			procs[1] = c.start(ports[1])
			continue
		}
		c.upgrade(topo, []string{"windows"}, evenly(ports), nil)
		c.allRun(procs...)
	}
	await(t, "all records are in windows", func() bool { return sum().Size >= all })
	if got := sum(); got.Size != all || got.Sum != all*(all-1)/2 {
		t.Errorf("%d records that add up to %d, want %d and %d", got.Size, got.Sum, all, all*(all-1)/2)
	}
	c.alive(procs...)
}

// TestWindowsAreNotDivided: with another number of tasks nobody takes up what is in a checkpoint, and the reason is told.
func TestWindowsAreNotDivided(t *testing.T) {
	var rounds, fails atomic.Int64
	store, log := filepath.Join(t.TempDir(), "store"), &lines{}
	run := func(t *testing.T, tasks int, own map[string]any) *Local {
		shape := storm.StatefulWindowed(func() storm.StatefulWindowedBolt[string, tally] { return &tallied{fails: &fails} }).Tumbling(storm.Count(50))
		topo := windowsOf(t, store, &rounds, shape, tasks, own)
		return runLocal(t, LocalConfig{Name: "windows", Topology: topo.Thrift, Conf: topo.Conf, Registry: topo.Components, Log: slog.New(slog.NewTextHandler(log, nil))})
	}
	t.Run("before", func(t *testing.T) {
		l := run(t, 2, nil)
		await(t, "checkpoints", func() bool { v := l.Timing(); return v != nil && firstCommitted(v) != nil })
		l.timed.ask([]*stormrpc.SavepointRequest{{ID: 1, Name: "two"}})
		await(t, "the savepoint", func() bool { return len(l.Timing().Savepoints) == 1 })
	})
	l := run(t, 3, map[string]any{"gearstorm.checkpoint.from": "two"})
	await(t, "the reason", func() bool {
		log.mu.Lock()
		defer log.mu.Unlock()
		return strings.Contains(string(log.b), "they were kept by 2 tasks, and there are 3 now")
	})
	if v := l.Timing(); v != nil && v.State == "running" {
		t.Errorf("it runs: %v", v)
	}
}
