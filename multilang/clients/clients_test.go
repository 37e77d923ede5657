package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteTo(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, Node)
	if err := os.WriteFile(own, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := WriteTo(dir); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, Python)); err != nil || !strings.Contains(string(b), "class BasicBolt") {
		t.Errorf("%s: %v, %.40q", Python, err, b)
	}
	if b, err := os.ReadFile(own); err != nil || string(b) != "mine" {
		t.Errorf("the user's file became %.40q, %v", b, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(Names()) {
		t.Errorf("left %v, %v", entries, err)
	}
	if err := WriteTo(filepath.Join(dir, "missing")); err == nil {
		t.Error("no error for a missing directory")
	}
	if _, err := Source("storm.py"); err == nil {
		t.Error("no error for an unknown module")
	}
}
