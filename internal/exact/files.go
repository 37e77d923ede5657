package exact

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Kinds of files: where a source was at an epoch, and what a sink made visible of it.
const (
	positionKind = "position"
	recordsKind  = "records"
)

func positionFile(source int, epoch uint64) string {
	return fmt.Sprintf("%s-%d-%d", positionKind, source, epoch)
}

func recordsFile(sink int, epoch uint64) string {
	return fmt.Sprintf("%s-%d-%d", recordsKind, sink, epoch)
}

// effect is a file of a run.
type effect struct {
	path  string
	kind  string
	task  int
	epoch uint64
}

// filesIn lists what is in the folder of a run, in no order. A list is no snapshot: of two files that come while it is made the later one may be
// in it alone.
func filesIn(dir string) (all []effect, err error) {
	for _, kind := range []string{positionKind, recordsKind} {
		paths, err := filepath.Glob(filepath.Join(dir, kind+"-*-*"))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			f := effect{path: path, kind: kind}
			if n, _ := fmt.Sscanf(filepath.Base(path), kind+"-%d-%d", &f.task, &f.epoch); n == 2 {
				all = append(all, f)
			}
		}
	}
	return all, nil
}

// listed lists the files so that of each task all are there up to its newest: what is in a first list was there before the second was begun, and
// tasks write in the order of the epochs.
func listed(dir string) ([]effect, error) {
	first, err := filesIn(dir)
	if err != nil {
		return nil, err
	}
	type task struct {
		kind  string
		index int
	}
	newest := map[task]uint64{}
	for _, f := range first {
		newest[task{f.kind, f.task}] = max(newest[task{f.kind, f.task}], f.epoch)
	}
	all, err := filesIn(dir)
	return slices.DeleteFunc(all, func(f effect) bool { return f.epoch > newest[task{f.kind, f.task}] }), err
}

// Still is the longest time in which no epoch became visible, from a moment on until the newest one. It goes by the times of the files.
func Still(t Topology, from time.Time) (longest time.Duration, err error) {
	if t, err = t.checked(); err != nil {
		return 0, err
	}
	all, err := listed(t.Dir)
	if err != nil {
		return 0, err
	}
	sinks, visible := map[uint64]int{}, map[uint64]time.Time{}
	for _, f := range all {
		if f.kind != recordsKind {
			continue
		}
		info, err := os.Stat(f.path)
		if err != nil {
			return 0, err
		}
		sinks[f.epoch]++
		if at := info.ModTime(); at.After(visible[f.epoch]) {
			visible[f.epoch] = at
		}
	}
	var times []time.Time
	for epoch, at := range visible {
		if sinks[epoch] == t.Sinks {
			times = append(times, at)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	i, _ := slices.BinarySearchFunc(times, from, time.Time.Compare)
	last := from
	for _, at := range times[i:] {
		longest, last = max(longest, at.Sub(last)), at
	}
	return longest, nil
}
