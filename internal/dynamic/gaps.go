package dynamic

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Gap is a time in which a task stood still though it had something to do.
type Gap struct {
	Component string
	Index     int
	Since     time.Time
	For       time.Duration
	// Anew says that the task began anew after it: in another process, or at a checkpoint.
	Anew bool
}

// String tells of the gap in a line.
func (g Gap) String() string {
	how := ""
	if g.Anew {
		how = ", and began anew"
	}
	return fmt.Sprintf("%s[%d] stood still for %v from %s%s", g.Component, g.Index, g.For.Round(time.Millisecond/10), g.Since.Format("15:04:05.000"), how)
}

// Period is the time from the beginning of an edit to the next one, or that without edits.
type Period struct {
	From time.Time
	// Tasks are the numbers of tasks of the components of whom nothing may be noticed.
	Tasks map[string]int
	// Touched are the components that the edit is about.
	Touched map[string]bool
}

// Stillness is what was noticed of one period.
type Stillness struct {
	Longest Gap
	// Anew is how many times a task began anew.
	Anew int
}

// Attribute lays the gaps beside the periods, which follow each other; what began before the first is left out. A gap
// belongs to the period in which it began. It ends at the latest where an edit begins that is about its component: what an edit does to those is no stop.
func Attribute(gaps []Gap, periods []Period) []Stillness {
	out := make([]Stillness, len(periods))
	for _, g := range gaps {
		at, found := slices.BinarySearchFunc(periods, g.Since, func(p Period, t time.Time) int { return p.From.Compare(t) })
		if !found {
			at--
		}
		if at < 0 || g.Index >= periods[at].Tasks[g.Component] {
			continue
		}
		for _, p := range periods[at+1:] {
			if !p.From.Before(g.Since.Add(g.For)) {
				break
			}
			if p.Touched[g.Component] {
				g.For, g.Anew = p.From.Sub(g.Since), false
				break
			}
		}
		s := &out[at]
		if g.Anew {
			s.Anew++
		}
		if g.For > s.Longest.For {
			s.Longest = g
		}
	}
	return out
}

// readGaps reads what the tasks have written down.
func readGaps(dir string) ([]Gap, error) {
	files, err := filepath.Glob(filepath.Join(dir, "gaps-*"))
	if err != nil {
		return nil, err
	}
	var all []Gap
	for _, path := range files {
		component, index, ok := strings.Cut(strings.TrimPrefix(filepath.Base(path), "gaps-"), ".")
		i, err := strconv.Atoi(index)
		if !ok || err != nil {
			continue
		}
		if all, err = appendGaps(all, path, component, i); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func appendGaps(all []Gap, path, component string, index int) ([]Gap, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var since, length int64
		var anew bool
		if _, err := fmt.Sscanf(lines.Text(), "%d %d %t", &since, &length, &anew); err != nil {
			return nil, fmt.Errorf("read %s: %q: %w", path, lines.Text(), err)
		}
		all = append(all, Gap{component, index, time.Unix(0, since), time.Duration(length), anew})
	}
	return all, nil
}
