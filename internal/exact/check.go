package exact

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// writeOnce writes v as JSON to a file that appears as a whole, unless it is there: then it has to be the same.
func writeOnce(dir, name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	was, err := os.ReadFile(path)
	switch {
	case err == nil && string(was) != string(b):
		return errors.Join(os.WriteFile(filepath.Join(dir, "contradiction"), fmt.Appendf(nil, "%s was\n%s\nand is\n%s\n", name, was, b), 0o600),
			fmt.Errorf("%s is there with other content", name))
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// Result is what the files say.
type Result struct {
	// Visible is how many records are, Epochs how many checkpoints were looked at, Last the newest.
	Visible, Epochs int
	Last            uint64
	// Lost are records before the sources' positions at the newest epoch that are not visible, Duplicated those that are visible again.
	Lost, Duplicated int
	// Wrong names what must not be; at most a few.
	Wrong []string
}

// Whole reports whether all records of t are visible.
func (r *Result) Whole(t Topology) bool { return r.Visible == t.Records*max(t.Sources, 1) }

const maxWrong = 20

func (r *Result) wrong(format string, args ...any) {
	if len(r.Wrong) < maxWrong {
		r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
	}
}

// Check reads the files of a run, also while it goes on.
func Check(t Topology) (Result, error) {
	var r Result
	t, err := t.checked()
	if err != nil {
		return r, err
	}
	if b, err := os.ReadFile(filepath.Join(t.Dir, "contradiction")); err == nil {
		r.wrong("%s", b)
	}
	files, err := listed(t.Dir)
	if err != nil {
		return r, err
	}
	positions, records := map[uint64]map[int]int{}, map[uint64]map[int][]entry{}
	for _, f := range files {
		if f.kind == positionKind {
			err = read(f.path, positions, f.epoch, f.task)
		} else {
			err = read(f.path, records, f.epoch, f.task)
		}
		if err != nil {
			return r, err
		}
	}
	r.replay(t, positions, records)
	return r, nil
}

func read[V any](path string, into map[uint64]map[int]V, epoch uint64, i int) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was taken back just now
	}
	if err != nil {
		return err
	}
	var v V
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if into[epoch] == nil {
		into[epoch] = map[int]V{}
	}
	into[epoch][i] = v
	return nil
}

// replay follows the epochs. At each of which all positions are known, and the records of all sinks up to it, the two have to fit.
func (r *Result) replay(t Topology, positions map[uint64]map[int]int, records map[uint64]map[int][]entry) {
	counts, seen := map[string]*set{}, make([]set, t.Sources)
	epochs := map[uint64]bool{}
	for k := range positions {
		epochs[k] = true
	}
	for k := range records {
		epochs[k] = true
	}
	for _, k := range sorted(epochs) {
		for _, list := range records[k] {
			for _, e := range list {
				r.take(t, e, counts, seen)
			}
		}
		if len(positions[k]) < t.Sources || len(records[k]) < t.Sinks {
			continue
		}
		r.Epochs, r.Last, r.Lost = r.Epochs+1, k, 0
		for i, at := range positions[k] {
			if i < t.Sources {
				r.fits(k, i, at, &seen[i])
			}
		}
	}
	for key, all := range counts {
		if all.through < all.n {
			r.wrong("key %s was counted to more than %d, but not to %d", key, all.n, all.through+1)
		}
	}
}

// fits checks what of a source is visible at an epoch against the position that it had.
func (r *Result) fits(epoch uint64, source, at int, seen *set) {
	if seen.n != at {
		r.wrong("at epoch %d source %d was at %d, and %d of its records are visible", epoch, source, at, seen.n)
	}
	if missing := seen.missing(at); missing > 0 {
		r.Lost += missing
		r.wrong("at epoch %d source %d was at %d, and its record %d is not visible", epoch, source, at, seen.through)
	}
}

func (r *Result) take(t Topology, e entry, counts map[string]*set, seen []set) {
	if e.Source < 0 || e.Source >= t.Sources || e.Number < 0 || e.Number >= min(t.Records, maxNumber) || e.Count < 1 || e.Count > maxNumber ||
		e.Key != keyOf(e.Source, e.Number, t.Keys) {
		r.wrong("a record that nobody emitted: %+v", e)
		return
	}
	if !seen[e.Source].add(e.Number) {
		r.Duplicated++
		r.wrong("record %d of source %d is visible twice", e.Number, e.Source)
	}
	if counts[e.Key] == nil {
		counts[e.Key] = &set{}
	}
	if !counts[e.Key].add(e.Count - 1) {
		r.wrong("key %s was counted to %d twice", e.Key, e.Count)
	}
	r.Visible++
}

func sorted(set map[uint64]bool) []uint64 {
	out := make([]uint64, 0, len(set))
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
