package wire

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// takeAll accepts every relayed call as made by whom the relay says.
func takeAll(p Peer, principal string) (Peer, bool) {
	p.Principal = principal
	return p, true
}

// relayTo makes a route that passes everything on to the server at addr.
func relayTo(t *testing.T, addr string) func(context.Context, string, bool) Route {
	t.Helper()
	return func(_ context.Context, _ string, relayed bool) Route {
		if relayed {
			return Route{Refuse: &Refusal{"no leader", "a relayed call came back"}}
		}
		return Route{Relay: func(ctx context.Context, call RawCall) ([]byte, error) {
			c, err := Dial(ctx, addr, DialOptions{})
			if err != nil {
				return nil, &Refusal{"no leader", "nobody answers"}
			}
			defer c.Close()
			return c.Relay(ctx, call)
		}}
	}
}

func TestRelayedCalls(t *testing.T) {
	addr, _, _ := start(t, Options{Relayed: takeAll}, &nimbus{
		allowed: func(name string) (bool, error) { return name == "free", nil },
		kill: func(_ context.Context, name string) error {
			switch name {
			case "gone":
				return &stormrpc.NotAliveException{Msg: "gone is not alive"}
			case "odd":
				return &Refusal{"session lost", "begin again: now"}
			}
			return errors.New("a secret")
		},
		conf: func(context.Context) (string, error) { return "", ErrNotImplemented },
	}, nil)
	front, _, _ := start(t, Options{Route: relayTo(t, addr)}, &nimbus{}, nil)
	c := stormrpc.NewNimbusClient(dial(t, front, DialOptions{}))
	for name, want := range map[string]bool{"free": true, "taken": false} {
		if got, err := c.IsTopologyNameAllowed(t.Context(), name); err != nil || got != want {
			t.Fatalf("%s: %v, %v", name, got, err)
		}
	}
	if _, ok := errors.AsType[*stormrpc.NotAliveException](c.KillTopology(t.Context(), "gone")); !ok {
		t.Error("a declared exception did not come back")
	}
	err := c.KillTopology(t.Context(), "odd")
	if r, ok := RefusalOf(err); !ok || r != (Refusal{"session lost", "begin again: now"}) {
		t.Errorf("a refusal came back as %v", err)
	}
	err = c.KillTopology(t.Context(), "other")
	if kind, ok := ApplicationError(err); !ok || kind != InternalError || strings.Contains(err.Error(), "secret") {
		t.Errorf("an internal error came back as %v", err)
	}
	if _, ok := RefusalOf(err); ok {
		t.Errorf("an internal error is taken for a refusal: %v", err)
	}
	_, err = c.GetNimbusConf(t.Context())
	if kind, _ := ApplicationError(err); kind != UnknownMethod {
		t.Errorf("an unknown method came back as %v", err)
	}
}

func TestRelayedCallIsNotRelayedAgain(t *testing.T) {
	done := 0
	addr, _, _ := start(t, Options{Relayed: takeAll, Route: func(_ context.Context, _ string, relayed bool) Route {
		if relayed {
			return Route{Refuse: &Refusal{"no leader", "not here"}, Done: func() { done++ }}
		}
		return Route{}
	}}, &nimbus{}, nil)
	front, _, _ := start(t, Options{Route: relayTo(t, addr)}, &nimbus{}, nil)
	_, err := stormrpc.NewNimbusClient(dial(t, front, DialOptions{})).GetLeader(t.Context())
	if r, ok := RefusalOf(err); !ok || r.Reason != "no leader" || done != 1 {
		t.Fatalf("got %v, done %d times", err, done)
	}
}

// A handler that is only tried may leave the call to the relay, whose answer is the caller's.
func TestTriedFirst(t *testing.T) {
	addr, _, _ := start(t, Options{Relayed: takeAll}, &nimbus{allowed: func(string) (bool, error) { return true, nil }}, nil)
	route := relayTo(t, addr)
	front, _, _ := start(t, Options{Route: func(ctx context.Context, m string, relayed bool) Route {
		r := route(ctx, m, relayed)
		r.Try = true
		return r
	}}, &nimbus{allowed: func(name string) (bool, error) {
		if name == "here" {
			return false, nil
		}
		return false, ErrElsewhere
	}}, nil)
	c := stormrpc.NewNimbusClient(dial(t, front, DialOptions{}))
	for name, want := range map[string]bool{"here": false, "there": true} {
		if got, err := c.IsTopologyNameAllowed(t.Context(), name); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
}

// The end of the caller reaches the handler of a held call through the relay.
func TestRelayedHeldCallEndsWithItsCaller(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	held := []string{"syncNode"}
	addr, _, _ := start(t, Options{Relayed: takeAll, Held: held}, &nimbus{}, &plans{node: func(ctx context.Context, _ int64) (*stormrpc.NodePlan, error) {
		close(began)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil, ctx.Err()
	}})
	front, _, _ := start(t, Options{Route: relayTo(t, addr), Held: held}, &nimbus{}, nil)
	c := dial(t, front, DialOptions{})
	go stormrpc.NewGearstormClient(c).SyncNode(context.Background(), report(), 0, 1000)
	<-began
	c.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, ErrCallerGone) {
			t.Fatalf("handler ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the handler never heard of it")
	}
}

// A request of exactly the limit passes through, and the room for envelopes is no room for other requests.
func TestRelayAtTheLimit(t *testing.T) {
	const limit = 4096
	var got int
	opts := Options{Relayed: takeAll, MaxFrameBytes: limit}
	addr, _, _ := start(t, opts, &nimbus{chunk: func(_ string, c []byte) error { got = len(c); return nil }}, nil)
	front, _, _ := start(t, Options{Route: func(ctx context.Context, m string, relayed bool) Route {
		return Route{Relay: func(ctx context.Context, call RawCall) ([]byte, error) {
			c, err := Dial(ctx, addr, DialOptions{MaxFrameBytes: limit})
			if err != nil {
				return nil, err
			}
			defer c.Close()
			call.Principal = strings.Repeat("p", maxPrincipal)
			return c.Relay(ctx, call)
		}}
	}, MaxFrameBytes: limit}, &nimbus{}, nil)
	fits := limit - (12 + len("uploadChunk") + 7 + 1 + 7 + 1)
	c := stormrpc.NewNimbusClient(dial(t, front, DialOptions{}))
	if err := c.UploadChunk(t.Context(), "l", make([]byte, fits)); err != nil || got != fits {
		t.Fatalf("%d bytes arrived, %v", got, err)
	}
	direct := stormrpc.NewNimbusClient(dial(t, addr, DialOptions{}))
	err := direct.UploadChunk(t.Context(), "l", make([]byte, fits+1))
	if _, ok := errors.AsType[*ConnError](err); !ok {
		t.Fatalf("a request over the limit ended with %v", err)
	}
}

func TestEnvelopesThatAreRefused(t *testing.T) {
	inner := strict("getLeader", 1, 5).stop()
	wrap := func(inner message) message {
		return strict(relayMethod, 1, 1).field(11, 1).str("").field(11, 2).str(string(inner)).stop()
	}
	sealed := wrap(inner)
	for name, c := range map[string]struct {
		opts Options
		send message
	}{
		"not taken here":      {Options{}, sealed},
		"not by this peer":    {Options{Relayed: func(p Peer, _ string) (Peer, bool) { return p, false }}, sealed},
		"envelope in another": {Options{Relayed: takeAll}, wrap(sealed)},
		"cut off":             {Options{Relayed: takeAll}, sealed[:len(sealed)-3]},
		"bytes after it":      {Options{Relayed: takeAll}, append(bytes.Clone(sealed), 0)},
		"empty":               {Options{Relayed: takeAll}, strict(relayMethod, 1, 1).stop()},
		"no message inside":   {Options{Relayed: takeAll}, wrap(message("rubbish"))},
		"long principal": {Options{Relayed: takeAll},
			strict(relayMethod, 1, 1).field(11, 1).str(strings.Repeat("p", maxPrincipal+1)).field(11, 2).str(string(inner)).stop()},
	} {
		t.Run(name, func(t *testing.T) {
			addr, srv, _ := start(t, c.opts, &nimbus{}, nil)
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write(c.send.frame()); err != nil {
				t.Fatal(err)
			}
			if got, closed := drain(conn); len(got) != 0 || !closed {
				t.Fatalf("answered %q, closed %v", got, closed)
			}
			eventually(t, "the buffers are given back", func() bool { return srv.buffered.Used() == 0 })
		})
	}
}
