package dynamic

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/internal/exact"
)

// Goals of a run.
const (
	// GoalGap is how much longer than without edits a task that no edit is about may stand still.
	GoalGap = 50 * time.Millisecond
	// GoalTook is how long an edit without large state may take, GoalLarge one with 1 GB of it.
	GoalTook  = 2 * time.Second
	GoalLarge = 10 * time.Second
)

// Result is what a run showed.
type Result struct {
	Seed uint64
	// StateBytes is how large the state was that edits moved; 0: small.
	StateBytes int64
	Outcomes   []Outcome
	// Base is what was noticed without edits.
	Base    Stillness
	Records exact.Result
}

// Longest is the edit of which most was noticed where nothing should be.
func (r *Result) Longest() Outcome {
	return slices.MaxFunc(append([]Outcome{{}}, r.Outcomes...), func(a, b Outcome) int { return int(a.Longest.For - b.Longest.For) })
}

// Slowest is the edit that took longest to be in force.
func (r *Result) Slowest() Outcome {
	return slices.MaxFunc(append([]Outcome{{}}, r.Outcomes...), func(a, b Outcome) int { return int(a.Took - b.Took) })
}

// Gap is how much longer a task stood still that no edit was about than tasks do without edits.
func (r *Result) Gap() time.Duration { return max(0, r.Longest().Longest.For-r.Base.Longest.For) }

// Wrong is what must not be on any machine: records that were lost or counted twice.
func (r *Result) Wrong() []string { return r.Records.Wrong }

// Missed are the goals in time that were not reached, in sentences.
func (r *Result) Missed() (missed []string) {
	// While counters read large state, those who send to them run out of credit: that is no gap of theirs.
	if r.StateBytes == 0 && r.Gap() > GoalGap {
		missed = append(missed, fmt.Sprintf("gap over %v", GoalGap))
	}
	goal := GoalTook
	if r.StateBytes > 0 {
		goal = GoalLarge
	}
	if r.Slowest().Took > goal {
		missed = append(missed, fmt.Sprintf("slowest over %v", goal))
	}
	return missed
}

// Lines are the result for people and scripts: one line of all edits, one of each kind.
func (r *Result) Lines() []string {
	verdict := "ok"
	if missed := r.Missed(); len(missed) > 0 {
		verdict = "goal missed: " + strings.Join(missed, ", ")
	}
	if wrong := r.Wrong(); len(wrong) > 0 {
		verdict = "FAILED: " + strings.Join(wrong, "; ")
	}
	name := "dynamic"
	if r.StateBytes > 0 {
		name = fmt.Sprintf("dynamic state size=%dMiB", r.StateBytes>>20)
	}
	lines := []string{fmt.Sprintf("%s edits=%d seed=%d lost=%d duplicated=%d gap=%dms base=%dms restarts=%d records=%d slowest=%.2fs %s",
		name, len(r.Outcomes), r.Seed, r.Records.Lost, r.Records.Duplicated, r.Gap().Milliseconds(), r.Base.Longest.For.Milliseconds(), anew(r.Outcomes),
		r.Records.Visible, r.Slowest().Took.Seconds(), verdict)}
	for _, k := range Kinds() {
		of := slices.DeleteFunc(slices.Clone(r.Outcomes), func(o Outcome) bool { return o.Kind != k })
		if len(of) > 0 {
			lines = append(lines, r.line(k, of))
		}
	}
	return lines
}

// line is that of one kind of edits.
func (r *Result) line(k Kind, of []Outcome) string {
	took := figures(of, func(o Outcome) time.Duration { return o.Took })
	command := figures(of, func(o Outcome) time.Duration { return o.Command })
	still := figures(of, func(o Outcome) time.Duration { return o.Longest.For })
	return fmt.Sprintf("dynamic %s edits=%d median=%.2fs max=%.2fs command=%.2fs still median=%dms max=%dms restarts=%d", k, len(of),
		median(took).Seconds(), took[len(took)-1].Seconds(), median(command).Seconds(), median(still).Milliseconds(), still[len(still)-1].Milliseconds(), anew(of))
}

// figures are those of all edits, ascending.
func figures(of []Outcome, get func(Outcome) time.Duration) []time.Duration {
	out := make([]time.Duration, len(of))
	for i, o := range of {
		out[i] = get(o)
	}
	slices.Sort(out)
	return out
}

func median(ascending []time.Duration) time.Duration { return ascending[len(ascending)/2] }

// anew is how many tasks began anew though no edit was about them.
func anew(all []Outcome) (n int) {
	for _, o := range all {
		n += o.Anew
	}
	return n
}
