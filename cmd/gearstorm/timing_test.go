package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/stores"
	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// timedNimbus is a fakeNimbus whose topology wc has a clock and checkpoints, and whose topology young has a clock that has not said anything.
type timedNimbus struct {
	fakeNimbus
	stormrpc.Gearstorm
}

func (n *timedNimbus) GetTopologyInfoByName(_ context.Context, name string) (*stormrpc.TopologyInfo, error) {
	info := infoOfWC()
	switch name {
	case "wc":
		took, failed, waiting, stalled, every, store := int64(35), "the store is full", "task 4 waits for task 2", "task 4 of split is stuck", int64(1000), "file:///c"
		bytes, clock := int64(2048), int64(30)
		info.Timing = &stormrpc.TopologyTiming{Generation: 3, State: "running", WatermarkMs: 30, Stalled: &stalled, IntervalMs: &every, Store: &store,
			Clocks: []*stormrpc.ComponentClock{{Component: "lines", WatermarkMs: int64(gearcore.Idle), OutMs: int64(gearcore.Idle), Task: 2},
				{Component: "split", WatermarkMs: 30, OutMs: 0, Task: 4, Stuck: []int32{4, 5}}},
			Checkpoints: []*stormrpc.CheckpointSummary{
				{Epoch: 9, BegunMs: 3000, Waiting: &waiting}, {Epoch: 8, BegunMs: 2000, TookMs: &took, Failed: &failed},
				{Epoch: 7, BegunMs: 1000, TookMs: &took, Bytes: &bytes, WatermarkMs: &clock, Parts: []*stormrpc.CheckpointPart{
					{Component: "lines", Source: true, Tasks: 1, WatermarkMs: 30, Bytes: 8, Notes: []string{"offset 30"}},
					{Component: "split", Tasks: 2, WatermarkMs: 30, Bytes: 2040, Notes: []string{"12 keys", "11 keys"}}}}},
			Savepoints: []*stormrpc.Savepoint{{Name: "before", Epoch: 5, TimeMs: 500, Bytes: 100, WatermarkMs: int64(gearcore.End), Topology: "old-3-4"}}}
	case "young":
		info.Executors[0].ComponentID, info.Errors = "__clock", nil
	case "crashing", "crashed":
		ready, exit, other := false, "exit code 1", "another slot's"
		host, port, elsewhere := "h", int32(6700), int32(6701)
		info.Executors[0].ComponentID = "__clock"
		info.Workers = []*stormrpc.WorkerState{{TopologyID: info.ID, Host: "h", Port: 6700, Ready: &ready, LastExit: &exit}}
		info.Errors = map[string][]*stormrpc.ErrorInfo{"__system": {{Error: other, Host: &host, Port: &elsewhere},
			{Error: "worker 12 exit code 1 (restart 3), its last lines:\ncheckpoints cannot be kept in file:///c: permission denied", Host: &host, Port: &port}, {Error: "older", Host: &host, Port: &port}}}
		if name == "crashed" {
			info.Timing = &stormrpc.TopologyTiming{State: "the worker with the clock is away", Clocks: []*stormrpc.ComponentClock{}}
		}
	case "waiting":
		info.Executors = nil
	case "plain":
	default:
		return nil, &stormrpc.NotAliveException{Msg: name + " is not alive"}
	}
	return info, nil
}

func (n *timedNimbus) GetTopologyInfoByNameWithOpts(ctx context.Context, name string, _ *stormrpc.GetInfoOptions) (*stormrpc.TopologyInfo, error) {
	return n.GetTopologyInfoByName(ctx, name)
}

func (n *timedNimbus) Savepoint(_ context.Context, topology, name string, remove bool, wait int32) (*stormrpc.SavepointAnswer, error) {
	if err := n.known(topology, fmt.Sprintf("savepoint %s %s %v %d", topology, name, remove, wait)); err != nil {
		return nil, err
	}
	if name == "taken" {
		text := "savepoint taken: it exists already"
		return &stormrpc.SavepointAnswer{Error: &text}, nil
	}
	if remove {
		return &stormrpc.SavepointAnswer{}, nil
	}
	return &stormrpc.SavepointAnswer{Savepoint: &stormrpc.Savepoint{Name: name, Epoch: 7, Bytes: 5 << 20, WatermarkMs: 30}}, nil
}

func TestCheckpointCommands(t *testing.T) {
	bare(t)
	n := &timedNimbus{}
	t.Setenv(seeds.Env, serveNimbus(t, n, &n.port))
	for _, c := range []struct {
		args string
		code int
		want []string // parts of what is printed
		told string
	}{
		{"checkpoints wc", 0, []string{"a checkpoint every 1s in file:///c\n", "clock 30  running  generation 3\ntask 4 of split is stuck\n", "lines      idle       idle  2     \n", "split      30         -     4     4 5\n",
			"under way: task 4 waits for task 2\n", "35ms  2.0 KiB  committed\n", "failed: the store is full\n", "offset 30\n", "12 keys, 11 keys\n", "before     old-3-4   5      end"}, ""},
		{"checkpoints wc -n 1", 0, []string{"under way"}, ""},
		{"checkpoints wc -n 0", 2, []string{"-n 0: want 1 or more"}, ""},
		{"checkpoints plain", 1, []string{"plain has no clock: submit it with -c gearstorm.checkpoint.interval.ms=1000"}, ""},
		{"checkpoints young", 1, []string{"the worker with the clock of young (h:6700) has not said anything yet"}, ""},
		{"checkpoints crashing", 1, []string{"nothing is known of the checkpoints of crashing: the worker with the clock (h:6700) is not at work; the last that was heard of it, at ",
			"worker 12 exit code 1 (restart 3)", "checkpoints cannot be kept in file:///c: permission denied; `info crashing` shows all"}, ""},
		{"checkpoints crashed", 0, []string{"clock -  the worker with the clock is away  generation 0\n", "    checkpoints cannot be kept in file:///c: permission denied\n"}, ""},
		{"checkpoints waiting", 1, []string{"waiting has no place in the cluster yet (Not enough slots: 1 of 4 executors are placed); `gearstorm nodes` shows"}, ""},
		{"checkpoints nosuch", 1, []string{"nosuch is not alive"}, ""},
		{"top -n 1 wc", 0, []string{"clock 30  running  checkpoint 7 took 35ms, 2.0 KiB\ntask 4 of split is stuck\n"}, ""},
		{"info wc", 0, []string{"clock 30  running"}, ""},
		{"savepoint wc before", 0, []string{"Savepoint before of wc: epoch 7, clock 30, 5.0 MiB\n  start from it with -c gearstorm.checkpoint.from=before\n"}, "savepoint wc before false 120000"},
		{"savepoint wc taken", 1, []string{"savepoint taken: it exists already"}, "savepoint wc taken false 120000"},
		{"savepoint --delete wc before -w 5s", 0, []string{"Deleted savepoint before of wc\n"}, "savepoint wc before true 5000"},
		{"savepoint --delete wc", 2, []string{"savepoint takes the name of a topology and that of a savepoint, got 1"}, ""},
		{"savepoint wc a/b", 2, []string{"savepoint \"a/b\": its name may have 100 letters"}, ""},
		{"savepoint wc", 0, []string{"before", "end", "100 B"}, ""},
		{"savepoint", 2, []string{"got 0"}, ""},
		{"savepoint nosuch x", 1, []string{"nosuch is not alive"}, ""},
		{"savepoint wc x -w 1h", 0, []string{"Savepoint x of wc"}, "savepoint wc x false 3600000"},
		{"savepoint wc x -w 61m", 2, []string{"-w 1h1m0s: want 0 to 1h0m0s"}, ""},
	} {
		n.told = nil
		got := command(t, append([]string{"gearstorm"}, strings.Fields(c.args)...)...)
		for _, part := range c.want {
			if got.code != c.code || !strings.Contains(got.stdout+got.stderr, part) {
				t.Errorf("%s: code %d, and no %q in\n%s%s", c.args, got.code, part, got.stdout, got.stderr)
			}
		}
		if told := strings.Join(n.told, ", "); told != c.told {
			t.Errorf("%s: nimbus was told %q, want %q", c.args, told, c.told)
		}
	}
	var data map[string]any
	readJSON(t, &data, "gearstorm", "checkpoints", "wc", "-o", "json")
	clocks := []any{map[string]any{"component": "lines", "watermark": "idle", "out": "idle", "task": 2.0},
		map[string]any{"component": "split", "watermark": 30.0, "out": nil, "task": 4.0, "stuck": []any{4.0, 5.0}}}
	if d := cmp.Diff(clocks, data["clocks"]); d != "" {
		t.Errorf("clocks: (-want +got)\n%s", d)
	}
	newest := map[string]any{"epoch": 9.0, "state": "under way", "why": "task 4 waits for task 2", "begun": "1970-01-01T00:00:03Z", "bytes": 0.0, "watermark": nil}
	if d := cmp.Diff(newest, data["checkpoints"].([]any)[0]); d != "" {
		t.Errorf("newest checkpoint: (-want +got)\n%s", d)
	}
}

func TestWatermarksForPeople(t *testing.T) {
	for w, want := range map[gearcore.Watermark]string{0: "-", 5: "5", -7: "-7", gearcore.Idle: "idle", gearcore.End: "end"} {
		if got := watermark(w).String(); got != want {
			t.Errorf("%d is %q, want %q", w, got, want)
		}
	}
	if got := watermark(1_800_000_000_123).String(); !strings.HasPrefix(got, "2027-01-1") || !strings.HasSuffix(got, ".123") {
		t.Errorf("a time of day is %q", got)
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 5 << 30: "5.0 GiB", 3 << 50: "3072.0 TiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}

// TestSavepointsOfAStore looks into a store without a cluster.
func TestSavepointsOfAStore(t *testing.T) {
	bare(t)
	at := "file://" + t.TempDir()
	s, err := stores.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := checkpoint.OpenLog(checkpoint.LogConfig{Store: s, Topology: "old-3-4"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Begin(t.Context(), checkpoint.Start{Plan: 1})
	if err == nil {
		_, err = l.Commit(t.Context(), &checkpoint.Manifest{Epoch: b.First, Watermark: 30, Components: []checkpoint.Component{{Name: "a", Parts: []gearcore.TaskPart{{Part: gearcore.Part{Inline: []byte("abc")}}}}}})
	}
	if err == nil {
		err = l.Savepoint(t.Context(), "before", b.First)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"savepoint --store " + at, 0, "before     old-3-4   1      30"},
		{"savepoint --store " + at + " before", 2, "with --store savepoint takes --delete"},
		{"savepoint --purge old-3-4", 2, "--purge goes with --store"},
		{"savepoint --store ftp://x", 1, "store"},
		{"savepoint --store " + at + "/nosuch", 1, "there is no store of checkpoints: stat "},
		{"savepoint --store " + at + "/nosuch", 1, "there is no store of checkpoints: stat "}, // it was not made
		{"savepoint --store " + at + " --purge old-3-4", 0, "Removed the checkpoints of old-3-4"},
		{"savepoint --store " + at + " -o json", 0, `"topology": "old-3-4"`},
		{"savepoint --store " + at + " --delete before", 0, "Deleted savepoint before\n"},
		{"savepoint --store " + at, 0, "no savepoints are there\n"},
		{"savepoint --store " + at + " -o json", 0, "[]\n"},
	} {
		got := command(t, append([]string{"gearstorm"}, strings.Fields(c.args)...)...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.want) {
			t.Errorf("%s: code %d, and no %q in\n%s%s", c.args, got.code, c.want, got.stdout, got.stderr)
		}
	}
}

// A call that Nimbus holds is not given up before its wait is over.
func TestSavepointIsWaitedFor(t *testing.T) {
	if got := (&session{}).holding(longestSavepoint).Dial.CallTimeout; got <= longestSavepoint {
		t.Errorf("a call for a savepoint that may take %v is given up after %v", longestSavepoint, got)
	}
}
