package connecttest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// settleLimit is how long a sink may take until all that was committed is visible.
const settleLimit = 2 * time.Minute

// SinkTest says how a sink is made and read.
type SinkTest struct {
	// New makes the task at index in a process of its own. kill ends that process as a power cut would: nothing that the task does later has an
	// effect. nil: it is enough that nobody calls it any more.
	New func(t testing.TB, index int) (task gearcore.Task, kill func())
	// Visible returns what a reader sees now, a text for each record.
	Visible func(t testing.TB) []string
	// Steps is how long a run is. Default 120.
	Steps int
	// MaxTasks bounds the number of tasks. Default 3.
	MaxTasks int
	// Values makes a tuple of a record's text. Default: the text.
	Values func(text string) []any
	// Fields are those of the tuple. Default "record".
	Fields []string
}

// sinkRun is one run of a SinkTest.
type sinkRun struct {
	SinkTest
	*coordinator
	at        int // records executed in the present history; record i is text(i)
	committed int // records before the newest checkpoint that counts
}

func text(i int) string { return fmt.Sprintf("record %d", i) }

// Run tests with one seed.
func (s SinkTest) Run(t *testing.T, seed uint64) {
	t.Helper()
	if s.Steps == 0 {
		s.Steps = 120
	}
	if s.MaxTasks == 0 {
		s.MaxTasks = 3
	}
	if s.Values == nil {
		s.Values = func(text string) []any { return []any{text} }
	}
	if s.Fields == nil {
		s.Fields = []string{"record"}
	}
	r := &sinkRun{SinkTest: s, coordinator: newCoordinator(t, seed)}
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	r.start(1 + r.rng.IntN(s.MaxTasks))
	for range s.Steps {
		r.step()
		r.runPosts()
	}
	r.finish()
}

// step does one thing.
func (r *sinkRun) step() {
	switch n := r.rng.IntN(20); {
	case n < 9:
		r.records(1 + r.rng.IntN(5))
	case n < 14:
		if r.cut(r.at) {
			r.committed = r.at
			r.commit(false)
		}
	case n < 15:
		r.commit(false)
	case n < 16:
		r.rollback()
	case n < 17:
		r.lose(r.rng.IntN(len(r.members)))
	case n < 18:
		r.start(1 + r.rng.IntN(r.MaxTasks))
	default:
		r.check()
	}
}

// start ends all tasks, some properly, and begins with n from the newest checkpoint.
func (r *sinkRun) start(n int) {
	r.replace(n, r.make)
	r.rollback()
}

// make makes the task at index and opens it.
func (r *sinkRun) make(index int) *member {
	task, kill := r.New(r.t, index)
	return r.enlist(index, task, kill, r.Fields...)
}

// lose has one process end; the others go back in place.
func (r *sinkRun) lose(i int) {
	r.members[i].kill()
	r.members[i] = r.make(i)
	r.rollback()
}

// rollback restores all tasks, in any order.
func (r *sinkRun) rollback() {
	for _, i := range r.rng.Perm(len(r.members)) {
		r.restore(r.members[i])
	}
	r.at = r.counts.mark
}

// records executes n records, each in any of the tasks.
func (r *sinkRun) records(n int) {
	for range n {
		m := r.members[r.rng.IntN(len(r.members))]
		task := m.checked.(gearcore.Task)
		if err := task.Execute(m.Tuple(r.Values(text(r.at))...), m.C); err != nil {
			r.t.Fatalf("execute %s: %v", text(r.at), err)
		}
		r.at++
	}
}

// check looks for what may not be visible, and returns how many records are.
func (r *sinkRun) check() int {
	may := make(map[string]bool, r.committed)
	for i := range r.committed {
		may[text(i)] = true
	}
	seen := map[string]int{}
	for _, v := range r.Visible(r.t) {
		if seen[v]++; seen[v] > 1 {
			r.t.Fatalf("%q is visible twice", v)
		}
		if !may[v] {
			r.t.Fatalf("%q is visible; %d records were committed", v, r.committed)
		}
	}
	return len(seen)
}

// finish commits all and waits until it is visible.
func (r *sinkRun) finish() {
	for !r.cut(r.at) {
	}
	r.committed = r.at
	if r.rng.IntN(2) == 0 {
		r.commit(true)
	} else {
		r.start(len(r.members))
	}
	for end := time.Now().Add(settleLimit); r.check() < r.committed; {
		if time.Now().After(end) {
			r.t.Fatalf("lost: %v; errors %v", r.missing(), r.errors())
		}
		time.Sleep(2 * time.Millisecond)
		r.runPosts()
	}
	for _, m := range r.members {
		m.end()
	}
	r.check()
}

func (r *sinkRun) missing() (out []string) {
	there := r.Visible(r.t)
	for i := range r.committed {
		if !slices.Contains(there, text(i)) {
			out = append(out, text(i))
		}
	}
	return out
}

func (c *coordinator) errors() (out []error) {
	for _, m := range c.members {
		out = append(out, m.Errors...)
	}
	return out
}
