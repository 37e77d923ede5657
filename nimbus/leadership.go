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
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// One process follows and leads in turns:
//
//	follow -- Campaign --> take over --> lead -- term over --> drain --> forget --> follow
//
// Calls are served all the time. While this master does not lead they are relayed to the one that does (relay.go). A term
// is over when the store says so (Term.Lost), when a write is refused for its epoch, and when nobody knows whether
// a write took effect (cluster.ErrUncertain, or it did not end in time): the next term reads what is stored. From that moment no call is taken, no write of the
// term begins and those under way are given up; once all its calls have returned its memory is dropped, so that nothing of
// one term is seen in the next.

var (
	errDeposed = errors.New("leadership is over")
	errInDoubt = errors.New("the outcome of a write is not known, so what is stored has to be read again")
)

const (
	// writePatience is how long a write to the store may take before its outcome counts as unknown.
	writePatience = 30 * time.Second
	// campaignPause is the wait before the next campaign after one that failed.
	campaignPause = time.Second
)

// term is one leadership. Its fields are set once, except for the epoch, which Nimbus.mu guards (see raise).
type term struct {
	cluster.Term
	began time.Time
	over  context.Context // ends with the term
	end   context.CancelCauseFunc
}

// notLeading is the answer to a call that only a leader can serve.
func notLeading(text string) error { return &wire.Refusal{Reason: client.ReasonNoLeader, Text: text} }

// Run serves clients until ctx ends (then it returns nil) or the listener fails. It campaigns beside that: while this master
// does not lead, calls are relayed to the one that does. It waits for calls in progress and for what it started.
// Afterwards the master cannot be used again.
func (n *Nimbus) Run(ctx context.Context) error {
	defer n.blobs.Close()
	defer n.listener.Close()
	server, err := wire.NewServer(wire.Options{
		MaxFrameBytes: int(n.set.frameBytes),
		MaxInFlight:   int(n.set.threads),
		MaxConns:      10_000 + n.cfg.MaxNodes,
		MaxHeld:       2*n.cfg.MaxNodes + 2*maxPeers,
		Held:          []string{"syncNode", "syncPeer", "savepoint", "getState"},
		Wide:          map[string]int16{"sendSupervisorWorkerHeartbeats": timeSecsID, "sendSupervisorWorkerHeartbeat": timeSecsID},
		Route:         n.route,
		Relayed:       n.relayed,
		Log:           n.cfg.Log,
	}, stormrpc.NewNimbusProcessor(n), stormrpc.NewGearstormProcessor(n))
	if err != nil {
		return fmt.Errorf("serve clients: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var parts sync.WaitGroup
	parts.Go(func() {
		n.awaitLeader(ctx)
		cancel(server.Serve(n.listener))
	})
	parts.Go(func() { n.follow(ctx) })
	parts.Go(func() { n.replicate(ctx) })
	n.govern(ctx)
	grace, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	if err := server.Shutdown(grace); err != nil {
		n.cfg.Log.Warn("calls were cut off at shutdown", "err", err)
	}
	parts.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// startPatience is how long a master that starts lets its first callers wait until it leads or follows: they would only hear
// that nobody leads.
const startPatience = 2 * time.Second

func (n *Nimbus) awaitLeader(ctx context.Context) {
	late := time.NewTimer(startPatience)
	defer late.Stop()
	select {
	case <-n.settled:
	case <-late.C:
	case <-ctx.Done():
	}
}

// govern campaigns and leads until ctx ends.
func (n *Nimbus) govern(ctx context.Context) {
	for ctx.Err() == nil {
		won, err := n.cfg.Store.Campaign(ctx, n.self())
		if err == nil {
			err = n.reign(ctx, won)
		}
		if ctx.Err() == nil && err != nil {
			n.cfg.Log.Error("nimbus cannot lead", "err", err)
			select {
			case <-time.After(campaignPause):
			case <-ctx.Done():
			}
		}
	}
}

// self is the name of this master among its peers: where its clients reach it.
func (n *Nimbus) self() string { return net.JoinHostPort(n.cfg.Host, strconv.Itoa(n.Port())) }

// reign leads for one term. The error says why it could not.
func (n *Nimbus) reign(ctx context.Context, won cluster.Term) error {
	t := &term{Term: won, began: n.cfg.Now()}
	t.over, t.end = context.WithCancelCause(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-won.Lost:
			t.end(errDeposed)
		case <-t.over.Done():
		}
		n.stepDown() // at once, whatever the rest of this term is waiting for
	})
	n.mu.Lock()
	n.term, n.heard, n.hearing = t, time.Time{}, time.Time{}
	n.sequence, n.placements = 0, 0
	n.mu.Unlock()
	err := n.takeOver(ctx, t)
	if err == nil {
		n.cfg.Log.Info("nimbus leads", "addr", n.Addr(), "epoch", int64(n.epoch()))
		err = n.loop(ctx, t)
	}
	t.end(errDeposed)
	watch.Wait()
	if err != nil && ctx.Err() == nil {
		n.cfg.Log.Warn("nimbus leads no longer", "epoch", int64(won.Epoch), "err", err)
	}
	select {
	case <-n.drained():
	case <-ctx.Done():
		return nil // the server waits for the calls
	}
	n.forget()
	if errors.Is(err, errDeposed) || errors.Is(err, errInDoubt) || errors.Is(err, cluster.ErrFenced) {
		return nil // not a reason to wait
	}
	return err
}

// loop is the one goroutine that acts without being called: timers, scheduling, housekeeping. It returns nil when ctx
// ended, else why the term is over.
func (n *Nimbus) loop(ctx context.Context, t *term) error {
	monitor := time.NewTicker(n.set.monitorPeriod)
	defer monitor.Stop()
	sweep := time.NewTicker(n.set.sweepPeriod)
	defer sweep.Stop()
	flush := time.NewTicker(time.Second)
	defer flush.Stop()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		alarm.Reset(n.alarms.untilNext(n.cfg.Now()))
		var err error
		select {
		case <-ctx.Done():
			n.flushErrors(context.WithoutCancel(ctx))
			return nil
		case <-t.over.Done():
			return context.Cause(t.over)
		case <-n.alarms.changed:
		case <-alarm.C:
			err = n.ring(ctx)
		case <-n.kick:
			err = n.round(ctx, false)
		case <-monitor.C:
			n.forgetSilentNodes()
			n.forgetSilentPeers()
			err = n.round(ctx, true)
		case <-flush.C:
			err = errors.Join(n.flushErrors(ctx), n.flushHolders(ctx), n.settleRequests(ctx), n.watchTrials(ctx))
		case <-sweep.C:
			n.blobs.Expire()
			n.lists.expire(n.cfg.Now().Add(-n.set.blobIdle))
		}
		if err != nil && ctx.Err() == nil && t.over.Err() == nil {
			n.cfg.Log.Error("master could not do its round", "err", err)
		}
	}
}

// wake asks the loop for a round of scheduling. It never blocks; many calls may lead to one round.
func (n *Nimbus) wake() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

// stepDown takes no more calls of the term and answers the held ones.
func (n *Nimbus) stepDown() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leads = false
	for id, nd := range n.nodes {
		close(nd.changed)
		delete(n.nodes, id)
	}
	for id, answer := range n.savepoints {
		close(answer)
		delete(n.savepoints, id)
	}
	for _, l := range n.inquiries {
		if len(l.missing) > 0 { // else it is closed
			close(l.given)
		}
	}
	clear(n.inquiries)
	n.tellPeersLocked()
}

// drained returns a channel that is closed when no call of the term is left.
func (n *Nimbus) drained() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	idle := make(chan struct{})
	if n.acting == 0 {
		close(idle)
	} else {
		n.idle = idle
	}
	return idle
}

// leave ends a call that was taken while this master led.
func (n *Nimbus) leave() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.acting--; n.acting == 0 && !n.leads && n.idle != nil {
		close(n.idle)
		n.idle = nil
	}
}

// forget drops what a leader knows.
func (n *Nimbus) forget() {
	n.blobs.EndUploads()
	n.alarms.clear()
	n.errors.clear()
	n.lists.clear()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.term = nil
	clear(n.topologies)
	clear(n.byName)
	clear(n.nodes)
	clear(n.workers)
	clear(n.peers)
	clear(n.book)
	clear(n.said)
	clear(n.done)
	clear(n.trials)
	clear(n.deaths)
	n.blacklist.Reset()
	n.mirror.set(nil, false)
	signal(n.look)
}

// lead returns nil while this master leads.
func (n *Nimbus) lead() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.leads {
		return notLeading("this nimbus does not lead, try again in a moment")
	}
	return nil
}

// epoch is that of the running term, 0 without one.
func (n *Nimbus) epoch() cluster.Epoch {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.epochLocked()
}

func (n *Nimbus) epochLocked() cluster.Epoch {
	if n.term == nil {
		return 0
	}
	return n.term.Epoch
}

// txn writes to the store under the running term. A write that was refused for its epoch, or whose outcome is not known,
// ends the term; the caller's error then says which it was.
func (n *Nimbus) txn(ctx context.Context, ops ...cluster.Op) error {
	n.mu.Lock()
	t, epoch := n.term, n.epochLocked()
	n.mu.Unlock()
	if t == nil || t.over.Err() != nil {
		return notLeading("leadership was lost before anything was stored, try again in a moment")
	}
	// A caller that hangs up must not leave memory and store apart: a write that began is finished, or the term ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writePatience)
	defer cancel()
	defer context.AfterFunc(t.over, cancel)()
	err := n.cfg.Store.Txn(ctx, epoch, ops...)
	switch {
	case errors.Is(err, cluster.ErrFenced):
		n.figures.fenced.Add(1)
		t.end(fmt.Errorf("write of epoch %d: %w", epoch, err))
		n.stepDown()
		n.cfg.Log.Warn("a write was refused: another nimbus leads", "epoch", int64(epoch))
		return errors.Join(notLeading("another nimbus leads, nothing was stored; try again in a moment"), err)
	case errors.Is(err, cluster.ErrUncertain) || err != nil && ctx.Err() != nil:
		t.end(errInDoubt)
		n.stepDown()
		return errors.Join(&wire.Refusal{Reason: client.ReasonInDoubt,
			Text: "leadership was lost during the write; look whether it took effect before you try again"}, err)
	}
	return err
}
