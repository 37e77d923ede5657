package dynamic

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// overAfter is for how long nothing is heard of a task that is over. All have input all the time.
const overAfter = 500 * time.Millisecond

// inForce returns when an edit that was begun at a moment was in force: all that it renews has begun to work, and what it removes
// worked for the last time. It is an error if some have not begun yet.
func inForce(dir string, was, next Spec, began time.Time) (time.Time, error) {
	all, err := starts(dir)
	if err != nil {
		return began, err
	}
	at := began.UnixNano()
	for name, c := range next {
		if !renewed(was, name, c) {
			continue
		}
		first, err := begun(all, name, c, began.UnixNano())
		if err != nil {
			return began, err
		}
		at = max(at, first)
	}
	for name, c := range was {
		if _, stays := next[name]; stays {
			continue
		}
		for i := range c.Tasks {
			last := lastCall(lastFile(dir, name, i))
			if time.Since(time.Unix(0, last)) < overAfter {
				return began, fmt.Errorf("task %d of %d of %s still worked a moment ago", i+1, c.Tasks, name)
			}
			at = max(at, last)
		}
	}
	return time.Unix(0, at), nil
}

// begun returns when a component began to work after a moment: all tasks of the counters, of which each has keys, and one of those that
// are shuffled to, since who is near may get everything while there is little.
func begun(all map[Start]int64, name string, c Component, after int64) (at int64, err error) {
	first := int64(math.MaxInt64)
	for i := range c.Tasks {
		want := Start{Component: name, Language: c.Language, Config: c.Config, Code: c.Code, Index: i, Tasks: c.Tasks}
		switch began := all[want]; {
		case began >= after:
			at, first = max(at, began), min(first, began)
		case name == countName:
			return 0, fmt.Errorf("task %d of %d of %s has not begun with configuration %d; what did: %+v", i+1, c.Tasks, name, c.Config, of(all, name))
		}
	}
	if name == countName {
		return at, nil
	}
	if at == 0 {
		return 0, fmt.Errorf("%s has not begun as %+v; what did: %+v", name, c, of(all, name))
	}
	return first, nil
}

// of are the starts of a component, those that came last.
func of(all map[Start]int64, name string) (list []Start) {
	for s, at := range all {
		if s.At = at; s.Component == name {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b Start) int { return cmp.Compare(b.At, a.At) })
	return list[:min(len(list), mostTasks)]
}

// renewed says whether an edit of a version gives a component other tasks.
func renewed(was Spec, name string, c Component) bool {
	before, there := was[name]
	before.From = c.From // who gets its input from elsewhere goes on
	return !there || before != c
}

// starts reads when each task began last, by what it says of itself with At 0.
func starts(dir string) (map[Start]int64, error) {
	b, err := os.ReadFile(filepath.Join(dir, startsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	last := map[Start]int64{}
	for line := range strings.Lines(string(b)) {
		var s Start
		n, _ := fmt.Sscanf(line, startForm, &s.Component, &s.Language, &s.Config, &s.Code, &s.Index, &s.Tasks, &s.At)
		if n == 7 {
			at := s.At
			s.At = 0
			last[s] = at
		}
	}
	return last, nil
}

// lastCall is the moment that a task has written down last, 0 if none.
func lastCall(path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil || len(b) < 8 {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(b))
}
