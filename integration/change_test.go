package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	changeYAML = `
name: changing
config: {topology.workers: 2, topology.acker.executors: 1, topology.debug: %[2]v}
spouts:
  - {id: source, className: org.apache.storm.flux.wrappers.spouts.FluxShellSpout, constructorArgs: [["python3", "source.py"], ["n"]]}
bolts:
  - {id: work, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [["python3", %[1]s], ["n"]], parallelism: %[3]d}
%[4]s
streams:
  - {from: source, to: work, grouping: {type: SHUFFLE}}
%[5]s
`
	changeSource = `
import itertools, time
import gearstorm
class Source(gearstorm.Spout):
    def initialize(self, conf, context):
        self.n = itertools.count()
    def next_tuple(self):
        time.sleep(0.01)
        self.emit([next(self.n)])
    def ack(self, id): pass
    def fail(self, id): pass
Source().run()
`
	changeBolt = `
import os, sys
import gearstorm
class Bolt(gearstorm.BasicBolt):
    def process(self, tup):
        with open(sys.argv[1], "a") as f:
            f.write(".")
        self.emit([tup.values[0]])
Bolt().run()
`
	changeExtra = `  - {id: extra, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [["python3", "work.py", %q], ["n"]]}`
)

// changing is a topology in a folder whose bolts make files grow.
type changing struct {
	*cluster
	dir string
}

// file is where a bolt writes, and its size.
func (c *changing) file(name string) string { return filepath.Join(c.dir, name) }

func (c *changing) size(name string) int64 {
	if info, err := os.Stat(c.file(name)); err == nil {
		return info.Size()
	}
	return 0
}

// write writes a version of the topology. work is what runs the bolt behind python3.
func (c *changing) write(t *testing.T, name, work string, debug bool, parallelism int, extra bool) string {
	t.Helper()
	bolt, stream := "", ""
	if extra {
		bolt, stream = fmt.Sprintf(changeExtra, c.file("extra.out")), "  - {from: work, to: extra, grouping: {type: SHUFFLE}}"
	}
	file := c.file(name)
	if err := os.WriteFile(file, fmt.Appendf(nil, changeYAML, work, debug, parallelism, bolt, stream), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// exits runs a command and wants it to exit with a status and to say each of these.
func (c *changing) exits(t *testing.T, status int, says []string, args ...string) {
	t.Helper()
	out, err := c.gearstorm(t, args...)
	got := 0
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		got = e.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != status {
		t.Fatalf("%s exits with %d, want %d:\n%s", strings.Join(args, " "), got, status, out)
	}
	for _, s := range says {
		if !strings.Contains(out, s) {
			t.Errorf("%s does not say %q:\n%s", strings.Join(args, " "), s, out)
		}
	}
}

// grows waits until a bolt writes.
func (c *changing) grows(t *testing.T, name string) time.Duration {
	t.Helper()
	began, was := time.Now(), c.size(name)
	waitFor(t, time.Minute, name+" to grow", func() bool { return c.size(name) > was })
	return time.Since(began)
}

// A running topology is rescaled, gets another bolt and another script, goes back, and comes back by itself from a version that dies.
func TestChangeWhatRuns(t *testing.T) {
	t.Parallel()
	c := startChanging(t)
	work := func(out string) string { return fmt.Sprintf("work.py, %q", c.file(out)) }
	one := c.write(t, "one.yaml", work("one.out"), false, 1, false)
	two := c.write(t, "two.yaml", work("one.out"), true, 2, true)
	three := c.write(t, "three.yaml", work("three.out"), true, 2, true)
	bad := c.write(t, "bad.yaml", `"dies.py"`, true, 2, true)

	c.must(t, "submit", one)
	c.grows(t, "one.out")
	c.exits(t, 0, []string{"nothing would change"}, "plan", one)
	c.exits(t, 0, []string{"changing: version 1 -> 2", "+ extra", "~ work", "1 -> 2 tasks", "topology.debug: false -> true", "apply --base 1"}, "plan", two)
	c.exits(t, 0, []string{"+ extra", "version 2 runs"}, "apply", "--base", "1", two)
	c.grows(t, "one.out")
	c.grows(t, "extra.out")
	c.exits(t, 2, []string{"refused: the plan was made against version 1, version 2 runs: plan again"}, "apply", "--base", "1", three)
	c.exits(t, 0, []string{"~ work", "three.out", "version 3 runs"}, "apply", three)
	c.grows(t, "three.out")

	c.exits(t, 1, []string{"the version before runs again as version 5", "component work died"}, "apply", bad)
	c.grows(t, "three.out")
	c.exits(t, 0, []string{"submitted", "as version 3", "version 4 went back by itself"}, "history", "changing")

	c.exits(t, 0, []string{"- extra", "version 6 runs"}, "rollback", "changing", "1")
	was := c.size("extra.out")
	c.grows(t, "one.out")
	if now := c.size("extra.out"); now != was {
		t.Errorf("the bolt that is no more wrote %d bytes", now-was)
	}
	c.exits(t, 0, []string{"nothing would change"}, "plan", one)
	c.must(t, "kill", "changing", "-w", "0")
}
