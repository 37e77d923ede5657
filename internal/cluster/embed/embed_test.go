package embed_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/clustertest"
	"github.com/gearstorm/gearstorm/internal/cluster/embed"
)

func open(dir string) (cluster.Store, error) {
	return embed.Open(filepath.Join(dir, "state", "cluster.db"))
}

func TestConformance(t *testing.T) {
	clustertest.Run(t, clustertest.Harness{Open: open, Durable: true})
}

func TestLinearizable(t *testing.T) {
	s, err := open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	faults := make([]func(), 8) // each followed by another campaign
	for i := range faults {
		faults[i] = func() {}
	}
	clustertest.Linearizable(t, []cluster.Store{s}, clustertest.Linear{Calls: 800, Faults: faults})
}

func TestSecondMasterIsRefused(t *testing.T) {
	dir := t.TempDir()
	first, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(dir); !errors.Is(err, cluster.ErrLocked) || !strings.Contains(err.Error(), "cluster.db") {
		t.Fatalf("second open: got %v, want ErrLocked naming the file", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := open(dir)
	if err != nil {
		t.Fatalf("open after close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestForeignFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cluster.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 4096)), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := embed.Open(path); err == nil {
		s.Close()
		t.Fatal("a file of text was opened as cluster state")
	}
}
