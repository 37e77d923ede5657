package supervisor

import (
	"fmt"
	"time"
)

// phase is where a slot stands. The names are Storm's (Slot.java).
type phase int

const (
	empty phase = iota
	waitingForBlobs
	waitingForWorker
	running
	kill
	killAndRelaunch
)

var phaseNames = [...]string{
	"EMPTY", "WAITING_FOR_BLOB_LOCALIZATION", "WAITING_FOR_WORKER_START", "RUNNING", "KILL", "KILL_AND_RELAUNCH",
}

func (p phase) String() string { return phaseNames[p] }

// slot is the state of one slot: a value, changed by step alone. Every instance of time in it comes from step's argument.
//
//	            plan               localized           first report
//	EMPTY ─────────────> WAITING_ ───────────> WAITING_ ───────────> RUNNING
//	  ^                  FOR_BLOB_  <──────────FOR_WORKER_               │
//	  │                  LOCALIZATION  exited   START                    │ exited: back to WAITING_FOR_BLOB_LOCALIZATION
//	  │                       ^                    │ start timeout       │ report timeout
//	  │                       │                    v                     v
//	  │                       └──── exited ──── KILL_AND_RELAUNCH <──────┤
//	  └──── exited, nothing to run ──── KILL <── plan names another topology or none
//
// A failure (the blobs, the launch, the worker's death, silence) costs a pause in WAITING_FOR_BLOB_LOCALIZATION: none the
// first time, then doubling up to policy.MaxPause. A worker that ran for policy.Good makes up for all failures before it, one
// that ended in order already after policy.FirstWait.
type slot struct {
	Phase phase
	// Want is the topology the plan gives to this slot, "" for none; Have is the one whose code is held, "" for none.
	Want, Have string
	// Worker is the process, from its launch to its end.
	Worker string
	// Attempt numbers localizations; results of older ones are ignored. Localizing says that one is in progress.
	Attempt    int
	Localizing bool
	// Failures in a row, Restarts since Have was taken up.
	Failures, Restarts int
	// Since is when the worker was launched or adopted.
	Since time.Time
	// Silence is how long Worker may go without a report.
	Silence time.Duration
	// Deadline is when step wants a tick, zero for never.
	Deadline time.Time
}

// policy holds the times a slot goes by.
type policy struct {
	Start     time.Duration // from launch to first report (supervisor.worker.start.timeout.secs)
	FirstWait time.Duration // pause after the second failure in a row
	MaxPause  time.Duration
	Good      time.Duration // how long a worker has to run to make up for failures
}

// pause is how long to wait after the nth failure in a row.
func (p policy) pause(n int) time.Duration {
	if n <= 1 {
		return 0
	}
	d := p.FirstWait
	for ; n > 2 && d < p.MaxPause; n-- {
		d *= 2
	}
	return min(d, p.MaxPause)
}

// What can happen to a slot.
type (
	// planned says what the plan wants here, "" for nothing.
	planned struct{ Topology string }
	// localized ends an attempt to bring the topology's code here. Silence comes with the code.
	localized struct {
		Attempt int
		Silence time.Duration
		Failure string
	}
	// launched ends a launch.
	launched struct {
		Worker  string
		Failure string
	}
	// adopted says at the start that a worker of an earlier supervisor runs here.
	adopted struct {
		Topology, Worker string
		Silence          time.Duration
	}
	// reported is a sign of life.
	reported struct{ Worker string }
	// exited says that the worker and all it started have ended; Clean, that it meant to.
	exited struct {
		Worker string
		How    string
		Clean  bool
	}
	// unkillable says that the worker still runs after all that was tried.
	unkillable struct {
		Worker  string
		Failure string
	}
	// tick says that Deadline has come.
	tick struct{}
)

// What step wants done.
type (
	// localize brings code here and ends in localized.
	localize struct {
		Attempt  int
		Topology string
	}
	// abandon ends the current localization, whose result does not matter any more.
	abandon struct{}
	// release gives the code of a topology up.
	release struct{ Topology string }
	// launch starts a worker and ends in launched.
	launch struct{ Topology string }
	// end kills the worker, which ends in exited or unkillable.
	end struct{ Worker, Why string }
	// complain tells the topology's users and the log.
	complain struct{ Topology, Text string }
)

// step is the whole life of a slot: what it is after an event and what is to be done. It never blocks and has no clock.
func (p policy) step(s slot, event any, now time.Time) (slot, []any) {
	m := machine{slot: s, policy: p, now: now}
	switch e := event.(type) {
	case planned:
		m.planned(e.Topology)
	case localized:
		m.localized(e)
	case launched:
		m.launched(e)
	case adopted:
		m.adopted(e)
	case reported:
		m.reported(e)
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

func (m *machine) planned(topology string) {
	m.Want = topology
	if m.Want == m.Have {
		return // also a worker that is being killed for going silent: it comes back
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
			m.kill("the plan does not have it here any more")
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
	m.Localizing, m.Deadline = true, time.Time{}
	m.do(localize{m.Attempt, m.Have})
}

func (m *machine) localized(e localized) {
	if m.Phase != waitingForBlobs || !m.Localizing || e.Attempt != m.Attempt {
		return
	}
	m.Localizing = false
	if e.Failure != "" {
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
		m.Worker, m.Since, m.Deadline = e.Worker, m.now, m.now.Add(m.Start)
		if m.Want != m.Have {
			m.kill("the plan does not have it here any more")
		}
	}
}

func (m *machine) adopted(e adopted) {
	if m.Phase != empty {
		return
	}
	m.slot = slot{Phase: running, Want: e.Topology, Have: e.Topology, Worker: e.Worker, Since: m.now, Silence: e.Silence}
	m.Deadline = m.now.Add(m.Silence)
}

func (m *machine) reported(e reported) {
	if e.Worker != m.Worker || m.Phase != waitingForWorker && m.Phase != running {
		return
	}
	m.Phase, m.Deadline = running, m.now.Add(m.Silence)
}

func (m *machine) kill(why string) {
	m.Phase, m.Deadline = kill, time.Time{}
	m.do(end{m.Worker, why})
}

func (m *machine) exited(e exited) {
	if e.Worker != m.Worker || m.Worker == "" {
		return
	}
	if m.Want != m.Have || m.Phase == kill {
		m.takeUp()
		return
	}
	good := m.Good
	if e.Clean {
		good = m.FirstWait // as after a change of its executors; only one that ends at once, again and again, is held back
	}
	if m.Phase == running && m.now.Sub(m.Since) >= good {
		m.Failures = 0
	}
	m.Restarts++
	what := fmt.Sprintf("worker %s %s (restart %d)", e.Worker, e.How, m.Restarts)
	if m.Phase == killAndRelaunch || e.Clean {
		what = "" // told when it was killed, or nothing wrong
	}
	m.fail(what)
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
	m.Deadline = time.Time{}
	switch m.Phase {
	case waitingForBlobs:
		m.localize()
	case waitingForWorker:
		m.timeout(fmt.Sprintf("worker %s did not report within %v of its start", m.Worker, m.Start))
	case running:
		m.timeout(fmt.Sprintf("worker %s did not report for %v", m.Worker, m.Silence))
	}
}

func (m *machine) timeout(what string) {
	m.Phase = killAndRelaunch
	m.do(complain{m.Have, what + "; it is killed and started again"})
	m.do(end{m.Worker, what})
}
