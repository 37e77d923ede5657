package streamtest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// output is what the tasks of an end got.
type output struct {
	got   []received
	taken int // of got, by Expect and Take
	// cuts says, by epoch and task, what the task had got at the checkpoint.
	cuts   map[uint64]map[int]int
	counts map[int]int // by task: how much it got
}

type received struct {
	value  any
	at     time.Time
	task   int
	number int // among those of the task
}

func newOutput() *output {
	return &output{cuts: map[uint64]map[int]int{}, counts: map[int]int{}}
}

// tap is the way of one task to an output.
type tap struct {
	o    *output
	task int
}

func (o *output) tap(task int) tap { return tap{o, task} }

func (t tap) Write(v any, at time.Time) {
	t.o.got = append(t.o.got, received{v, at, t.task, t.o.counts[t.task]})
	t.o.counts[t.task]++
}

func (t tap) Freeze(epoch uint64) {
	if t.o.cuts[epoch] == nil {
		t.o.cuts[epoch] = map[int]int{}
	}
	t.o.cuts[epoch][t.task] = t.o.counts[t.task]
}

// takeBack forgets what came after a checkpoint. What Expect has seen of it is expected again when it comes again.
func (o *output) takeBack(epoch uint64) {
	kept := o.got[:0]
	taken := 0
	for i, r := range o.got {
		if r.number >= o.cuts[epoch][r.task] {
			continue
		}
		r.number = settled
		kept = append(kept, r)
		if i < o.taken {
			taken++
		}
	}
	o.got, o.taken = kept, taken
	o.counts, o.cuts = map[int]int{}, map[uint64]map[int]int{}
}

// settled is the number of what is never taken back.
const settled = -1

// Expect checks what the end of that name got since it was last asked for: these values, in any order, since what comes by
// different ways has none. They are compared with reflect.DeepEqual; a string is also equal to a value that fmt prints like it.
func (h *Harness) Expect(end string, want ...any) *Harness {
	h.tb.Helper()
	got := h.take(end)
	left := slices.Clone(want)
	var extra []any
	for _, g := range got {
		if i := slices.IndexFunc(left, func(w any) bool { return equal(g, w) }); i >= 0 {
			left = slices.Delete(left, i, i+1)
		} else {
			extra = append(extra, g)
		}
	}
	if len(left) > 0 || len(extra) > 0 {
		h.tb.Errorf("%s got %d values.\nnot expected:%s\nmissing:%s", end, len(got), lines(extra), lines(left))
	}
	if errs := h.Errors(); len(errs) > 0 {
		h.tb.Errorf("errors of steps: %v", errs)
	}
	return h
}

func equal(got, want any) bool {
	if reflect.DeepEqual(got, want) {
		return true
	}
	text, ok := want.(string)
	return ok && fmt.Sprint(got) == text
}

func lines(values []any) string {
	if len(values) == 0 {
		return " nothing"
	}
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, "\n\t%v", v)
	}
	return b.String()
}

func (h *Harness) take(end string) []any {
	h.tb.Helper()
	o := h.outs[end]
	if o == nil {
		h.tb.Fatalf("streamtest: the topology has no end %q", end)
	}
	var out []any
	for _, r := range o.got[o.taken:] {
		out = append(out, r.value)
	}
	o.taken = len(o.got)
	return out
}

// Take returns what the end of that name got since it was last asked for, in the order in which it came. They have to be Ts.
func Take[T any](h *Harness, end string) []T {
	h.tb.Helper()
	var out []T
	for _, v := range h.take(end) {
		t, ok := v.(T)
		if !ok {
			h.tb.Fatalf("streamtest: %s got a %T, not a %T", end, v, t)
		}
		out = append(out, t)
	}
	return out
}

// Times returns the event times of what the end of that name has got in all, in the order in which it came.
func (h *Harness) Times(end string) []time.Time {
	h.tb.Helper()
	o := h.outs[end]
	if o == nil {
		h.tb.Fatalf("streamtest: the topology has no end %q", end)
	}
	var out []time.Time
	for _, r := range o.got {
		out = append(out, r.at)
	}
	return out
}
