package nimbus

import (
	"bufio"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// goldenFile holds what a real Nimbus of that release answered. scripts/record-storm.sh writes it.
const goldenFile = "testdata/storm-2.8.3.txt"

// goldenStage is our side: a node that reports figures of the same kind.
func goldenStage(t *testing.T, c *testCluster) *stage {
	t.Helper()
	a := c.node("node-a", 6700, 6701)
	a.report.Resources = map[string]float64{cpuPercent: 400, "memory.mb": 4096}
	must(t, c.client.SubmitTopologyWithOpts(t.Context(), "words", c.upload(jar(t, "resources/script.py")), goldenConf, words(),
		&stormrpc.SubmitOptions{InitialStatus: stormrpc.TopologyInitialStatus_ACTIVE}))
	a.until("the topology", hasTopologies(1))
	a.works()
	r := a.report.Workers[0]
	for _, e := range [][2]int32{{1, 1}, {2, 3}, {4, 4}, {5, 5}, {6, 6}, {7, 7}} {
		r.ExecutorStats = append(r.ExecutorStats, wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{
			Key: &stormrpc.ExecutorInfo{TaskStart: e[0], TaskEnd: e[1]}, Value: goldenStats(e[0])})
	}
	r.Errors = []*stormrpc.WorkerError{{Component: "count", Message: "an error of count", TimeMs: time.Now().UnixMilli(), Task: ref(int32(3))}}
	a.sync(0)
	return &stage{client: c.client, id: a.plan.Topologies[0].TopologyID, node: "node-a", host: "node-a.example", owner: "tester"}
}

// goldenStats are figures of an executor in the four windows, as the engine tells them.
func goldenStats(first int32) *stormrpc.ExecutorStats {
	counts := func() map[string]map[string]int64 {
		out := make(map[string]map[string]int64)
		for _, w := range windows {
			out[w] = map[string]int64{}
			if first > 1 {
				out[w]["default"] = 20
			}
		}
		return out
	}
	millis := make(map[string]map[string]float64)
	from := &stormrpc.GlobalStreamId{ComponentId: "words", StreamId: "default"}
	in, took := make(map[string][]wire.MapEntry[*stormrpc.GlobalStreamId, int64]), make(map[string][]wire.MapEntry[*stormrpc.GlobalStreamId, float64])
	for _, w := range windows {
		millis[w] = map[string]float64{"default": 1}
		in[w], took[w] = []wire.MapEntry[*stormrpc.GlobalStreamId, int64]{}, []wire.MapEntry[*stormrpc.GlobalStreamId, float64]{}
		if first > 1 {
			in[w], took[w] = append(in[w], wire.MapEntry[*stormrpc.GlobalStreamId, int64]{Key: from, Value: 20}), append(took[w], wire.MapEntry[*stormrpc.GlobalStreamId, float64]{Key: from, Value: 1})
		}
	}
	s := &stormrpc.ExecutorStats{Rate: 1, Emitted: counts(), Transferred: counts(), Specific: &stormrpc.ExecutorSpecificStats{}}
	if first >= 6 {
		s.Specific.Spout = &stormrpc.SpoutStats{Acked: counts(), Failed: counts(), CompleteMsAvg: millis}
	} else {
		s.Specific.Bolt = &stormrpc.BoltStats{Acked: in, Failed: in, Executed: in, ExecuteMsAvg: took, ProcessMsAvg: took}
	}
	return s
}

// readGolden reads what was recorded.
func readGolden(t *testing.T) []goldenLine {
	t.Helper()
	f, err := os.Open(goldenFile)
	must(t, err)
	defer f.Close()
	var out []goldenLine
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if col := strings.Split(s.Text(), "\t"); len(col) == 3 {
			out = append(out, goldenLine{col[0], col[1], col[2]})
		}
	}
	must(t, s.Err())
	return out
}

// The same calls get the answers that a real Nimbus gave, field by field, but for what docs/storm-differences.md lists.
func TestAnswersAreStorms(t *testing.T) {
	storms, ours := byPlace(readGolden(t)), byPlace(goldenStage(t, start(t, nil)).transcript(t))
	if len(storms) < 500 {
		t.Fatalf("%s has %d lines only", goldenFile, len(storms))
	}
	found := make(map[string][]string) // by field: what differs
	for at, l := range storms {
		switch o, ok := ours[at]; {
		case !ok:
			found[l.field] = append(found[l.field], "missing "+at+" = "+l.value)
		case o.value != l.value:
			found[l.field] = append(found[l.field], at+" is "+o.value+", Storm's is "+l.value)
		}
	}
	for at, o := range ours {
		if _, ok := storms[at]; !ok {
			found[o.field] = append(found[o.field], "not Storm's: "+at+" = "+o.value)
		}
	}
	allowed := allowedDifferences(t)
	used := make(map[string]bool)
	for _, field := range slices.Sorted(maps.Keys(found)) {
		listed := false
		for pattern := range allowed {
			if ok, _ := path.Match(pattern, field); ok {
				listed, used[pattern] = true, true
			}
		}
		if !listed {
			slices.Sort(found[field])
			t.Errorf("%s differs in %d places and is not listed in docs/storm-differences.md; such as\n\t%s", field, len(found[field]),
				strings.Join(found[field][:min(4, len(found[field]))], "\n\t"))
		}
	}
	for pattern := range allowed {
		if !used[pattern] {
			t.Errorf("docs/storm-differences.md lists %s, which does not differ", pattern)
		}
	}
}

func byPlace(lines []goldenLine) map[string]goldenLine {
	out := make(map[string]goldenLine, len(lines))
	for _, l := range lines {
		out[l.at] = l
	}
	return out
}

// A Nimbus that follows gives the answers of the one that leads, to every call.
func TestFollowersAnswerAlike(t *testing.T) {
	m := startMasters(t, 2, nil)
	s := goldenStage(t, m.all[0])
	m.copied()
	leaders := byPlace(s.transcript(t))
	s.client = m.all[1].client
	followers := byPlace(s.transcript(t))
	for at, l := range leaders {
		if f, ok := followers[at]; !ok || f.value != l.value {
			t.Errorf("%s: the leader says %q, the follower %q", at, l.value, f.value)
		}
	}
	for at, f := range followers {
		if _, ok := leaders[at]; !ok {
			t.Errorf("%s: only the follower says %q", at, f.value)
		}
	}
}
