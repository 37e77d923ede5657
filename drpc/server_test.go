package drpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// running is a server that runs until the test ends.
type running struct {
	*Server
	stop func() error // ends it and returns what Run did
}

func start(t *testing.T, l Limits) *running {
	t.Helper()
	return startWith(t, Config{MaxFrameBytes: 2000, Limits: l})
}

func startWith(t *testing.T, cfg Config) *running {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		err = s.Run(ctx)
		close(done)
	}()
	r := &running{s, func() error {
		cancel()
		<-done
		return err
	}}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return r
}

func dial(t *testing.T, port int) *wire.Client {
	t.Helper()
	c, err := wire.Dial(t.Context(), at(port), wire.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func at(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// nextRequest fetches until there is a request.
func nextRequest(t *testing.T, c *stormrpc.DistributedRPCInvocationsClient, function string) *stormrpc.DRPCRequest {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		r, err := c.FetchRequest(t.Context(), function)
		if err != nil {
			t.Fatal(err)
		}
		if r.RequestID != "" {
			return r
		}
	}
	t.Fatalf("no request for %s", function)
	return nil
}

func TestServer(t *testing.T) {
	s := start(t, Limits{})
	caller := stormrpc.NewDistributedRPCClient(dial(t, s.Ports().Execute))
	topology := stormrpc.NewDistributedRPCInvocationsClient(dial(t, s.Ports().Invocations))
	kind := stormrpc.DRPCExceptionType_INTERNAL_ERROR
	own := &stormrpc.DRPCExecutionException{Msg: "no such user", Type: &kind}
	for _, c := range []struct {
		name   string
		end    func(id string) error
		result string
		kind   stormrpc.DRPCExceptionType
		says   string
	}{
		{"result", func(id string) error { return topology.Result_(t.Context(), id, "done") }, "done", 0, ""},
		{"failRequest", func(id string) error { return topology.FailRequest(t.Context(), id) }, "", stormrpc.DRPCExceptionType_FAILED_REQUEST, "Request failed"},
		{"failRequestV2", func(id string) error { return topology.FailRequestV2(t.Context(), id, own) }, "", kind, "no such user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			type answer struct {
				result string
				err    error
			}
			answered := make(chan answer, 1)
			go func() {
				result, err := caller.Execute(context.Background(), "f", c.name)
				answered <- answer{result, err}
			}()
			r := nextRequest(t, topology, "f")
			if r.FuncArgs_ != c.name {
				t.Errorf("the arguments are %q", r.FuncArgs_)
			}
			if err := c.end("unknown"); err != nil {
				t.Errorf("an unknown id: %v", err)
			}
			if err := c.end(r.RequestID); err != nil {
				t.Fatal(err)
			}
			got := <-answered
			if c.says == "" {
				if got.result != c.result || got.err != nil {
					t.Errorf("%q, %v", got.result, got.err)
				}
				return
			}
			f, ok := errors.AsType[*stormrpc.DRPCExecutionException](got.err)
			if !ok || f.GetType() != c.kind || f.Msg != c.says {
				t.Errorf("%q, %v", got.result, got.err)
			}
		})
	}
	resp, err := http.Get(fmt.Sprintf("http://%s/nothing", at(s.Ports().HTTP)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 404 {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

// A request of one byte more than allowed closes the connection; the server goes on.
func TestLongArguments(t *testing.T) {
	s := start(t, Limits{Timeout: 10 * time.Millisecond})
	for size, want := range map[int]string{1900: "Timed Out", 2000: "EOF"} {
		caller := stormrpc.NewDistributedRPCClient(dial(t, s.Ports().Execute))
		_, err := caller.Execute(t.Context(), "f", strings.Repeat("x", size))
		if err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%d bytes: %v, want %s", size, err, want)
		}
	}
}

// The end of the server answers callers on both ports.
func TestServerEnds(t *testing.T) {
	s := start(t, Limits{})
	type end struct {
		what string
		ok   bool
	}
	ends := make(chan end, 2)
	caller := stormrpc.NewDistributedRPCClient(dial(t, s.Ports().Execute))
	go func() {
		_, err := caller.Execute(context.Background(), "f", "thrift")
		f, ok := errors.AsType[*stormrpc.DRPCExecutionException](err)
		ends <- end{fmt.Sprint("thrift: ", err), ok && f.GetType() == stormrpc.DRPCExceptionType_SERVER_SHUTDOWN && f.Msg == "Server Shutting Down"}
	}()
	go func() {
		resp, err := http.Get(fmt.Sprintf("http://%s/drpc/f/http", at(s.Ports().HTTP)))
		if err != nil {
			ends <- end{err.Error(), false}
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		ends <- end{fmt.Sprintf("http: %d %s", resp.StatusCode, text), resp.StatusCode == 503 && strings.Contains(string(text), "SERVER_SHUTDOWN")}
	}()
	topology := stormrpc.NewDistributedRPCInvocationsClient(dial(t, s.Ports().Invocations))
	nextRequest(t, topology, "f")
	nextRequest(t, topology, "f")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if e := <-ends; !e.ok {
			t.Error(e.what)
		}
	}
}

// A caller who closes his connection takes his request along.
func TestCallerGone(t *testing.T) {
	s := start(t, Limits{})
	client := dial(t, s.Ports().Execute)
	go stormrpc.NewDistributedRPCClient(client).Execute(context.Background(), "f", "x")
	topology := stormrpc.NewDistributedRPCInvocationsClient(dial(t, s.Ports().Invocations))
	nextRequest(t, topology, "f")
	client.Close()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if n, _ := s.book.counts(); n == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the request is still there")
		}
	}
}

func TestFromConf(t *testing.T) {
	got, err := FromConf(conf.Defaults())
	want := Config{Ports: Ports{3772, 3773, 3774, -1}, MaxFrameBytes: 1 << 20, Threads: 64, Limits: Limits{Timeout: 600 * time.Second, Requests: 4096}}
	if err != nil || got != want {
		t.Errorf("the defaults are %+v, %v", got, err)
	}
	for key, value := range map[string]any{
		"drpc.port": int64(70000), "drpc.http.port": "x", "drpc.https.port": int64(443), "drpc.authorizer": "org.apache.storm.security.auth.authorizer.DRPCSimpleACLAuthorizer",
		"drpc.max_buffer_size": int64(0), "drpc.request.timeout.secs": int64(0), "gearstorm.drpc.max.requests": int64(1 << 20),
	} {
		if _, err := FromConf(conf.Merge(conf.Defaults(), conf.Conf{key: value})); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s = %v gave %v", key, value, err)
		}
	}
}

func TestPortTaken(t *testing.T) {
	s := start(t, Limits{})
	_, err := New(Config{Ports: Ports{Execute: s.Ports().Execute}})
	if err == nil || !strings.Contains(err.Error(), "drpc.port") {
		t.Errorf("%v", err)
	}
	without, err := New(Config{Ports: Ports{HTTP: -1}})
	if err != nil || without.Ports().HTTP != -1 {
		t.Fatalf("without HTTP: %v", err)
	}
	without.Close()
}
