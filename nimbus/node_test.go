package nimbus

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Storm's own supervisors can ask where executors run.
func TestSupervisorAssignments(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700)
	c.node("b")
	id := c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	got, err := c.client.GetSupervisorAssignments(t.Context(), "a")
	must(t, err)
	if diff := cmp.Diff(a.plan.Topologies[0].Assignment, (*got.StormAssignment)[id]); diff != "" || len(*got.StormAssignment) != 1 {
		t.Errorf("assignments %v (-plan +got):\n%s", got, diff)
	}
	for _, node := range []string{"b", "nobody", ""} {
		got, err := c.client.GetSupervisorAssignments(t.Context(), node)
		if err != nil || got.StormAssignment == nil || len(*got.StormAssignment) != 0 {
			t.Errorf("assignments of %q: %v, %v", node, got, err)
		}
	}
}

// Heartbeats in Storm's form keep a worker alive as a report does.
func TestStormHeartbeats(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	ctx := t.Context()
	a, b := c.node("a", 6700), c.node("b")
	id := c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	slot := schedule.Slot{Node: "a", Port: 6700}
	seen := func() time.Time {
		c.mu.Lock()
		defer c.mu.Unlock()
		if w := c.workers[workerKey{id, slot}]; w != nil {
			return w.seen
		}
		return time.Time{}
	}
	beat := func(topology string, first, last int32) *stormrpc.SupervisorWorkerHeartbeat {
		return &stormrpc.SupervisorWorkerHeartbeat{StormID: topology, Executors: []*stormrpc.ExecutorInfo{{TaskStart: 90, TaskEnd: 90}, {TaskStart: first, TaskEnd: last}}, TimeSecs: clk.Now().Unix()}
	}
	many := func(node string, beats ...*stormrpc.SupervisorWorkerHeartbeat) error {
		return c.client.SendSupervisorWorkerHeartbeats(ctx, &stormrpc.SupervisorWorkerHeartbeats{SupervisorID: node, WorkerHeartbeats: beats})
	}
	must(t, many("b", beat(id, 1, 1)))
	must(t, many("a", beat("other", 1, 1), beat(id, 1, 9)))
	if !seen().IsZero() {
		t.Error("a worker that did not say anything was heard")
	}
	must(t, many("a", beat(id, 1, 1)))
	if !seen().Equal(clk.Now()) {
		t.Error("a heartbeat of a supervisor was not heard")
	}
	for range 10 { // longer than a silent worker is left
		pass(clk, 20*time.Second, a, b)
		must(t, c.client.SendSupervisorWorkerHeartbeat(ctx, beat(id, 1, 1)))
		must(t, c.round(ctx, true))
	}
	if !seen().Equal(clk.Now()) || !a.has() {
		t.Error("a worker with heartbeats is taken for dead")
	}
	info, err := c.client.GetTopologyInfo(ctx, id) // also of a worker that has told nothing else
	if err != nil || len(info.Executors) != 6 || len(info.Workers) != 1 {
		t.Errorf("info %v, %v", info, err)
	}
	if got := answer(c.client.SendSupervisorWorkerHeartbeat(ctx, beat("gone-1-1", 1, 1))); got != "NotAlive gone-1-1" {
		t.Errorf("a heartbeat for a topology that is gone: %s", got)
	}
	if got := answer(many("a", make([]*stormrpc.SupervisorWorkerHeartbeat, 0)...)); got != "ok" {
		t.Errorf("no heartbeats: %s", got)
	}
}

// Storm 2.8 sends the time of a heartbeat as i32, Storm 3.0 as i64. Both are read.
func TestBothFormsOfTimes(t *testing.T) {
	c := start(t, nil)
	for _, f := range []struct {
		name string
		time []byte
	}{
		{"2.8", []byte{8, 0, 3, 0x69, 0, 0, 0}},
		{"3.0", []byte{10, 0, 3, 0, 0, 0, 0, 0x69, 0, 0, 0}},
	} {
		for _, call := range []struct{ method, want string }{
			{"sendSupervisorWorkerHeartbeat", "gone-1-1"}, // in NotAliveException
			{"sendSupervisorWorkerHeartbeats", ""},
		} {
			executor := "\x08\x00\x01\x00\x00\x00\x01\x08\x00\x02\x00\x00\x00\x02\x00"
			beat := "\x0b\x00\x01\x00\x00\x00\x08gone-1-1" + "\x0f\x00\x02\x0c\x00\x00\x00\x01" + executor + string(f.time) + "\x00"
			args := "\x0c\x00\x01" + beat + "\x00"
			if call.method == "sendSupervisorWorkerHeartbeats" {
				args = "\x0c\x00\x01\x0b\x00\x01\x00\x00\x00\x01a\x0f\x00\x02\x0c\x00\x00\x00\x01" + beat + "\x00\x00"
			}
			reply := exchange(t, c.Addr(), "\x80\x01\x00\x01\x00\x00\x00"+string(rune(len(call.method)))+call.method+"\x00\x00\x00\x07"+args)
			if !strings.HasPrefix(reply, "\x80\x01\x00\x02") || !strings.Contains(reply, call.want) {
				t.Errorf("%s in the form of %s: %q", call.method, f.name, reply)
			}
		}
	}
}

// exchange sends a message in a frame and returns the one that is answered.
func exchange(t *testing.T, addr, message string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(waitFor)))
	_, err = conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...))
	must(t, err)
	head := make([]byte, 4)
	_, err = io.ReadFull(conn, head)
	must(t, err)
	reply := make([]byte, binary.BigEndian.Uint32(head))
	_, err = io.ReadFull(conn, reply)
	must(t, err)
	return string(reply)
}

// Metrics are taken and dropped; what begins a download of a file is gone.
func TestCallsWithoutEffect(t *testing.T) {
	c := start(t, nil)
	must(t, c.client.ProcessWorkerMetrics(t.Context(), &stormrpc.WorkerMetrics{TopologyId: "x", Port: 1, Hostname: "h",
		MetricList: &stormrpc.WorkerMetricList{Metrics: []*stormrpc.WorkerMetricPoint{{MetricName: "m", ComponentId: "c", ExecutorId: "e", StreamId: "s"}}}}))
	if _, err := c.client.DownloadChunk(t.Context(), "x"); answer(err) != "application 6" {
		t.Errorf("download: %v", err)
	}
}

// The dependency jars of a topology go with it, as far as nobody else names them and its owner may delete them; artifacts stay.
func TestDependencyJarsGoWithTheirTopology(t *testing.T) {
	c := start(t, func(cfg *Config) {
		cfg.Conf["storm.blobstore.acl.validation.enabled"] = true
	})
	ctx := t.Context()
	for _, key := range []string{"dep-own.jar", "dep-shared.jar", "artifact.jar", "dep-map.jar"} {
		c.putBlob(key, jar(t, "x"), true)
	}
	session, err := c.BeginCreateBlob(as(t, "bob"), "dep-bob.jar", &stormrpc.SettableBlobMeta{Acl: []*stormrpc.AccessControl{
		{Type: stormrpc.AccessControlType_OTHER, Access: 1}}})
	must(t, err)
	must(t, c.UploadBlobChunk(ctx, session, jar(t, "x")))
	must(t, c.FinishBlobUpload(as(t, "bob"), session))
	submit := func(name, conf string, jars ...string) {
		code := words()
		code.DependencyJars, code.DependencyArtifacts = jars, []string{"artifact.jar"}
		must(t, c.client.SubmitTopology(ctx, name, c.upload(jar(t, "resources/script.py")), conf, code))
	}
	submit("one", "{}", "dep-own.jar", "dep-shared.jar", "dep-map.jar", "dep-bob.jar")
	submit("two", `{"topology.blobstore.map": {"dep-map.jar": {}}}`, "dep-shared.jar")
	kill := func(name string) {
		must(t, c.client.KillTopologyWithOpts(ctx, name, &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
		eventually(t, name+" is gone", func() bool { _, ok := c.named(name); return !ok })
	}
	left := func(when string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, c.keys("", 100)); diff != "" {
			t.Errorf("blobs after %s (-want +got):\n%s", when, diff)
		}
	}
	kill("one")
	id := c.all()[0].ID
	left("the first", "artifact.jar", "dep-bob.jar", "dep-map.jar", "dep-shared.jar", id+"-stormcode.ser", id+"-stormconf.ser", id+"-stormjar.jar")
	kill("two")
	left("the second", "artifact.jar", "dep-bob.jar", "dep-map.jar")
}

// Who connects by a topology's configuration, as Storm's upload-credentials does, reaches this Nimbus.
func TestTopologyConfLeadsHere(t *testing.T) {
	c := start(t, nil)
	text, err := c.client.GetTopologyConf(t.Context(), c.submitWords("words", "{}"))
	must(t, err)
	if port, err := mustJSON(t, text).Int("nimbus.thrift.port"); err != nil || int(port) != c.Port() {
		t.Errorf("port %d, %v; this Nimbus listens on %d", port, err, c.Port())
	}
}
