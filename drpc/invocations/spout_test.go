package invocations

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/compat/storm/stormtest"
	"github.com/gearstorm/gearstorm/drpc"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

func openSpout(t *testing.T, s *Spout, keys map[string]any) *stormtest.Spout {
	t.Helper()
	return stormtest.NewSpout(t, storm.SpoutFactory(func() storm.Spout { return s }), func(d *storm.Declarer) { d.Fields("args", "return-info") }, keys)
}

// emitted waits for the next tuples of the spout.
func emitted(p *stormtest.Spout) []stormtest.Emit {
	for {
		if e := p.Emits(); len(e) > 0 {
			return e
		}
		p.Wait()
	}
}

func TestSpoutEmitsRequests(t *testing.T) {
	srv := startServer(t, drpc.Ports{})
	s := NewSpout("f")
	p := openSpout(t, s, srv.keys())
	call := srv.execute(t, "f", "hello")
	e := emitted(p)[0]
	want := []any{"hello", fmt.Sprintf(`{"id":"1","host":"127.0.0.1","port":%d}`, srv.Ports().Invocations)}
	if !slices.Equal(e.Values, want) || e.ID.IsNull() || !s.Holding() {
		t.Errorf("it emitted %v with id %v, want %v", e.Values, e.ID, want)
	}
	p.Fail(e.ID)
	if a := <-call; !a.failedWith(stormrpc.DRPCExceptionType_FAILED_REQUEST, "Request failed") {
		t.Errorf("the caller got %v", a)
	}
	p.Fail(e.ID) // a second one is nothing
	if !p.Paused() || !p.Next(1) {
		t.Error("the engine need not ask this spout")
	}
}

// topology.max.spout.pending bounds what is fetched, so that other tasks get the rest.
func TestSpoutHeedsMaxPending(t *testing.T) {
	srv := startServer(t, drpc.Ports{})
	keys := srv.keys()
	keys["topology.max.spout.pending"] = 2
	s := NewSpout("f")
	p := openSpout(t, s, keys)
	for i := range 3 {
		srv.execute(t, "f", fmt.Sprint(i))
	}
	var ids []gearcore.Value
	for len(ids) < 2 {
		for _, e := range emitted(p) {
			ids = append(ids, e.ID)
		}
	}
	if s.asked != 0 || len(s.pending) != 2 {
		t.Errorf("%d pending, %d asked for", len(s.pending), s.asked)
	}
	p.Ack(ids[0])
	if len(emitted(p)) != 1 {
		t.Error("the third request did not come after an ack")
	}
}

// A spout that is deactivated leaves requests to others, and all that it holds fails when it is closed.
func TestSpoutCloses(t *testing.T) {
	srv := startServer(t, drpc.Ports{})
	s := NewSpout("f")
	p := openSpout(t, s, srv.keys())
	pending := srv.execute(t, "f", "pending")
	emitted(p)
	s.Deactivate(nil)
	for s.asked > 0 {
		p.Wait()
	}
	left := srv.execute(t, "f", "left")
	s.Close()
	if a := <-pending; !a.failedWith(stormrpc.DRPCExceptionType_FAILED_REQUEST, "Request failed") {
		t.Errorf("the one that was pending got %v", a)
	}
	if got := srv.fetched(t, "f"); got != "left" {
		t.Errorf("another task fetched %q", got)
	}
	srv.stop()
	if a := <-left; !a.failedWith(stormrpc.DRPCExceptionType_SERVER_SHUTDOWN, "Server Shutting Down") {
		t.Errorf("the one that the spout left got %v", a)
	}
}

// A server that is away is reported once; the spout goes on when it is back.
func TestSpoutFindsTheServerAgain(t *testing.T) {
	srv := startServer(t, drpc.Ports{})
	p := openSpout(t, NewSpout("f"), srv.keys())
	srv.execute(t, "f", "one")
	emitted(p)
	srv.stop()
	for len(p.Errors()) == 0 {
		p.Wait()
	}
	if err := p.Errors()[0].Error(); !strings.Contains(err, "fetch requests for f") {
		t.Errorf("it said %s", err)
	}
	again := startServer(t, srv.Ports())
	again.execute(t, "f", "two")
	if e := emitted(p); e[0].Values[0] != "two" {
		t.Errorf("it emitted %v", e)
	}
}

func TestServersOf(t *testing.T) {
	hosts := []any{"a", "b", "c"}
	for _, c := range []struct {
		name         string
		hosts        any
		tasks, index int
		want         []string
	}{
		{"fewer tasks than servers", hosts, 2, 1, []string{"a:3773", "b:3773", "c:3773"}},
		{"as many", hosts, 3, 1, []string{"b:3773"}},
		{"more", hosts, 5, 4, []string{"b:3773"}},
		{"one of IPv6", []any{"::1"}, 1, 0, []string{"[::1]:3773"}},
	} {
		ctx := &gearcore.Context{Index: c.index, Tasks: make([]gearcore.TaskID, c.tasks), Conf: map[string]any{"drpc.servers": c.hosts}}
		got, err := serversOf(ctx)
		var addrs []string
		for _, r := range got {
			addrs = append(addrs, r.addr())
		}
		if err != nil || !slices.Equal(addrs, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.name, addrs, err, c.want)
		}
	}
	if _, err := serversOf(&gearcore.Context{Tasks: make([]gearcore.TaskID, 1)}); !errors.Is(err, errNoServers) {
		t.Errorf("no servers: %v", err)
	}
}

// The end of a task that never got to a server is soon.
func TestCloseWithoutServer(t *testing.T) {
	srv := startServer(t, drpc.Ports{})
	keys := srv.keys()
	srv.stop()
	s := NewSpout("f")
	openSpout(t, s, keys)
	began := time.Now()
	s.Close()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	NewSpout("f").Close() // never opened
}

// plain is a DRPC server as Storm's: it does not know awaitRequest. The third question gets a request.
type plain struct {
	stormrpc.DistributedRPCInvocations
	asked  atomic.Int32
	failed chan string
}

func (p *plain) FetchRequest(context.Context, string) (*stormrpc.DRPCRequest, error) {
	if p.asked.Add(1) == 3 {
		return &stormrpc.DRPCRequest{FuncArgs_: "hello", RequestID: "7"}, nil
	}
	return &stormrpc.DRPCRequest{}, nil
}

func (p *plain) FailRequest(_ context.Context, id string) error {
	p.failed <- id
	return nil
}

func TestSpoutOfStormsServer(t *testing.T) {
	p := &plain{failed: make(chan string, 1)}
	srv, err := wire.NewServer(wire.Options{Log: slog.New(slog.DiscardHandler)}, stormrpc.NewDistributedRPCInvocationsProcessor(p))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Shutdown(context.Background())
		<-served
	})
	keys := map[string]any{"drpc.servers": []any{"127.0.0.1"}, "drpc.invocations.port": ln.Addr().(*net.TCPAddr).Port}
	spout := openSpout(t, NewSpout("f"), keys)
	e := emitted(spout)[0]
	if e.Values[0] != "hello" {
		t.Errorf("it emitted %v", e.Values)
	}
	spout.Fail(e.ID)
	if id := <-p.failed; id != "7" {
		t.Errorf("request %s failed", id)
	}
	if errs := spout.Errors(); len(errs) != 0 {
		t.Errorf("errors %v", errs)
	}
}
