package integration

import (
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
)

// term is who led from when to when. A term that has not ended has no end.
type term struct {
	node       string
	epoch      string
	began, end time.Time
}

var (
	termBegan = regexp.MustCompile(`time=(\S+) .*msg="nimbus leads" .*epoch=(\d+)`)
	termEnded = regexp.MustCompile(`time=(\S+) .*msg="nimbus leads no longer" .*epoch=(\d+)`)
)

// terms reads the terms so far from the logs of all masters.
func (f *faultRun) terms() (all []term) {
	f.Helper()
	for _, n := range f.c.Nimbuses() {
		b, err := os.ReadFile(n.LogPath())
		f.must("read a log", err)
		for line := range strings.Lines(string(b)) {
			if m := termBegan.FindStringSubmatch(line); m != nil {
				at, err := time.Parse(time.RFC3339Nano, m[1])
				f.must("read a time", err)
				all = append(all, term{node: n.Name, epoch: m[2], began: at})
			} else if m := termEnded.FindStringSubmatch(line); m != nil {
				at, err := time.Parse(time.RFC3339Nano, m[1])
				f.must("read a time", err)
				for i := range all {
					if all[i].node == n.Name && all[i].epoch == m[2] {
						all[i].end = at
					}
				}
			}
		}
	}
	return all
}

// epochs notes if an epoch was led by two masters.
func (f *faultRun) epochs() {
	f.Helper()
	by := map[string]string{}
	for _, t := range f.terms() {
		if other, ok := by[t.epoch]; ok && other != t.node {
			f.result.Failf("%s and %s both led in epoch %s", other, t.node, t.epoch)
		}
		by[t.epoch] = t.node
	}
}

var (
	logTime = regexp.MustCompile(`time=(\S+) `)
	acted   = regexp.MustCompile(`msg="(topology changed its status|topology assigned|topology submitted)"`)
	fenced  = regexp.MustCompile(`msg="a write was refused: another nimbus leads"`)
)

// idle notes if a master changed something since then, by its log. Writes that the store refused for their epoch did not.
func (f *faultRun) idle(n *chaos.Node, since time.Time) {
	f.Helper()
	b, err := os.ReadFile(n.LogPath())
	f.must("read a log", err)
	stale := 0
	for line := range strings.Lines(string(b)) {
		m := logTime.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, m[1])
		if err != nil || at.Before(since) {
			continue
		}
		if acted.MatchString(line) {
			f.result.Failf("%s does not lead any more and did this: %s", n.Name, strings.TrimSpace(line))
		}
		if fenced.MatchString(line) {
			stale++
		}
	}
	f.Logf("%d writes of the old leader were refused for their epoch", stale)
}
