package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

type spoutsSeen []string

func (s *spoutsSeen) Open()       { *s = append(*s, "open") }
func (s *spoutsSeen) Activate()   { *s = append(*s, "on") }
func (s *spoutsSeen) Deactivate() { *s = append(*s, "off") }

func TestGate(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps string
		want  []string
		ready bool
	}{
		{"links, then active", "links active", []string{"on"}, true},
		{"active, then links", "active links", []string{"on"}, true},
		{"links down at the start", "active", nil, false},
		{"inactive", "links", nil, true},
		{"deactivated and back", "active links inactive active", []string{"on", "off", "on"}, true},
		{"told twice", "links active active inactive inactive", []string{"on", "off"}, true},
		{"the end", "links active close active", []string{"on", "off"}, false},
		{"early, inactive", "early links", []string{"open"}, true},
		{"early, without links", "early inactive", nil, false},
		{"early, the end before", "early close links", nil, true},
	} {
		var seen spoutsSeen
		g := gate{spouts: &seen}
		for _, s := range strings.Fields(c.steps) {
			switch s {
			case "links":
				var n atomic.Int32
				g.await(t.Context(), func() bool { return n.Add(1) > 2 })
			case "close":
				g.close()
			case "early":
				g.early = true
			default:
				g.setActive(s == "active")
			}
		}
		if !slices.Equal(seen, c.want) || g.ready() != c.ready {
			t.Errorf("%s: %v, ready %v; want %v, %v", c.name, seen, g.ready(), c.want, c.ready)
		}
	}
}

func TestSettings(t *testing.T) {
	g := func(c, spout, bolt conf.Conf) *dag.Graph {
		return &dag.Graph{Conf: c, Processors: []*dag.Processor{
			{Name: "b", Kind: dag.Bolt, Conf: bolt, Impl: dag.Impl{Kind: dag.ImplGo}}, {Name: "s", Kind: dag.Spout, Conf: spout, Impl: dag.Impl{Kind: dag.ImplShell}},
		}}
	}
	s, err := settingsOf(g(nil, nil, nil))
	if err != nil || s.messageTimeout != 30*time.Second || s.maxSpoutPending["s"] != 0 || s.statBuckets != 20 || s.shutdown != 3*time.Second || s.reportBytes != 1<<20 || !s.fuse["b"] || s.fuse["s"] {
		t.Errorf("defaults are %+v, %v", s, err)
	}
	s, err = settingsOf(g(conf.Conf{"topology.max.spout.pending": int64(7), "topology.message.timeout.secs": int64(5)},
		conf.Conf{"topology.max.spout.pending": int64(9)}, conf.Conf{"topology.tick.tuple.freq.secs": int64(2), "gearstorm.fusion": false}))
	if err != nil || s.messageTimeout != 5*time.Second || s.maxSpoutPending["s"] != 9 || s.tickEvery["b"] != 2*time.Second || s.tickEvery["s"] != 0 || s.fuse["b"] {
		t.Errorf("settings are %+v, %v", s, err)
	}
	if s, err = settingsOf(g(conf.Conf{"topology.enable.message.timeouts": false}, nil, nil)); err != nil || s.messageTimeout != 0 {
		t.Errorf("without timeouts: %v, %v", s.messageTimeout, err)
	}
	s, err = settingsOf(g(conf.Conf{"topology.executor.receive.buffer.size": int64(65536), "topology.spout.wait.progressive.level3.sleep.millis": int64(3)},
		conf.Conf{"topology.spout.wait.strategy": "org.apache.storm.policy.WaitStrategyPark"}, nil))
	if err != nil || s.InboxBatches != 128 || s.spoutWait["s"] != 100*time.Microsecond {
		t.Errorf("queue and wait: %+v, %v", s, err)
	}
	for key, c := range map[string]*dag.Graph{
		"topology.spout.wait.strategy":  g(nil, conf.Conf{"topology.spout.wait.strategy": "com.example.Mine"}, nil),
		"topology.stats.sample.rate":    g(conf.Conf{"topology.stats.sample.rate": -1.0}, nil, nil),
		"topology.message.timeout.secs": g(conf.Conf{"topology.message.timeout.secs": "soon"}, nil, nil),
		"gearstorm.fusion":              g(nil, nil, conf.Conf{"gearstorm.fusion": "perhaps"}),
		"topology.tick.tuple.freq.secs": g(nil, nil, conf.Conf{"topology.tick.tuple.freq.secs": "often"}),
	} {
		if _, err := settingsOf(c); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("a wrong %s gives %v", key, err)
		}
	}
}

func TestLogFileIsRenamedWhenFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "worker.log")
	l, err := openLog(path, 20)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		fmt.Fprintf(l, "line number %02d\n", i) // 15 bytes: one a file
	}
	l.Close()
	if l, err = openLog(path, 20); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(l, "more")
	l.Close()
	for name, want := range map[string]string{"worker.log": "line number 11\nmore", "worker.log.1": "line number 10\n", "worker.log.9": "line number 02\n"} {
		if got, err := os.ReadFile(filepath.Join(filepath.Dir(path), name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 10 {
		t.Errorf("%d files", len(files))
	}
}

// What is written after somebody removed the log is in it again once it would have been full, and what was full before stays.
func TestLogFileThatIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "worker.log")
	l, err := openLog(path, 20)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range 6 {
		if i == 2 {
			os.Remove(path)
		}
		if _, err := fmt.Fprintf(l, "line number %02d\n", i); err != nil {
			t.Errorf("line %d: %v", i, err)
		}
	}
	for name, want := range map[string]string{"worker.log": "line number 05\n", "worker.log.3": "line number 02\n", "worker.log.4": "line number 00\n"} {
		if got, err := os.ReadFile(filepath.Join(filepath.Dir(path), name)); err != nil || string(got) != want {
			t.Errorf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
}

// A topology's conf goes over the node's, but not for what only the node can know.
func TestNodeKeysAreTheNodes(t *testing.T) {
	c := layered(conf.Conf{"supervisor.thrift.max_buffer_size": int64(1000), "topology.workers": int64(1)},
		conf.Conf{"supervisor.thrift.max_buffer_size": int64(1 << 30), "topology.workers": int64(2)})
	if c["supervisor.thrift.max_buffer_size"] != int64(1000) || c["topology.workers"] != int64(2) {
		t.Errorf("layered conf is %v", c)
	}
}

func TestLinkKeys(t *testing.T) {
	for _, c := range []struct {
		name            string
		conf            conf.Conf
		tcpOnly, noRing bool
		err             bool
	}{
		{"by default", nil, false, false, false},
		{"no shared memory", conf.Conf{"gearstorm.transport.shm": false}, false, true, false},
		{"TCP alone", conf.Conf{"gearstorm.transport.unix": false}, true, false, false},
		{"no truth", conf.Conf{"gearstorm.transport.shm": "perhaps"}, false, false, true},
	} {
		s, err := settingsOf(&dag.Graph{Conf: c.conf})
		if (err != nil) != c.err || err == nil && (s.tcpOnly != c.tcpOnly || s.noRing != c.noRing) {
			t.Errorf("%s: TCP alone %v, no ring %v, %v", c.name, s.tcpOnly, s.noRing, err)
		}
	}
}

// A child that starts again finds the resources of its version where they were moved, and scripts that were edited in their place.
func TestResources(t *testing.T) {
	code := t.TempDir()
	dir := filepath.Join(code, "resources")
	former := func(last int64) string {
		return filepath.Join(code, compat.FormerName(compat.FormerResources, last))
	}
	is := func(version int64, want string) {
		t.Helper()
		if got := resources(code, version); got != want {
			t.Errorf("those of version %d are in %s, want %s", version, got, want)
		}
	}
	replaced := func(last int64) {
		t.Helper()
		must(t, os.Rename(dir, former(last)))
		must(t, os.Mkdir(dir, 0o700))
	}
	is(0, code) // it brings none
	must(t, os.Mkdir(dir, 0o700))
	is(0, dir)
	is(7, dir)
	replaced(0)
	is(0, former(0))
	is(1, dir)
	replaced(4) // versions 1 to 4 had the same
	is(0, former(0))
	for v := range int64(4) {
		is(v+1, former(4))
	}
	is(5, dir)
	must(t, os.WriteFile(former(9), nil, 0o600))
	is(5, dir)
	if got := resources("", 5); got != "" {
		t.Errorf("of nothing: %s", got)
	}
}

// A worker reads the code of the version that its plan names, also when that of the next one has taken its place.
func TestCodeOfAVersion(t *testing.T) {
	relayed := func(bolts int) string {
		b := storm.NewTopologyBuilder()
		b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return numberSpout{newCounter(1)} }), 1).Fields("n", "word")
		for i := range bolts {
			b.SetBolt(fmt.Sprint("pass", i), storm.BoltFactory(func() storm.Bolt { return passer{&lives{}} }), 1).Fields("n").ShuffleGrouping("words")
		}
		topo, err := b.Build()
		must(t, err)
		dir, _ := codeDir(t, topo)
		return dir
	}
	dir := relayed(2)
	reads := func(version int64, bolts int) {
		t.Helper()
		topo, c, err := readCode(dir, version)
		if err != nil || len(topo.Bolts) != bolts || len(c) == 0 {
			t.Errorf("version %d: %v, %v", version, topo, err)
		}
	}
	reads(1, 2)
	former := filepath.Join(dir, compat.FormerName(compat.FormerCode, 0))
	must(t, os.Rename(relayed(3), former))
	reads(0, 3)
	reads(1, 2)
	must(t, os.Remove(filepath.Join(dir, "stormconf.ser"))) // as in the middle of an exchange
	reads(0, 3)
	if _, _, err := readCode(dir, 1); err == nil {
		t.Error("it is read without its configuration")
	}
}

// TestHold: who is on the way to a plan reports again soon, and less and less so.
func TestHold(t *testing.T) {
	began := time.Now()
	w := &worker{plan: &stormrpc.TopologyPlan{DagVersion: 2}, planned: began}
	yes, no, version := true, false, int64(2)
	for _, c := range []struct {
		name  string
		r     stormrpc.WorkerReport
		after time.Duration
		want  time.Duration
	}{
		{"just planned", stormrpc.WorkerReport{AtWork: &no}, 0, reportSoon},
		{"for a while", stormrpc.WorkerReport{AtWork: &no}, 400 * time.Millisecond, 100 * time.Millisecond},
		{"for long", stormrpc.WorkerReport{AtWork: &no}, time.Minute, reportEvery},
		{"at work", stormrpc.WorkerReport{AtWork: &yes}, 0, reportEvery},
		{"others are not", stormrpc.WorkerReport{AtWork: &yes, Timing: &stormrpc.TopologyTiming{}}, 0, reportSoon},
		{"all are", stormrpc.WorkerReport{AtWork: &yes, Timing: &stormrpc.TopologyTiming{DagVersion: &version}}, 0, reportEvery},
	} {
		if got := w.hold(&c.r, began.Add(c.after)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
