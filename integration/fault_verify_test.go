package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// verify without privileges: a cluster of its own on loopback addresses, kills and pauses, and a JSON document.
func TestVerifyOwnCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	out, err := run(t, 3*time.Minute, []string{clusterEnv + "=" + c.dir}, c.dir, "sh", "-c", fmt.Sprintf(
		`%s verify --for 24s --every 6s --seed 11 --rate 500 --supervisors 2 --faults worker,supervisor,nimbus,pause --invariant 'test -n "$GEARSTORM_NIMBUS"' --json 2>progress`, binary))
	progress, _ := os.ReadFile(filepath.Join(c.dir, "progress"))
	if err != nil {
		t.Fatalf("verify: %v\n%s\n%s", err, out, progress)
	}
	var told struct {
		OK     bool
		Seed   int
		Faults []struct {
			Name             string
			Lost, Duplicated *int
			Failed           []string
		}
		Records struct{ Claimed, Seen, Acked int }
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil {
		t.Fatalf("verify --json says %q: %v", out, err)
	}
	r := told.Records
	if !told.OK || told.Seed != 11 || len(told.Faults) < 2 || r.Claimed == 0 || r.Claimed != r.Seen || r.Claimed != r.Acked {
		t.Errorf("verify says %s", out)
	}
	for _, f := range told.Faults {
		if f.Lost == nil || *f.Lost != 0 || f.Duplicated == nil || len(f.Failed) > 0 {
			t.Errorf("fault %+v", f)
		}
	}
	if lines := strings.Count(string(progress), "\nfault "); lines != len(told.Faults) {
		t.Errorf("%d lines of faults for %d faults:\n%s", lines, len(told.Faults), progress)
	}
	if !strings.Contains(string(progress), "the invariant holds") {
		t.Errorf("nothing of the invariant in\n%s", progress)
	}
}

// verify on a topology of one's own: its workers are killed and stopped, and one's own check has the last word.
func TestVerifyRunningTopology(t *testing.T) {
	t.Parallel()
	c := startCluster(t, "-c", "supervisor.worker.timeout.secs=3")
	n := submitNumbers(t, c, 2)
	before := c.workers(t)
	args := []string{"verify", "--topology", "numbers", "--local-dir", c.dir, "--for", "10s", "--every", "5s", "--seed", "3"}
	out := c.must(t, append(args, "--faults", "worker,partition", "--invariant", "true")...)
	for _, want := range []string{"skipped partition", "fault 1 worker lost=? duplicated=?", "the invariant holds", "seed=3: ok"} {
		if !strings.Contains(out, want) {
			t.Errorf("verify does not say %q:\n%s", want, out)
		}
	}
	if now := c.workers(t); same(before, now) {
		t.Error("no worker was killed")
	}
	out, err := c.gearstorm(t, append(args, "--faults", "pause", "--invariant", "exit 7")...)
	if err == nil || !strings.Contains(out, "the invariant does not hold: exit status 7") {
		t.Errorf("verify with an invariant that does not hold: %v\n%s", err, out)
	}
	n.finish(t, time.Minute)
}

func TestVerifyComplains(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--faults", "worker,fire"}, `no fault "fire"; there are [worker supervisor`},
		{[]string{"--for", "-1s"}, "must be above 0"},
		{[]string{"--supervisors", "0"}, "want 1 to 50"},
		{[]string{"--rate", "0"}, "rate"},
		{[]string{"here"}, `no argument "here"`},
		{[]string{"--topology", "none", "--local-dir", c.dir}, "none"},
		{[]string{"--topology", "none", "--faults", "nimbus"}, "none of the faults can be done here"},
		{[]string{"--keep", "."}, "not empty"},
	} {
		out, err := c.gearstorm(t, append([]string{"verify"}, tc.args...)...)
		if err == nil || !strings.Contains(out, tc.want) {
			t.Errorf("verify %v: %v, it says\n%s\nwant %q", tc.args, err, out, tc.want)
		}
	}
}
