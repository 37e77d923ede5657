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
	t.Parallel()
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

// A damaged blob is the trouble of its topology alone, which is shown as broken and can be killed; others can be submitted.
func TestDamagedBlob(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.startDev(t)
	submit := func(name string) {
		nc := c.dial(t)
		if err := nc.Nimbus().SubmitTopology(t.Context(), name, upload(t, nc, jarOf(t, "resources/numbers.py")), "{}", topology(t)); err != nil {
			t.Fatal(err)
		}
	}
	submit("a")
	folders := func() []string {
		out, err := filepath.Glob(filepath.Join(c.dir, "nimbus", "blobs", "blobs", "*"))
		if err != nil || len(out) != 3 {
			t.Fatalf("blobs of a topology: %v, %v", out, err)
		}
		return out
	}
	for n := range folders() {
		c.dev.kill(t)
		folder := folders()[n]
		data, err := filepath.Glob(filepath.Join(folder, "d*"))
		if err != nil || len(data) != 1 {
			t.Fatalf("contents in %s: %v, %v", folder, data, err)
		}
		if err := os.Truncate(data[0], 5); err != nil {
			t.Fatal(err)
		}
		c.startDev(t)
		if all := c.must(t, "list"); !strings.Contains(all, "BROKEN") {
			t.Errorf("with %s damaged the list is\n%s\nwant BROKEN in it", folder, all)
		}
		submit("b")
		for _, name := range []string{"a", "b"} {
			c.must(t, "kill", name, "-w", "0")
		}
		waitFor(t, 10*time.Second, "an empty list", func() bool {
			all := c.must(t, "list")
			return lineWith(all, "a ") == "" && lineWith(all, "b ") == ""
		})
		submit("a")
	}
}
