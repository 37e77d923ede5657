package main

import (
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

//go:embed goals.txt
var goalsFile string

// goalKind is how a goal is judged; see goals.txt.
type goalKind int

const (
	atLeast goalKind = iota
	atMost
	times
	share
	shareOfCPU
	cpuAtMost
)

// goal is one word of a line of goals.txt.
type goal struct {
	text string
	kind goalKind
	want float64
	unit string // of atLeast and atMost
	row  string // of share and shareOfCPU
}

// goals are the goals of each row.
type goals map[string][]goal

var (
	numberRule = regexp.MustCompile(`^(<?)([0-9.]+)([kM]?)(/s|us|%|B|s)$`)
	timesRule  = regexp.MustCompile(`^([0-9.]+)x$`)
	shareRule  = regexp.MustCompile(`^([0-9.]+)\*(cpu:)?([a-z0-9-]+)$`)
	cpuRule    = regexp.MustCompile(`^cpu<([0-9.]+)ns$`)
)

func parseGoals(text string) (goals, error) {
	all := goals{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) == 1 || all[f[0]] != nil {
			return nil, fmt.Errorf("read goals: row %s has none, or two lines", f[0])
		}
		for _, word := range f[1:] {
			g, err := parseGoal(word)
			if err != nil {
				return nil, fmt.Errorf("read goals: row %s: %w", f[0], err)
			}
			all[f[0]] = append(all[f[0]], g)
		}
	}
	return all, nil
}

func parseGoal(word string) (g goal, err error) {
	g.text = word
	var number string
	scale := 1.0
	switch {
	case numberRule.MatchString(word):
		m := numberRule.FindStringSubmatch(word)
		number, g.unit = m[2], m[4]
		if m[1] == "<" {
			g.kind = atMost
		}
		scale = map[string]float64{"": 1, "k": 1e3, "M": 1e6}[m[3]]
	case timesRule.MatchString(word):
		g.kind, number = times, timesRule.FindStringSubmatch(word)[1]
	case shareRule.MatchString(word):
		m := shareRule.FindStringSubmatch(word)
		g.kind, number, g.row = share, m[1], m[3]
		if m[2] != "" {
			g.kind = shareOfCPU
		}
	case cpuRule.MatchString(word):
		g.kind, number = cpuAtMost, cpuRule.FindStringSubmatch(word)[1]
	default:
		return g, fmt.Errorf("%q is not a goal", word)
	}
	if g.want, err = strconv.ParseFloat(number, 64); err != nil {
		return g, fmt.Errorf("%q is not a goal: %w", word, err)
	}
	g.want *= scale
	return g, nil
}

// result is a row of a finished comparison.
type result struct {
	row         string
	figure      figure
	ours, storm float64 // medians of the rounds
	cpu         float64 // ns a tuple; 0: there are no tuples
	stormCPU    float64
	hasStorm    bool
	wrong       string // what did not add up in a run, of either side
}

// ratio is how many times better than Storm, 0 if there is nothing to compare.
func (r result) ratio() float64 {
	switch {
	case !r.hasStorm || r.ours == 0 || r.storm == 0:
		return 0
	case r.figure.more:
		return r.ours / r.storm
	}
	return r.storm / r.ours
}

// met says whether r meets g, where others are the rows so far.
func (g goal) met(r result, others map[string]result) bool {
	other, ok := others[g.row]
	switch g.kind {
	case atLeast:
		return r.ours >= g.want
	case atMost:
		return r.ours <= g.want
	case times:
		return r.ratio() >= g.want
	case share:
		return ok && r.ours > 0 && r.ours >= g.want*other.ours
	case shareOfCPU:
		return ok && r.cpu > 0 && other.cpu/r.cpu >= g.want
	}
	return r.cpu > 0 && r.cpu <= g.want
}

// verdict is r's line. Gated is false if a goal for processor time was missed or the counts of a run are wrong.
func (all goals) verdict(r result, others map[string]result) (line string, gated bool) {
	var texts []string
	word := "ok"
	gated = r.wrong == ""
	for _, g := range all[r.row] {
		texts = append(texts, g.text)
		if g.met(r, others) {
			continue
		}
		word = "miss"
		gated = gated && g.kind != cpuAtMost
	}
	if r.wrong != "" {
		word = "miss"
	}
	theirs := "-"
	if r.hasStorm {
		theirs = r.figure.format(r.storm)
	}
	return fmt.Sprintf("bench %s gearstorm=%s storm=%s ratio=%s cpu_ns=%s/%s goal=%s %s", r.row, r.figure.format(r.ours), theirs,
		orDash("%.2f", r.ratio()), orDash("%.0f", r.cpu), orDash("%.0f", r.stormCPU), orDash("%s", strings.Join(texts, ",")), word), gated
}

// format writes v with its unit: rates whole, everything else with three digits or more.
func (f figure) format(v float64) string {
	if v >= 100 || f.unit == "/s" {
		return fmt.Sprintf("%.0f%s", v, f.unit)
	}
	return fmt.Sprintf("%.3g%s", v, f.unit)
}

// orDash is v as format says, a dash if it is nothing.
func orDash[T comparable](format string, v T) string {
	var none T
	if v == none {
		return "-"
	}
	return fmt.Sprintf(format, v)
}
