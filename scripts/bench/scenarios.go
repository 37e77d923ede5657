package main

import (
	"maps"
	"path/filepath"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// Sides of a comparison.
const (
	sideOurs  = "gearstorm"
	sideAlone = "alone" // gearstorm without a cluster
	sideStorm = "storm"
	sideJar   = "jar" // gearstorm running Storm's jar; its samples are those of sideOurs
)

// scenario is a topology that is measured, on gearstorm in some variants and, where it has a twin there, on Storm.
// Each figure of each variant is a row with a goal of its own; its name is scenario + variant + figure.
type scenario struct {
	name      string
	shape     shape
	conf      conf.Conf // on both sides
	storm     conf.Conf // on Storm as well; nil: Storm does not run this
	variants  []variant
	figures   []figure
	alone     bool // without a cluster
	java      bool // gearstorm runs the same jar as Storm
	remote    bool // both edges of the line must be remote
	firstOnly bool // it ends with the first tuple
	needs     string
}

// variant is a way to run a scenario on gearstorm.
type variant struct {
	suffix string
	conf   conf.Conf
	kept   bool
}

// figure is what a row says of a run.
type figure struct {
	suffix string
	unit   string
	more   bool // is better
	of     func(*sample) float64
}

func (sc *scenario) row(v variant, f figure) string { return sc.name + v.suffix + f.suffix }

var (
	rate = figure{unit: "/s", more: true, of: func(s *sample) float64 { return s.Rate }}
	p50  = figure{unit: "us", of: func(s *sample) float64 { return s.Latency["p50"] }}
	p99  = figure{suffix: "-p99", unit: "us", of: func(s *sample) float64 { return s.Latency["p99"] }}
	core = figure{suffix: "-core", unit: "%", of: func(s *sample) float64 { return 100 * s.Cores }}
	took = figure{unit: "s", of: func(s *sample) float64 { return s.First }}
)

// tuned are the settings that storm-perf, Storm's own benchmark, has for throughput. Every topology of Storm gets a heap of 1 GiB, but for
// tunedWindows.
var tuned = conf.Conf{
	"topology.worker.childopts":             "-Xmx1g",
	"topology.spout.recvq.skips":            8,
	"topology.producer.batch.size":          500,
	"topology.executor.receive.buffer.size": 50_000,
	"topology.disable.loadaware.messaging":  true,
	"topology.stats.sample.rate":            0.0005,
}

// tunedShell leaves out the batches: what a script's bolt emits would wait in one of 500 until others fill it.
var tunedShell = func() conf.Conf {
	c := maps.Clone(tuned)
	delete(c, "topology.producer.batch.size")
	return c
}()

// tunedWindows has the heap that Storm's windowed bolt wants, which keeps every event until its windows are over.
var tunedWindows = func() conf.Conf {
	c := maps.Clone(tuned)
	c["topology.worker.childopts"] = "-Xmx6g"
	return c
}()

// untuned is Storm as it comes: each tuple leaves at once, which is better for latency.
var untuned = conf.Conf{"topology.worker.childopts": "-Xmx1g"}

const (
	keyFusion = "gearstorm.fusion"
	keyShm    = "gearstorm.transport.shm"
	keyUnix   = "gearstorm.transport.unix"

	payloadBytes = 100
	linePending  = 5000
	shellPending = 1000
)

func unacked(workers int) conf.Conf {
	return conf.Conf{"topology.workers": workers, "topology.acker.executors": 0}
}

func acked(workers, pending int) conf.Conf {
	return conf.Conf{"topology.workers": workers, "topology.acker.executors": 1, "topology.max.spout.pending": pending}
}

// Variants. Fusion is off where the name does not say fused.
var (
	plain = []variant{{conf: conf.Conf{keyFusion: false}}}
	lines = []variant{
		{conf: conf.Conf{keyFusion: false}},
		{suffix: "-fused", conf: conf.Conf{keyFusion: true}},
		{suffix: "-kept", conf: conf.Conf{keyFusion: false}, kept: true},
	}
	links = []variant{
		{suffix: "-tcp", conf: conf.Conf{keyFusion: false, keyShm: false, keyUnix: false}},
		{suffix: "-ring", conf: conf.Conf{keyFusion: false}},
	}
	keptLinks = append(links, variant{suffix: "-ring-kept", conf: conf.Conf{keyFusion: false}, kept: true})
)

// scenarios are the rows of docs/performance.md, in its order. Tools is the folder .tools.
func scenarios(tools string) []scenario {
	line := shape{Kind: kindLine, Bytes: payloadBytes}
	with := func(s shape, change func(*shape)) shape { change(&s); return s }
	read := func(s *shape) { s.Read = true }
	fresh := func(s *shape) { s.Fresh = true }
	ids := func(s *shape) { s.Acked = true }
	paced := func(s *shape) { s.Acked, s.Rate = true, 1000 }
	storm, venv := filepath.Join(tools, "multilang"), filepath.Join(tools, "venv", "bin", "python")
	stormPy := func(script string) shape {
		return shape{Kind: kindScript, Acked: true, Bytes: payloadBytes, Script: script, Path: storm}
	}
	pystorm := func(script string) shape {
		return shape{Kind: kindScript, Acked: true, Bytes: payloadBytes, Script: script, Python: venv, Msgpack: true}
	}
	ours := func(script string) shape {
		return shape{Kind: kindScript, Acked: true, Bytes: payloadBytes, Script: script}
	}
	rates := []figure{rate}
	latency := []figure{p50, p99, core}
	return []scenario{
		{name: "line", shape: line, conf: unacked(1), storm: tuned, variants: lines, figures: rates},
		{name: "line-read", shape: with(line, read), conf: unacked(1), storm: tuned, variants: plain, figures: rates},
		{name: "line-fresh", shape: with(line, fresh), conf: unacked(1), storm: tuned, variants: lines, figures: rates},
		{name: "line-fresh-read", shape: with(with(line, fresh), read), conf: unacked(1), storm: tuned, variants: plain, figures: rates},
		{name: "line-acked", shape: with(line, ids), conf: acked(1, linePending), storm: tuned, variants: lines, figures: rates},
		{name: "line-acked-read", shape: with(with(line, ids), read), conf: acked(1, linePending), storm: tuned, variants: plain, figures: rates},
		{name: "two-workers", shape: line, conf: unacked(2), storm: tuned, variants: keptLinks, figures: rates, remote: true},
		{name: "two-workers-read", shape: with(line, read), conf: unacked(2), storm: tuned, variants: links, figures: rates, remote: true},
		{name: "two-workers-acked", shape: with(line, ids), conf: acked(2, linePending), storm: tuned, variants: links, figures: rates, remote: true},
		{name: "java", shape: line, conf: unacked(1), storm: tuned, variants: []variant{{}}, figures: rates, java: true},
		{name: "java-acked", shape: with(line, ids), conf: acked(1, linePending), storm: tuned, variants: []variant{{}}, figures: rates, java: true},
		{name: "java-two-workers", shape: line, conf: unacked(2), storm: tuned, variants: []variant{{}}, figures: rates, remote: true, java: true},
		{name: "java-two-workers-acked", shape: with(line, ids), conf: acked(2, linePending), storm: tuned, variants: []variant{{}}, figures: rates,
			remote: true, java: true},
		{name: "fields-4", shape: shape{Kind: kindFields, Bytes: payloadBytes, Tasks: 4}, conf: unacked(1), variants: plain, figures: rates},
		{name: "window-count", shape: shape{Kind: kindWindow, Tasks: 2}, conf: unacked(1), storm: tunedWindows, variants: plain, figures: rates},
		{name: "shuffle-1x1", shape: shape{Kind: kindPairs, Bytes: payloadBytes, Tasks: 1}, conf: unacked(1), variants: plain, figures: rates},
		{name: "shuffle-48x48", shape: shape{Kind: kindPairs, Bytes: payloadBytes, Tasks: 48}, conf: unacked(1), variants: plain, figures: rates},
		{name: "latency-one-worker", shape: with(line, paced), conf: acked(1, linePending), storm: untuned, variants: plain, figures: latency},
		{name: "latency-two-workers", shape: with(line, paced), conf: acked(2, linePending), storm: untuned, variants: plain, figures: latency, remote: true},
		{name: "storm-py-split", shape: stormPy("storm_split.py"), conf: acked(1, shellPending), storm: tunedShell, variants: plain, figures: rates,
			needs: filepath.Join(storm, "storm.py")},
		{name: "storm-py-identity", shape: stormPy("storm_identity.py"), conf: acked(1, shellPending), storm: tunedShell, variants: plain, figures: rates,
			needs: filepath.Join(storm, "storm.py")},
		{name: "pystorm-split", shape: pystorm("pystorm_split.py"), conf: acked(1, shellPending), variants: plain, figures: rates, needs: venv},
		{name: "pystorm-identity", shape: pystorm("pystorm_identity.py"), conf: acked(1, shellPending), variants: plain, figures: rates, needs: venv},
		{name: "gearstorm-py-split", shape: ours("split.py"), conf: acked(1, shellPending), variants: plain, figures: rates},
		{name: "gearstorm-py-identity", shape: ours("identity.py"), conf: acked(1, shellPending), variants: plain, figures: rates},
		{name: "gearstorm-py-state", shape: ours("state.py"), conf: acked(1, shellPending), variants: plain, figures: rates},
		{name: "ring-100k", shape: shape{Kind: kindRing, Tasks: 100_000}, conf: unacked(1), variants: plain, figures: rates, alone: true},
		{name: "idle-100k", shape: shape{Kind: kindIdle, Tasks: 100_000}, conf: unacked(1), variants: plain, alone: true,
			figures: []figure{{suffix: "-memory", unit: "B", of: func(s *sample) float64 { return s.Memory / 100_000 }}, core}},
		{name: "idle-1000", shape: shape{Kind: kindIdle, Tasks: 1000}, conf: unacked(1), variants: plain, figures: []figure{core}},
		{name: "idle-16", shape: shape{Kind: kindIdle, Tasks: 16}, conf: unacked(1), storm: untuned, variants: plain, figures: []figure{core}},
		{name: "submit-to-first-tuple", shape: with(line, ids), conf: acked(1, linePending), storm: tuned, variants: plain, figures: []figure{took},
			firstOnly: true},
	}
}
