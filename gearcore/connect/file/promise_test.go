package file

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
)

// records returns the lines of all published files in dir.
func records(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			out = append(out, strings.TrimSuffix(string(line), "\n"))
		}
	}
	return out
}

func TestSinkExactlyOnce(t *testing.T) {
	for seed := range uint64(20) {
		dir := filepath.Join(t.TempDir(), "out")
		connecttest.SinkTest{
			New: func(t testing.TB, _ int) (gearcore.Task, func()) {
				task, err := NewSink(SinkOptions{Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				s := task.(*Sink)
				return s, s.cut
			},
			Visible: func(t testing.TB) []string { return records(t, dir) },
		}.Run(t, seed)
		if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
			t.Errorf("seed %d left %v (%v)", seed, left, err)
		}
	}
}

// cut ends the sink as a power cut would: nothing is tidied up.
func (s *Sink) cut() {
	s.publish.Stop()
	if s.open != nil {
		s.open.close()
	}
	for _, p := range s.waiting {
		p.close()
	}
}

func TestSourceExactlyOnce(t *testing.T) {
	for seed := range uint64(20) {
		dir := t.TempDir()
		n := 0
		connecttest.SourceTest{
			New: func(t testing.TB, _ int) (gearcore.Source, func()) {
				s, err := NewSource(SourceOptions{Paths: []string{filepath.Join(dir, "*.log")}, Follow: true, Poll: time.Millisecond, Batch: 3})
				if err != nil {
					t.Fatal(err)
				}
				return s, s.read.close
			},
			Produce: func(t testing.TB, text string) {
				n++
				f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%d.log", n%7+n/60)), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				fmt.Fprintln(f, text)
			},
		}.Run(t, seed)
	}
}
