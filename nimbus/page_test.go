package nimbus

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func TestTopologyPage(t *testing.T) {
	c, id := withFigures(t)
	page, err := c.client.GetTopologyPageInfo(t.Context(), id, ":all-time", false)
	must(t, err)
	stats := page.TopologyStats
	// Five executors emit; two of them are spouts. Streams of the system do not count.
	if got := []int64{stats.WindowToEmitted[":all-time"], stats.WindowToTransferred["600"], stats.WindowToAcked[":all-time"], stats.WindowToFailed[":all-time"], stats.WindowToAcked["86400"]}; !cmp.Equal(got, []int64{500, 100, 120, 8, 0}) {
		t.Errorf("emitted, transferred, acked, failed, acked today: %v", got)
	}
	if got := stats.WindowToCompleteLatenciesMs[":all-time"]; got != 2.5 {
		t.Errorf("complete latency %v, want 2.5", got)
	}
	words, count := page.IDToSpoutAggStats["words"], page.IDToBoltAggStats["count"]
	if got := words.CommonStats; got.GetNumExecutors() != 2 || got.GetNumTasks() != 2 || got.GetEmitted() != 200 || got.GetAcked() != 120 {
		t.Errorf("words: %v", got)
	}
	bolt := count.SpecificStats.Bolt
	if got := count.CommonStats; got.GetNumExecutors() != 3 || got.GetNumTasks() != 4 || got.GetAcked() != 210 || got.GetFailed() != 9 {
		t.Errorf("count: %v", got)
	}
	// 500 executions of 20 ms in the 100 s that the worker is up.
	if bolt.GetExecuted() != 3000 || bolt.GetExecuteLatencyMs() != 20 || bolt.GetProcessLatencyMs() != 30 || math.Abs(bolt.GetCapacity()-0.1) > 0.01 {
		t.Errorf("count as a bolt: %v", bolt)
	}
	if e := count.LastError; e == nil || e.Error != "error 2" || e.GetHost() != "a.example" || e.GetPort() != 6700 || e.ErrorTimeSecs != 1_800_000_002 {
		t.Errorf("last error %v", e)
	}
	if page.IDToBoltAggStats["__acker"] != nil {
		t.Error("a system component stands on the page without being asked for")
	}
	if len(page.Workers) != 1 || !cmp.Equal(page.Workers[0].ComponentToNumTasks, map[string]int64{"words": 2, "count": 4}) || page.Workers[0].GetNumExecutors() != 6 {
		t.Errorf("workers %v", page.Workers)
	}
	if page.GetRequestedMemonheap() != 6*128 || page.GetAssignedCPU() != 60 {
		t.Errorf("requested memory %v, assigned cpu %v", page.GetRequestedMemonheap(), page.GetAssignedCPU())
	}
	page, err = c.client.GetTopologyPageInfo(t.Context(), id, ":all-time", true)
	must(t, err)
	if page.IDToBoltAggStats["__acker"] == nil || page.TopologyStats.WindowToEmitted[":all-time"] != 750 {
		t.Errorf("with the system: emitted %v", page.TopologyStats.WindowToEmitted)
	}
	if c := mustJSON(t, page.GetTopologyConf()); c["topology.message.timeout.secs"] != int64(30) {
		t.Errorf("message timeout on the page: %v", c["topology.message.timeout.secs"])
	}
}

func TestComponentPage(t *testing.T) {
	c, id := withFigures(t)
	page, err := c.client.GetComponentPageInfo(t.Context(), id, "count", ":all-time", false)
	must(t, err)
	if page.ComponentType != stormrpc.ComponentType_BOLT || page.GetNumExecutors() != 3 || page.GetNumTasks() != 4 || len(page.ExecStats) != 3 {
		t.Errorf("page %v", page)
	}
	if got := page.WindowToStats["600"].SpecificStats.Bolt.GetExecuted(); got != 1500 {
		t.Errorf("executed in ten minutes: %d", got)
	}
	if len(page.GsidToInputStats) != 1 || page.GsidToInputStats[0].Key.ComponentId != "words" || page.GsidToInputStats[0].Value.SpecificStats.Bolt.GetExecuted() != 3000 {
		t.Errorf("inputs %v", page.GsidToInputStats)
	}
	if got := page.SidToOutputStats["default"].CommonStats.GetEmitted(); got != 300 {
		t.Errorf("emitted on default: %d", got)
	}
	if len(page.Errors) != 3 || page.Errors[0].Error != "error 2" {
		t.Errorf("errors %v", page.Errors)
	}
	if !page.DebugOptions.GetEnable() || page.DebugOptions.GetSamplingpct() != 100 {
		t.Errorf("debug %v, want the percentage cut to 100", page.DebugOptions)
	}
	spout, err := c.client.GetComponentPageInfo(t.Context(), id, "w%6Frds", ":all-time", false)
	must(t, err)
	out := spout.SidToOutputStats["default"]
	if spout.ComponentID != "words" || spout.GsidToInputStats != nil || out.SpecificStats.Spout.GetCompleteLatencyMs() != 2.5 || out.CommonStats.GetFailed() != 8 {
		t.Errorf("spout page: %v", spout)
	}
	if _, err := c.client.GetComponentPageInfo(t.Context(), id, "nobody", "600", false); answer(err) != "application 6" {
		t.Errorf("page of an unknown component: %v", err)
	}
}

func TestTopologyInfo(t *testing.T) {
	c, id := withFigures(t)
	for choice, want := range map[stormrpc.NumErrorsChoice]int{stormrpc.NumErrorsChoice_ALL: 3, stormrpc.NumErrorsChoice_NONE: 0, stormrpc.NumErrorsChoice_ONE: 1} {
		info, err := c.client.GetTopologyInfoByNameWithOpts(t.Context(), "words", &stormrpc.GetInfoOptions{NumErrChoice: &choice})
		must(t, err)
		if got := len(info.Errors["count"]); got != want {
			t.Errorf("%v: %d errors, want %d", choice, got, want)
		}
		if len(info.Errors) != 3 || info.Errors["__acker"] == nil {
			t.Errorf("errors by component: %v", info.Errors)
		}
		if len(info.Executors) != 6 || info.Executors[0].Stats != nil || info.Executors[1].Stats.GetEmitted()[":all-time"]["default"] != 100 || info.Executors[1].UptimeSecs < 100 {
			t.Errorf("executors: %v", info.Executors)
		}
	}
	for call, want := range map[string]string{
		answer(second(c.client.GetTopologyInfo(t.Context(), "nobody"))):                             "NotAlive nobody",
		answer(second(c.client.GetTopologyInfoByName(t.Context(), "nobody"))):                       "NotAlive nobody is not alive",
		answer(second(c.client.GetTopologySummaryByName(t.Context(), "none"))):                      "NotAlive none is not alive",
		answer(second(c.client.GetTopologySummary(t.Context(), "words"))):                           "NotAlive words is not alive", // a name where an id is wanted
		answer(second(c.client.GetTopologyConf(t.Context(), "words"))):                              "NotAlive words",
		answer(second(c.client.GetTopologyInfoByName(t.Context(), id))):                             "NotAlive " + id + " is not alive",
		answer(second(c.client.GetTopologyPageInfo(t.Context(), "other", ":all-time", true))):       "NotAlive other",
		answer(second(c.client.GetComponentPageInfo(t.Context(), "third", "x", ":all-time", true))): "NotAlive third",
	} {
		if call != want {
			t.Errorf("got %s, want %s", call, want)
		}
	}
}

// TestTopologyInfoHasLinks has a worker that tells of links, and of what is none.
func TestTopologyInfoHasLinks(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700, 6701)
	c.submitWords("words", `{"topology.workers": 2}`)
	a.until("the topology", hasTopologies(1))
	a.works()
	for _, w := range a.report.Workers {
		if w.Port == 6701 {
			w.Links = []*stormrpc.WorkerLink{{Peer: "a.example:6700"}}
			continue
		}
		w.Links = []*stormrpc.WorkerLink{{Peer: "a.example:6701", Over: "ring", Host: ref("forged"), Port: ref(int32(1))},
			{Peer: "x", Over: "pigeon"}, {Peer: strings.Repeat("x", 1<<10), Over: "tcp"}}
		for i := range 1000 {
			w.Links = append(w.Links, &stormrpc.WorkerLink{Peer: fmt.Sprint("b.example:", i), Over: "tcp"})
		}
	}
	a.sync(0)
	info, err := c.client.GetTopologyInfoByName(t.Context(), "words")
	must(t, err)
	executors := len(info.Executors)
	if n := len(info.Links); n < 2 || n > executors+1 {
		t.Fatalf("%d links, want at most as many of a worker as there are executors (%d)", n, executors)
	}
	for i, want := range []string{"a.example:6700 a.example:6701 ring", "a.example:6700 b.example:0 tcp"} {
		if l := info.Links[i]; fmt.Sprintf("%s:%d %s %s", l.GetHost(), l.GetPort(), l.Peer, l.Over) != want {
			t.Errorf("link %d is %v, want %s", i, l, want)
		}
	}
	if l := info.Links[len(info.Links)-1]; l.GetPort() != 6701 || l.Peer != "a.example:6700" || l.Over != "" {
		t.Errorf("the last link is %v, want the one that is down", l)
	}
}

func TestClusterInfo(t *testing.T) {
	c, id := withFigures(t)
	info, err := c.client.GetClusterInfo(t.Context())
	must(t, err)
	if len(info.Supervisors) != 1 || len(info.Topologies) != 1 || len(info.Nimbuses) != 1 {
		t.Fatalf("cluster %v", info)
	}
	s := info.Supervisors[0]
	if s.Host != "a.example" || s.NumWorkers != 2 || s.NumUsedWorkers != 1 || s.TotalResources[cpuPercent] != 400 || s.GetUsedMem() != 6*128 {
		t.Errorf("supervisor %v", s)
	}
	n := info.Nimbuses[0]
	if !n.IsLeader || n.Version != "2.8.3" || n.Host != "127.0.0.1" || int(n.Port) != c.Port() {
		t.Errorf("nimbus %v", n)
	}
	owners, err := c.client.GetOwnerResourceSummaries(t.Context(), "tester")
	must(t, err)
	if len(owners) != 1 || owners[0].GetTotalTopologies() != 1 || owners[0].GetTotalExecutors() != 6 || owners[0].GetTotalTasks() != 7 {
		t.Errorf("owners %v", owners)
	}
	page, err := c.client.GetSupervisorPageInfo(t.Context(), "", "a.example", true)
	must(t, err)
	if len(page.SupervisorSummaries) != 1 || len(page.WorkerSummaries) != 1 || page.WorkerSummaries[0].GetTopologyID() != id {
		t.Errorf("supervisor page %v", page)
	}
}

func TestNonsenseInReportsDoesNotSpread(t *testing.T) {
	e := executor{uptime: 10, stats: wordStats(false)}
	for _, w := range e.stats.Specific.Bolt.ExecuteMsAvg {
		w[0].Value = math.NaN()
	}
	e.stats.Specific.Bolt.ProcessMsAvg[":all-time"][0].Key = nil
	got := e.tally(":all-time", true)
	if got.capacity != 0 || got.executeTotal != 0 || got.processTotal != 0 || got.executed != 1000 {
		t.Errorf("tally %+v", got)
	}
}
