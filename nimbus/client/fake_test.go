package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// fakeNimbus is one Nimbus on a free port. It keeps uploads and blobs in memory.
type fakeNimbus struct {
	stormrpc.Nimbus
	stormrpc.Gearstorm // what is not below is not called
	host               string
	port               int

	mu      sync.Mutex
	leader  func() (*stormrpc.NimbusSummary, error)
	jars    map[string][]byte
	chunks  []int
	blobs   map[string][]byte
	open    map[string][]byte // blob sessions
	size    int64             // announced by the next download when not 0
	joined  []string
	cancels int
	asked   atomic.Int32 // leader lookups
	poll    func(ctx context.Context) error
	failAt  int // chunk to fail at, counted from 1
}

func (n *fakeNimbus) addr() string { return net.JoinHostPort(n.host, fmt.Sprint(n.port)) }

func (n *fakeNimbus) summary() *stormrpc.NimbusSummary {
	return &stormrpc.NimbusSummary{Host: n.host, Port: int32(n.port), IsLeader: true, Version: "2.8.3"}
}

func (n *fakeNimbus) setLeader(f func() (*stormrpc.NimbusSummary, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leader = f
}

func (n *fakeNimbus) GetLeader(context.Context) (*stormrpc.NimbusSummary, error) {
	n.asked.Add(1)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leader()
}

func (n *fakeNimbus) IsTopologyNameAllowed(_ context.Context, name string) (bool, error) {
	return name == n.addr(), nil // tells which Nimbus answers
}

func (n *fakeNimbus) KillTopology(_ context.Context, name string) error {
	return &stormrpc.NotAliveException{Msg: name + " is not alive"}
}

func (n *fakeNimbus) BeginFileUpload(context.Context) (string, error) { return "/inbox/jar", nil }

func (n *fakeNimbus) UploadChunk(_ context.Context, location string, chunk []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.chunks = append(n.chunks, len(chunk)); len(n.chunks) == n.failAt {
		return errors.New("no space left")
	}
	n.jars[location] = append(n.jars[location], chunk...)
	return nil
}

func (n *fakeNimbus) FinishFileUpload(_ context.Context, location string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.jars["finished"] = n.jars[location]
	return nil
}

func (n *fakeNimbus) BeginCreateBlob(_ context.Context, key string, _ *stormrpc.SettableBlobMeta) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.blobs[key]; ok {
		return "", &stormrpc.KeyAlreadyExistsException{Msg: key}
	}
	return key, nil
}

func (n *fakeNimbus) BeginUpdateBlob(_ context.Context, key string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.blobs[key]; !ok {
		return "", &stormrpc.KeyNotFoundException{Msg: key}
	}
	return key, nil
}

func (n *fakeNimbus) UploadBlobChunk(_ context.Context, session string, chunk []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.chunks = append(n.chunks, len(chunk))
	if len(n.chunks) == n.failAt {
		return errors.New("no space left")
	}
	n.open[session] = append(n.open[session], chunk...)
	return nil
}

func (n *fakeNimbus) FinishBlobUpload(_ context.Context, session string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blobs[session] = n.open[session]
	delete(n.open, session)
	return nil
}

func (n *fakeNimbus) CancelBlobUpload(_ context.Context, session string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cancels++
	delete(n.open, session)
	return nil
}

func (n *fakeNimbus) CreateStateInZookeeper(_ context.Context, key string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.joined = append(n.joined, key)
	return nil
}

func (n *fakeNimbus) BeginBlobDownload(_ context.Context, key string) (*stormrpc.BeginDownloadResult_, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	data, ok := n.blobs[key]
	if !ok {
		return nil, &stormrpc.KeyNotFoundException{Msg: key}
	}
	size := int64(len(data))
	if n.size != 0 {
		size = n.size
	}
	n.open["down"] = data
	return &stormrpc.BeginDownloadResult_{Version: 42, Session: "down", DataSize: &size}, nil
}

func (n *fakeNimbus) DownloadBlobChunk(_ context.Context, session string) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	chunk := n.open[session]
	chunk = chunk[:min(len(chunk), blobChunk)]
	n.open[session] = n.open[session][len(chunk):]
	return chunk, nil
}

// SyncNode is held until the poll function returns.
func (n *fakeNimbus) SyncNode(ctx context.Context, _ *stormrpc.NodeReport, known int64, _ int32) (*stormrpc.NodePlan, error) {
	if err := n.poll(ctx); err != nil {
		return nil, err
	}
	return &stormrpc.NodePlan{PlanVersion: known, Topologies: []*stormrpc.TopologyPlan{}}, nil
}

func (n *fakeNimbus) SyncWorker(context.Context, *stormrpc.WorkerReport, int64, int32) (*stormrpc.TopologyPlan, error) {
	return nil, wire.ErrNotImplemented
}

// serve starts a Nimbus that says it leads. at is an address or "127.0.0.1:0"; stop may be called early.
func serve(t *testing.T, at string) (n *fakeNimbus, stop func()) {
	t.Helper()
	n = &fakeNimbus{jars: map[string][]byte{}, blobs: map[string][]byte{}, open: map[string][]byte{}}
	n.leader = func() (*stormrpc.NimbusSummary, error) { return n.summary(), nil }
	srv, err := wire.NewServer(wire.Options{Held: []string{"syncNode"}, Log: slog.New(slog.DiscardHandler)},
		stormrpc.NewNimbusProcessor(n), stormrpc.NewGearstormProcessor(n))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	n.host, n.port = "127.0.0.1", ln.Addr().(*net.TCPAddr).Port
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(srv.Shutdown(ctx), <-served); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return n, stop
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
