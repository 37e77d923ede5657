package nimbus

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// historyKept bounds the topologies that are remembered after they were killed.
const historyKept = 1000

// remember adds a topology to the history.
func (n *Nimbus) remember(ctx context.Context, t *topology) error {
	users, _ := t.conf.StringList("logs.users")
	own, _ := t.conf.StringList("topology.users")
	groups, _ := t.conf.StringList("logs.groups")
	now := n.cfg.Now().UTC()
	n.change.Lock()
	defer n.change.Unlock()
	h, err := cluster.ReadHistory(ctx, n.cfg.Store)
	if err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	h.Entries = slices.DeleteFunc(h.Entries, func(e cluster.HistoryEntry) bool {
		return e.Topology == t.ID || now.Sub(e.Time) > n.set.historyAge
	})
	h.Entries = append(h.Entries, cluster.HistoryEntry{Topology: t.ID, Time: now, Users: append(users, own...), Groups: groups})
	h.Entries = h.Entries[max(0, len(h.Entries)-historyKept):]
	return n.txn(ctx, cluster.PutHistory(h))
}

// history returns the ids of topologies, live and killed, whose logs user may read. Nobody in particular may read all
// when nothing is authorized here.
func (n *Nimbus) history(ctx context.Context, user string) ([]string, error) {
	h, err := cluster.ReadHistory(ctx, n.cfg.Store)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	admins, _ := n.cfg.Conf.StringList("nimbus.admins")
	all := user == "" || slices.Contains(admins, user)
	ids := make(map[string]bool)
	for _, e := range h.Entries {
		if n.cfg.Now().Sub(e.Time) <= n.set.historyAge && (all || slices.Contains(e.Users, user)) {
			ids[e.Topology] = true
		}
	}
	for _, t := range n.all() {
		logs, _ := t.conf.StringList("logs.users")
		own, _ := t.conf.StringList("topology.users")
		if all || slices.Contains(logs, user) || slices.Contains(own, user) {
			ids[t.ID] = true
		}
	}
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(ids)))), nil
}
