package nimbus

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/internal/gist"
)

// A version that was applied is on trial until its workers have shown that they start:
//
//	ON TRIAL   all tasks are at work, and nothing died for settleTime         SETTLED
//	ON TRIAL   patience is over, each component has started an executor       stands
//	ON TRIAL   patience is over, tasks beside those wait for their children   goes on
//	ON TRIAL   patience is over, the version is not in force: that waits for
//	           a checkpoint under way, or the store of checkpoints is away    goes on
//	ON TRIAL   patience is over, a worker runs the version before             goes back
//	ON TRIAL   patience is over, for half of it no task counts from a
//	           checkpoint because some cannot take up their state             goes back
//	ON TRIAL   patience is over, a component has started none                 goes back
//	SETTLED    patience is over                                               stands
//	either     the worker of a slot, or the processes of a component that are
//	           children of workers, died mostDeaths times                     goes back
//	either     a task could not be opened beside those that run, or can
//	           never take up what is in the checkpoint                        goes back
//
// Patience (gearstorm.change.patience.secs) begins anew with a new leader, and only once there is a worker to wait for and its node was
// heard, or had the time to report; and anew when a node has been silent for long, whose end is no fault of the version.

const (
	// mostDeaths is how often a worker, or what a component runs in, has died when the version is given up.
	mostDeaths = 3
	// settleTime is for how long all tasks have to have been at work before that is believed.
	settleTime = 2 * time.Second
)

// trial is how the workers of a version on trial did so far.
type trial struct {
	Version int64
	Begun   time.Time
	Waiting []string  // components on trial of which no executor has started
	Ready   time.Time // since when all tasks are at work and nothing died; zero: not all are
	Deaths  int       // so far
	Stuck   time.Time // since when it goes back to a checkpoint and does not get there; zero: it does not
	Settled bool
}

// sight is what is known of the workers of a version at a moment.
type sight struct {
	Placed   []string // components with an executor that has a place
	Started  []string // components with an executor in a worker that is ready
	Unheard  bool     // a node with a worker of it has not reported to this master, or is forgotten
	Silent   bool     // one has, and does no more: what is there will be placed elsewhere
	Behind   []string // workers that are ready, and run an earlier version: they do not take this one over
	Idle     bool     // a worker with a component on trial is ready, and not all of its tasks are at work
	Stuck    string   // that the topology, or what the version brings, goes back to a checkpoint, and why; "": it runs
	Unborn   bool     // the topology has a clock, and its worker does not say that all tasks are at work by the version
	AtWork   bool     // there is a place for every executor, and all tasks of the version are at work
	Deaths   int      // of what died most often: the worker of a slot, or the processes of a component
	Of       string   // what that is
	LastExit string   // how it ended the last time
	Unopened string   // which component could not be opened, or what it cannot take up, and why; "": none
}

// verdict is what becomes of a version on trial: nothing yet, it stands, or it goes back for a reason.
type verdict struct {
	Stands bool
	Back   string
}

// step is the whole of a trial: what it is after a look at the workers, and what becomes of the version.
func (t trial) step(s sight, now time.Time, patience time.Duration) (trial, verdict) {
	if len(s.Placed) == 0 {
		t.Begun = now // there is nothing that could start
		return t, verdict{}
	}
	t.Waiting = slices.DeleteFunc(slices.Clone(t.Waiting), func(c string) bool { return slices.Contains(s.Started, c) })
	switch {
	case !s.AtWork:
		t.Ready = time.Time{}
	case t.Ready.IsZero() || s.Deaths > t.Deaths:
		t.Ready = now
	}
	t.Deaths = s.Deaths
	switch {
	case s.Stuck == "":
		t.Stuck = time.Time{}
	case t.Stuck.IsZero():
		t.Stuck = now
	}
	if s.Unopened != "" {
		return t, verdict{Back: reason(s.Unopened)}
	}
	if s.Deaths >= mostDeaths {
		return t, verdict{Back: fmt.Sprintf("%s died %d times within %v%s", s.Of, s.Deaths, max(now.Sub(t.Begun), time.Second).Round(time.Second), because(s.LastExit))}
	}
	if s.AtWork && now.Sub(t.Ready) >= settleTime {
		t.Settled = true
	}
	if now.Sub(t.Begun) < patience {
		return t, verdict{}
	}
	for _, c := range t.Waiting {
		if !slices.Contains(s.Placed, c) {
			return t, verdict{Back: fmt.Sprintf("within %v there was no slot for component %s", patience, c)}
		}
	}
	if len(t.Waiting) > 0 {
		return t, verdict{Back: fmt.Sprintf("within %v nothing of %s started%s", patience, strings.Join(t.Waiting, ", "), because(s.LastExit))}
	}
	if len(s.Behind) > 0 {
		return t, verdict{Back: fmt.Sprintf("within %v the worker at %s did not take it over", patience, s.Behind[0])}
	}
	if s.Stuck != "" {
		if stuck := now.Sub(t.Stuck); stuck >= patience/2 {
			return t, verdict{Back: fmt.Sprintf("for %v its tasks could not take up what they knew: %s", stuck.Round(time.Second), reason(s.Stuck))}
		}
		return t, verdict{}
	}
	if s.Idle {
		return t, verdict{} // children may take their time to start, and are killed when it is over
	}
	if s.Unborn && !t.Settled {
		return t, verdict{} // nobody has seen yet what its tasks do with what is in the checkpoints
	}
	return t, verdict{Stands: true}
}

func because(exit string) string {
	if exit == "" {
		return ""
	}
	return ": " + reason(exit)
}

// maxReasonBytes bounds why a version goes back, which everybody reads who asks for the versions of the topology.
const maxReasonBytes = 2 << 10

// reason is a text of a worker or a node in one line, its end whole.
func reason(s string) string { return gist.Of(strings.Join(strings.Fields(s), " "), maxReasonBytes) }
