package stream

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

var nothing = SinkFunc[string](func(string, time.Time) error { return nil })

func same(s string) string { return s }

// outline writes components as one line each.
func outline(t *testing.T, top *Topology) string {
	t.Helper()
	cs, err := top.Components()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range cs {
		fmt.Fprintf(&b, "%s x%d %v", c.Name, c.Tasks, c.Steps)
		for _, in := range c.Inputs {
			fmt.Fprintf(&b, " <-%s:%s %v", in.Source, in.Stream, in.Grouping.Kind)
		}
		for _, o := range c.Outputs {
			fmt.Fprintf(&b, " %s->%v", o.Stream, o.Fields)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestStepsWithoutStateAreChained(t *testing.T) {
	top := New("t")
	lines := From(top, "lines", Slice([]string{"a"}), Parallelism(2))
	a := Map(lines, "a", same)
	b := Map(a, "b", same, Apart())
	c := Map(b, "c", same, Parallelism(2))
	d := Map(c, "d", same, Parallelism(3))
	To(d, "out", nothing)
	To(Union(lines, c), "both", nothing)
	want := "lines x2 [lines a] default->[@time value] a->[@time value]\n" +
		"b x2 [b c] <-lines:a SHUFFLE c->[@time value]\n" +
		"d x3 [d out] <-b:c SHUFFLE\n" +
		"both x2 [both] <-lines:default SHUFFLE <-b:c SHUFFLE\n"
	if got := outline(t, top); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestSideOutputsAreAlwaysDeclared(t *testing.T) {
	top := New("t")
	lines := From(top, "lines", Slice([]string{"a"}))
	timed := AssignTimes(lines, "times", func(string) time.Time { return time.Time{} }, Bounded(0))
	To(timed, "out", nothing)
	if got, want := outline(t, top), "lines x1 [lines times out] times/untimed->[@time value]\n"; got != want {
		t.Errorf("got %swant %s", got, want)
	}
}

func TestMistakesAreNamedAllAtOnce(t *testing.T) {
	other := New("other")
	far := From(other, "far", Slice([]string{"a"}))
	top := New("t")
	lines := From(top, "lines", Slice([]string{"a"}), Times(func(int) time.Time { return time.Time{} }, Bounded(0)))
	Map(lines, "lines", same)
	Map(lines, "", same)
	Map(lines, "__a", same)
	Map(lines, "a/b", same)
	Map(lines, "many", same, Parallelism(5000))
	Map(lines, "odd", same, WithCodec(JSON[int]()))
	AssignTimes(Map(lines, "away", same, Apart()), "late", func(string) time.Time { return time.Time{} }, Bounded(0))
	KeyBy(lines, "by", func(string) [2]int { return [2]int{} })
	Map(Union(lines, far), "foreign", same)
	From[string](top, "none", nil)
	early := From(top, "early", Slice([]string{"a"}), SourceTimes[string](Bounded(-time.Second)))
	Count(Window(KeyBy(Untimed[string](early), "without", same), window.Tumbling(time.Second)), "lost")
	FromSource[string](top, "engine", nil, nil, SourceTimes[string](Bounded(-time.Second)))
	AssignTimes(lines, "awake", func(string) time.Time { return time.Time{} }, Bounded(0).IdleAfter(-1))
	To[string](lines, "end", nil)
	Union(lines, lines)
	words := KeyBy(lines, "words", same)
	Join(Window(words, window.Global()), words, "itself", func(_, a, _ string) string { return a })
	Untimed[string](Map(lines, "plain", same))
	_, err := top.Components()
	if err == nil {
		t.Fatal("nothing was wrong")
	}
	for _, want := range []string{"there are two of that name", `step ""`, "begin with __", "contain /", "1 to 4096", "its codec is a", "in those of away",
		"cannot be a key", "of another topology", "source none",
		"source early: events are at least 0 behind", "source engine: events are at least 0 behind", "step awake: events are at least 0 behind",
		"step lost: its windows are by event time", "end end", "stands in it twice", "step itself: both of its streams are words", "no output for a string that is untimed", "another type of event"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word about %q in\n%v", want, err)
		}
	}
}

func TestKeyedEdges(t *testing.T) {
	type user struct{ Name, Town string }
	top := New("t")
	by := KeyBy(From(top, "lines", Slice([]user{{"a", "b"}})), "by", func(u user) user { return u })
	x := by.export(by.ports[0])
	if got := x.grouping; got.Kind != dag.KeyGroups || !slices.Equal(got.Fields, []string{"@key.name", "@key.town"}) {
		t.Errorf("grouping %+v", got)
	}
	if want := []string{"@time", "@key.name", "@key.town", "name", "town"}; !slices.Equal(x.fields, want) {
		t.Errorf("fields %v, want %v", x.fields, want)
	}
}
