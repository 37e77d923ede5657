package checkpoint_test

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// checkChain looks at the records that are left and what they say.
func (w *world) checkChain() {
	for epoch, n := range w.counted {
		if n > 1 {
			w.t.Errorf("epoch %d was committed %d times", epoch, n)
		}
	}
	list, err := w.disk.List(w.t.Context(), area+"log/")
	if err != nil {
		w.t.Fatal(err)
	}
	generation, epochs := uint64(0), map[uint64]bool{}
	for _, o := range list {
		r := w.record(o.Name)
		if r.Generation < generation || r.Kind == checkpoint.Begins && r.Generation != r.Number {
			w.t.Errorf("record %d is of generation %d, after %d", r.Number, r.Generation, generation)
		}
		generation = r.Generation
		if r.Kind != checkpoint.Commits {
			continue
		}
		if epochs[r.Epoch] {
			w.t.Errorf("epoch %d stands twice in the log", r.Epoch)
		}
		epochs[r.Epoch] = true
		w.checkManifest(r.Epoch)
	}
	if len(list) > 60 {
		w.t.Errorf("%d records are left: cleaning does not get through", len(list))
	}
}

func (w *world) record(name string) checkpoint.Record {
	r, err := w.disk.Get(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(b), "\n")
	var out checkpoint.Record
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// checkManifest looks whether a checkpoint is whole: one past for all.
func (w *world) checkManifest(epoch uint64) {
	m, err := checkpoint.ReadManifest(w.t.Context(), w.disk, "t", epoch)
	if err != nil {
		if !checkpoint.Lost(err) {
			w.t.Error(err)
		}
		return // it was removed, and its record stays until the next cleaning
	}
	pasts, parts := map[string]bool{}, 0
	for _, c := range m.Components {
		for _, p := range c.Parts {
			parts++
			past, _, _ := strings.Cut(string(p.Inline), "|")
			pasts[past] = true
		}
	}
	if parts != 2*tasksOf || len(pasts) != 1 {
		w.t.Errorf("epoch %d has %d parts of %d different pasts: %q", epoch, parts, len(pasts), slices.Collect(maps.Keys(pasts)))
	}
}

// checkEffects compares what is to be seen outside with the past of the last checkpoint that counts.
func (w *world) checkEffects() {
	l := w.leaders[len(w.leaders)-1]
	newest := l.c.Order().Committed
	m, err := checkpoint.ReadManifest(w.t.Context(), w.disk, "t", newest)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range m.Components {
		for _, p := range c.Parts {
			want := parsePart(p.Inline).cuts
			slices.Sort(want)
			if got := slices.Sorted(maps.Keys(w.outside[p.Task].shown)); !slices.Equal(got, want) {
				w.t.Errorf("task %d shows %q, the past of epoch %d is %q", p.Task, got, newest, want)
			}
		}
	}
	if l.commits == 0 {
		w.t.Error("nothing happened")
	}
}

// checkSavepoints looks for the files of savepoints. What a coordinator has written that was replaced by then nobody was told of.
func (w *world) checkSavepoints() {
	names, err := checkpoint.Savepoints(w.t.Context(), w.disk)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range names {
		m, err := checkpoint.ReadSavepoint(w.t.Context(), w.disk, name)
		if err != nil {
			w.t.Fatal(err)
		}
		if w.kept[name] != m.Epoch {
			continue
		}
		for _, c := range m.Components {
			for _, p := range c.Parts {
				if err := checkpoint.Verify(w.t.Context(), checkpoint.NewVault(w.disk, "t", 0), []gearcore.TaskPart{p}); err != nil {
					w.t.Errorf("savepoint %s, which is epoch %d, task %d: %v", name, m.Epoch, p.Task, err)
				}
			}
		}
	}
}
