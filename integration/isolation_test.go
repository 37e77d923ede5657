package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	leakYAML = `
name: %s
spouts:
  - {id: source, className: org.apache.storm.flux.wrappers.spouts.FluxShellSpout, constructorArgs: [[%q, "source.py", %q], ["n"]]}
bolts:
  - {id: sink, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [[%q, "sink.py", %q, %q], ["n"]]}
streams:
  - {from: source, to: sink, grouping: {type: SHUFFLE}}
`
	leakSink = `
import os, sys
import gearstorm
from mark import mark
kept = []
class Sink(gearstorm.BasicBolt):
    def process(self, tup):
        mark("v1")
        if sys.argv[2] == "leaks":
            kept.append(b"x" * (8 << 20))
        elif sys.argv[2] == "pries":
            try:
                os.listdir("/var")
                mark("read")
            except OSError:
                mark("refused")
Sink().run()
`
)

// A child that leaks takes its worker along and nobody else, and users are told the limit. A strict sandbox lets Python
// run, and nothing else be read.
func TestIsolation(t *testing.T) {
	program(t, "python3")
	out, err := run(t, time.Minute, nil, "", "python3", "-c", "import sys; print(sys.executable, sys.base_prefix)")
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, out)
	}
	python, prefix, _ := strings.Cut(strings.TrimSpace(out), " ") // what PATH has may be a script that finds it
	c := startCluster(t, "-c", "gearstorm.isolation=cgroup", "-c", "storm.cgroup.memory.enforcement.enable=true", "-c", "storm.worker.cgroup.memory.mb.limit=200",
		"-c", "gearstorm.sandbox=strict", "-c", fmt.Sprintf("gearstorm.sandbox.read=[%q]", prefix))
	log, err := os.ReadFile(filepath.Join(c.dir, "logs", "dev.log"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(log); !strings.Contains(text, `by="cgroup v`) || strings.Contains(text, "memory (") {
		missing(t, "no control groups here:\n%s", text)
	}
	marks := t.TempDir()
	submit := func(name, role string) {
		t.Helper()
		dir := t.TempDir()
		for file, text := range map[string]string{
			"topology.yaml":     fmt.Sprintf(leakYAML, name, python, filepath.Join(marks, name+"-source"), python, filepath.Join(marks, name), role),
			"resources/mark.py": pythonMark, "resources/source.py": pythonSource, "resources/sink.py": leakSink,
		} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := c.gearstorm(t, "submit", filepath.Join(dir, "topology.yaml")); err != nil {
			t.Fatalf("submit: %v\n%s", err, out)
		}
	}
	var neighbour marked
	submit("neighbour", "pries")
	waitFor(t, 30*time.Second, "the neighbour to be refused a directory", func() bool {
		m, ok := readMark(filepath.Join(marks, "neighbour"))
		neighbour = m
		return ok && m.version == "refused"
	})
	submit("leak", "leaks")
	waitFor(t, time.Minute, "the error of the leaking topology", func() bool {
		out, err := c.gearstorm(t, "get-errors", "leak")
		return err == nil && strings.Contains(out, "was killed: out of memory, its limit is 200 MB (storm.worker.cgroup.memory.mb.limit)")
	})
	if out, err := c.gearstorm(t, "kill", "leak", "-w", "0"); err != nil {
		t.Fatalf("kill: %v\n%s", err, out)
	}
	if m, ok := readMark(filepath.Join(marks, "neighbour")); !ok || m.worker != neighbour.worker {
		t.Errorf("the neighbour's worker is %v, was %v", m, neighbour)
	}
}
