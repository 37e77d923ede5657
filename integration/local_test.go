package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCompatLocal runs a YAML file and a jar on clusters that end with the command and leave nothing.
func TestCompatLocal(t *testing.T) {
	program(t, "python3")
	program(t, "node")
	program(t, "java")
	dir := t.TempDir()
	for name, text := range map[string]string{"t.yaml": runYAML, "source.py": runSource, "said.py": runSaid} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	home, temporary := filepath.Join(dir, "release"), filepath.Join(dir, "tmp")
	for _, d := range []string{home, temporary} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(tool(t, "scripts/get-storm-client.sh", "storm", "lib"), filepath.Join(home, "lib-worker")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temporary)
	t.Setenv("STORM_HOME", home)
	t.Cleanup(func() { noneLeft(t, dir) })
	jar, words := tool(t, "scripts/get-storm-client.sh", "storm", "build", "integration.jar"), filepath.Join(dir, "words")
	row(t, "gearstorm", "local-yaml", func() error {
		d := startDaemon(t, dir, "local", filepath.Join(dir, "t.yaml"), "--local-ttl", "0")
		return untilThen(t, d, "an error of a component", func() bool { return strings.Contains(d.out.String(), "ValueError: no good") })
	})
	row(t, "gearstorm", "local-jar", func() error {
		d := startDaemon(t, dir, "local", jar, "it.ShellTopology", "shells", words, "1", "--local-ttl", "0")
		return untilThen(t, d, "words at the last bolt", func() bool { return len(distinctWords(t, words)) > 0 })
	})
	row(t, "gearstorm", "local-ttl", func() error {
		d := startDaemon(t, dir, "local", filepath.Join(dir, "t.yaml"), "--local-ttl", "1")
		waitFor(t, time.Minute, "its end", d.ended)
		if said := d.out.String(); d.err != nil || !strings.Contains(said, "RUNNING LOCAL CLUSTER for 1 seconds.") || !strings.Contains(said, "STOPPING LOCAL CLUSTER") {
			return fmt.Errorf("%v: %s", d.err, said)
		}
		return nil
	})
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// untilThen waits for what a local cluster is to do, interrupts it and looks at its end.
func untilThen(t *testing.T, d *daemon, what string, done func() bool) error {
	t.Helper()
	waitFor(t, time.Minute, what, func() bool { return d.ended() || done() })
	if d.ended() {
		return fmt.Errorf("it ended: %v: %s", d.err, d.out)
	}
	d.end(t, syscall.SIGINT)
	if d.err != nil {
		return fmt.Errorf("interrupted, it ended with %v: %s", d.err, d.out)
	}
	return nil
}

// TestCompatGoProgram starts a Go program by jar.
func TestCompatGoProgram(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	hello := filepath.Join(t.TempDir(), "hello")
	if out, err := run(t, 2*time.Minute, nil, "", "go", "build", "-trimpath", "-o", hello, "../examples/hello"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	row(t, "gearstorm", "jar-go", func() error {
		if out, err := c.gearstorm(t, "jar", hello, "Ada", "-c", "topology.workers=1"); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		if list := c.must(t, "list"); !strings.Contains(list, "hello") {
			return fmt.Errorf("the list is %s", list)
		}
		return nil
	})
}

// TestCompatNode ends the workers of a node by kill_workers; its supervisor starts them again.
func TestCompatNode(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 1)
	n := submitNumbers(t, d.cluster, 1)
	old := any1(t, d.workers(t))
	row(t, "gearstorm", "kill_workers", func() error {
		out, err := run(t, time.Minute, nil, d.dir, binary, append([]string{"kill_workers"}, d.args...)...)
		if err != nil || !strings.Contains(out, "killed 1 workers") {
			return fmt.Errorf("%v: %s", err, out)
		}
		waitFor(t, 20*time.Second, "another worker", func() bool {
			now := d.workers(t)
			_, still := now[old.pid]
			return !still && len(now) == 1
		})
		return nil
	})
	n.flow(t, 30*time.Second)
	d.must(t, "kill", "numbers", "-w", "0")
	waitFor(t, 20*time.Second, "the end of the topology's processes", func() bool { return len(workersAndScripts(t, d)) == 0 })
}

// TestCompatQuick tells how long commands take that need no JVM. 50 ms is what they are meant to take; the limit allows for a machine
// that has other work.
func TestCompatQuick(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	for _, args := range [][]string{{"list"}, {"version"}, {"nodes"}, {"blobstore", "list"}, {"localconfvalue", "nimbus.seeds"}, {"help"}, {"top", "-n", "1"}} {
		best := time.Hour
		for range 10 {
			began := time.Now()
			c.must(t, args...)
			best = min(best, time.Since(began))
		}
		t.Logf("gearstorm %s: %v", strings.Join(args, " "), best)
		if best > time.Second {
			t.Errorf("gearstorm %s took %v", strings.Join(args, " "), best)
		}
	}
}
