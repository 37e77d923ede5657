package exact

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Epochs that become visible in a burst are looked at while they do: nothing is wrong at any look.
func TestCheckWhileFilesCome(t *testing.T) {
	topo := Topology{Dir: t.TempDir(), Records: 1000, Keys: 1, Sources: 1, Sinks: 1}
	var writer sync.WaitGroup
	defer writer.Wait()
	const epochs = 300
	writer.Go(func() {
		for i := range epochs {
			write := func(name string, v any) {
				if err := writeOnce(topo.Dir, name, v); err != nil {
					t.Error(err)
				}
			}
			write(recordsFile(0, uint64(i+1)), []entry{{keyOf(0, i, 1), i + 1, 0, i}})
			write(positionFile(0, uint64(i+1)), i+1)
		}
	})
	for last := uint64(0); last < epochs; {
		r, err := Check(topo)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Wrong) > 0 || r.Last < last {
			t.Fatalf("after epoch %d, at %d: %v", last, r.Last, r.Wrong)
		}
		last = r.Last
	}
}

func TestStill(t *testing.T) {
	topo := Topology{Dir: t.TempDir(), Records: 1, Sinks: 2}
	began := time.Now().Truncate(time.Second)
	// Of each epoch, when each of the two sinks made its part visible, in seconds; 0: it did not.
	for i, at := range [][2]int{{1, 2}, {3, 3}, {10, 4}, {11, 0}} {
		for sink, secs := range at {
			if secs == 0 {
				continue
			}
			path := filepath.Join(topo.Dir, recordsFile(sink, uint64(i+1)))
			if err := os.WriteFile(path, []byte("[]"), 0o600); err != nil {
				t.Fatal(err)
			}
			when := began.Add(time.Duration(secs) * time.Second)
			if err := os.Chtimes(path, when, when); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tc := range []struct{ from, want int }{{0, 7}, {2, 7}, {4, 6}, {9, 1}, {11, 0}} {
		t.Run(fmt.Sprint(tc.from), func(t *testing.T) {
			got, err := Still(topo, began.Add(time.Duration(tc.from)*time.Second))
			if want := time.Duration(tc.want) * time.Second; err != nil || got != want {
				t.Errorf("%v, %v, want %v", got, err, want)
			}
		})
	}
}

// What is written in the middle of a look does not end the slowness that there is.
func TestBrake(t *testing.T) {
	topo := Topology{Dir: t.TempDir()}
	b := brake{path: filepath.Join(topo.Dir, slowFile)}
	if err := topo.Slow(3 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if b.each = b.read(); b.each != 3*time.Millisecond {
		t.Errorf("%v, want 3ms", b.each)
	}
	if err := os.WriteFile(b.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := b.read(); got != 3*time.Millisecond {
		t.Errorf("%v while the file is written, want 3ms", got)
	}
	if err := topo.Slow(0); err != nil {
		t.Fatal(err)
	}
	if got := b.read(); got != 0 {
		t.Errorf("%v without the file, want 0", got)
	}
}
