package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A damaged store keeps Nimbus from starting with a line that names the file; it does not crash, and does not start as if
// there had been no topologies.
func TestDamagedStore(t *testing.T) {
	c := newCluster(t)
	c.startDev(t)
	nc := c.dial(t)
	for _, name := range []string{"a", "b", "c"} {
		if err := nc.Nimbus().SubmitTopology(t.Context(), name, upload(t, nc, jarOf(t, "resources/numbers.py")), "{}", topology(t)); err != nil {
			t.Fatal(err)
		}
	}
	c.dev.kill(t)
	file := filepath.Join(c.dir, "nimbus", "cluster.db")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"garbage":       func(b []byte) []byte { return noise(len(b)) },
		"text":          func([]byte) []byte { return []byte("hello\n") },
		"cut in half":   func(b []byte) []byte { return b[:len(b)/2] },
		"one page left": func(b []byte) []byte { return b[:4096] },
		"zeros":         func(b []byte) []byte { return make([]byte, len(b)) },
		"hole": func(b []byte) []byte {
			for i := 2 * 4096; i < len(b); i++ {
				b[i] = 0
			}
			return b
		},
		"noise behind the head": func(b []byte) []byte { return append(b[:2*4096], noise(len(b)-2*4096)...) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, damage(bytes.Clone(good)), 0o600); err != nil {
				t.Fatal(err)
			}
			line := complaint(t, "dev", "--dir", c.dir)
			if !strings.Contains(line, file) {
				t.Errorf("it says %q, want %s in it", line, file)
			}
		})
	}
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	c.startDev(t)
	if out := c.must(t, "list"); lineWith(out, "a ") == "" || lineWith(out, "c ") == "" {
		t.Errorf("with the good file back, the list is\n%s", out)
	}
}

// A damaged blob keeps Nimbus from starting with a line that names its folder. Without the folder it starts, and the
// topology can be killed.
func TestDamagedBlob(t *testing.T) {
	c := newCluster(t)
	c.startDev(t)
	nc := c.dial(t)
	if err := nc.Nimbus().SubmitTopology(t.Context(), "a", upload(t, nc, jarOf(t, "resources/numbers.py")), "{}", topology(t)); err != nil {
		t.Fatal(err)
	}
	c.dev.kill(t)
	folders, err := filepath.Glob(filepath.Join(c.dir, "nimbus", "blobs", "blobs", "*"))
	if err != nil || len(folders) != 3 {
		t.Fatalf("blobs of a topology: %v, %v", folders, err)
	}
	for _, folder := range folders {
		data, err := filepath.Glob(filepath.Join(folder, "d*"))
		if err != nil || len(data) != 1 {
			t.Fatalf("contents in %s: %v, %v", folder, data, err)
		}
		if err := os.Truncate(data[0], 5); err != nil {
			t.Fatal(err)
		}
		if line := complaint(t, "dev", "--dir", c.dir); !strings.Contains(line, folder+" is damaged") {
			t.Errorf("it says %q, want %s in it", line, folder)
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	c.startDev(t)
	c.must(t, "kill", "a", "-w", "0")
	waitFor(t, 10*time.Second, "an empty list", func() bool { return lineWith(c.must(t, "list"), "a ") == "" })
}
