package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/multilang/clients"
)

// childBolt is a bolt in another language.
type childBolt struct{ program, script string }

// keyCounts is a bolt that counts by key, for each of our clients.
var keyCounts = map[string]childBolt{
	"python": {"python3", `import gearstorm

class Count(gearstorm.BasicBolt):
    total = gearstorm.Value(0)
    seen = gearstorm.Map()

    def process(self, tup):
        self.total.set(self.total.get() + 1)
        self.seen.set(tup["n"] % 7, tup["n"])

Count().run()
`},
	"node": {"node", `const { BasicBolt, value, map } = require('./gearstorm');

class Count extends BasicBolt {
  static states = { total: value(0), seen: map() };

  async process(tuple) {
    const { total, seen } = this.state(tuple);
    total.set(total.get() + 1);
    seen.set(tuple.get('n') % 7, tuple.get('n'));
  }
}
new Count().run();
`},
}

const (
	countedKeys    = 50
	countedRecords = 15_000
)

// positioned is a source of numbers with a key, of some thousand a second, that goes back to where it was.
type positioned struct {
	next    int64
	rounds  *atomic.Int64 // how often it has gone back
	resumed time.Time
	base    int64

	pad  bool  // keys are half a kilobyte
	more int64 // records after the countedRecords
}

func (s *positioned) Open(*gearcore.Context, *gearcore.Collector) error { return nil }

func (s *positioned) Next(c *gearcore.Collector) error {
	if s.next == countedRecords+s.more || s.next-s.base > int64(6*time.Since(s.resumed)/time.Millisecond) {
		return gearcore.ErrIdle
	}
	key := fmt.Sprint("k", s.next%countedKeys)
	if s.pad {
		key += kept
	}
	c.Emit(key, s.next)
	s.next++
	return nil
}

func (s *positioned) Freeze(uint64) (gearcore.Frozen, error) { return position(s.next), nil }

func (s *positioned) Restore(r *gearcore.Recovery) error {
	s.next = 0
	if len(r.Parts) > 0 {
		s.next, _ = strconv.ParseInt(string(r.Parts[0].Inline), 10, 64)
	}
	s.resumed, s.base = time.Now(), s.next
	s.rounds.Add(1)
	return nil
}

func (*positioned) Ack(gearcore.Value, *gearcore.Collector)  {}
func (*positioned) Fail(gearcore.Value, *gearcore.Collector) {}
func (*positioned) Activate(*gearcore.Collector)             {}
func (*positioned) Deactivate(*gearcore.Collector)           {}
func (*positioned) Close()                                   {}

type position int64

func (p position) Save(context.Context, gearcore.Vault) (gearcore.Part, error) {
	return gearcore.Part{Inline: fmt.Append(nil, int64(p))}, nil
}
func (position) Drop() {}

// TestChildrenCountOnce kills the children of a counting bolt at random moments: every record is counted once.
func TestChildrenCountOnce(t *testing.T) {
	for name, bolt := range keyCounts {
		t.Run(name, func(t *testing.T) {
			l, tasks := countKilled(t, bolt, func(p positioned) gearcore.Source { return &p }, "total", 8)
			for k := range countedKeys {
				key, want := fmt.Sprint("k", k), map[string]string{"total": fmt.Sprint(countedRecords / countedKeys)}
				last := map[string]int64{}
				for n := int64(k); n < countedRecords; n += countedKeys {
					last[fmt.Sprint(n%7)] = n
				}
				text, _ := json.Marshal(last)
				want["seen"] = string(text)
				if got := keptOf(t, l, tasks, key); !maps.Equal(got, want) {
					t.Errorf("key %s: %v, want %v", key, got, want)
				}
			}
		})
	}
}

// countKilled runs source -> count in this process, kills the children of count at random moments, most of them altogether, and returns when a
// state of it adds up to all records.
func countKilled(t *testing.T, bolt childBolt, source func(positioned) gearcore.Source, state string, most int) (*Local, []gearcore.TaskID) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 3))
	var rounds atomic.Int64
	l := countLocal(t, bolt, source(positioned{rounds: &rounds}))
	tasks := l.host.plan().TasksOf("count")
	kills := 0
	for counted := 0; counted < countedRecords; {
		if pids := childrenWith(t, "count.script"); kills < most && len(pids) > 0 && counted > kills*countedRecords/(most+2) {
			if err := syscall.Kill(pids[rnd.IntN(len(pids))], syscall.SIGKILL); err == nil {
				kills++
			}
		}
		time.Sleep(time.Duration(rnd.Int64N(int64(50 * time.Millisecond)))) // the moment is the point
		if counted = sumOf(t, l, tasks, state); counted > countedRecords {
			t.Fatalf("%s is %d of %d records", state, counted, countedRecords)
		}
	}
	if kills == 0 || rounds.Load() < 2 {
		t.Errorf("%d children were killed, and the topology began %d times", kills, rounds.Load())
	}
	return l, tasks
}

// keptOf returns what the states have of a key.
func keptOf(t *testing.T, l *Local, tasks []gearcore.TaskID, key string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, e := range inspect(t, l, tasks, gearcore.StateQuery{Key: key, HasKey: true}) {
		got[e.State] += string(e.JSON)
	}
	return got
}

// countLocal runs source -> count in this process, with a checkpoint ten times a second.
func countLocal(t *testing.T, bolt childBolt, source gearcore.Source) *Local {
	t.Helper()
	dir := t.TempDir()
	must(t, clients.WriteTo(dir))
	path := filepath.Join(dir, "count.script")
	must(t, os.WriteFile(path, []byte(bolt.script), 0o600))
	b := storm.NewTopologyBuilder().AddConfig("gearstorm.checkpoint.interval.ms", 100).AddConfig("gearstorm.checkpoint.store", "file://"+filepath.Join(t.TempDir(), "store"))
	b.SetSpout("source", storm.SourceFactory(func() (gearcore.Source, error) { return source, nil }), 1).Fields("key", "n")
	b.SetBolt("count", storm.ShellBolt(bolt.program, path), 3).Grouping("source", "default", storm.KeyGroups("key"))
	topo, err := b.Build()
	must(t, err)
	return localOf(t, "count", topo)
}

// localOf runs a topology in this process until the test ends.
func localOf(t *testing.T, name string, topo *storm.Topology) *Local {
	t.Helper()
	return runLocal(t, LocalConfig{Name: name, Topology: topo.Thrift, Conf: conf.Conf(topo.Conf), Registry: topo.Components, Log: slog.New(slog.NewTextHandler(testLog(t), nil))})
}

// sumOf adds up a state of all keys at the moment, as far as the tasks can say.
func sumOf(t *testing.T, l *Local, tasks []gearcore.TaskID, name string) (sum int) {
	for k := range countedKeys {
		for _, e := range inspect(t, l, tasks, gearcore.StateQuery{State: name, Key: fmt.Sprint("k", k), HasKey: true}) {
			n, err := strconv.Atoi(string(e.JSON))
			must(t, err)
			sum += n
		}
	}
	return sum
}

// inspect asks tasks, those that answer in time.
func inspect(t *testing.T, l *Local, tasks []gearcore.TaskID, q gearcore.StateQuery) (all []gearcore.StateEntry) {
	t.Helper()
	answers := make(chan []gearcore.StateEntry, len(tasks))
	for _, id := range tasks {
		must(t, l.host.engine.Inspect(id, q, func(found []gearcore.StateEntry, err error) { answers <- found }))
	}
	late := time.After(200 * time.Millisecond)
	for range tasks {
		select {
		case found := <-answers:
			all = append(all, found...)
		case <-late: // it goes back to a checkpoint
			return all
		}
	}
	return all
}

// childrenWith lists the children of this process that have word in their command line.
func childrenWith(t *testing.T, word string) (pids []int) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	must(t, err)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		stat, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		rest := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if bytes.Contains(line, []byte(word)) && len(rest) > 1 && rest[1] == strconv.Itoa(os.Getpid()) {
			pids = append(pids, pid)
		}
	}
	return pids
}
