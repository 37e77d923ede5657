package main

import (
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func TestPlainNodes(t *testing.T) {
	limit, exit, why, worker, restarts, up, isReady := int64(512<<20), "exit code 7", "silent for 20s: process 5 alive", "w", int32(2), int32(61), true
	states := []*stormrpc.WorkerState{
		{TopologyID: "words-1-1", Host: "a", Port: 6700},
		{TopologyID: "words-1-1", Host: "a", Port: 6701, WorkerID: &worker, UptimeSecs: &up, Ready: &isReady, Restarts: &restarts, LastExit: &exit,
			Usage: &stormrpc.WorkerUsage{MemoryBytes: 100 << 20, MemoryLimitBytes: limit, CPUUs: 2_500_000, ThrottledUs: 300_000}},
		{TopologyID: "words-1-1", Host: "a", Port: 6702, WorkerID: &worker, UptimeSecs: &up, Ready: &isReady, Suspect: &why},
	}
	rows := []nodeRow{
		{ID: "id-a", Host: "a", Health: "ok", Slots: 4, UsedSlots: 3, CPU: 400, UsedCPU: 150, Memory: 4096, UsedMemory: 768, Uptime: 3661,
			Isolation: "cgroup v2: cpu memory pids, sandbox default", Workers: workerInfos(states)},
		{ID: "id-b", Host: "b", Health: "health check disk says:\nERROR no disk", Silent: 2},
		{ID: "id-c", Host: "c", Health: "avoided", Silent: 12},
	}
	var out strings.Builder
	if err := plainNodes(&out, rows); err != nil {
		t.Fatal(err)
	}
	want := `HOST  HEALTH          SLOTS   CPU         MEMORY MB    UPTIME  ISOLATION                                    ID
a     ok              3 of 4  150 of 400  768 of 4096  1h1m1s  cgroup v2: cpu memory pids, sandbox default  id-a
b     unhealthy       0 of 0  0 of 0      0 of 0       0s      -                                            id-b
c     silent for 12s  0 of 0  0 of 0      0 of 0       0s      -                                            id-c
b: health check disk says: ; ERROR no disk

WORKER  STATE     UP    RESTARTS  MEMORY MB  OF   CPU s  STOPPED BY CAP s  TOPOLOGY
a:6700  starting  0s    0         -          -    -      -                 words-1-1
a:6701  ready     1m1s  2         100        512  2.5    0.3               words-1-1
a:6702  suspect   1m1s  0         -          -    -      -                 words-1-1
a:6701: the worker before it ended: exit code 7
a:6702 is suspected: silent for 20s: process 5 alive
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	if err := plainNodes(&out, nil); err != nil || !strings.HasPrefix(out.String(), "no nodes;") {
		t.Errorf("printed %q, %v", out.String(), err)
	}
}

func TestHealthOfNodes(t *testing.T) {
	avoided, why := true, "no disk"
	for want, s := range map[string]*stormrpc.SupervisorSummary{"ok": {}, "avoided": {Blacklisted: &avoided}, why: {Blacklisted: &avoided, Unhealthy: &why}} {
		if got := healthOf(s); got != want {
			t.Errorf("health %q, want %q", got, want)
		}
	}
}
