package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

func testDisk(t *testing.T, local string) *disk {
	t.Helper()
	d, err := openDisk(local)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.close() })
	return d
}

func TestDiskKeepsState(t *testing.T) {
	local := t.TempDir()
	d := testDisk(t, local)
	id, err := d.nodeID()
	if err != nil || len(id) != 36 {
		t.Fatalf("id %q, %v", id, err)
	}
	if p, err := d.plan(); p != nil || err != nil {
		t.Fatalf("plan before the first: %v, %v", p, err)
	}
	plan := nodePlan(7, 3, planOf("a-1-1", 7, "n", 6700))
	rec := workerRecord{Topology: "a-1-1", Worker: "w1", Process: &isolate.Identity{Worker: "w1", Pid: 5, Start: 6, Boot: "b"},
		Launched: time.Unix(1700000000, 0).UTC(), Silence: time.Minute, LogPath: "/logs/worker.log", LogStart: 1, ErrStart: 2}
	ports := chosenPorts{Thrift: 6628, Slots: []int{6700, 6701}}
	for _, err := range []error{d.keepPlan(plan), d.keepWorker(6700, rec), d.keepWorker(6701, rec), d.forgetWorker(6701), d.forgetWorker(6702), d.keepPorts(ports)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	// What was being written when the last supervisor was killed is no state.
	for _, name := range []string{"plan.123.tmp", "slots/6703.json.1.tmp"} {
		if err := os.WriteFile(filepath.Join(local, "supervisor", name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.close()

	d = testDisk(t, local)
	if again, err := d.nodeID(); again != id || err != nil {
		t.Errorf("id %q, was %q, %v", again, id, err)
	}
	got, err := d.plan()
	if err != nil || !got.Equals(plan) {
		t.Errorf("plan %v, %v", got, err)
	}
	workers, err := d.workers()
	if diff := cmp.Diff(map[int]workerRecord{6700: rec}, workers); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if p, err := d.ports(); !cmp.Equal(p, ports) || err != nil {
		t.Errorf("ports %v, %v", p, err)
	}
	if left, _ := filepath.Glob(filepath.Join(local, "supervisor", "*", "*.tmp")); len(left) > 0 {
		t.Errorf("left over %v", left)
	}
}

func TestDamagedState(t *testing.T) {
	local := t.TempDir()
	d := testDisk(t, local)
	for name, text := range map[string]string{"plan": "\x0b\x00", "ports.json": "{", "slots/6700.json": "{", "slots/6701.json": `{"worker":"w1"}`, "slots/x": ""} {
		if err := os.WriteFile(filepath.Join(local, "supervisor", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.plan(); err == nil {
		t.Error("damaged plan is read")
	}
	if _, err := d.ports(); err == nil {
		t.Error("damaged ports are read")
	}
	workers, err := d.workers()
	if err == nil || !strings.Contains(err.Error(), "slot 6700") {
		t.Errorf("damaged worker: %v", err)
	}
	if len(workers) != 2 || workers[6700] != (workerRecord{}) || workers[6701].Worker != "w1" {
		t.Errorf("the others: %v", workers)
	}
}

func TestTail(t *testing.T) {
	long := strings.Repeat("x", 300) + "\n"
	cases := []struct {
		name, text string
		from       int64
		want       string
	}{
		{name: "all", text: "a\nb\n", want: "a\nb"},
		{name: "of this life", text: "old\nnew\n", from: 4, want: "new"},
		{name: "nothing new", text: "old\n", from: 4},
		{name: "moved aside", text: "new\n", from: 400, want: "new"},
		{name: "last lines", text: strings.Repeat("1\n", 30) + "2\n", want: strings.Repeat("1\n", 11) + "2"},
		{name: "last bytes", text: strings.Repeat(long, 40), want: strings.TrimSpace(strings.Repeat(long, 12))},
		{name: "one long line", text: strings.Repeat("y", 9000), want: strings.Repeat("y", tailBytes)},
		{name: "no text", text: "a\xff\n", want: "a\uFFFD"},
		{name: "empty"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "worker.log.err")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, tail(path, c.from)); diff != "" {
				t.Error(diff)
			}
		})
	}
	dir := t.TempDir()
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "link"), dir, filepath.Join(dir, "none"), "/dev/zero"} {
		if got := tail(path, 0); got != "" {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestLastWords(t *testing.T) {
	dir := t.TempDir()
	r := workerRecord{LogPath: filepath.Join(dir, "worker.log")}
	if got := lastWords("exit code 1", r); got != "exit code 1" {
		t.Errorf("without logs: %q", got)
	}
	if err := os.WriteFile(r.LogPath, []byte("log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := lastWords("exit code 1", r); got != "exit code 1, its last lines:\nlog\n" {
		t.Errorf("with a log: %q", got)
	}
	if err := os.WriteFile(r.LogPath+".err", []byte("panic\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := lastWords("exit code 1", r); got != "exit code 1, its last lines:\npanic\n" {
		t.Errorf("with both: %q", got)
	}
}
