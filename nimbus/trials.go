package nimbus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const patienceKey = "gearstorm.change.patience.secs"

const usualPatience = 30 * time.Second

// trialOf is the trial of a proposal that is applied: of the components that it touches, of all where the configuration or
// the files that go along are others. It goes back to the version before, or where that has never run, to what that would go back to: then
// what that has brought is on trial still.
func (n *Nimbus) trialOf(p *proposal) *cluster.Trial {
	t := &cluster.Trial{Back: p.base.GraphVersion, Components: p.renewed}
	if was := p.base.Trial; n.neverRan(p.base) {
		t.Back, t.Before = was.Back, was.Before
		t.Components = slices.DeleteFunc(slices.Concat(was.Components, p.renewed), func(c string) bool { return !p.next.has(c) })
		slices.Sort(t.Components)
		t.Components = slices.Compact(t.Components)
	} else if was != nil {
		t.Before = &cluster.Trial{Back: was.Back, Components: was.Components}
	}
	if slices.ContainsFunc(p.rows, func(r *stormrpc.ChangeRow) bool { return r.Component == "" }) {
		t.Components = componentIDs(p.next.code)
	}
	return t
}

// trialOfReturn is the trial of a proposal that is as an earlier version, with its code: that of any change where somebody asked for it, and else
// the one that the version was not through with. There is none where it would go back to just that code.
func (n *Nimbus) trialOfReturn(p *proposal, code string, asked bool) *cluster.Trial {
	var t *cluster.Trial
	if asked {
		t = n.trialOf(p)
	} else if p.base.Trial != nil {
		t = p.base.Trial.Before
	}
	if t == nil {
		return nil
	}
	if back, ok := p.base.version(t.Back); !ok || !back.Kept || back.Code == code {
		return nil
	}
	return t
}

// deaths are how often the worker of a slot has died since a version was applied.
type deaths struct {
	version  int64
	first    int32 // restarts that the supervisor had counted before
	count    int32
	lastExit string
	lost     map[string]lostProcess // by component, of children of the slot's workers
	unopened string                 // what became of a task that could not be opened, or can never take up its state
}

// lostProcess is how the processes of a component ended, each end once and at most mostDeaths: a report that got no answer is sent again.
type lostProcess struct {
	ends []processEnd
	last string
}

// processEnd is when a process ended, and of which task it was.
type processEnd struct {
	timeMs int64
	task   int32
}

func (l lostProcess) with(e *stormrpc.WorkerError) lostProcess {
	end := processEnd{e.TimeMs, e.GetTask()}
	if len(l.ends) < mostDeaths && !slices.Contains(l.ends, end) {
		l.ends = append(l.ends, end)
	}
	l.last = reason(e.Message)
	return l
}

// noteDeathsLocked takes what a report says of restarts and of children that died, for a version on trial. The first report of a
// worker that runs the version, or of a slot without a worker, tells how many restarts there were before.
func (n *Nimbus) noteDeathsLocked(t *topology, slot schedule.Slot, r *stormrpc.WorkerReport) {
	behind := r.WorkerID != "" && r.AssignmentID != t.assignment.ID // it may have made tasks of the version all the same
	if r.WorkerID == "" && r.Restarts == nil || behind && t.InPlaceFrom == 0 {
		return
	}
	key := workerKey{t.ID, slot}
	d := n.deaths[key]
	if d == nil || d.version != t.GraphVersion {
		d = &deaths{version: t.GraphVersion, first: r.GetRestarts(), lost: make(map[string]lostProcess)}
		n.deaths[key] = d
	}
	d.first = min(d.first, r.GetRestarts()) // less: a supervisor that started anew counts from 0
	if d.count = r.GetRestarts() - d.first; d.count > 0 {
		d.lastExit = reason(r.GetLastExit())
	}
	for _, e := range r.Errors[:min(len(r.Errors), maxErrorsPerReport)] {
		if e == nil || !slices.Contains(t.Trial.Components, e.Component) || !t.mayBeTask(e, behind) {
			continue
		}
		if e.GetLost() {
			d.lost[e.Component] = d.lost[e.Component].with(e)
		}
		if e.GetUnopened() {
			d.unopened = reason(e.Message)
		}
	}
}

// mayBeTask says whether an error can be of a task of the version that runs. Where a worker may have tasks of an earlier one it
// has to say which task it was.
func (t *topology) mayBeTask(e *stormrpc.WorkerError, behind bool) bool {
	if e.Task == nil {
		return !behind
	}
	return t.component[e.GetTask()] == e.Component
}

// worst adds to a sight what died of the worker of a slot, and of its children, and what could not be opened there.
func (d *deaths) worst(s *sight) {
	if d.unopened != "" {
		s.Unopened = d.unopened
	}
	if int(d.count) > s.Deaths {
		s.Deaths, s.Of, s.LastExit = int(d.count), "a worker", d.lastExit
	}
	for _, c := range slices.Sorted(maps.Keys(d.lost)) {
		if l := d.lost[c]; len(l.ends) > s.Deaths {
			s.Deaths, s.Of, s.LastExit = len(l.ends), "component "+c, l.last
		}
	}
}

// sightLocked is what is known of the workers of t.
func (n *Nimbus) sightLocked(t *topology) (s sight) {
	placed, now := len(t.assignment.Executors) == len(t.executors), n.cfg.Now()
	s.AtWork = placed
	for slot, held := range t.slots() {
		if nd := n.nodes[slot.Node]; nd == nil {
			s.Unheard = true
		} else if now.Sub(nd.seen) > n.set.taskTimeout/2 {
			s.Silent = true
		}
		w := n.workers[workerKey{t.ID, slot}]
		ready := w != nil && w.ready && w.assignment == t.assignment.ID && (w.graph == 0 || w.graph == t.GraphVersion)
		if w != nil && w.ready && w.graph != 0 && w.graph != t.GraphVersion {
			s.Behind = append(s.Behind, fmt.Sprintf("%s:%d", t.assignment.Hosts[slot.Node], slot.Port))
		}
		s.AtWork = s.AtWork && ready && w.atWork
		for _, p := range held {
			component := t.component[p.First]
			s.Placed = append(s.Placed, component)
			if ready {
				s.Started = append(s.Started, component)
				s.Idle = s.Idle || !w.atWork && t.Trial != nil && slices.Contains(t.Trial.Components, component)
			}
		}
		if d := n.deaths[workerKey{t.ID, slot}]; d != nil && d.version == t.GraphVersion {
			d.worst(&s)
		}
	}
	slices.Sort(s.Behind)
	timing, timed := n.timingOfLocked(t)
	s.Unborn = timed && (timing == nil || timing.GetDagVersion() != t.GraphVersion)
	s.AtWork = s.AtWork && !s.Unborn
	if timing != nil && timing.GetGoingBack() {
		s.AtWork = false
		if placed { // else it waits for a slot
			s.Stuck = timing.State
		}
	}
	return s
}

// takenWithin is how long a change waits for workers that have not heard of the version before.
const takenWithin = 10 * time.Second

// awaitTaken waits until all workers of t have its version, if they can be expected to. A worker that went to the next version from the
// one before would wait for tasks that the others, which go by way of t, do not make yet, and they for its.
func (n *Nimbus) awaitTaken(ctx context.Context, t *topology) error {
	for end := n.cfg.Now().Add(takenWithin); n.cfg.Now().Before(end); {
		n.mu.Lock()
		behind := n.sightLocked(t).Behind
		n.mu.Unlock()
		if len(behind) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// starting says whether the version of t that runs has tasks that are not at work, or something of it died and it has not shown since then
// that it stays.
func (n *Nimbus) starting(t *topology) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sightLocked(t)
	if t.Trial == nil || s.Deaths == 0 {
		return !s.AtWork || s.Unopened != ""
	}
	tr := n.trials[t.ID]
	return tr == nil || tr.Version != t.GraphVersion || !tr.Settled
}

// neverRan says whether the version of t that runs is on trial, has not been at work so far, and none with its code was before. A master that has
// not heard of all nodes yet does not know that.
func (n *Nimbus) neverRan(t *topology) bool {
	if t.Trial == nil || !n.starting(t) {
		return false
	}
	n.mu.Lock()
	tr := n.trials[t.ID]
	ran := tr != nil && tr.Version == t.GraphVersion && tr.Settled || n.sightLocked(t).Unheard
	n.mu.Unlock()
	return !ran && !t.ranBefore()
}

// watchTrials looks at all versions on trial. It belongs to the loop.
func (n *Nimbus) watchTrials(ctx context.Context) error {
	var errs []error
	for _, t := range n.all() {
		if t.Trial == nil || t.broken != nil || t.Status == cluster.Killed {
			continue
		}
		switch v := n.tryOn(t); {
		case v.Stands:
			errs = append(errs, n.endTrial(ctx, t))
		case v.Back != "" && t.Status != cluster.Rebalancing:
			errs = append(errs, n.giveUp(ctx, t, v.Back))
		}
	}
	return errors.Join(errs...)
}

// tryOn steps the trial of a topology.
func (n *Nimbus) tryOn(t *topology) (v verdict) {
	patience, err := t.conf.SecsOr(patienceKey, usualPatience)
	if err != nil {
		patience = usualPatience
	}
	now := n.cfg.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	tr := n.trials[t.ID]
	if tr == nil || tr.Version != t.GraphVersion {
		tr = &trial{Version: t.GraphVersion, Begun: now, Waiting: t.Trial.Components}
	}
	s := n.sightLocked(t)
	if n.deafLocked(now) || s.Unheard && now.Sub(n.hearing) <= n.set.supervisorTimeout || s.Silent {
		s.Placed = nil // who knows how they do has not told this master
	}
	next, v := tr.step(s, now, patience)
	n.trials[t.ID] = &next
	return v
}

// endTrial has the version that runs stand.
func (n *Nimbus) endTrial(ctx context.Context, t *topology) error {
	n.change.Lock()
	defer n.change.Unlock()
	now, ok := n.byID(t.ID)
	if !ok || now.GraphVersion != t.GraphVersion || now.Trial == nil {
		return nil
	}
	if err := n.save(ctx, now.with(func(t *topology) { t.Trial = nil })); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forgetTrialLocked(t.ID)
	return nil
}

func (n *Nimbus) forgetTrialLocked(id string) {
	delete(n.trials, id)
	maps.DeleteFunc(n.deaths, func(k workerKey, _ *deaths) bool { return k.topology == id })
}

// giveUp goes back to the version before. If that cannot be done the version stands as it is.
func (n *Nimbus) giveUp(ctx context.Context, seen *topology, why string) error {
	t, done, err := n.begin(seen.ID)
	if err != nil {
		return nil // somebody is changing it just now, or it is gone
	}
	defer done()
	if t.Trial == nil || t.GraphVersion != seen.GraphVersion || t.Status == cluster.Rebalancing {
		return nil // somebody has changed it meanwhile
	}
	note := fmt.Sprintf("version %d went back by itself: %s", t.GraphVersion, why)
	n.cfg.Log.Warn("new version of a topology does not run, going back", "topology", t.ID, "version", t.GraphVersion, "to", t.Trial.Back, "why", why)
	p, err := n.goBack(ctx, t, t.Trial.Back, "", note, &stormrpc.ChangeOptions{DropState: ref(true)})
	switch {
	case errors.Is(err, errMeanwhile):
		return nil // tried again at the next look
	case err == nil && len(p.refused) > 0:
		err = errors.New(strings.Join(p.refused, "; "))
	case err == nil && len(p.rows) == 0:
		err = fmt.Errorf("version %d is the same", t.Trial.Back)
	case err == nil || n.lead() != nil:
		return err
	}
	n.cfg.Log.Error("new version of a topology cannot go back", "topology", t.ID, "to", t.Trial.Back, "err", err)
	return errors.Join(err, n.endTrial(ctx, t))
}
