package dynamic

import (
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"testing"
)

// tasksOf makes a version that differs from others in how many tasks its counters have.
func tasksOf(n int) Spec {
	s := first()
	count := s[countName]
	count.Tasks = n
	return s.With(countName, count)
}

// Each line is what happens to a book: an edit is answered or not, the cluster tells of its versions.
func TestBook(t *testing.T) {
	applied := func(v int64) told { return told{Version: v, Base: v - 1, State: "kept"} }
	asVersion := func(v, base int64) told { return told{Version: v, Base: base, State: "kept"} }
	submitted := told{Version: 1, State: "kept"}
	type step struct {
		answered Version
		open     int // tasks of the counters of an edit without an answer
		tells    []told
	}
	answered := func(v int64, tasks int) step { return step{answered: Version{v, tasksOf(tasks)}} }
	for _, tc := range []struct {
		name  string
		steps []step
		now   int // tasks of the counters
		known []int64
		wrong bool
	}{
		{"answered", []step{answered(2, 5), {tells: []told{submitted, applied(2)}}}, 5, []int64{1, 2}, false},
		{"no answer, and it is there", []step{{open: 5}, {tells: []told{submitted, applied(2)}}}, 5, []int64{1, 2}, false},
		{"no answer, and it is not", []step{{open: 5}, {tells: []told{submitted}}}, 2, []int64{1}, false},
		{"no answer, and it comes later", []step{{open: 5}, {tells: []told{submitted}}, {tells: []told{submitted, applied(2)}}}, 5, []int64{1, 2}, false},
		{"either of two", []step{{open: 5}, {tells: []told{submitted}}, {open: 6}, {tells: []told{submitted, applied(2)}}}, 2, []int64{1}, false},
		{"an answer ends what was open", []step{{open: 5}, answered(2, 6), {tells: []told{submitted, applied(2)}}, {open: 7},
			{tells: []told{submitted, applied(2), applied(3)}}}, 7, []int64{1, 2, 3}, false},
		{"no answer, there, and the next one is answered", []step{{open: 5}, answered(3, 6), {tells: []told{submitted, applied(2), applied(3)}}}, 6, []int64{1, 2, 3}, false},
		{"a rollback without an answer", []step{answered(2, 5), {tells: []told{submitted, applied(2), asVersion(3, 1)}}}, 2, []int64{1, 2, 3}, false},
		{"it went back by itself", []step{answered(2, 5), {tells: []told{submitted, applied(2), {3, 1, "runs", "version 2 went back by itself"}}}}, 2, []int64{1, 2}, false},
		{"made by nobody", []step{{tells: []told{submitted, applied(2)}}}, 2, []int64{1}, true},
		{"answered for and gone", []step{answered(2, 5), {tells: []told{submitted}}}, 2, []int64{1}, true},
		{"nothing", []step{{tells: nil}}, 2, nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, wrong := newBook(first()), ""
			for _, s := range tc.steps {
				switch {
				case s.answered.Number > 0:
					b.answered(s.answered)
				case s.open > 0:
					b.open = append(b.open, tasksOf(s.open))
				default:
					wrong = b.learn(s.tells)
				}
			}
			if (wrong != "") != tc.wrong || b.now[countName].Tasks != tc.now {
				t.Errorf("wrong %q, now %+v; want %v, %d tasks", wrong, b.now, tc.wrong, tc.now)
			}
			var kept []int64
			for _, v := range b.kept {
				kept = append(kept, v.Number)
				if want := b.known[v.Number]; !maps.Equal(v.Spec, want) {
					t.Errorf("version %d is %+v, want %+v", v.Number, v.Spec, want)
				}
			}
			if fmt.Sprint(kept) != fmt.Sprint(tc.known) {
				t.Errorf("kept are %v, want %v", kept, tc.known)
			}
		})
	}
}

// A command that was refused or changed nothing has done nothing; any other failure tells nothing.
func TestRefused(t *testing.T) {
	status := func(n int) error { return exec.Command("sh", "-c", fmt.Sprintf("exit %d", n)).Run() }
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{fmt.Errorf("gearstorm apply: %w", errNoChange), true},
		{fmt.Errorf("gearstorm apply: %w: refused", status(refusedStatus)), true},
		{fmt.Errorf("gearstorm apply: %w: no answer", status(1)), false},
		{errors.New("no such file"), false},
	} {
		if got := refused(tc.err); got != tc.want {
			t.Errorf("%v: %v, want %v", tc.err, got, tc.want)
		}
	}
}
