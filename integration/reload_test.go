package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The components of the reload test write "<version> <pid> <pid of the worker>" to the file that is their argument, the
// last one that they wrote is what counts.
const (
	reloadYAML = `
name: reload
spouts:
  - {id: source, className: org.apache.storm.flux.wrappers.spouts.FluxShellSpout, constructorArgs: [["python3", "source.py", %q], ["n"]]}
bolts:
  - {id: edited, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [[%q, %q, %q], ["n"]]}
  - {id: other, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [["python3", "other.py", %q], ["n"]]}
streams:
  - {from: source, to: edited, grouping: {type: SHUFFLE}}
  - {from: source, to: other, grouping: {type: SHUFFLE}}
`
	pythonMark = `
import os, sys
def mark(version):
    tmp = sys.argv[1] + ".tmp"
    with open(tmp, "w") as f:
        f.write("%s %d %d" % (version, os.getpid(), os.getppid()))
    os.rename(tmp, sys.argv[1])
`
	pythonSource = `
import itertools, time
import gearstorm
from mark import mark
class Source(gearstorm.Spout):
    def initialize(self, conf, context):
        self.n = itertools.count()
    def next_tuple(self):
        mark("v1")
        time.sleep(0.02)
        self.emit([next(self.n)])
    def ack(self, id): pass
    def fail(self, id): pass
Source().run()
`
	pythonBolt = `
import gearstorm
from mark import mark
class Bolt(gearstorm.BasicBolt):
    def process(self, tup):
        mark("v1")
Bolt().run()
`
	nodeBolt = `
const fs = require("fs");
const { BasicBolt } = require("./gearstorm");
class Bolt extends BasicBolt {
  process(tuple) {
    fs.writeFileSync(process.argv[2] + ".tmp", "v1 " + process.pid + " " + process.ppid);
    fs.renameSync(process.argv[2] + ".tmp", process.argv[2]);
  }
}
new Bolt().run();
`
)

func TestReloadPython(t *testing.T) { testReload(t, "python3", "edited.py", pythonBolt) }

func TestReloadNode(t *testing.T) {
	t.Parallel()
	program(t, "node")
	testReload(t, "node", "edited.js", nodeBolt)
}

// testReload edits the script of one bolt of a running topology: its process is started anew with the new script, every
// other one lives on.
func testReload(t *testing.T, interpreter, script, text string) {
	program(t, "python3")
	c := startCluster(t, "--reload")
	dir, marks := t.TempDir(), t.TempDir()
	mark := func(component string) string { return filepath.Join(marks, component) }
	put := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("topology.yaml", fmt.Sprintf(reloadYAML, mark("source"), interpreter, script, mark("edited"), mark("other")))
	put("resources/mark.py", pythonMark)
	put("resources/source.py", pythonSource)
	put("resources/other.py", pythonBolt)
	put("resources/"+script, text)
	if out, err := c.gearstorm(t, "submit", filepath.Join(dir, "topology.yaml")); err != nil {
		t.Fatalf("submit: %v\n%s", err, out)
	}
	before := map[string]marked{}
	for _, component := range []string{"source", "edited", "other"} {
		waitFor(t, 30*time.Second, component+" to run", func() bool {
			m, ok := readMark(mark(component))
			before[component] = m
			return ok && m.version == "v1"
		})
	}
	waitFor(t, 10*time.Second, "dev to tell of the topology", func() bool { return strings.Contains(c.dev.out.String(), "reload starts as") })

	put("resources/"+script, strings.ReplaceAll(text, "v1", "v2"))
	waitFor(t, 30*time.Second, "the new script to run", func() bool {
		m, ok := readMark(mark("edited"))
		return ok && m.version == "v2"
	})
	after, _ := readMark(mark("edited"))
	if after.pid == before["edited"].pid || after.worker != before["edited"].worker {
		t.Errorf("the edited bolt was %+v and is %+v; want another process of the same worker", before["edited"], after)
	}
	for _, component := range []string{"source", "other"} {
		if err := os.Remove(mark(component)); err != nil {
			t.Fatal(err)
		}
		waitFor(t, 30*time.Second, component+" to go on", func() bool { _, ok := readMark(mark(component)); return ok })
		if m, _ := readMark(mark(component)); m != before[component] {
			t.Errorf("%s was %+v and is %+v; want it untouched", component, before[component], m)
		}
	}
	waitFor(t, 10*time.Second, "dev to tell of the change", func() bool {
		return strings.Contains(c.dev.out.String(), "reload: "+script+" changed, its process is started again")
	})
}

// marked is what a component wrote.
type marked struct {
	version     string
	pid, worker int
}

func readMark(file string) (marked, bool) {
	b, err := os.ReadFile(file)
	f := strings.Fields(string(b))
	if err != nil || len(f) != 3 {
		return marked{}, false
	}
	pid, err1 := strconv.Atoi(f[1])
	worker, err2 := strconv.Atoi(f[2])
	return marked{f[0], pid, worker}, err1 == nil && err2 == nil
}
