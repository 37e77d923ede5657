//go:build record

package nimbus

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// goldenScript is the shell component of both sides of words: a spout that emits one word a second, a bolt that acks all it gets
// and reports an error with the first. It speaks Storm's multilang protocol by itself.
const goldenScript = `import json, os, sys, time

def read():
    lines = []
    while True:
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        if line == "end\n":
            return json.loads("".join(lines))
        lines.append(line)

def send(message):
    sys.stdout.write(json.dumps(message) + "\nend\n")
    sys.stdout.flush()

setup = read()
open(os.path.join(setup["pidDir"], str(os.getpid())), "w").close()
send({"pid": os.getpid()})
count, told = 0, False
while True:
    m = read()
    if isinstance(m, list):
        continue
    if "command" in m:
        if m["command"] == "next":
            count += 1
            send({"command": "emit", "tuple": [str(count)], "id": str(count), "need_task_ids": False})
            time.sleep(0.2)
        send({"command": "sync"})
        continue
    if m.get("stream") == "__heartbeat":
        send({"command": "sync"})
        continue
    if not told:
        told = True
        send({"command": "error", "msg": "an error of count"})
    send({"command": "emit", "tuple": ["word", 1], "anchors": [m["id"]], "need_task_ids": False})
    send({"command": "ack", "id": m["id"]})
`

// TestRecordStorm writes goldenFile and clientFile from the real Nimbus at $STORM_NIMBUS, an empty cluster with one supervisor. It is not part
// of a test run.
func TestRecordStorm(t *testing.T) {
	addr := os.Getenv("STORM_NIMBUS")
	if addr == "" {
		t.Skip("STORM_NIMBUS names no real Nimbus to record; scripts/record-storm.sh does")
	}
	conn, err := wire.Dial(t.Context(), addr, wire.DialOptions{CallTimeout: time.Minute})
	must(t, err)
	defer conn.Close()
	client := stormrpc.NewNimbusClient(conn)
	ctx := t.Context()
	location, err := client.BeginFileUpload(ctx)
	must(t, err)
	must(t, client.UploadChunk(ctx, location, scriptJar(t)))
	must(t, client.FinishFileUpload(ctx, location))
	must(t, client.SubmitTopologyWithOpts(ctx, "words", location, goldenConf, words(), &stormrpc.SubmitOptions{InitialStatus: stormrpc.TopologyInitialStatus_ACTIVE}))
	s := &stage{client: client}
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(2 * time.Second) {
		if time.Now().After(deadline) {
			t.Fatal("the topology does not run: no executor has figures and no error was reported within five minutes")
		}
		info, err := client.GetTopologyInfoByName(ctx, "words")
		must(t, err)
		counted := 0
		for _, e := range info.Executors {
			if e.Stats != nil && e.Stats.Emitted["600"]["default"] > 0 {
				counted++
			}
		}
		if s.id, s.owner = info.ID, info.GetOwner(); counted == 5 && len(info.Errors["count"]) > 0 {
			break
		}
	}
	cluster, err := client.GetClusterInfo(ctx)
	must(t, err)
	s.node, s.host = cluster.Supervisors[0].SupervisorID, cluster.Supervisors[0].Host
	var b strings.Builder
	fmt.Fprintf(&b, "# Answers of Storm %s, recorded by scripts/record-storm.sh: where, field, value.\n", cluster.Nimbuses[0].Version)
	for _, l := range s.transcript(t) {
		fmt.Fprintf(&b, "%s\t%s\t%s\n", l.at, l.field, l.value)
	}
	must(t, os.WriteFile(goldenFile, []byte(b.String()), 0o644))
	recordClient(t, client, addr, cluster.Nimbuses[0].Version)
}

func scriptJar(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("resources/script.py")
	must(t, err)
	_, err = w.Write([]byte(goldenScript))
	must(t, err)
	must(t, z.Close())
	return b.Bytes()
}
