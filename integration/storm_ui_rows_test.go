//go:build unpublished

package integration

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// The figures of it.ShellTopology with two workers: 7 tasks of its own and an acker a worker, 200 sentences of 9 words.
const (
	uiTasks, uiWorkers = 9.0, 2.0
	uiSentences        = 200.0
	uiWords            = 9 * uiSentences
)

// topologySummary are the fields of a topology in a list, below path.
func topologySummary(path string) uiWant {
	return fields(path, "id", "encodedId", "owner", "uptime", "uptimeSeconds", "replicationCount", "schedulerInfo", "requestedMemOnHeap", "requestedMemOffHeap",
		"requestedTotalMem", "requestedCpu", "assignedMemOnHeap", "assignedMemOffHeap", "assignedTotalMem", "assignedCpu", "stormVersion").
		with(uiWant{path + "name": "shells", path + "status": "ACTIVE", path + "tasksTotal": uiTasks, path + "executorsTotal": uiTasks, path + "workersTotal": uiWorkers})
}

func supervisorSummary(path string) uiWant {
	return fields(path, "id", "host", "uptime", "uptimeSeconds", "totalMem", "usedMem", "availMem", "totalCpu", "usedCpu", "availCpu", "version", "logLink").
		with(uiWant{path + "slotsTotal": 4.0, path + "slotsUsed": uiWorkers, path + "slotsFree": 2.0, path + "blacklisted": false})
}

// clusterRows are the pages about the cluster.
func (u *stormUI) clusterRows(t *testing.T) {
	for path, want := range map[string]uiWant{
		"cluster/configuration": {"topology.message.timeout.secs": 30.0, "nimbus.thrift.port": nil},
		"cluster/summary": fields("", "stormVersion", "totalMem", "availMem", "fragmentedMem", "totalCpu", "availCpu", "fragmentedCpu", "memAssignedPercentUtil",
			"cpuAssignedPercentUtil").with(uiWant{"supervisors": 1.0, "topologies": 1.0, "slotsTotal": 4.0, "slotsUsed": uiWorkers, "executorsTotal": uiTasks, "tasksTotal": uiTasks}),
		"nimbus/summary":     fields("nimbuses.0.", "host", "port", "version", "nimbusUpTime", "nimbusUpTimeSeconds").with(uiWant{"nimbuses.0.status": "Leader"}),
		"supervisor/summary": supervisorSummary("supervisors.0."),
		"topology/summary":   topologySummary("topologies.0."),
		"history/summary":    {"topo-history.0": u.name.Replace("ID")},
		"owner-resources":    {"owners.0.owner": nil, "owners.0.totalTopologies": 1.0, "owners.0.totalTasks": uiTasks, "owners.0.totalMemoryUsage": nil, "owners.0.totalCpuUsage": nil},
	} {
		u.row(t, http.MethodGet, path, "", want)
	}
	for _, path := range []string{"supervisor?id=NODE", "supervisor?host=HOST", "supervisor?id=NODE&sys=true"} {
		u.row(t, http.MethodGet, path, "", supervisorSummary("supervisors.0.").with(fields("workers.0.", "supervisorId", "host", "port", "topologyId", "executorsTotal",
			"assignedMemOnHeap", "assignedCpu", "componentNumTasks", "uptime", "uptimeSeconds", "workerLogLink", "owner")).with(uiWant{"workers.1.topologyName": "shells"}))
	}
	owners, err := u.ask(http.MethodGet, "owner-resources", "")
	if err != nil {
		t.Fatal(err)
	}
	u.row(t, http.MethodGet, fmt.Sprintf("owner-resources/%v", at(owners, "owners.0.owner")), "", topologySummary("topologies.0.").with(uiWant{"totalExecutors": uiTasks, "totalWorkers": uiWorkers}))
}

// topologyRows are the pages about a topology and its components for a window; with system ones or not.
func (u *stormUI) topologyRows(t *testing.T, query string, system bool) {
	figures := fields("topologyStats.0.", "windowPretty", "window", "emitted", "transferred", "completeLatency").
		with(uiWant{"topologyStats.0.acked": uiSentences, "topologyStats.0.failed": 0.0, "topologyStats.3.acked": uiSentences})
	spout := fields("spouts.0.", "encodedSpoutId", "emitted", "transferred", "completeLatency", "requestedMemOnHeap", "requestedCpu").
		with(uiWant{"spouts.0.spoutId": "sentences", "spouts.0.acked": uiSentences, "spouts.0.executors": 1.0, "spouts.0.tasks": 1.0})
	bolts := fields("bolts.0.", "boltId", "encodedBoltId", "executors", "tasks", "emitted", "capacity", "executeLatency", "executed", "processLatency", "acked", "failed", "requestedCpu").
		with(fields("bolts.2.", "boltId", "capacity"))
	if system {
		bolts = bolts.with(fields("bolts.3.", "boltId"))
	}
	page := topologySummary("").with(figures).with(spout).with(bolts).with(uiWant{"msgTimeout": 30.0, "configuration.topology.name": "shells", "workers.1.host": nil, "debug": false, "samplingPct": 10.0})
	u.row(t, http.MethodGet, "topology/ID"+query, "", page)
	u.row(t, http.MethodGet, "topology/ID/metrics"+query, "", figures)
	u.row(t, http.MethodGet, "topology/ID/visualization"+query, "", uiWant{"sentences.:type": "spout", "split.:type": "bolt", "split.:inputs.0.:component": "sentences",
		"split.:inputs.0.:grouping": "shuffle", "split.:stats.1.:transferred.:all-time.default": nil, "split.:latency": nil, "split.:capacity": nil, "sentences.:transferred": nil})

	component := fields("", "encodedId", "topologyId", "encodedTopologyId", "window", "windowHint", "requestedMemOnHeap", "requestedCpu", "samplingPct", "componentErrors").
		with(uiWant{"name": "shells", "topologyStatus": "ACTIVE", "debug": false})
	executor := fields("executorStats.0.", "id", "encodedId", "uptime", "uptimeSeconds", "host", "port", "emitted", "transferred", "acked", "failed", "workerLogLink")
	u.row(t, http.MethodGet, "topology/ID/component/sentences"+query, "", uiWant{"id": "sentences", "componentType": "spout", "executors": 1.0, "tasks": 1.0,
		"spoutSummary.0.acked": uiSentences, "spoutSummary.3.acked": uiSentences, "spoutSummary.0.completeLatency": nil, "outputStats.0.stream": "default", "outputStats.0.emitted": uiSentences,
		"outputStats.0.completeLatency": nil, "executorStats.0.completeLatency": nil}.with(component).with(executor))
	u.row(t, http.MethodGet, "topology/ID/component/split"+query, "", uiWant{"id": "split", "componentType": "bolt", "executors": 2.0, "tasks": 2.0, "boltStats.0.executed": uiSentences,
		"boltStats.3.emitted": uiWords, "boltStats.0.capacity": nil, "inputStats.0.component": "sentences", "inputStats.0.encodedComponentId": "sentences", "inputStats.0.stream": "default",
		"inputStats.0.executed": uiSentences, "inputStats.0.acked": uiSentences, "inputStats.0.executeLatency": nil, "inputStats.0.processLatency": nil, "outputStats.0.emitted": uiWords,
		"executorStats.1.capacity": nil, "executorStats.1.executed": nil}.with(component).with(executor))
	if system {
		u.row(t, http.MethodGet, "topology/ID/component/__acker"+query, "", uiWant{"id": "__acker", "componentType": "bolt", "tasks": uiWorkers}.with(executor))
	}
	u.row(t, http.MethodGet, "topology/ID/component/__system"+query, "", uiWant{"id": "__system", "componentType": "bolt"})
}

// otherRows are the remaining paths that only read. Storm's visualization-init throws a ClassCastException of its own for any topology.
func (u *stormUI) otherRows(t *testing.T) {
	u.row(t, http.MethodGet, "topology-workers/ID", "", uiWant{"hostPortList.0.host": nil, "hostPortList.1.port": nil})
	u.row(t, http.MethodGet, "topology/ID/lag", "", nil)
	u.row(t, http.MethodGet, "topology/ID/logconfig", "", uiWant{"namedLoggerLevels": nil})
	row(t, "ui", "topology/nosuch", func() error {
		if answer, err := u.ask(http.MethodGet, "topology/nosuch", ""); err == nil {
			return fmt.Errorf("a topology that is not there has a page: %v", answer)
		}
		return nil
	})
}

// actionRows are what the buttons of its pages do; the last one ends the topology.
func (u *stormUI) actionRows(t *testing.T) {
	u.row(t, http.MethodPost, "topology/ID/logconfig", `{"namedLoggerLevels":{"audit":{"target_level":"DEBUG","reset_level":"INFO","timeout":30}}}`,
		uiWant{"namedLoggerLevels.audit.target_level": "DEBUG", "namedLoggerLevels.audit.timeout": 30.0, "namedLoggerLevels.audit.timeout_epoch": nil})
	u.row(t, http.MethodPost, "topology/ID/debug/enable/20", "", uiWant{"status": "success"})
	u.row(t, http.MethodGet, "topology/ID", "", uiWant{"debug": true, "samplingPct": 20.0})
	u.row(t, http.MethodPost, "topology/ID/debug/disable/20", "", uiWant{"status": "success"})
	u.row(t, http.MethodPost, "topology/ID/component/split/debug/enable/5", "", uiWant{"status": "success"})
	u.row(t, http.MethodGet, "topology/ID/component/split", "", uiWant{"debug": true, "samplingPct": 5.0})
	u.row(t, http.MethodPost, "topology/ID/deactivate", "", uiWant{"status": "success"})
	u.row(t, http.MethodGet, "topology/ID", "", uiWant{"status": "INACTIVE"})
	u.row(t, http.MethodPost, "topology/ID/activate", "", uiWant{"status": "success"})
	for _, action := range []string{"dumpjstack", "dumpheap", "dumpprofile", "stop"} {
		u.row(t, http.MethodGet, "topology/ID/profiling/"+action+"/HOST:PORT", "", uiWant{"status": "ok", "id": "HOST:PORT"})
	}
	u.row(t, http.MethodGet, "topology/ID/profiling/start/HOST:PORT/1", "", uiWant{"status": "ok", "id": "HOST:PORT", "dumplink": nil})
	u.row(t, http.MethodGet, "topology/ID/component/split", "", uiWant{"profilerActive.0.host": nil})
	u.row(t, http.MethodGet, "topology/ID/profiling/restartworker/HOST:PORT", "", uiWant{"status": "ok"})
	u.row(t, http.MethodPost, "topology/ID/rebalance/0", "", uiWant{"status": "success", "topologyOperation": "rebalance"})
	u.row(t, http.MethodPost, "topology/ID/kill/0", "", uiWant{"status": "success", "topologyOperation": "kill"})
	waitFor(t, 30*time.Second, "a page without topologies", func() bool {
		answer, err := u.ask(http.MethodGet, "topology/summary", "")
		return err == nil && at(answer, "topologies.0") == nil
	})
}
