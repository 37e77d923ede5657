package nimbus

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// TestKillDuringApply kills the master with SIGKILL at every step of a change. The next master finds the old version or the new
// one, whole, with its blobs and no others.
func TestKillDuringApply(t *testing.T) {
	const name = "TestKillDuringApply"
	if dir := os.Getenv(crashDirEnv); dir != "" {
		applyUntilKilled(t, dir, os.Getenv(crashPointEnv))
		return
	}
	for point, applied := range map[string]bool{
		"before blobs": false, "jar stored": false, "conf stored": false, "code stored": false, "copies made": false, "committed": true,
	} {
		t.Run(point, func(t *testing.T) {
			dir := t.TempDir()
			runUntilKilled(t, name, dir, point)
			c := start(t, func(cfg *Config) { cfg.Store, cfg.BlobDir = openEmbedded(t, dir), filepath.Join(dir, "blobs") })
			top := mustNamed(t, c, "words")
			if top.broken != nil {
				t.Fatal(top.broken)
			}
			want, version, keys := "1 from 0 starting", int64(1), blobKeys(top.ID)
			if applied {
				want, version, keys = "1 from 0, 2 from 1 starting", 2, slices.Concat(keys, blobKeys(top.ID+"-v2"))
			}
			if got := c.versionsText(); got != want || top.GraphVersion != version || (top.code.Bolts["sink"] != nil) != applied || (top.Trial != nil) != applied {
				t.Errorf("versions %s, want %s; the record has version %d and trial %v", got, want, top.GraphVersion, top.Trial)
			}
			slices.Sort(keys)
			if got := c.blobs.Keys("", 100); !slices.Equal(got, keys) {
				t.Errorf("blobs %v, want %v", got, keys)
			}
			records, err := cluster.ListBlobs(t.Context(), c.cfg.Store)
			if err != nil || len(records) != len(keys) {
				t.Errorf("records %v, %v", records, err)
			}
			if got := c.applyWords(oneWorker, wordsWith(func(t *stormrpc.StormTopology) { t.Bolts["again"] = sink("python3") }), nil); got.Version != version+1 {
				t.Errorf("a change after the crash: %s", changeText(got))
			}
		})
	}
}

func applyUntilKilled(t *testing.T, dir, point string) {
	c := start(t, func(cfg *Config) { cfg.Store, cfg.BlobDir = openEmbedded(t, dir), filepath.Join(dir, "blobs") })
	c.submitWords("words", oneWorker)
	location := c.upload(jar(t, "resources/script.py"))
	c.atPoint = endAt(point)
	c.ApplyChange(context.Background(), "words", location, oneWorker, wordsWith(withSink), nil)
}
