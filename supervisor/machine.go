package supervisor

import (
	"fmt"
	"strings"
	"time"
)

const unplanned = "the plan does not have it here any more"

// step is the whole life of a slot: what it is after an event and what is to be done. It never blocks and has no clock.
func (p policy) step(s slot, event any, now time.Time) (slot, []any) {
	m := machine{slot: s, policy: p, now: now}
	switch e := event.(type) {
	case planned:
		m.planned(e)
	case localized:
		m.localized(e)
	case reachable:
		m.reachable()
	case launched:
		m.launched(e)
	case adopted:
		m.adopted(e)
	case reported:
		m.reported(e)
	case inspected:
		m.inspected(e)
	case renew:
		m.renew(e)
	case exited:
		m.exited(e)
	case unkillable:
		m.unkillable(e)
	case tick:
		m.tick()
	}
	return m.slot, m.out
}

// machine is one step in progress.
type machine struct {
	slot
	policy
	now time.Time
	out []any
}

func (m *machine) do(action any) { m.out = append(m.out, action) }

func (m *machine) planned(e planned) {
	m.Want = e.Topology
	if m.Want == m.Have {
		return // also a worker that is being killed for going silent: it comes back
	}
	if e.Why == "" {
		e.Why = unplanned
	} else if m.Have != "" {
		m.do(complain{m.Have, e.Why})
	}
	switch m.Phase {
	case empty:
		m.takeUp()
	case waitingForBlobs:
		if m.Localizing {
			m.do(abandon{})
		}
		m.takeUp()
	case waitingForWorker, running:
		if m.Worker != "" { // else launched decides
			m.kill(e.Why)
		}
	case killAndRelaunch:
		m.Phase = kill
	}
}

// takeUp lets go of the code held and begins with what is wanted.
func (m *machine) takeUp() {
	if m.Have != "" && m.Have != m.Want {
		m.do(release{m.Have})
	}
	m.slot = slot{Phase: empty, Want: m.Want, Have: m.Want, Attempt: m.Attempt}
	if m.Have != "" {
		m.Phase = waitingForBlobs
		m.localize()
	}
}

func (m *machine) localize() {
	m.Attempt++
	m.Localizing, m.CodeMissing, m.Deadline = true, false, time.Time{}
	m.do(localize{m.Attempt, m.Have})
}

func (m *machine) localized(e localized) {
	if m.Phase != waitingForBlobs || !m.Localizing || e.Attempt != m.Attempt {
		return
	}
	m.Localizing = false
	if e.Failure != "" {
		m.CodeMissing = true
		m.fail(e.Failure)
		return
	}
	m.Phase, m.Silence = waitingForWorker, e.Silence
	m.do(launch{m.Have})
}

// fail counts a failure, tells of it and has the slot begin again after the pause.
func (m *machine) fail(what string) {
	m.Failures++
	pause := m.pause(m.Failures)
	switch {
	case what == "":
	case pause == 0:
		m.do(complain{m.Have, what + "; trying again"})
	default:
		m.do(complain{m.Have, fmt.Sprintf("%s; trying again in %v, failure %d in a row", what, pause, m.Failures)})
	}
	m.Phase, m.Worker = waitingForBlobs, ""
	if pause == 0 {
		m.localize()
		return
	}
	m.Deadline = m.now.Add(pause)
}

// reachable ends the pause after a download that failed: what it failed for may be over.
func (m *machine) reachable() {
	if m.Phase == waitingForBlobs && m.CodeMissing {
		m.localize()
	}
}

func (m *machine) launched(e launched) {
	if m.Phase != waitingForWorker || m.Worker != "" {
		return
	}
	switch {
	case e.Failure != "" && m.Want != m.Have:
		m.takeUp()
	case e.Failure != "":
		m.fail(e.Failure)
	default:
		m.Worker, m.Since = e.Worker, m.now
		m.listen()
		if m.Want != m.Have {
			m.kill(unplanned)
		}
	}
}

func (m *machine) adopted(e adopted) {
	if m.Phase != empty {
		return
	}
	m.slot = slot{Phase: running, Want: e.Topology, Have: e.Topology, Worker: e.Worker, Since: m.now, Silence: e.Silence,
		Restarts: e.Restarts, LastExit: e.LastExit}
	m.listen()
}

func (m *machine) reported(e reported) {
	if e.Worker != m.Worker || m.Phase != waitingForWorker && m.Phase != running {
		return
	}
	if m.Suspected {
		m.do(note{fmt.Sprintf("worker %s reports again after more than %v", m.Worker, m.Quiet)})
	}
	m.Phase = running
	m.listen()
}

// renew ends the worker so that it starts again with the code there is now.
func (m *machine) renew(e renew) {
	if m.Worker == "" || e.Worker != m.Worker || m.Phase != waitingForWorker && m.Phase != running {
		return
	}
	m.kill("there is newer code")
	m.Phase, m.Renewing = killAndRelaunch, true
}

func (m *machine) kill(why string) {
	m.deaf()
	m.Phase = kill
	m.do(end{m.Worker, why})
}

func (m *machine) exited(e exited) {
	if e.Worker != m.Worker || m.Worker == "" {
		return
	}
	m.deaf()
	if m.Want != m.Have || m.Phase == kill {
		m.takeUp()
		return
	}
	if m.Renewing {
		m.Renewing, m.Phase, m.Worker = false, waitingForBlobs, ""
		m.localize()
		return
	}
	good := m.good(m.Failures + 1)
	if e.Clean {
		good = m.FirstWait // as after a change of its executors; only one that ends at once, again and again, is held back
	}
	if m.Phase == running && m.now.Sub(m.Since) >= good {
		m.Failures = 0
	}
	m.Restarts++
	what := fmt.Sprintf("worker %s %s (restart %d)", e.Worker, e.How, m.Restarts)
	switch {
	case m.Phase == killAndRelaunch:
		what = "" // told when it was killed, and LastExit with it
	case e.Clean:
		what = ""
	default:
		m.LastExit = firstLine(e.How)
	}
	m.fail(what)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (m *machine) unkillable(e unkillable) {
	if e.Worker != m.Worker || m.Phase != kill && m.Phase != killAndRelaunch {
		return
	}
	m.do(complain{m.Have, e.Failure})
	m.do(end{m.Worker, "it did not end"})
}

func (m *machine) tick() {
	if m.Deadline.IsZero() || m.now.Before(m.Deadline) {
		return
	}
	switch m.Phase {
	case waitingForBlobs:
		m.localize()
	case waitingForWorker, running:
		m.count()
	}
}
