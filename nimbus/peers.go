package nimbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Bounds of what peers may be and report.
const (
	maxPeers     = 64
	maxPeerBlobs = 200_000
	// peerTimeout is how long a peer may be silent before it counts as gone. Its calls are held for less.
	peerTimeout = 30 * time.Second
	// maxFetch bounds a piece of a blob that a peer asks for.
	maxFetch = 4 << 20
)

// peer is a master that follows this one.
type peer struct {
	host    string
	port    int32
	version string
	since   time.Time
	seen    time.Time
	held    map[string]string // hash by key
}

func checkPeer(r *stormrpc.PeerReport) error {
	switch {
	case r == nil:
		return errors.New("peer report is missing")
	case !validName(r.Host):
		return fmt.Errorf("host name of %d bytes: wanted are 1 to %d bytes of text", len(r.Host), maxNameBytes)
	case r.Port < 1 || r.Port > 65535:
		return fmt.Errorf("port %d is not between 1 and 65535", r.Port)
	case len(r.Version) > maxNameBytes:
		return fmt.Errorf("version of %d bytes, allowed are %d", len(r.Version), maxNameBytes)
	}
	for _, b := range r.Held {
		if b == nil || len(b.Key) > blobstore.MaxKeyBytes || len(b.Sha256) > 128 {
			return errors.New("peer report names a blob without a valid key or hash")
		}
	}
	return nil
}

// SyncPeer implements stormrpc.Gearstorm: another master reports, and learns which blobs to hold, at once when it knows
// another version of the list than the present one, else when that changes or its wait is over. A wait below 0 only reports.
func (n *Nimbus) SyncPeer(ctx context.Context, report *stormrpc.PeerReport, known int64, waitMs int32) (*stormrpc.PeerPlan, error) {
	if err := n.lead(); err != nil {
		return nil, err
	}
	if err := n.may(ctx, "syncPeer", "", nil); err != nil {
		return nil, err
	}
	if err := checkPeer(report); err != nil {
		return nil, err
	}
	if err := n.hearPeer(report); err != nil {
		return nil, err
	}
	if waitMs > 0 {
		if err := n.awaitBook(ctx, known, min(time.Duration(waitMs)*time.Millisecond, n.maxHold())); err != nil {
			return nil, err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	plan := &stormrpc.PeerPlan{PlanVersion: n.bookVersion, Epoch: int64(n.epochLocked())}
	if n.bookVersion != known && waitMs >= 0 {
		plan.Blobs = n.wantedBlobsLocked()
	}
	return plan, nil
}

// awaitBook returns when what peers are told has another version than known, or wait is over.
func (n *Nimbus) awaitBook(ctx context.Context, known int64, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		n.mu.Lock()
		version, news, leads := n.bookVersion, n.peerNews, n.leads
		n.mu.Unlock()
		if version != known || !leads {
			return n.lead()
		}
		select {
		case <-news:
		case <-timer.C:
			return n.lead()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (n *Nimbus) hearPeer(r *stormrpc.PeerReport) error {
	now := n.cfg.Now()
	addr := net.JoinHostPort(r.Host, strconv.Itoa(int(r.Port)))
	if addr == n.self() {
		return fmt.Errorf("peer calls itself %s, which is the name of the leader: storm.local.hostname or the port must differ", addr)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	p, known := n.peers[addr]
	if !known {
		if len(n.peers) >= maxPeers {
			return fmt.Errorf("peer %s cannot register: there are %d, allowed are %d", addr, len(n.peers), maxPeers)
		}
		if !r.Anew {
			return fmt.Errorf("peer %s is not known, it has to report anew", addr)
		}
		p = &peer{host: r.Host, port: r.Port}
		n.peers[addr] = p
		n.cfg.Log.Info("nimbus peer registered", "peer", addr)
	}
	p.version, p.seen, p.since = r.Version, now, now.Add(-time.Duration(max(0, r.UptimeSecs))*time.Second)
	if !r.Anew && len(r.Held) == 0 && len(r.Dropped) == 0 {
		return nil
	}
	if r.Anew {
		p.held = make(map[string]string)
		for _, e := range n.book {
			if slices.Contains(e.Holders, addr) {
				n.staleLocked(e)
			}
		}
	}
	missed := false
	for _, b := range r.Held {
		if len(p.held) >= maxPeerBlobs {
			return fmt.Errorf("peer %s holds more than %d blobs", addr, maxPeerBlobs)
		}
		p.held[b.Key] = b.Sha256
		if e, ok := n.book[b.Key]; ok {
			n.staleLocked(e)
			missed = missed || (!e.here && e.SHA256 == b.Sha256)
		}
	}
	for _, key := range r.Dropped {
		delete(p.held, key)
		if e, ok := n.book[key]; ok {
			n.staleLocked(e)
		}
	}
	close(n.copied)
	n.copied = make(chan struct{})
	if missed {
		n.wantMissingLocked()
	}
	return nil
}

// tellPeersLocked answers the held calls of peers.
func (n *Nimbus) tellPeersLocked() {
	close(n.peerNews)
	n.peerNews = make(chan struct{})
}

// peersWithLocked returns the addresses of peers that have these contents of a blob.
func (n *Nimbus) peersWithLocked(key, sha256 string) []string {
	var out []string
	for addr, p := range n.peers {
		if p.held[key] == sha256 {
			out = append(out, addr)
		}
	}
	slices.Sort(out)
	return out
}

func (n *Nimbus) forgetSilentPeers() {
	now := n.cfg.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for addr, p := range n.peers {
		if now.Sub(p.seen) > peerTimeout {
			n.cfg.Log.Warn("nimbus peer is silent and forgotten", "peer", addr)
			delete(n.peers, addr)
		}
	}
}

// peerSummaries describe the followers, in order of addresses.
func (n *Nimbus) peerSummaries() []*stormrpc.NimbusSummary {
	now := n.cfg.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []*stormrpc.NimbusSummary
	for _, p := range n.peers {
		out = append(out, &stormrpc.NimbusSummary{Host: p.host, Port: p.port, UptimeSecs: secondsBetween(p.since, now),
			Version: p.version, TlsPort: ref(int32(0))})
	}
	slices.SortFunc(out, func(a, b *stormrpc.NimbusSummary) int {
		if a.Host != b.Host {
			return strings.Compare(a.Host, b.Host)
		}
		return int(a.Port - b.Port)
	})
	return out
}

// FetchBlob implements stormrpc.Gearstorm: another master copies a blob. Before its first piece leaves, all of it is held
// against its hash: the copier would find damage too, but this master would go on not knowing.
func (n *Nimbus) FetchBlob(ctx context.Context, key, sha256 string, offset int64, most int32) ([]byte, error) {
	if err := n.may(ctx, "fetchBlob", "", nil); err != nil {
		return nil, err
	}
	if offset == 0 {
		if err := n.blobs.Verify(key); errors.Is(err, blobstore.ErrDamaged) {
			n.lostBlob(key)
		}
	}
	piece, err := n.blobs.ReadPart(key, sha256, offset, int(min(max(most, 1), maxFetch)))
	if errors.Is(err, blobstore.ErrNotFound) || errors.Is(err, blobstore.ErrBadKey) {
		return nil, keyNotFound(key)
	}
	return piece, err
}
