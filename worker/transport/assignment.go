package transport

import "github.com/gearstorm/gearstorm/gearcore"

// Assignment is what a worker and its peers run by. Plan orders assignments and everything else that changes in a plan.
type Assignment struct {
	ID    string
	Epoch int64  // of the leader that made it
	Plan  uint64 // version of the plan, which grows with each one
	// Slots are the slots that have a part in it, and the addresses (host:port) of their workers. nil: not known, then
	// peers of an older Epoch are refused.
	Slots map[string]string
	// Tasks is where tasks elsewhere are, for what is sent to one that SetPeers does not name: an executor that leaves still
	// emits, and what comes for a task that was here is sent on. nil: not known.
	Tasks map[gearcore.TaskID]string
}

// admits reports whether a peer may be spoken with: it knows this assignment, this plan or a newer one, or its slot has a part
// in this one, so that it is about to hear of it. (The last plan that a worker without a part hears of need not be the newest
// one with its assignment.) Another is left over from an assignment that gave its tasks to others: what it emits must
// not get into the graph as it is now.
func (a *Assignment) admits(peer *identity) bool {
	if a.Slots == nil {
		return peer.epoch >= a.Epoch
	}
	_, member := a.Slots[peer.slot]
	return member || peer.plan >= a.Plan || peer.assignment == a.ID
}

// SetAssignment tells of a newer assignment, or a newer plan with the same one, that this worker goes on in. Connections from
// peers that have no part in it are cut, and they are refused, until they know of it too; all others go on. It is called
// before SetPeers says where tasks have gone by it, so that what is sent there is known to be sent by the new plan.
func (t *Transport) SetAssignment(a Assignment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.Slots == nil && a.Epoch < t.assignment.Epoch {
		a.Epoch = t.assignment.Epoch
	}
	t.assignment = a
	t.plan.Store(a.Plan)
	for _, l := range t.links {
		if a.Slots == nil { // else SetPeers knows which links go on, and which have something to be settled yet
			l.mu.Lock()
			if l.conn != nil && !a.admits(&l.peer) {
				l.conn.Close()
			}
			l.mu.Unlock()
		}
		l.hasten()
	}
	for _, s := range t.sessions {
		s.cut(func(peer *identity) bool { return !a.admits(peer) })
	}
}

func (t *Transport) admits(peer *identity) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.assignment.admits(peer)
}

// heard follows the hello of a peer: it is there, so links to it need not wait for their next attempt.
func (t *Transport) heard(peer *identity) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.links[t.assignment.Slots[peer.slot]]; l != nil && l.addr != "" {
		l.hasten()
	}
}

// hasten ends the pause before the next attempt to connect.
func (l *link) hasten() {
	select {
	case l.now <- struct{}{}:
	default:
	}
}

// newHome returns the link of outlets whose task has come to this worker: what is pushed goes to Config.TakeBack.
func newHome(t *Transport) *link {
	l := newLink(t, "")
	l.home = true
	return l
}

// leaveHome leads o, whose task has left this worker, to nowhere until SetPeers says where it is.
func (t *Transport) leaveHome(o *Outlet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o.link.Load() == t.home {
		move(o, t.linkLocked(""), nil, nil)
	}
}

// findWay leads o, which has no address, to where its task is if that is known.
func (t *Transport) findWay(o *Outlet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := o.link.Load(); l.addr != "" || l == t.home {
		return
	}
	if to := t.wayLocked(o.task, true); to != t.home && to.addr != "" {
		move(o, to, nil, nil)
	}
}

// comeHome hands over what the outlets held that have come home.
func (t *Transport) comeHome(back []*gearcore.Batch, wake []func()) {
	for _, b := range back {
		if !t.cfg.TakeBack(b, true) {
			t.Outlet(b.Target).Push(b)
		}
	}
	for _, f := range wake {
		f()
	}
}
