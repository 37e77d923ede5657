package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	runYAML = `
name: here
spouts:
  - {id: source, className: org.apache.storm.flux.wrappers.spouts.FluxShellSpout, constructorArgs: [["python3", "source.py"], ["n"]]}
bolts:
  - {id: said, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [["python3", "said.py"], ["n"]]}
streams:
  - {from: source, to: said, grouping: {type: SHUFFLE}}
`
	runSource = `
import time
import gearstorm
class Source(gearstorm.Spout):
    def next_tuple(self):
        time.sleep(0.02)
        self.emit([1], id=1)
    def ack(self, id): pass
    def fail(self, id): pass
Source().run()
`
	runSaid = `
import os
import gearstorm
class Said(gearstorm.BasicBolt):
    def initialize(self, conf, context):
        self.log("process %d here" % os.getpid())
    def process(self, tup):
        raise ValueError("no good")
Said().run()
`
)

// TestRunShowsWhatHappensAndEndsClean runs a topology from YAML in the process of the command: logs and errors of
// components are shown, an error once, and an interrupt ends it soon with status 0 and leaves no process.
func TestRunShowsWhatHappensAndEndsClean(t *testing.T) {
	t.Parallel()
	program(t, "python3")
	dir := t.TempDir()
	for name, text := range map[string]string{"t.yaml": runYAML, "source.py": runSource, "said.py": runSaid} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := startDaemon(t, dir, "run", filepath.Join(dir, "t.yaml"))
	waitFor(t, 30*time.Second, "a log line and an error", func() bool {
		d.mustRun(t)
		return strings.Contains(d.out.String(), " said: process ") && strings.Contains(d.out.String(), "ValueError: no good")
	})
	d.end(t, syscall.SIGINT)
	out := d.out.String()
	if d.err != nil || !strings.HasSuffix(out, "\nhere ended\n") {
		t.Errorf("it ended with %v after\n%s", d.err, out)
	}
	if n := strings.Count(out, "said error: "); n != 1 {
		t.Errorf("the error was shown %d times in\n%s", n, out)
	}
	if strings.ContainsRune(out, '\x1b') {
		t.Errorf("escape sequences without a terminal:\n%q", out)
	}
	noneLeft(t, dir)
}
