//go:build long

package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/internal/exact"
)

// rescale gives the running topology another number of counters, in place.
func (s *scaled) rescale(t *testing.T, tasks int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c, err := gearstorm.ApplyTopology(ctx, s.name, s.built(t, tasks), s.files, s.o)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Refused) > 0 || c.Restarts {
		t.Fatalf("want a change in place:\n%v", c)
	}
	if err := gearstorm.AwaitVersion(ctx, s.name, c.Version, s.o); err != nil {
		t.Fatal(err)
	}
}

// sums are what the counters keep, of all keys together.
type sums struct{ total, sources, ended int }

// kept adds up what the counters keep, and says which tasks keep any of it.
func (s *scaled) kept(t *testing.T) (sum sums, tasks map[int32]bool) {
	t.Helper()
	tasks = map[int32]bool{}
	for i := range s.topo.Keys {
		for _, r := range s.state(t, "get", s.name, "counter", fmt.Sprint("k", i)).Rows {
			tasks[r.Task] = true
			var n int
			var by map[string]int
			if json.Unmarshal(r.Value, &n) != nil && json.Unmarshal(r.Value, &by) != nil {
				t.Fatalf("%s: %s", r.State, r.Value)
			}
			switch r.State {
			case "total":
				sum.total += n
			case "ended":
				sum.ended += n
			}
			for _, n := range by {
				sum.sources += n
			}
		}
	}
	return sum, tasks
}

// ends waits until event time has come to its end in all tasks.
func (s *scaled) ends(t *testing.T) {
	t.Helper()
	waitFor(t, 2*time.Minute, "the clock's end", func() bool {
		v := s.timing(t)
		return v.State == "running" && v.Watermark == "end"
	})
}

// States in Python and Node go with their keys when a topology gets another number of tasks, in place, and when it begins from a savepoint: every record is counted
// once.
func TestChildStateIsRescaled(t *testing.T) {
	for lang, c := range counters {
		t.Run(lang, func(t *testing.T) {
			program(t, c.program)
			d := startDaemons(t, 2)
			const records, keys = 12_000, 13
			want := sums{total: 2 * records, sources: 2 * records, ended: keys}
			s := submitScaled(t, d, lang, exact.Topology{Records: records, Keys: keys})
			was := d.workers(t)
			for _, tasks := range []int{4, 1, 3} {
				s.rescale(t, tasks)
				r := s.visible(t, 1)
				s.visible(t, min(r.Visible+1000, 2*records))
				if now := d.workers(t); !same(was, now) {
					t.Errorf("%d tasks: workers were replaced:\n%v\nare now\n%v\n%s", tasks, was, now, d.must(t, "get-errors", s.name))
				}
			}
			d.must(t, "savepoint", s.name, "some")
			s.visible(t, 2*records)
			s.ends(t)
			if got, tasks := s.kept(t); got != want || len(tasks) != 3 {
				t.Errorf("kept are %+v in %d tasks, want %+v in 3", got, len(tasks), want)
			}
			d.must(t, "kill", s.name, "-w", "0")
			waitFor(t, 20*time.Second, "the end of the topology's processes", func() bool { return len(d.workers(t)) == 0 })

			s.name, s.topo.Dir, s.topo.Rate = "again", t.TempDir(), 0
			s.topo.Conf["gearstorm.checkpoint.from"] = "some"
			if _, err := gearstorm.SubmitTopology(t.Context(), s.name, s.built(t, 5), s.files, s.o); err != nil {
				t.Fatal(err)
			}
			s.ends(t)
			if got, tasks := s.kept(t); got != want || len(tasks) < 2 {
				t.Errorf("from the savepoint kept are %+v in %d tasks, want %+v in several of 5", got, len(tasks), want)
			}
			d.must(t, "kill", s.name, "-w", "0")
		})
	}
}
