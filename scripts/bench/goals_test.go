package main

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseGoals(t *testing.T) {
	g, err := parseGoals("# none\n\nline 25M/s 5x  cpu<45ns\nb 0.5*line 0.8*cpu:line-1 <1.5us\nc 10k/s <6%")
	if err != nil {
		t.Fatal(err)
	}
	want := goals{
		"line": {{"25M/s", atLeast, 25e6, "/s", ""}, {"5x", times, 5, "", ""}, {"cpu<45ns", cpuAtMost, 45, "", ""}},
		"b":    {{"0.5*line", share, .5, "", "line"}, {"0.8*cpu:line-1", shareOfCPU, .8, "", "line-1"}, {"<1.5us", atMost, 1.5, "us", ""}},
		"c":    {{"10k/s", atLeast, 10_000, "/s", ""}, {"<6%", atMost, 6, "%", ""}},
	}
	if d := cmp.Diff(want, g, cmp.AllowUnexported(goal{})); d != "" {
		t.Error(d)
	}
	for _, text := range []string{"a", "a 5x\na 6x", "a five", "a 5", "a 1.2.3x", "a 25G/s", "a 0.5*", "a cpu<5us", "a 5x,6x"} {
		if g, err := parseGoals(text); err == nil {
			t.Errorf("%q is %v", text, g)
		}
	}
}

// The goals name rows that exist, in their units, and a goal against Storm stands only where Storm runs.
func TestGoalsFile(t *testing.T) {
	g, err := parseGoals(goalsFile)
	if err != nil {
		t.Fatal(err)
	}
	rows, storm := map[string]figure{}, map[string]bool{}
	for _, sc := range scenarios("") {
		for _, v := range sc.variants {
			for _, f := range sc.figures {
				row := sc.row(v, f)
				if _, double := rows[row]; double {
					t.Errorf("two rows are called %s", row)
				}
				rows[row], storm[row] = f, sc.storm != nil
			}
		}
	}
	for row, list := range g {
		f, ok := rows[row]
		if !ok {
			t.Errorf("row %s does not exist", row)
		}
		for _, goal := range list {
			if goal.unit != "" && goal.unit != f.unit {
				t.Errorf("row %s is in %s: %s", row, f.unit, goal.text)
			}
			if goal.kind == times && !storm[row] {
				t.Errorf("row %s has no side on Storm: %s", row, goal.text)
			}
			if _, ok := rows[goal.row]; goal.row != "" && !ok {
				t.Errorf("row %s refers to one that does not exist: %s", row, goal.text)
			}
		}
	}
}

func TestVerdict(t *testing.T) {
	g, err := parseGoals("a 10/s 5x\nb <20us 5x\nc 0.5*a\nd 0.8*cpu:a\ne cpu<10ns\nf <1%")
	if err != nil {
		t.Fatal(err)
	}
	others := map[string]result{"a": {row: "a", figure: rate, ours: 100, cpu: 50}}
	for _, c := range []struct {
		name  string
		r     result
		want  string
		gated bool
	}{
		{"both met", result{row: "a", figure: rate, ours: 10, storm: 2, cpu: 1.4, stormCPU: 7, hasStorm: true},
			"bench a gearstorm=10/s storm=2/s ratio=5.00 cpu_ns=1/7 goal=10/s,5x ok", true},
		{"ratio missed", result{row: "a", figure: rate, ours: 12, storm: 3, cpu: 1, stormCPU: 7, hasStorm: true},
			"bench a gearstorm=12/s storm=3/s ratio=4.00 cpu_ns=1/7 goal=10/s,5x miss", true},
		{"nothing to compare", result{row: "a", figure: rate, ours: 12}, "bench a gearstorm=12/s storm=- ratio=- cpu_ns=-/- goal=10/s,5x miss", true},
		{"less is better", result{row: "b", figure: p50, ours: 12.34, storm: 1070, hasStorm: true},
			"bench b gearstorm=12.3us storm=1070us ratio=86.71 cpu_ns=-/- goal=<20us,5x ok", true},
		{"share", result{row: "c", figure: rate, ours: 50}, "bench c gearstorm=50/s storm=- ratio=- cpu_ns=-/- goal=0.5*a ok", true},
		{"share missed", result{row: "c", figure: rate, ours: 49}, "bench c gearstorm=49/s storm=- ratio=- cpu_ns=-/- goal=0.5*a miss", true},
		{"per processor second", result{row: "d", figure: rate, ours: 1, cpu: 60}, "bench d gearstorm=1/s storm=- ratio=- cpu_ns=60/- goal=0.8*cpu:a ok", true},
		{"and missed", result{row: "d", figure: rate, ours: 1, cpu: 70}, "bench d gearstorm=1/s storm=- ratio=- cpu_ns=70/- goal=0.8*cpu:a miss", true},
		{"gate", result{row: "e", figure: rate, ours: 1, cpu: 11}, "bench e gearstorm=1/s storm=- ratio=- cpu_ns=11/- goal=cpu<10ns miss", false},
		{"gate without tuples", result{row: "e", figure: rate}, "bench e gearstorm=0/s storm=- ratio=- cpu_ns=-/- goal=cpu<10ns miss", false},
		{"no goal", result{row: "z", figure: core, ours: 0.5}, "bench z gearstorm=0.5% storm=- ratio=- cpu_ns=-/- goal=- ok", true},
		{"counts that are wrong", result{row: "f", figure: core, ours: 0.5, wrong: "lost"},
			"bench f gearstorm=0.5% storm=- ratio=- cpu_ns=-/- goal=<1% miss", false},
	} {
		line, gated := g.verdict(c.r, others)
		if line != c.want || gated != c.gated {
			t.Errorf("%s: got %v\n%s\nwant %v\n%s", c.name, gated, line, c.gated, c.want)
		}
	}
	if line, _ := g.verdict(result{row: "c", figure: rate, ours: 1e9}, nil); line != "bench c gearstorm=1000000000/s storm=- ratio=- cpu_ns=-/- goal=0.5*a miss" {
		t.Errorf("a share of a row that did not run: %s", line)
	}
}

func TestSelected(t *testing.T) {
	list := []scenario{
		{name: "a", variants: []variant{{}, {suffix: "-x"}}, figures: []figure{rate}},
		{name: "b", variants: []variant{{}}, figures: []figure{p50, core}},
	}
	g, err := parseGoals("b-core 1x 2*a")
	if err != nil {
		t.Fatal(err)
	}
	for only, want := range map[string]map[string]bool{
		"":      {"a": true, "a-x": true, "b": true, "b-core": true},
		"^a$":   {"a": true},
		"core$": {"b-core": true, "a": true},
		"q":     {},
	} {
		if d := cmp.Diff(want, selected(list, g, regexp.MustCompile(only))); d != "" {
			t.Errorf("%q: %s", only, d)
		}
	}
	c := &comparison{want: map[string]bool{"a-x": true}}
	if got := c.chosen(&list[0]); len(got) != 1 || got[0].suffix != "-x" {
		t.Errorf("chosen are %v", got)
	}
}
