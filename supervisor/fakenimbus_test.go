package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// fakeNimbus leads on a free port: it gives out one plan and blobs, and keeps what nodes report.
type fakeNimbus struct {
	stormrpc.Nimbus
	stormrpc.Gearstorm // what is not below is not called
	t                  testing.TB
	addr               string
	srv                *wire.Server
	done               chan error

	mu      sync.Mutex
	away    bool
	mute    bool                 // answers no reports
	follows bool                 // knows no leader
	asked   int                  // who leads
	first   *stormrpc.NodeReport // since it was nil
	fewest  int                  // workers that were ready in a report, since it was set
	vers    map[string]int64
	plan    *stormrpc.NodePlan
	changed chan struct{}
	blobs   map[string][]byte
	open    map[string][]byte
	opened  int
	last    *stormrpc.NodeReport
	errors  []string // "topology port component: message"
	workers map[int32]*stormrpc.WorkerReport
	heard   chan struct{}             // closed and replaced with every report
	asks    []*stormrpc.StateQuestion // with the next answer to a node
	replies []*stormrpc.StateReply
}

func newFakeNimbus(t testing.TB) *fakeNimbus {
	t.Helper()
	n := &fakeNimbus{t: t, plan: &stormrpc.NodePlan{PlanVersion: 1, Epoch: 1, Topologies: []*stormrpc.TopologyPlan{}},
		changed: make(chan struct{}), blobs: map[string][]byte{}, vers: map[string]int64{}, open: map[string][]byte{},
		workers: map[int32]*stormrpc.WorkerReport{}, heard: make(chan struct{})}
	n.start("127.0.0.1:0")
	t.Cleanup(n.stop)
	return n
}

func (n *fakeNimbus) start(at string) {
	n.t.Helper()
	srv, err := wire.NewServer(wire.Options{Held: []string{"syncNode"}, Log: slog.New(slog.DiscardHandler)},
		stormrpc.NewNimbusProcessor(n), stormrpc.NewGearstormProcessor(n))
	if err != nil {
		n.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", at)
	if err != nil {
		n.t.Fatal(err)
	}
	n.srv, n.addr, n.done = srv, ln.Addr().String(), make(chan error, 1)
	go func() { n.done <- srv.Serve(ln) }()
}

func (n *fakeNimbus) stop() {
	if n.srv == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(n.srv.Shutdown(ctx), <-n.done); err != nil {
		n.t.Error(err)
	}
	n.srv = nil
}

func (n *fakeNimbus) GetLeader(context.Context) (*stormrpc.NimbusSummary, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.asked++; n.follows {
		return nil, errors.New("no leader")
	}
	host, port, _ := net.SplitHostPort(n.addr)
	p, _ := strconv.Atoi(port)
	return &stormrpc.NimbusSummary{Host: host, Port: int32(p), IsLeader: true, Version: "2.8.3"}, nil
}

func (n *fakeNimbus) GetBlobMeta(_ context.Context, key string) (*stormrpc.ReadableBlobMeta, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.blobs[key]; !ok {
		return nil, &stormrpc.KeyNotFoundException{Msg: key}
	}
	return &stormrpc.ReadableBlobMeta{Settable: &stormrpc.SettableBlobMeta{}, Version: n.vers[key]}, nil
}

func (n *fakeNimbus) BeginBlobDownload(_ context.Context, key string) (*stormrpc.BeginDownloadResult_, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	data, ok := n.blobs[key]
	if !ok {
		return nil, &stormrpc.KeyNotFoundException{Msg: key}
	}
	n.opened++
	session := fmt.Sprint(n.opened)
	n.open[session] = data
	return &stormrpc.BeginDownloadResult_{Version: n.vers[key], Session: session}, nil
}

func (n *fakeNimbus) DownloadBlobChunk(_ context.Context, session string) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	data := n.open[session]
	n.open[session] = nil
	return data, nil
}

func (n *fakeNimbus) SyncWorker(context.Context, *stormrpc.WorkerReport, int64, int32) (*stormrpc.TopologyPlan, error) {
	return nil, wire.ErrNotImplemented
}

func (n *fakeNimbus) SyncNode(ctx context.Context, r *stormrpc.NodeReport, known int64, waitMs int32) (*stormrpc.NodePlan, error) {
	over := time.After(time.Duration(waitMs) * time.Millisecond)
	n.hear(r)
	for {
		n.mu.Lock()
		plan, changed, away, mute, asks := n.plan, n.changed, n.away, n.mute, n.asks
		n.asks = nil
		n.mu.Unlock()
		if len(asks) > 0 {
			with := *plan
			with.Questions = asks
			return &with, nil
		}
		if mute {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if away {
			return nil, errors.New("not the leader")
		}
		if plan.PlanVersion != known {
			return plan, nil
		}
		select {
		case <-changed:
		case <-over:
			return plan, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (n *fakeNimbus) ReplyState(_ context.Context, r *stormrpc.StateReply) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.replies = append(n.replies, r)
	return nil
}

func (n *fakeNimbus) hear(r *stormrpc.NodeReport) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return
	}
	n.last = r
	if n.first == nil {
		n.first = r
	}
	n.fewest = min(n.fewest, countReady(r))
	clear(n.workers)
	for _, w := range r.Workers {
		if w.WorkerID != "" {
			n.workers[w.Port] = w
		}
		for _, e := range w.Errors {
			n.errors = append(n.errors, fmt.Sprintf("%s %d %s: %s", w.TopologyID, w.Port, e.Component, e.Message))
		}
	}
	close(n.heard)
	n.heard = make(chan struct{})
}

func countReady(r *stormrpc.NodeReport) int {
	ready := 0
	for _, w := range r.Workers {
		if w.Ready {
			ready++
		}
	}
	return ready
}

func (n *fakeNimbus) SyncPeer(context.Context, *stormrpc.PeerReport, int64, int32) (*stormrpc.PeerPlan, error) {
	return nil, wire.ErrNotImplemented
}

func (n *fakeNimbus) Savepoint(context.Context, string, string, bool, int32) (*stormrpc.SavepointAnswer, error) {
	return nil, wire.ErrNotImplemented
}

func (n *fakeNimbus) FetchBlob(context.Context, string, string, int64, int32) ([]byte, error) {
	return nil, wire.ErrNotImplemented
}
