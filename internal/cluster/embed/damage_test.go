package embed

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that is cut off or overwritten is an error that says what to do, where bbolt panics or faults.
func TestOpenOfADamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.db")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const head = 2 * 4096 // bbolt's two pages of metadata
	for name, data := range map[string][]byte{
		"cut off":     good[:head],
		"overwritten": append(good[:head:head], []byte(strings.Repeat("x", len(good)-head))...),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cluster.db")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path+": the file is damaged") {
				t.Fatalf("got %v", err)
			}
		})
	}
}
