package nimbus

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Bounds of questions about state and of what is said to them.
const (
	maxInquiries = 64 // at the same time
	maxLookWait  = time.Minute
	maxKeyBytes  = 4 << 10
	maxLookRows  = 10_000
	maxLookBytes = 768 << 10 // of JSON, in one answer
)

// inquiry is a question about the state of a component that its tasks have not all answered.
type inquiry struct {
	topology string
	missing  map[int32]schedule.Slot // tasks, and where they are
	rows     []*stormrpc.StateRow
	bytes    int
	given    chan struct{} // closed when nothing is missing, or this master leads no longer
}

// GetState implements stormrpc.Gearstorm. Every task of the component is asked, since only its own code knows which key belongs where; the
// question goes to the nodes with the answers to their held calls and is not stored.
func (n *Nimbus) GetState(ctx context.Context, topology string, q *stormrpc.StateQuery) (*stormrpc.StateAnswer, error) {
	t, err := n.command(ctx, "getState", topology)
	if err != nil {
		return nil, err
	}
	if why := t.refuseLook(q); why != "" {
		return &stormrpc.StateAnswer{Rows: []*stormrpc.StateRow{}, Silent: []int32{}, Error: &why}, nil
	}
	wait := min(time.Duration(max(0, q.WaitMs))*time.Millisecond, maxLookWait)
	id, l, silent, err := n.ask(t, q, wait)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-l.given:
	case <-timer.C:
	case <-ctx.Done():
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.inquiries[id] != l {
		return nil, notLeading("another nimbus leads by now")
	}
	delete(n.inquiries, id)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	for task := range l.missing {
		silent = append(silent, task)
	}
	slices.Sort(silent)
	slices.SortStableFunc(l.rows, func(a, b *stormrpc.StateRow) int { return cmp.Compare(a.Task, b.Task) })
	return &stormrpc.StateAnswer{Rows: l.rows, Silent: silent}, nil
}

// refuseLook says why a question cannot be asked, "" if it can.
func (t *topology) refuseLook(q *stormrpc.StateQuery) string {
	switch {
	case q == nil:
		return "the query is missing"
	case len(q.GetKey()) > maxKeyBytes:
		return fmt.Sprintf("a key of %d bytes, allowed are %d", len(q.GetKey()), maxKeyBytes)
	case len(q.GetState()) > maxNameBytes:
		return fmt.Sprintf("the name of a state has %d bytes at most", maxNameBytes)
	case strings.HasPrefix(q.Component, "__") || !t.has(q.Component):
		return fmt.Sprintf("topology %s has no component %q: it has %s", t.Name, shortened(q.Component), strings.Join(t.userComponents(), ", "))
	}
	return ""
}

// userComponents are the components of the user's, in order of their names.
func (t *topology) userComponents() []string {
	var names []string
	for _, r := range t.Numbering {
		if !strings.HasPrefix(r.Component, "__") {
			names = append(names, r.Component)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ask puts a question to all nodes with tasks of the component. Silent are the tasks that run nowhere.
func (n *Nimbus) ask(t *topology, q *stormrpc.StateQuery, wait time.Duration) (id int64, l *inquiry, silent []int32, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.leads {
		return 0, nil, nil, notLeading("another nimbus leads by now")
	}
	if len(n.inquiries) >= maxInquiries {
		return 0, nil, nil, fmt.Errorf("%d questions about state are open already", maxInquiries)
	}
	for id = n.cfg.Now().UnixNano(); n.inquiries[id] != nil; id++ {
	}
	l = &inquiry{topology: t.ID, missing: map[int32]schedule.Slot{}, rows: []*stormrpc.StateRow{}, given: make(chan struct{})}
	placed := t.tasksAt(q.Component)
	for task, component := range t.component {
		if slot, ok := placed[task]; ok {
			l.missing[task] = slot
		} else if component == q.Component {
			silent = append(silent, task)
		}
	}
	sent := *q
	sent.WaitMs = int32(wait / time.Millisecond * 3 / 4) // so that what is there by then is heard in time
	asked := map[string]bool{}
	for _, slot := range l.missing {
		if nd := n.nodes[slot.Node]; nd != nil && !asked[slot.Node] {
			asked[slot.Node] = true
			nd.questions = append(nd.questions[max(0, len(nd.questions)-maxInquiries+1):], &stormrpc.StateQuestion{ID: id, TopologyID: t.ID, Query: &sent})
			nd.wakeLocked()
		}
	}
	n.inquiries[id] = l
	if len(l.missing) == 0 {
		close(l.given)
	}
	return id, l, silent, nil
}

// tasksAt says where the tasks of a component are placed.
func (t *topology) tasksAt(component string) map[int32]schedule.Slot {
	at := map[int32]schedule.Slot{}
	for _, p := range t.assignment.Executors {
		for task := p.First; task <= p.Last; task++ {
			if t.component[task] == component {
				at[task] = slotOf(p)
			}
		}
	}
	return at
}

func slotOf(p cluster.Placement) schedule.Slot { return schedule.Slot{Node: p.Node, Port: p.Port} }

// ReplyState implements stormrpc.Gearstorm: a supervisor passes on what a worker says. Only tasks that are placed there are heard.
func (n *Nimbus) ReplyState(ctx context.Context, r *stormrpc.StateReply) error {
	if err := n.lead(); err != nil {
		return err
	}
	if err := n.may(ctx, "replyState", "", nil); err != nil {
		return err
	}
	if r == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.inquiries[r.ID]; l != nil && l.topology == r.TopologyID && len(l.missing) > 0 {
		l.hear(schedule.Slot{Node: r.GetNodeID(), Port: r.Port}, r.Rows)
	}
	return nil
}

// hear takes rows of the worker in a slot.
func (l *inquiry) hear(slot schedule.Slot, rows []*stormrpc.StateRow) {
	heard := map[int32]bool{}
	for _, r := range rows {
		if r == nil || l.missing[r.Task] != slot || len(l.rows) == maxLookRows {
			continue
		}
		heard[r.Task] = true
		l.bytes += len(r.GetJSON()) + len(r.GetState()) + len(r.GetError())
		if l.bytes > maxLookBytes {
			r = &stormrpc.StateRow{Task: r.Task, Error: ref("too much at a time: ask for one state by its name")}
		}
		l.rows = append(l.rows, r)
	}
	for task := range heard {
		delete(l.missing, task)
	}
	if len(l.missing) == 0 {
		close(l.given)
	}
}
