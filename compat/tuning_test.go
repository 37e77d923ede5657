package compat

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
)

func TestTuning(t *testing.T) {
	def := Tuning{MaxTupleBytes: 64 << 20, LowerBound: 0.2, HigherBound: 0.8}
	with := func(f func(*Tuning)) Tuning { u := def; f(&u); return u }
	for _, c := range []struct {
		name string
		conf conf.Conf
		want Tuning
		err  string // part of it
	}{
		{"storm's defaults", conf.Conf{}, def, ""},
		{"a longer queue", conf.Conf{"topology.executor.receive.buffer.size": int64(65536)},
			with(func(u *Tuning) { u.InboxBatches, u.InboxBytes, u.BatchRows = 128, 2<<20, 256 }), ""},
		{"storm-perf's queue", conf.Conf{"topology.executor.receive.buffer.size": int64(50000)},
			with(func(u *Tuning) { u.InboxBatches, u.InboxBytes, u.BatchRows = 97, 1600000, 256 }), ""},
		{"a short queue", conf.Conf{"topology.executor.receive.buffer.size": int64(128)},
			with(func(u *Tuning) { u.InboxBatches, u.InboxBytes, u.BatchRows = 2, 64<<10, 32 }), ""},
		{"a queue of one", conf.Conf{"topology.executor.receive.buffer.size": int64(1)},
			with(func(u *Tuning) { u.InboxBatches, u.InboxBytes, u.BatchRows = 2, 64<<10, 16 }), ""},
		{"an endless queue", conf.Conf{"topology.executor.receive.buffer.size": int64(1<<31 - 1)},
			with(func(u *Tuning) { u.InboxBatches, u.InboxBytes, u.BatchRows = 16384, 256<<20, 256 }), ""},
		{"no queue", conf.Conf{"topology.executor.receive.buffer.size": int64(0)}, Tuning{}, "topology.executor.receive.buffer.size is 0"},
		{"a queue of words", conf.Conf{"topology.executor.receive.buffer.size": "many"}, Tuning{}, "topology.executor.receive.buffer.size"},
		{"all sampled", conf.Conf{"topology.stats.sample.rate": 1.0}, with(func(u *Tuning) { u.SampleEvery = 1 }), ""},
		{"few sampled", conf.Conf{"topology.stats.sample.rate": 0.0005}, with(func(u *Tuning) { u.SampleEvery = 2000 }), ""},
		{"hardly any sampled", conf.Conf{"topology.stats.sample.rate": 1e-300}, with(func(u *Tuning) { u.SampleEvery = 1 << 30 }), ""},
		{"more than all sampled", conf.Conf{"topology.stats.sample.rate": 2.0}, Tuning{}, "topology.stats.sample.rate is 2"},
		{"none sampled", conf.Conf{"topology.stats.sample.rate": 0.0}, Tuning{}, "topology.stats.sample.rate is 0"},
		{"plain shuffle", conf.Conf{"topology.disable.loadaware.messaging": true}, with(func(u *Tuning) { u.PlainShuffle = true }), ""},
		{"plain or not", conf.Conf{"topology.disable.loadaware.messaging": "maybe"}, Tuning{}, "topology.disable.loadaware.messaging"},
		{"bounds", conf.Conf{"topology.localityaware.lower.bound": 0.5, "topology.localityaware.higher.bound": int64(2)},
			with(func(u *Tuning) { u.LowerBound, u.HigherBound = 0.5, 2 }), ""},
		{"bounds out of order", conf.Conf{"topology.localityaware.lower.bound": 0.9}, Tuning{}, "topology.localityaware.lower.bound is 0.9 and topology.localityaware.higher.bound is 0.8"},
		{"no bound", conf.Conf{"topology.localityaware.lower.bound": -1.0}, Tuning{}, "topology.localityaware.lower.bound is -1"},
		{"large tuples", conf.Conf{"gearstorm.tuple.max.bytes": int64(512 << 20)}, with(func(u *Tuning) { u.MaxTupleBytes = 512 << 20 }), ""},
		{"tuples of nothing", conf.Conf{"gearstorm.tuple.max.bytes": int64(5)}, Tuning{}, "gearstorm.tuple.max.bytes is 5, want 1024 to 536870912"},
		{"endless tuples", conf.Conf{"gearstorm.tuple.max.bytes": int64(1<<31 - 1)}, Tuning{}, "gearstorm.tuple.max.bytes is 2147483647"},
	} {
		got, err := TuningOf(conf.Merge(conf.Defaults(), c.conf))
		if c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
		checkInvalid(t, c.name, err, c.err)
	}
}

func TestSpoutWait(t *testing.T) {
	const key, policy, old = "topology.spout.wait.strategy", "org.apache.storm.policy.", "org.apache.storm.spout."
	for _, c := range []struct {
		name string
		conf conf.Conf
		want time.Duration
		err  string
	}{
		{"storm's default", conf.Conf{}, time.Millisecond, ""},
		{"progressive", conf.Conf{key: policy + "WaitStrategyProgressive", "topology.spout.wait.progressive.level3.sleep.millis": int64(20)}, 20 * time.Millisecond, ""},
		{"a fraction", conf.Conf{"topology.spout.wait.progressive.level3.sleep.millis": 0.5}, 500 * time.Microsecond, ""},
		{"no sleep", conf.Conf{"topology.spout.wait.progressive.level3.sleep.millis": int64(0)}, leastSpoutWait, ""},
		{"park", conf.Conf{key: policy + "WaitStrategyPark"}, 100 * time.Microsecond, ""},
		{"park longer", conf.Conf{key: policy + "WaitStrategyPark", "topology.spout.wait.park.microsec": int64(250)}, 250 * time.Microsecond, ""},
		{"storm 1", conf.Conf{key: old + "SleepSpoutWaitStrategy", "topology.sleep.spout.wait.strategy.time.ms": int64(7)}, 7 * time.Millisecond, ""},
		{"storm 1 without a wait", conf.Conf{key: old + "NothingEmptyEmitStrategy"}, leastSpoutWait, ""},
		{"storm 1's key alone means nothing, as in Storm 2", conf.Conf{"topology.sleep.spout.wait.strategy.time.ms": int64(7)}, time.Millisecond, ""},
		{"a class of one's own", conf.Conf{key: "com.example.Mine"}, 0, key + " is com.example.Mine"},
		{"no class", conf.Conf{key: int64(3)}, 0, key},
		{"before time", conf.Conf{"topology.spout.wait.progressive.level3.sleep.millis": int64(-1)}, 0, "topology.spout.wait.progressive.level3.sleep.millis is -1"},
		{"for ever", conf.Conf{"topology.spout.wait.progressive.level3.sleep.millis": 1e30}, 0, "topology.spout.wait.progressive.level3.sleep.millis is 1e+30"},
	} {
		got, err := SpoutWait(conf.Merge(conf.Defaults(), c.conf))
		if c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
		checkInvalid(t, c.name, err, c.err)
	}
}

// checkInvalid holds err to be an InvalidTopology that says part, or nil for no part.
func checkInvalid(t *testing.T, name string, err error, part string) {
	t.Helper()
	if part == "" {
		return
	}
	var in *InvalidTopology
	if !errors.As(err, &in) || !strings.Contains(in.Message, part) {
		t.Errorf("%s: %v, want an InvalidTopology that says %q", name, err, part)
	}
}

// A topology with such a value is refused when it is compiled, so at submit.
func TestCompileRefusesBadTuning(t *testing.T) {
	for _, c := range []conf.Conf{
		{"topology.stats.sample.rate": 7.0}, {"topology.spout.wait.strategy": "com.example.Mine"}, {"topology.localityaware.higher.bound": 0.1},
		{"gearstorm.tuple.max.bytes": int64(5)}, {"gearstorm.metrics.port.offset": int64(70000)},
	} {
		for key := range c {
			_, err := Compile(build(nil), c)
			checkInvalid(t, key, err, key)
		}
	}
}

// Keys that a component may set by itself are held to their rules as well.
func TestCompileRefusesBadFusion(t *testing.T) {
	topo := build(nil)
	for _, s := range topo.Spouts {
		s.Common.JSONConf = new(string)
		*s.Common.JSONConf = `{"gearstorm.fusion": "maybe"}`
	}
	_, err := Compile(topo, conf.Conf{})
	checkInvalid(t, "fusion of a spout", err, "gearstorm.fusion")
}
