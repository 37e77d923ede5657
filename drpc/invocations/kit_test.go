package invocations

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/drpc"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// server is a DRPC server that runs until the test ends or stop is called.
type server struct {
	*drpc.Server
	stop func()
}

func startServer(t *testing.T, ports drpc.Ports) *server {
	t.Helper()
	ports.HTTP = -1
	s, err := drpc.New(drpc.Config{Ports: ports, Limits: drpc.Limits{Timeout: 20 * time.Second}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx)
		close(done)
	}()
	stop := func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	}
	t.Cleanup(stop)
	return &server{s, stop}
}

// keys are the configuration of a topology that finds the server.
func (s *server) keys() map[string]any { return s.Keys() }

// answer is how a call of execute ended.
type answer struct {
	result string
	err    error
}

// execute calls a function, in a goroutine of its own.
func (s *server) execute(t *testing.T, function, args string) <-chan answer {
	t.Helper()
	client, err := wire.Dial(t.Context(), net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Ports().Execute)), wire.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan answer, 1)
	go func() {
		defer client.Close()
		result, err := stormrpc.NewDistributedRPCClient(client).Execute(context.Background(), function, args)
		out <- answer{result, err}
	}()
	return out
}

// fetched waits for a request of a function, as another topology's task would, and returns its arguments.
func (s *server) fetched(t *testing.T, function string) string {
	t.Helper()
	l, err := newLink(net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Ports().Invocations)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for {
		r, _, err := l.next(t.Context(), function)
		if err != nil {
			t.Fatal(err)
		}
		if r.RequestID != "" {
			return r.FuncArgs_
		}
	}
}

func (a answer) failedWith(kind stormrpc.DRPCExceptionType, text string) bool {
	f, ok := errors.AsType[*stormrpc.DRPCExecutionException](a.err)
	return ok && f.GetType() == kind && f.Msg == text
}

// bolt is Results as stormtest takes it.
type bolt struct{ *Results }

func (b bolt) Prepare(ctx *storm.Context, c *storm.Collector) error { return b.Open(ctx, c) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
