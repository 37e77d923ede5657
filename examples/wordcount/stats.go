package main

import (
	"cmp"
	"slices"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
	"github.com/gearstorm/gearstorm/worker"
)

// allTime is the window of Storm's statistics that covers everything since the start of a task.
const allTime = ":all-time"

// componentStats is one line of the table. For the spout, acked and failed are lines with all their words, and the
// latency is that of the whole tree.
type componentStats struct {
	name                     string
	executed, acked, failed  int64
	latencyMs, latencyWeight float64
}

// statsOf sums the statistics of a topology's executors by component, in the order of names, engine components left out.
func statsOf(executors []*stormrpc.ExecutorSummary) []componentStats {
	byName := map[string]*componentStats{}
	for _, e := range executors {
		if e.ComponentID[0] == '_' {
			continue
		}
		s := byName[e.ComponentID]
		if s == nil {
			s = &componentStats{name: e.ComponentID}
			byName[e.ComponentID] = s
		}
		if e.Stats == nil || e.Stats.Specific == nil {
			continue
		}
		if b := e.Stats.Specific.Bolt; b != nil {
			s.addBolt(b)
		}
		if sp := e.Stats.Specific.Spout; sp != nil {
			s.addSpout(sp, e.Stats.Emitted[allTime])
		}
	}
	var out []componentStats
	for _, s := range byName {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b componentStats) int { return cmp.Compare(a.name, b.name) })
	return out
}

// localStats are the same lines of a topology in this process.
func localStats(components []worker.ComponentStats) []componentStats {
	var out []componentStats
	for _, c := range components {
		if c.Component[0] == '_' {
			continue
		}
		s := componentStats{name: c.Component, executed: c.Executed, acked: c.Acked, failed: c.Failed}
		if c.Spout {
			s.executed = c.Emitted
		}
		s.weigh(c.ProcessMs+c.CompleteMs, 1)
		out = append(out, s)
	}
	return out
}

func (s *componentStats) addBolt(b *stormrpc.BoltStats) {
	s.executed += sum(b.Executed[allTime])
	s.failed += sum(b.Failed[allTime])
	acked := b.Acked[allTime]
	s.acked += sum(acked)
	for _, ms := range b.ProcessMsAvg[allTime] {
		for _, n := range acked {
			if *n.Key == *ms.Key {
				s.weigh(ms.Value, n.Value)
			}
		}
	}
}

func (s *componentStats) addSpout(sp *stormrpc.SpoutStats, emitted map[string]int64) {
	for _, n := range emitted {
		s.executed += n
	}
	for stream, n := range sp.Acked[allTime] {
		s.acked += n
		s.weigh(sp.CompleteMsAvg[allTime][stream], n)
	}
	for _, n := range sp.Failed[allTime] {
		s.failed += n
	}
}

func (s *componentStats) weigh(ms float64, n int64) {
	s.latencyMs += ms * float64(n)
	s.latencyWeight += float64(n)
}

// latency is the mean latency in milliseconds, 0 if nothing was measured.
func (s *componentStats) latency() float64 {
	if s.latencyWeight == 0 {
		return 0
	}
	return s.latencyMs / s.latencyWeight
}

func sum(entries []wire.MapEntry[*stormrpc.GlobalStreamId, int64]) int64 {
	n := int64(0)
	for _, e := range entries {
		n += e.Value
	}
	return n
}
