package supervisor

import (
	"fmt"
	"time"
)

// How the silence of a worker is counted. The time it may last is cut into parts, and each part counts when it is over and this
// supervisor was there to listen: a part that took much longer than it should is time in which the supervisor itself stood
// still (SIGSTOP, a paused machine, a starved host), and no worker is blamed for that: it has half of its time again at
// least. After suspectAfter of the parts the worker is a suspect: its process is looked at, and its users hear what was found
// and when it will be killed.
const (
	silenceParts = 6
	suspectAfter = 4
	// stallSlack is how late a tick may come at least before it counts as standing still.
	stallSlack = 500 * time.Millisecond
)

// limit is how long the worker may be silent now.
func (m *machine) limit() time.Duration {
	if m.Phase == waitingForWorker {
		return m.Start
	}
	return m.Silence
}

// part is one of silenceParts, rounded up so that all of them make the whole.
func (m *machine) part() time.Duration { return (m.limit() + silenceParts - 1) / silenceParts }

// listen begins to count anew: there was a sign of life.
func (m *machine) listen() {
	m.deaf()
	m.Checked, m.Deadline = m.now, m.now.Add(m.part())
}

// deaf ends counting.
func (m *machine) deaf() {
	m.Quiet, m.Checked, m.Suspected, m.Suspicion, m.Deadline = 0, time.Time{}, false, "", time.Time{}
}

// count adds a part that is over.
func (m *machine) count() {
	part, passed := m.part(), m.now.Sub(m.Checked)
	m.Checked, m.Deadline = m.now, m.now.Add(part)
	if passed > part+max(part/2, stallSlack) {
		m.do(note{fmt.Sprintf("this supervisor stood still for %v, which is not held against worker %s", passed-part, m.Worker)})
		if half := m.limit() / 2; m.Quiet > half {
			m.Quiet, m.Suspected, m.Suspicion = half, false, ""
		}
		return
	}
	m.Quiet += passed
	switch {
	case m.Quiet >= m.limit():
		m.timeout()
	case m.Quiet >= part*suspectAfter && !m.Suspected:
		m.Suspected = true
		m.do(inspect{m.Worker, m.limit()})
	}
}

// inspected tells of the suspicion.
func (m *machine) inspected(e inspected) {
	if e.Worker != m.Worker || !m.Suspected {
		return // it ended or reported meanwhile
	}
	m.Suspicion = fmt.Sprintf("silent for %v: %s", m.Quiet.Round(100*time.Millisecond), e.Found)
	m.do(complain{m.Have, fmt.Sprintf("worker %s is %s; it is killed at %v", m.Worker, m.Suspicion, m.limit())})
}

func (m *machine) timeout() {
	what := fmt.Sprintf("did not report for %v", m.Silence)
	if m.Phase == waitingForWorker {
		what = fmt.Sprintf("did not report within %v of its start", m.Start)
	}
	if m.Suspicion != "" {
		what += " (" + m.Suspicion + ")"
	}
	m.LastExit = "killed: it " + what
	m.do(complain{m.Have, fmt.Sprintf("worker %s %s; it is killed and started again", m.Worker, what)})
	m.kill(what)
	m.Phase = killAndRelaunch
}
