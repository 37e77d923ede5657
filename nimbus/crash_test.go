package nimbus

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// A child process of TestKillDuringSubmit gets its directory and the point at which it ends itself from here.
const (
	crashDirEnv   = "NIMBUS_CRASH_DIR"
	crashPointEnv = "NIMBUS_CRASH_POINT"
)

// TestKillDuringSubmit kills the master with SIGKILL at every step of a submission. The next master finds the topology
// whole or not at all, an earlier topology untouched, and no blob that belongs to nothing.
func TestKillDuringSubmit(t *testing.T) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		submitUntilKilled(t, dir, os.Getenv(crashPointEnv))
		return
	}
	for point, survives := range map[string]bool{
		"before blobs": false, "jar stored": false, "conf stored": false, "code stored": false, "committed": true,
	} {
		t.Run(point, func(t *testing.T) {
			dir := t.TempDir()
			runUntilKilled(t, "TestKillDuringSubmit", dir, point)
			c := start(t, func(cfg *Config) {
				cfg.Store, cfg.BlobDir = openEmbedded(t, dir), filepath.Join(dir, "blobs")
			})
			live := map[string]bool{}
			summaries, err := c.client.GetTopologySummaries(t.Context())
			must(t, err)
			for _, s := range summaries {
				live[s.Name] = true
				if _, err := c.client.GetTopology(t.Context(), s.ID); err != nil {
					t.Errorf("%s: %v", s.Name, err)
				}
				for _, key := range []string{client.JarKey(s.ID), client.CodeKey(s.ID), client.ConfKey(s.ID)} {
					if _, err := c.blobs.ReadFile(key, 1<<20); err != nil {
						t.Errorf("blob %s: %v", key, err)
					}
				}
			}
			if !live["earlier"] || live["doomed"] != survives {
				t.Fatalf("topologies after the crash: %v, want earlier and doomed=%v", live, survives)
			}
			if got := c.blobs.Keys("", 100); len(got) != 3*len(live) {
				t.Fatalf("%d topologies, blobs %v", len(live), got)
			}
			records, err := cluster.ListBlobs(t.Context(), c.cfg.Store)
			if err != nil || len(records) != 3*len(live) {
				t.Fatalf("blob records %v, %v", records, err)
			}
			if !survives {
				c.submitWords("doomed", "{}") // the name is free
			}
		})
	}
}

// TestKillDuringChange kills the master inside a removal and inside a rebalance: the next one finishes what was begun.
func TestKillDuringChange(t *testing.T) {
	const name = "TestKillDuringChange"
	if dir := os.Getenv(crashDirEnv); dir != "" {
		changeUntilKilled(t, dir, os.Getenv(crashPointEnv))
		return
	}
	t.Run("removal", func(t *testing.T) {
		dir := t.TempDir()
		runUntilKilled(t, name, dir, "records removed")
		c := start(t, func(cfg *Config) { cfg.Store, cfg.BlobDir = openEmbedded(t, dir), filepath.Join(dir, "blobs") })
		if s, err := c.client.GetTopologySummaries(t.Context()); err != nil || len(s) != 0 {
			t.Errorf("topologies %v, %v", s, err)
		}
		if got := c.blobs.Keys("", 10); len(got) != 0 {
			t.Errorf("blobs %v", got)
		}
	})
	t.Run("rebalance", func(t *testing.T) {
		dir := t.TempDir()
		runUntilKilled(t, name, dir, "blobs rewritten")
		c := start(t, func(cfg *Config) { cfg.Store, cfg.BlobDir = openEmbedded(t, dir), filepath.Join(dir, "blobs") })
		eventually(t, "the rebalance is done", func() bool {
			top, ok := c.named("earlier")
			return ok && top.Status == cluster.Active && top.Workers == 3 && top.conf["topology.debug"] == true
		})
	})
}

func changeUntilKilled(t *testing.T, dir, point string) {
	c := start(t, func(cfg *Config) { cfg.Store, cfg.BlobDir = openEmbedded(t, dir), filepath.Join(dir, "blobs") })
	id := c.submitWords("earlier", "{}")
	c.change.Lock()
	c.atPoint = endAt(point)
	c.change.Unlock()
	ev := event{kind: evKill}
	if point == "blobs rewritten" {
		ev = event{kind: evRebalance, rebalance: &cluster.Rebalance{Workers: 3, Conf: `{"topology.debug": true}`}}
	}
	must(t, c.transition(context.Background(), id, ev))
	eventually(t, "the end of this process", func() bool { return false })
}

// endAt makes a hook that ends the process at a point.
func endAt(point string) func(string) {
	return func(at string) {
		if at == point {
			fmt.Println("killed at", at)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

func submitUntilKilled(t *testing.T, dir, point string) {
	c := start(t, func(cfg *Config) {
		cfg.Store, cfg.BlobDir = openEmbedded(t, dir), filepath.Join(dir, "blobs")
	})
	c.submitWords("earlier", "{}")
	location := c.upload(jar(t, "resources/script.py"))
	c.atPoint = endAt(point)
	c.submit(context.Background(), submission{name: "doomed", location: location, jsonConf: "{}", code: words(),
		options: &stormrpc.SubmitOptions{InitialStatus: stormrpc.TopologyInitialStatus_ACTIVE}})
}

func runUntilKilled(t *testing.T, test, dir, point string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), crashDirEnv+"="+dir, crashPointEnv+"="+point)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
	}
	err = cmd.Wait()
	if err == nil || strings.Join(said, "\n") != "killed at "+point {
		t.Fatalf("child ended with %v and said %q", err, said)
	}
}
