package nimbus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// A new version of a topology is stored as a submission is: blobs first, under a code id of their own, then one step that makes
// it the version that runs. The step writes the topology's record with the new numbering, the list of versions, the records of
// the blobs and where the executors are to be, so what a crash leaves is the old version or the new one, whole.

// errMeanwhile says that a topology was changed while its next version was worked out.
var errMeanwhile = errors.New("the topology changed meanwhile")

// begin keeps others from changing a topology until done is called, and returns it as it is then.
func (n *Nimbus) begin(id string) (t *topology, done func(), err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t, ok := n.topologies[id]
	if !ok {
		return nil, nil, notAliveID(id)
	}
	if n.changing[id] {
		return nil, nil, invalid("another change of topology %s is being made, try again when it is done", t.Name)
	}
	n.changing[id] = true
	return t, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.changing, id)
	}, nil
}

// refusable ends a change: one that was overtaken is refused, not failed.
func (p *proposal) refusable(err error) (*stormrpc.TopologyChange, error) {
	if errors.Is(err, errMeanwhile) {
		p.refused = append(p.refused, fmt.Sprintf("topology %s was killed, rebalanced or changed while this change was prepared: plan again", p.base.Name))
		return p.answer(), nil
	}
	if err != nil {
		return nil, err
	}
	return p.answer(), nil
}

// apply stores a proposal with its upload and has it run. It goes back by itself if its workers do not start.
func (n *Nimbus) apply(ctx context.Context, p *proposal, location, user string) error {
	p.next.Code = n.newCode(p.base)
	p.next.Trial = n.trialOf(p)
	keys := blobKeys(p.next.Code)
	v := cluster.Version{Version: p.next.GraphVersion, Time: n.cfg.Now().UTC(), Base: p.base.GraphVersion, Code: p.next.Code, Kept: true,
		InPlace: p.inPlace, Jars: p.next.code.DependencyJars, Rows: storedRows(p.rows), User: user}
	err := n.storeBlobs(ctx, submission{location: location, conf: p.own}, p.next, keys)
	if err == nil {
		err = n.switchOver(ctx, p, v, keys)
	}
	if err != nil && client.KindOf(err) != client.InDoubt {
		n.strike(keys)
		n.deleteBlobs(p.base.ID, keys)
	}
	return err
}

// switchOver makes a proposal whose blobs are stored the version that runs. keys are those of them that have no record yet.
func (n *Nimbus) switchOver(ctx context.Context, p *proposal, v cluster.Version, keys []string) error {
	n.change.Lock()
	defer n.change.Unlock()
	return n.switchOverLocked(ctx, p, v, keys)
}

// switchOverLocked is switchOver for a caller that holds change.
func (n *Nimbus) switchOverLocked(ctx context.Context, p *proposal, v cluster.Version, keys []string) error {
	now, ok := n.byID(p.base.ID)
	if !ok || !sameVersion(now, p.base) {
		return errMeanwhile
	}
	past := slices.Clone(now.history())
	past[len(past)-1].NeverRan = v.Note == "" && n.neverRan(now)
	versions, gone := succeeded(past, v, p.next.versionsKept(), p.back())
	next := p.next.with(func(t *topology) {
		t.Status, t.Previous, t.Pending, t.Topology.Debug = now.Status, now.Previous, now.Pending, now.Topology.Debug
		t.orders, t.assignment, t.versions = now.orders, now.assignment, versions
	})
	how := placing{next: next}
	if next.Workers != now.Workers {
		how.rebalance = next.ID
	}
	n.reached("copies made")
	r := n.workOutLocked(how)
	ops := slices.Concat([]cluster.Op{cluster.PutTopology(next.Topology, cluster.AnyVersion), cluster.PutVersions(next.ID, versions)}, r.ops())
	var dropped []string
	for _, code := range gone {
		dropped = append(dropped, blobKeys(code)...)
	}
	for _, key := range dropped {
		ops = append(ops, cluster.DeleteBlob(key))
	}
	err := n.recordBlobs(ctx, keys, ops...)
	n.reached("committed")
	if err != nil {
		return fmt.Errorf("store version %d of topology %s: %w", next.GraphVersion, next.ID, err)
	}
	n.carryOut(r)
	n.strike(dropped)
	n.deleteBlobs(next.ID, dropped)
	n.cfg.Log.Info("topology has a new version", "topology", next.ID, "version", next.GraphVersion, "base", v.Base, "note", v.Note)
	n.wake()
	return nil
}

// back is the version that is not given up whatever is kept.
func (p *proposal) back() int64 {
	if p.next.Trial != nil {
		return p.next.Trial.Back
	}
	return p.next.GraphVersion
}

// sameVersion says whether what a proposal was worked out from still holds.
func sameVersion(now, base *topology) bool {
	return now.GraphVersion == base.GraphVersion && now.CodeVersion == base.CodeVersion && now.Workers == base.Workers &&
		maps.Equal(now.Executors, base.Executors) && (now.Status == cluster.Active || now.Status == cluster.Inactive)
}

// goBack has a topology run as an earlier version of it: a new version with the blobs of that one. note says why, where nobody asked for
// it: then the one that runs is on trial.
func (n *Nimbus) goBack(ctx context.Context, base *topology, to int64, user, note string, o *stormrpc.ChangeOptions) (*proposal, error) {
	if base.broken != nil {
		return nil, base.brokenError()
	}
	old, ok := base.version(to)
	switch {
	case !ok:
		return nil, invalid("topology %s has no version %d; `gearstorm history %s` shows those it has", base.Name, to, base.Name)
	case to == base.GraphVersion:
		return nil, invalid("version %d of topology %s is the one that runs", to, base.Name)
	case !old.Kept:
		return nil, invalid("version %d of topology %s is not kept any more: %d with files of their own are (%s)", to, base.Name, base.versionsKept(), versionsKeptKey)
	}
	c, code, err := n.readStored(old.Code)
	if err != nil {
		return nil, fmt.Errorf("read version %d of topology %s: %w", to, base.ID, err)
	}
	if err := n.stillThere(old.Code, code.DependencyJars, code.DependencyArtifacts, blobMap(c)); err != nil {
		return nil, err
	}
	if _, err := n.blobInfo(client.JarKey(old.Code)); err != nil {
		return nil, fmt.Errorf("read version %d of topology %s: %w", to, base.ID, err)
	}
	p, err := n.succeed(base, c, code, n.shipped(old.Code), o)
	if err != nil || len(p.refused) > 0 || len(p.rows) == 0 {
		return p, err
	}
	if p.next.Code = old.Code; old.Code == base.ID {
		p.next.Code = ""
	}
	p.next.Trial = n.trialOfReturn(p, old.Code, note == "")
	v := cluster.Version{Version: p.next.GraphVersion, Time: n.cfg.Now().UTC(), Base: to, Code: old.Code, Kept: true, InPlace: p.inPlace, Jars: code.DependencyJars,
		Rows: storedRows(p.rows), User: user, Note: note}
	return p, n.switchOver(ctx, p, v, nil)
}

// stillThere says whether the blobs that an earlier version names have not been deleted since.
func (n *Nimbus) stillThere(code string, lists ...[]string) error {
	for _, key := range slices.Concat(lists...) {
		if _, err := n.blobInfo(key); err != nil {
			return invalid("blob %s, which version %s needs, is there no more", key, code)
		}
	}
	return nil
}
