package client

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// flaky is a Nimbus that counts its calls and answers as a test wants.
type flaky struct {
	stormrpc.Nimbus
	at      net.Addr
	calls   atomic.Int64
	do      func(call int64) error
	deposed atomic.Pointer[net.TCPAddr] // who leads instead of this one
}

func (f *flaky) GetLeader(context.Context) (*stormrpc.NimbusSummary, error) {
	if tcp := f.deposed.Load(); tcp != nil {
		if tcp.Port == 0 {
			return nil, wire.ErrUnknownResult
		}
		return &stormrpc.NimbusSummary{Host: tcp.IP.String(), Port: int32(tcp.Port), IsLeader: true, Version: "2.8.3"}, nil
	}
	tcp := f.at.(*net.TCPAddr)
	return &stormrpc.NimbusSummary{Host: tcp.IP.String(), Port: int32(tcp.Port), IsLeader: true, Version: "2.8.3"}, nil
}

func (f *flaky) KillTopology(context.Context, string) error { return f.do(f.calls.Add(1)) }

func (f *flaky) GetNimbusConf(context.Context) (string, error) { return "{}", f.do(f.calls.Add(1)) }

func startFlaky(t *testing.T, do func(call int64) error) (*flaky, *Client) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{at: ln.Addr(), do: do}
	srv, err := wire.NewServer(wire.Options{}, stormrpc.NewNimbusProcessor(f))
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Shutdown(context.Background()) })
	c, err := New(Options{Seeds: []string{ln.Addr().String()}, RetryInterval: time.Millisecond, Retries: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return f, c
}

// A call that was refused because nobody leads is made again: it was not carried out, whatever it does.
func TestCallWaitsForALeader(t *testing.T) {
	refusal := &wire.Refusal{Reason: ReasonNoLeader, Text: "later"}
	f, c := startFlaky(t, func(call int64) error {
		if call < 3 {
			return refusal
		}
		return nil
	})
	if err := c.Nimbus().KillTopology(t.Context(), "words"); err != nil || f.calls.Load() != 3 {
		t.Fatalf("%d calls, %v", f.calls.Load(), err)
	}
	f.do = func(int64) error { return refusal }
	f.calls.Store(0)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Nimbus().KillTopology(ctx, "words"); KindOf(err) != NoLeader && KindOf(err) != Ended || f.calls.Load() < 2 {
		t.Fatalf("%d calls within a deadline, %v", f.calls.Load(), err)
	}
	c.calls.opts.LeaderPatience = 0
	f.calls.Store(0)
	if err := c.Nimbus().KillTopology(t.Context(), "words"); KindOf(err) != NoLeader || !Retryable(err) || f.calls.Load() != 1 {
		t.Fatalf("%d calls without patience, %v", f.calls.Load(), err)
	}
}

// Where nobody knows whether a call was carried out, only one that changes nothing is made again.
func TestOnlyReadsAreRepeated(t *testing.T) {
	f, c := startFlaky(t, func(call int64) error {
		if call == 1 {
			return &wire.Refusal{Reason: ReasonInDoubt, Text: "the leader was lost"}
		}
		return nil
	})
	if err := c.Nimbus().KillTopology(t.Context(), "words"); KindOf(err) != InDoubt || !Retryable(err) || f.calls.Load() != 1 {
		t.Fatalf("a command: %d calls, %v", f.calls.Load(), err)
	}
	f.calls.Store(0)
	if _, err := c.Nimbus().GetNimbusConf(t.Context()); err != nil || f.calls.Load() != 2 {
		t.Fatalf("a read: %d calls, %v", f.calls.Load(), err)
	}
}

// A client that had a connection to a Nimbus leaves it when that one does not lead any more, with and without retries.
func TestDeposedLeaderIsLeft(t *testing.T) {
	fine := func(int64) error { return nil }
	refusals := map[string]func(*Client) error{
		ReasonNoLeader: func(c *Client) error { return c.Nimbus().KillTopology(t.Context(), "words") },
		ReasonInDoubt:  func(c *Client) error { return c.Nimbus().KillTopology(t.Context(), "words") },
		"no result":    func(c *Client) error { _, err := c.Nimbus().GetLeader(t.Context()); return err },
	}
	for name, call := range refusals { // by reason
		t.Run(name, func(t *testing.T) {
			old, _ := startFlaky(t, fine)
			next, _ := startFlaky(t, fine)
			c, err := New(Options{Seeds: []string{old.at.String(), next.at.String()}, Retries: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if at, err := c.Leader(t.Context()); err != nil || at != old.at.String() {
				t.Fatalf("leader %s, %v", at, err)
			}
			old.deposed.Store(&net.TCPAddr{}) // it knows of no leader
			old.do = func(int64) error { return &wire.Refusal{Reason: name} }
			if err := call(c); err == nil {
				t.Fatal("the deposed leader answered")
			}
			if err := call(c); err != nil {
				t.Fatalf("the second call: %v", err)
			}
			if at, err := c.Leader(t.Context()); err != nil || at != next.at.String() {
				t.Fatalf("leader %s, %v", at, err)
			}
		})
	}
}

// What getLeader cannot answer is asked elsewhere within the patience.
func TestGetLeaderWaitsForALeader(t *testing.T) {
	f, c := startFlaky(t, func(int64) error { return nil })
	if _, err := c.Leader(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.deposed.Store(&net.TCPAddr{})
	time.AfterFunc(20*time.Millisecond, func() { f.deposed.Store(nil) })
	if l, err := c.Nimbus().GetLeader(t.Context()); err != nil || int(l.Port) != f.at.(*net.TCPAddr).Port {
		t.Fatalf("%v, %v", l, err)
	}
}

// A Nimbus that was away between two calls costs neither of them, whatever they do.
func TestRestartBetweenCalls(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{at: ln.Addr(), do: func(int64) error { return nil }}
	serve := func(ln net.Listener) *wire.Server {
		srv, err := wire.NewServer(wire.Options{}, stormrpc.NewNimbusProcessor(f))
		if err != nil {
			t.Fatal(err)
		}
		go srv.Serve(ln)
		return srv
	}
	srv := serve(ln)
	c, err := New(Options{Seeds: []string{ln.Addr().String()}, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 5 {
		if err := c.Nimbus().KillTopology(t.Context(), "words"); err != nil {
			t.Fatal(err)
		}
		srv.Shutdown(t.Context())
		if ln, err = net.Listen("tcp", f.at.String()); err != nil {
			t.Fatal(err)
		}
		srv = serve(ln)
	}
	srv.Shutdown(t.Context())
	if n := f.calls.Load(); n != 5 {
		t.Errorf("%d calls were made, want 5", n)
	}
}

// A seed that accepts connections and says nothing, as a stopped process does, holds up no lookup.
func TestSeedThatHangsIsPassedOver(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	f, _ := startFlaky(t, func(int64) error { return nil })
	c, err := New(Options{Seeds: []string{silent.Addr().String(), f.at.String()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begun := time.Now()
	if at, err := c.Leader(t.Context()); err != nil || at != f.at.String() {
		t.Fatalf("leader %s, %v", at, err)
	}
	if d := time.Since(begun); d >= patience {
		t.Errorf("the lookup took %v", d)
	}
}
