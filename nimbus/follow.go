package nimbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// A follower finds the leader in the store, where the newest one has written its address, and attends to it: one long poll
// tells which blobs to hold, short calls say what is held. The leader counts as known while its answers come; then calls are
// relayed to it.

const (
	// lookEvery is how often the leader's record is read without a hint that it changed.
	lookEvery = 2 * time.Second
	// namesakeLooks is how often the record may have this master's own address before that is told.
	namesakeLooks = 5
	// answerPatience is how long beyond its wait a call to the leader may take.
	answerPatience = 5 * time.Second
	// resyncEvery is how often a report is made without a reason. It also keeps its connection from being closed as idle.
	resyncEvery = time.Minute
	// retryLeader is the wait before the next try with a leader that did not answer.
	retryLeader = 200 * time.Millisecond
)

// follow attends to whoever leads until ctx ends.
func (n *Nimbus) follow(ctx context.Context) {
	hints := n.cfg.Store.Watch(ctx, cluster.LeaderKey)
	said := "" // the last complaint: each is made once
	complain := func(leader cluster.Leader, err error) {
		if err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			n.cfg.Log.Warn("leader is not followed", "leader", addrOf(leader), "err", err)
		}
	}
	for ctx.Err() == nil {
		leader, known := n.whoLeads(ctx)
		wait := lookEvery
		if known {
			attending, stop := context.WithCancel(ctx)
			var beside sync.WaitGroup
			beside.Go(func() { n.untilReplaced(attending, hints, leader, stop) })
			err := n.attend(attending, leader)
			replaced := attending.Err() != nil
			stop()
			beside.Wait()
			if !replaced {
				complain(leader, err)
			}
			wait = retryLeader
		}
		select {
		case <-hints:
		case <-n.look:
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func addrOf(l cluster.Leader) string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }

// whoLeads reads who leads, unless that is this master.
func (n *Nimbus) whoLeads(ctx context.Context) (cluster.Leader, bool) {
	if n.epoch() != 0 {
		return cluster.Leader{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	l, err := cluster.ReadLeader(ctx, n.cfg.Store)
	if err != nil && !errors.Is(err, cluster.ErrNotFound) && ctx.Err() == nil {
		n.cfg.Log.Warn("the leader's record cannot be read", "err", err)
	}
	if err == nil && addrOf(l) == n.self() {
		// The record of an earlier run of this one, or of a master with the same name.
		n.namesakes++
		if n.namesakes == namesakeLooks {
			n.cfg.Log.Warn("the leader has the address of this nimbus; if it is another one, storm.local.hostname or the port must differ",
				"leader", addrOf(l))
		}
		return l, false
	}
	n.namesakes = 0
	return l, err == nil
}

// untilReplaced calls stop when another master than leader has the newest record.
func (n *Nimbus) untilReplaced(ctx context.Context, hints <-chan struct{}, leader cluster.Leader, stop func()) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-hints:
		case <-look.C:
		case <-ctx.Done():
			return
		}
		now, err := cluster.ReadLeader(ctx, n.cfg.Store)
		if n.epoch() != 0 || (err == nil && (addrOf(now) != addrOf(leader) || !now.Started.Equal(leader.Started))) {
			stop()
			signal(n.look)
			return
		}
	}
}

// attend follows one leader until it does not answer as one.
func (n *Nimbus) attend(ctx context.Context, leader cluster.Leader) error {
	addr := addrOf(leader)
	reports, err := n.dialPeer(ctx, addr)
	if err != nil {
		return err
	}
	defer reports.Close()
	polls, err := n.dialPeer(ctx, addr)
	if err != nil {
		return err
	}
	defer polls.Close()
	told := make(map[string]string)
	reporter := stormrpc.NewGearstormClient(reports)
	if err := n.tellHeld(ctx, reporter, told, true); err != nil {
		return err
	}
	call, done := context.WithTimeout(ctx, answerPatience)
	plan, err := reporter.SyncPeer(call, n.peerReport(), 0, 0)
	done()
	if err != nil {
		return err
	}
	if err := n.take(plan, leader); err != nil {
		return err
	}
	l := newLink(addr, leader, n.peerDial(client.MaxStoredBytes))
	n.setLink(l)
	n.cfg.Log.Info("nimbus follows", "leader", addr, "epoch", plan.Epoch)
	defer func() {
		n.setLink(nil)
		l.close()
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var poll sync.WaitGroup
	poll.Go(func() { cancel(n.poll(ctx, stormrpc.NewGearstormClient(polls), leader, plan.PlanVersion)) })
	defer poll.Wait()
	resync := time.NewTicker(resyncEvery)
	defer resync.Stop()
	for {
		select {
		case <-n.mirror.changed:
		case <-resync.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := n.tellHeld(ctx, reporter, told, false); err != nil {
			cancel(err)
			return err
		}
	}
}

func (n *Nimbus) setLink(l *link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link = l
	if l != nil {
		n.settle()
	}
}

// peerDial are the options of connections to other masters. reply bounds an answer.
func (n *Nimbus) peerDial(reply int) wire.DialOptions {
	o := n.cfg.Dial
	o.MaxFrameBytes, o.MaxReplyBytes = int(n.set.frameBytes), reply
	return o
}

func (n *Nimbus) dialPeer(ctx context.Context, addr string) (*wire.Client, error) {
	return wire.Dial(ctx, addr, n.peerDial(64<<20))
}

// poll takes the plans of a leader as they change.
func (n *Nimbus) poll(ctx context.Context, conn *stormrpc.GearstormClient, leader cluster.Leader, known int64) error {
	for {
		call, done := context.WithTimeout(ctx, n.maxHold()+answerPatience)
		plan, err := conn.SyncPeer(call, n.peerReport(), known, int32(n.maxHold().Milliseconds()))
		done()
		if err != nil {
			return err
		}
		if err := n.take(plan, leader); err != nil {
			return err
		}
		known = plan.PlanVersion
	}
}

// peerReport is a report that tells nothing new.
func (n *Nimbus) peerReport() *stormrpc.PeerReport {
	return &stormrpc.PeerReport{Host: n.cfg.Host, Port: int32(n.Port()), Version: n.cfg.Version,
		UptimeSecs: int64(n.cfg.Now().Sub(n.started) / time.Second), Held: []*stormrpc.PeerBlob{}, Dropped: []string{}}
}

// toldAtOnce is how many blobs one report tells of, so that it fits into a request.
const toldAtOnce = 500

// tellHeld tells the leader how what is held here differs from told, and notes it there. anew begins from nothing.
func (n *Nimbus) tellHeld(ctx context.Context, conn *stormrpc.GearstormClient, told map[string]string, anew bool) error {
	for {
		r := n.peerReport()
		r.Anew = anew
		more := n.differing(r, told)
		call, done := context.WithTimeout(ctx, answerPatience)
		_, err := conn.SyncPeer(call, r, 0, -1)
		done()
		if err != nil {
			return fmt.Errorf("report to the leader: %w", err)
		}
		for _, b := range r.Held {
			told[b.Key] = b.Sha256
		}
		for _, key := range r.Dropped {
			delete(told, key)
		}
		if !more {
			return nil
		}
		anew = false
	}
}

// differing fills a report with what is held and was not told. It returns whether there is more.
func (n *Nimbus) differing(r *stormrpc.PeerReport, told map[string]string) (more bool) {
	here := make(map[string]bool)
	for key, info := range n.blobs.All() {
		here[key] = true
		if told[key] == info.SHA256 {
			continue
		}
		if len(r.Held) == toldAtOnce {
			return true
		}
		r.Held = append(r.Held, &stormrpc.PeerBlob{Key: key, Version: info.Version, Sha256: info.SHA256})
	}
	for key := range told {
		if here[key] {
			continue
		}
		if len(r.Dropped) == toldAtOnce {
			return true
		}
		r.Dropped = append(r.Dropped, key)
	}
	return false
}

// take puts a leader's plan into force: what is missing is fetched, what nobody wants is removed later.
func (n *Nimbus) take(plan *stormrpc.PeerPlan, leader cluster.Leader) error {
	if plan.Epoch < int64(leader.Epoch) {
		return fmt.Errorf("leader has epoch %d, its record has %d", plan.Epoch, leader.Epoch)
	}
	if plan.Blobs == nil {
		return nil
	}
	want := make(map[string]wanted, len(plan.Blobs))
	for _, b := range plan.Blobs {
		if b == nil || blobstore.CheckKey(b.Key) != nil {
			return errors.New("leader wants a blob without a valid key")
		}
		acl, err := aclFrom(&stormrpc.SettableBlobMeta{Acl: b.Acl})
		if err != nil {
			return fmt.Errorf("rights of blob %s: %w", b.Key, err)
		}
		from := append([]string{addrOf(leader)}, b.Holders...)
		want[b.Key] = wanted{Info: blobstore.Info{Key: b.Key, Version: b.Version, Size: b.Size, SHA256: b.Sha256, ACL: acl,
			Replication: b.Replication}, from: from[:min(len(from), maxPeers)]}
	}
	n.mirror.set(want, true)
	return nil
}
