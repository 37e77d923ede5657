package integration

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint/stores"
)

// gate is a store of checkpoints (S3, in memory) that holds a request of a kind before or after it is carried out, until whoever made it
// has been killed: what it has then done is what a crash at that step leaves.
type gate struct {
	URL         string
	Credentials map[string]string

	store http.Handler
	mu    sync.Mutex
	held  *heldRequest // that is looked for or was found; nil: none
}

// heldRequest is one request that does not get through.
type heldRequest struct {
	method, kind string // kind: files, manifests or log
	after        bool   // it is carried out, and not answered
	found        bool
	reached      chan struct{} // closed when it is there
	gone         chan struct{} // closed when nobody waits for it any more
}

// startGate serves a store at an address of this machine.
func startGate(t *testing.T, host string) *gate {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	g := &gate{store: gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server(),
		Credentials: map[string]string{stores.S3AccessKey: "key", stores.S3SecretKey: "secret"}}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: g}}
	server.Start()
	t.Cleanup(func() {
		g.release()
		server.CloseClientConnections()
		server.Close()
	})
	g.URL = "s3://bucket/checkpoints?region=us-east-1&endpoint=" + server.URL
	return g
}

// hold has the next request of a kind held. The channel is closed when it is there.
func (g *gate) hold(method, kind string, after bool) (reached <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = &heldRequest{method: method, kind: kind, after: after, reached: make(chan struct{}), gone: make(chan struct{})}
	return g.held.reached
}

// release ends what is held, without an answer.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held != nil {
		close(g.held.gone)
		g.held = nil
	}
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	held := g.wanted(r)
	if held == nil {
		g.store.ServeHTTP(w, r)
		return
	}
	if held.after {
		g.store.ServeHTTP(httptest.NewRecorder(), r)
	}
	close(held.reached)
	<-held.gone
	panic(http.ErrAbortHandler)
}

// wanted returns what is looked for if r is it.
func (g *gate) wanted(r *http.Request) *heldRequest {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.held
	if h == nil || h.found || r.Method != h.method || !strings.Contains(r.URL.Path, "/"+h.kind+"/") {
		return nil
	}
	h.found = true
	return h
}
