package connecttest

import (
	"errors"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// SourceTest says how a source is made and fed.
type SourceTest struct {
	// New makes the source at index in a process of its own; kill, which may be nil, ends that as in SinkTest.
	New func(t testing.TB, index int) (source gearcore.Source, kill func())
	// Produce makes a record of that text available.
	Produce func(t testing.TB, text string)
	// Before is how many records are there before the source starts. Default 20.
	Before int
	// Steps is how long a run is. Default 200.
	Steps int
	// MaxTasks bounds the number of tasks. Default 3.
	MaxTasks int
	// Text returns the text of a record that was emitted. Default: the first value.
	Text func(values []gearcore.Value) string
}

// sourceRun is one run of a SourceTest.
type sourceRun struct {
	SourceTest
	*coordinator
	produced int
	kept     map[string]bool // emitted before the checkpoint that counts
	since    map[string]bool // emitted since then
}

// Run tests with one seed.
func (s SourceTest) Run(t *testing.T, seed uint64) {
	t.Helper()
	if s.Before == 0 {
		s.Before = 20
	}
	if s.Steps == 0 {
		s.Steps = 200
	}
	if s.MaxTasks == 0 {
		s.MaxTasks = 3
	}
	if s.Text == nil {
		s.Text = func(vals []gearcore.Value) string { return vals[0].Text() }
	}
	r := &sourceRun{SourceTest: s, coordinator: newCoordinator(t, seed), kept: map[string]bool{}, since: map[string]bool{}}
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	for range s.Before {
		r.produce()
	}
	r.start(1 + r.rng.IntN(s.MaxTasks))
	for range s.Steps {
		r.step()
		r.runPosts()
	}
	r.finish()
}

func (r *sourceRun) produce() {
	r.Produce(r.t, text(r.produced))
	r.produced++
}

// step does one thing.
func (r *sourceRun) step() {
	switch n := r.rng.IntN(20); {
	case n < 3:
		r.produce()
	case n < 13:
		r.next(r.members[r.rng.IntN(len(r.members))])
	case n < 16:
		if r.cut(0) {
			for v := range r.since {
				r.kept[v] = true
			}
			clear(r.since)
			r.commit(false)
		}
	case n < 17:
		r.rollback()
	case n < 18:
		i := r.rng.IntN(len(r.members))
		r.members[i].kill()
		r.members[i] = r.make(i)
		r.rollback()
	default:
		r.start(1 + r.rng.IntN(r.MaxTasks))
	}
}

// next has a source emit and looks at what it did.
func (r *sourceRun) next(m *member) {
	err := m.checked.(gearcore.Source).Next(m.C)
	if err != nil && !errors.Is(err, gearcore.ErrIdle) {
		r.t.Fatalf("next of task %d: %v", m.Context.Index, err)
	}
	for _, vals := range m.Emitted {
		v := r.Text(vals)
		if r.kept[v] || r.since[v] {
			r.t.Fatalf("%q was emitted twice", v)
		}
		r.since[v] = true
	}
	m.Emitted = nil
}

// start ends all sources and begins with n from the newest checkpoint.
func (r *sourceRun) start(n int) {
	r.replace(n, r.make)
	r.rollback()
}

func (r *sourceRun) make(index int) *member {
	source, kill := r.New(r.t, index)
	return r.enlist(index, source, kill)
}

func (r *sourceRun) rollback() {
	clear(r.since)
	for _, i := range r.rng.Perm(len(r.members)) {
		m := r.members[i]
		r.restore(m)
		m.checked.(gearcore.Source).Activate(m.C)
	}
}

// finish waits until every record was emitted.
func (r *sourceRun) finish() {
	for end := time.Now().Add(settleLimit); len(r.kept)+len(r.since) < r.produced; {
		if time.Now().After(end) {
			r.t.Fatalf("%d of %d records were emitted; errors %v", len(r.kept)+len(r.since), r.produced, r.errors())
		}
		for _, m := range r.members {
			r.next(m)
		}
		r.runPosts()
	}
	for _, m := range r.members {
		m.end()
	}
}
