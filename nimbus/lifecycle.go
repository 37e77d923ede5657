package nimbus

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// The life of a topology (Storm's Nimbus.java, TOPO_STATE_TRANSITIONS):
//
//	             ACTIVATE   INACTIVATE  REBALANCE     KILL     delayed event
//	ACTIVE       -          INACTIVE    REBALANCING   KILLED
//	INACTIVE     ACTIVE     -           REBALANCING   KILLED
//	REBALANCING  error      error       error         KILLED   DO_REBALANCE: the status before
//	KILLED       error      error       error         KILLED   REMOVE: gone
//
// A delayed event comes after the wait that was asked for, else after the topology's message timeout. Killing a killed
// topology starts its wait anew. GAIN_LEADERSHIP arms the delayed event again with the full stored wait.

// eventKind names what happens to a topology; the texts stand in Storm's errors.
type eventKind string

const (
	evKill           eventKind = "KILL"
	evActivate       eventKind = "ACTIVATE"
	evDeactivate     eventKind = "INACTIVATE"
	evRebalance      eventKind = "REBALANCE"
	evRemove         eventKind = "REMOVE"
	evDoRebalance    eventKind = "DO_REBALANCE"
	evGainLeadership eventKind = "GAIN_LEADERSHIP"
)

// system tells whether the event comes from Nimbus itself; where it does not fit it is ignored.
func (k eventKind) system() bool { return k == evRemove || k == evDoRebalance || k == evGainLeadership }

// event is something that happens to a topology.
type event struct {
	kind      eventKind
	wait      time.Duration      // of evKill and evRebalance
	rebalance *cluster.Rebalance // of evRebalance
}

// state is the part of a topology's record that the machine works on.
type state struct {
	Status   cluster.Status
	Previous cluster.Status
	Pending  *cluster.Pending
}

// action is what the shell has to do, in order, after an event.
type action struct {
	kind  actionKind
	after time.Duration // of actArm
	event eventKind     // of actArm
}

type actionKind string

const (
	actSave      actionKind = "save"      // store the new state and tell the nodes
	actArm       actionKind = "arm"       // let event happen after a time; replaces what was armed
	actRemove    actionKind = "remove"    // delete the topology
	actRebalance actionKind = "rebalance" // apply what was pending, store the new state, place everything anew
)

// errNoTransition says that an event does not fit a topology's status.
type errNoTransition struct {
	event    eventKind
	status   cluster.Status
	topology string
}

func (e *errNoTransition) Error() string {
	return fmt.Sprintf("No transition for event: %s, status: %s storm-id: %s", e.event, e.status, e.topology)
}

// step computes what an event makes of a topology. ok is false where the event does not fit the status; then nothing
// is to be done.
func step(s state, ev event) (next state, do []action, ok bool) {
	switch s.Status {
	case cluster.Active, cluster.Inactive:
		return stepRunning(s, ev)
	case cluster.Rebalancing:
		switch ev.kind {
		case evKill:
			return killed(ev.wait)
		case evGainLeadership:
			return s, []action{{kind: actArm, after: s.Pending.Wait, event: evDoRebalance}}, true
		case evDoRebalance:
			return state{Status: s.Previous}, []action{{kind: actRebalance}}, true
		}
	case cluster.Killed:
		switch ev.kind {
		case evKill:
			return killed(ev.wait)
		case evGainLeadership:
			return s, []action{{kind: actArm, after: s.Pending.Wait, event: evRemove}}, true
		case evRemove:
			return s, []action{{kind: actRemove}}, true
		}
	}
	return s, nil, false
}

func stepRunning(s state, ev event) (state, []action, bool) {
	switch ev.kind {
	case evKill:
		return killed(ev.wait)
	case evRebalance:
		next := state{Status: cluster.Rebalancing, Previous: s.Status,
			Pending: &cluster.Pending{Wait: ev.wait, Rebalance: ev.rebalance}}
		return next, []action{{kind: actSave}, {kind: actArm, after: ev.wait, event: evDoRebalance}}, true
	case evActivate, evDeactivate:
		want := cluster.Active
		if ev.kind == evDeactivate {
			want = cluster.Inactive
		}
		if s.Status == want {
			return s, nil, true
		}
		return state{Status: want}, []action{{kind: actSave}}, true
	}
	return s, nil, false
}

func killed(wait time.Duration) (state, []action, bool) {
	next := state{Status: cluster.Killed, Pending: &cluster.Pending{Wait: wait}}
	return next, []action{{kind: actSave}, {kind: actArm, after: wait, event: evRemove}}, true
}
