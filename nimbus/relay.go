package nimbus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// Who serves a call: everybody, the leader alone, or a follower that has what is asked for.
var (
	// servedByAll are calls about this master or what it holds.
	servedByAll = map[string]bool{"getLeader": true, "getNimbusConf": true, "fetchBlob": true, "syncWorker": true}
	// servedByHolders are calls that a follower answers where it holds the contents asked for.
	servedByHolders = map[string]bool{"beginBlobDownload": true, "downloadBlobChunk": true,
		"getTopologyConf": true, "getTopology": true, "getUserTopology": true}
	// notRelayed are calls that mean the Nimbus they were sent to.
	notRelayed = map[string]bool{"syncPeer": true}
)

// route decides where a call is served. While this master leads, its calls are counted: the term does not end in memory
// before they returned.
func (n *Nimbus) route(_ context.Context, method string, relayed bool) wire.Route {
	if servedByAll[method] {
		return wire.Route{}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.leads {
		n.acting++
		return wire.Route{Done: n.leave}
	}
	if relayed || notRelayed[method] {
		return wire.Route{Refuse: notLeading("this nimbus does not lead, try again in a moment")}
	}
	return wire.Route{Relay: n.relay, Try: servedByHolders[method]}
}

// relayed says who calls when another master passes on a call. Nobody proves who he is yet, so nobody can speak for others:
// an anonymous call is all that an anonymous peer can pass on. Admins, which masters are to each other, may say more.
func (n *Nimbus) relayed(peer wire.Peer, principal string) (wire.Peer, bool) {
	if principal != "" {
		if !n.isAdmin(peer.Principal) {
			return peer, false
		}
		peer.Principal = principal
		return peer, true
	}
	return wire.Peer{Remote: peer.Remote}, true
}

// relay passes a call on to the leader. What was certainly not carried out is refused with ReasonNoLeader, what may have been
// with ReasonInDoubt.
func (n *Nimbus) relay(ctx context.Context, call wire.RawCall) ([]byte, error) {
	n.mu.Lock()
	l := n.link
	n.mu.Unlock()
	if l == nil {
		return nil, notLeading("no nimbus leads now, try again in a moment")
	}
	n.figures.relayed.Add(1)
	for {
		conn, fresh, err := l.take(ctx)
		if err != nil {
			return nil, notLeading(fmt.Sprintf("the leader %s does not answer, try again in a moment", l.addr))
		}
		reply, err := conn.Relay(ctx, call)
		if err == nil {
			l.give(conn)
			return reply, nil
		}
		conn.Close()
		l.gone(conn)
		lost, broken := errors.AsType[*wire.ConnError](err)
		switch {
		case ctx.Err() != nil || !broken:
			return nil, err
		case lost.Sent:
			return nil, &wire.Refusal{Reason: client.ReasonInDoubt,
				Text: fmt.Sprintf("the leader %s was lost during the call; look whether it took effect before you try again", l.addr)}
		case fresh:
			return nil, notLeading(fmt.Sprintf("the leader %s does not answer, try again in a moment", l.addr))
		}
	}
}

// maxRelays bounds the connections to the leader, so calls in progress.
const maxRelays = 512

// link is the way to the leader that a follower has: connections for relayed calls, each used by one call at a time.
type link struct {
	addr   string
	leader cluster.Leader
	opts   wire.DialOptions

	mu     sync.Mutex
	closed bool
	idle   []*wire.Client
	used   map[*wire.Client]bool
}

func newLink(addr string, leader cluster.Leader, opts wire.DialOptions) *link {
	return &link{addr: addr, leader: leader, opts: opts, used: make(map[*wire.Client]bool)}
}

var errLinkClosed = errors.New("the leader is not followed any more")

// take returns a connection, and whether it was just made.
func (l *link) take(ctx context.Context) (conn *wire.Client, fresh bool, err error) {
	l.mu.Lock()
	for len(l.idle) > 0 && !l.closed {
		last := len(l.idle) - 1
		conn, l.idle = l.idle[last], l.idle[:last]
		if !conn.Closed() {
			l.used[conn] = true
			l.mu.Unlock()
			return conn, false, nil
		}
	}
	full := len(l.used) >= maxRelays
	l.mu.Unlock()
	if full {
		return nil, false, fmt.Errorf("%d calls are relayed already", maxRelays)
	}
	if conn, err = wire.Dial(ctx, l.addr, l.opts); err != nil {
		return nil, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		conn.Close()
		return nil, false, errLinkClosed
	}
	l.used[conn] = true
	return conn, true, nil
}

// give takes a connection back. Few are kept: most calls are short.
func (l *link) give(conn *wire.Client) {
	const kept = 16
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.used, conn)
	if l.closed || len(l.idle) == kept {
		conn.Close()
		return
	}
	l.idle = append(l.idle, conn)
}

// gone forgets a connection that is closed.
func (l *link) gone(conn *wire.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.used, conn)
}

// close ends all calls that are relayed.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, conn := range l.idle {
		conn.Close()
	}
	for conn := range l.used {
		conn.Close()
	}
	l.idle = nil
}
