package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// answering accepts one connection and gives it to talk.
func answering(t *testing.T, talk func(conn net.Conn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		talk(conn)
	})
	t.Cleanup(func() { ln.Close(); done.Wait() })
	return ln.Addr().String()
}

func TestDialFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	_, err = Dial(t.Context(), addr, DialOptions{})
	lost, ok := errors.AsType[*ConnError](err)
	if !ok || lost.Addr != addr || lost.Sent || lost.Method != "" || !strings.Contains(err.Error(), "connect to "+addr) {
		t.Errorf("got %v", err)
	}
}

func TestRepliesThatEndTheConnection(t *testing.T) {
	for name, tt := range map[string]struct {
		reply []byte
		want  string
	}{
		"none":                  {nil, "unexpected EOF"},
		"half":                  {strict("getLeader", 2, 1).stop().frame()[:9], "unexpected EOF"},
		"of another call":       {strict("getLeader", 2, 2).stop().frame(), "does not belong"},
		"of another method":     {strict("getLeaders", 2, 1).stop().frame(), "does not belong"},
		"not a reply":           {strict("getLeader", 1, 1).stop().frame(), "message type 1"},
		"too long":              {message{}.i32(2000), "limit 1000"},
		"result does not parse": {strict("getLeader", 2, 1).field(tStruct, 0).frame(), "read result"},
		"not thrift":            {message("HTTP/1.1 400 Bad Request"), "larger than allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, answering(t, func(conn net.Conn) {
				if _, err := readFrame(conn, 1<<20, nil); err == nil {
					conn.Write(tt.reply)
				}
			}), DialOptions{MaxReplyBytes: 1000})
			_, err := stormrpc.NewNimbusClient(c).GetLeader(t.Context())
			lost, ok := errors.AsType[*ConnError](err)
			if !ok || !lost.Sent || lost.Method != "getLeader" || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if _, answered := ApplicationError(err); answered {
				t.Error("looks like an answer")
			}
			_, err = stormrpc.NewNimbusClient(c).GetLeader(t.Context())
			if lost, ok := errors.AsType[*ConnError](err); !ok || lost.Sent || !errors.Is(err, net.ErrClosed) || !c.Closed() {
				t.Errorf("next call: %v", err)
			}
		})
	}
}

func TestOldStyleReplyIsRead(t *testing.T) {
	c := dial(t, answering(t, func(conn net.Conn) {
		if _, err := readFrame(conn, 1<<20, nil); err == nil {
			conn.Write(old("isTopologyNameAllowed", 2, 1).field(tBool, 0).bytes(1).stop().frame())
		}
	}), DialOptions{})
	if ok, err := stormrpc.NewNimbusClient(c).IsTopologyNameAllowed(t.Context(), "t"); err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestContextEndsACall(t *testing.T) {
	for name, tt := range map[string]struct {
		opts    DialOptions
		context func(context.Context) (context.Context, context.CancelFunc)
		want    error
	}{
		"deadline": {DialOptions{}, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 50*time.Millisecond)
		}, context.DeadlineExceeded},
		"cancel": {DialOptions{}, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(50*time.Millisecond, cancel)
			return ctx, cancel
		}, context.Canceled},
		"own timeout": {DialOptions{CallTimeout: 50 * time.Millisecond}, context.WithCancel, ErrCallTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan error, 1)
			c := dial(t, answering(t, func(conn net.Conn) {
				_, err := io.Copy(io.Discard, conn) // until the client closes
				closed <- err
			}), tt.opts)
			ctx, cancel := tt.context(t.Context())
			defer cancel()
			_, err := stormrpc.NewNimbusClient(c).GetLeader(ctx)
			if lost, ok := errors.AsType[*ConnError](err); !ok || !lost.Sent || !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
			<-closed
		})
	}
}

func TestCallsOfOneClientTakeTurns(t *testing.T) {
	addr, _, _ := start(t, Options{}, &nimbus{allowed: func(name string) (bool, error) { return name == "yes", nil }}, nil)
	c := stormrpc.NewNimbusClient(dial(t, addr, DialOptions{}))
	var calls sync.WaitGroup
	for i := range 20 {
		calls.Go(func() {
			name := []string{"yes", "no"}[i%2]
			// The generated client keeps the last response's headers without a lock, so each caller has its own.
			if ok, err := stormrpc.NewNimbusClient(c.Client_()).IsTopologyNameAllowed(t.Context(), name); err != nil || ok != (name == "yes") {
				t.Errorf("%s: %v, %v", name, ok, err)
			}
		})
	}
	calls.Wait()
}

func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	got := make(chan struct{})
	c := dial(t, answering(t, func(conn net.Conn) {
		if _, err := readFrame(conn, 1<<20, nil); err == nil {
			close(got)
			io.Copy(io.Discard, conn)
		}
	}), DialOptions{})
	first := make(chan error, 1)
	go func() {
		_, err := stormrpc.NewNimbusClient(c).GetLeader(context.Background())
		first <- err
	}()
	<-got
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := stormrpc.NewNimbusClient(c).GetLeader(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("second call: %v", err)
	}
	if c.Closed() {
		t.Error("the second call closed the connection of the first")
	}
	c.Close()
	if err := <-first; err == nil {
		t.Error("the first call succeeded")
	}
}

func TestRequestOverTheLimitIsNotSent(t *testing.T) {
	addr, _, log := start(t, Options{MaxFrameBytes: 1000}, &nimbus{}, nil)
	c := stormrpc.NewNimbusClient(dial(t, addr, DialOptions{MaxFrameBytes: 1000}))
	err := c.UploadChunk(t.Context(), "l", make([]byte, 1000))
	if !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := c.GetLeader(t.Context()); err != nil || log.String() != "" {
		t.Errorf("afterwards: %v; log %s", err, log)
	}
}

func TestClosedByTheServerWhileIdle(t *testing.T) {
	addr, srv, _ := start(t, Options{IdleTimeout: 50 * time.Millisecond}, &nimbus{}, nil)
	c := dial(t, addr, DialOptions{})
	nimbus := stormrpc.NewNimbusClient(c)
	if _, err := nimbus.GetLeader(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server closes", func() bool {
		srv.mu.Lock()
		defer srv.mu.Unlock()
		return len(srv.conns) == 0
	})
	c.used = c.used.Add(-time.Hour)
	_, err := nimbus.GetLeader(t.Context())
	if lost, ok := errors.AsType[*ConnError](err); !ok || lost.Sent {
		t.Errorf("got %v", err)
	}
}

func TestIdleClientStillWorks(t *testing.T) {
	addr, _, _ := start(t, Options{}, &nimbus{}, nil)
	c := dial(t, addr, DialOptions{})
	for range 3 {
		c.used = c.used.Add(-time.Hour)
		if _, err := stormrpc.NewNimbusClient(c).GetLeader(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
