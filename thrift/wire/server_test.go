package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// nimbus answers the methods that have a function; a call of another one panics.
type nimbus struct {
	stormrpc.Nimbus
	getLeader func(ctx context.Context) (*stormrpc.NimbusSummary, error)
	kill      func(ctx context.Context, name string) error
	conf      func(ctx context.Context) (string, error)
	chunk     func(location string, chunk []byte) error
	topology  func() (*stormrpc.StormTopology, error)
	allowed   func(name string) (bool, error)
}

func (n *nimbus) GetLeader(ctx context.Context) (*stormrpc.NimbusSummary, error) {
	if n.getLeader == nil {
		return &stormrpc.NimbusSummary{Host: "nimbus.example", Port: 6627, UptimeSecs: 1, IsLeader: true, Version: "2.8.3"}, nil
	}
	return n.getLeader(ctx)
}
func (n *nimbus) KillTopology(ctx context.Context, name string) error     { return n.kill(ctx, name) }
func (n *nimbus) GetNimbusConf(ctx context.Context) (string, error)       { return n.conf(ctx) }
func (n *nimbus) UploadChunk(_ context.Context, l string, c []byte) error { return n.chunk(l, c) }
func (n *nimbus) IsTopologyNameAllowed(_ context.Context, name string) (bool, error) {
	return n.allowed(name)
}
func (n *nimbus) GetTopology(context.Context, string) (*stormrpc.StormTopology, error) {
	return n.topology()
}

// plans answers our own service.
type plans struct {
	stormrpc.Gearstorm // what is not below is not called
	node               func(ctx context.Context, known int64) (*stormrpc.NodePlan, error)
}

func (p *plans) SyncNode(ctx context.Context, _ *stormrpc.NodeReport, known int64, _ int32) (*stormrpc.NodePlan, error) {
	return p.node(ctx, known)
}

func (p *plans) SyncWorker(context.Context, *stormrpc.WorkerReport, int64, int32) (*stormrpc.TopologyPlan, error) {
	return nil, ErrNotImplemented
}

// logbook keeps what a server logs.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start serves n and p on a free port until the test ends.
func start(t testing.TB, opts Options, n *nimbus, p *plans) (addr string, srv *Server, log *logbook) {
	t.Helper()
	log = &logbook{}
	opts.Log = slog.New(slog.NewTextHandler(log, nil))
	if p == nil {
		p = &plans{}
	}
	srv, err := NewServer(opts, stormrpc.NewNimbusProcessor(n), stormrpc.NewGearstormProcessor(p))
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
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String(), srv, log
}

func dial(t testing.TB, addr string, opts DialOptions) *Client {
	t.Helper()
	c, err := Dial(t.Context(), addr, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestCallsOfSeveralServicesOnOneConnection(t *testing.T) {
	addr, _, log := start(t, Options{Held: []string{"syncNode"}}, &nimbus{
		allowed: func(name string) (bool, error) { return name == "free", nil },
	}, &plans{node: func(_ context.Context, known int64) (*stormrpc.NodePlan, error) {
		return &stormrpc.NodePlan{PlanVersion: known + 1, Epoch: 3, Topologies: []*stormrpc.TopologyPlan{}}, nil
	}})
	c := dial(t, addr, DialOptions{})
	storm, own := stormrpc.NewNimbusClient(c), stormrpc.NewGearstormClient(c)
	for i := range int64(3) {
		leader, err := storm.GetLeader(t.Context())
		if err != nil || leader.Host != "nimbus.example" || !leader.IsLeader {
			t.Fatalf("leader %v, %v", leader, err)
		}
		if ok, err := storm.IsTopologyNameAllowed(t.Context(), "free"); err != nil || !ok {
			t.Fatalf("name allowed: %v, %v", ok, err)
		}
		plan, err := own.SyncNode(t.Context(), report(), i, 0)
		if err != nil || plan.PlanVersion != i+1 || plan.Epoch != 3 {
			t.Fatalf("plan %v, %v", plan, err)
		}
	}
	if log.String() != "" {
		t.Errorf("logged: %s", log)
	}
}

func report() *stormrpc.NodeReport {
	return &stormrpc.NodeReport{NodeID: "n", Hostname: "h", Ports: []int32{6700}, Version: "2.8.3",
		Resources: map[string]float64{"cpu": 100}, Workers: []*stormrpc.WorkerReport{}}
}

func TestAnswersToHandlerErrors(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		kind   int32 // of the application exception, 0 for a declared one
		text   string
		logged string
	}{
		{"undeclared", errors.New("disk on fire"), InternalError, "Internal error processing getLeader", "disk on fire"},
		{"undeclared, declared inside", fmt.Errorf("x: %w", &stormrpc.AuthorizationException{Msg: "no"}), InternalError, "Internal error processing getLeader", "no"},
		{"of another method", &stormrpc.NotAliveException{Msg: "t"}, InternalError, "Internal error processing getLeader", "NotAliveException"},
		{"canceled", context.Canceled, InternalError, "Internal error processing getLeader", "context canceled"},
		{"no result", fmt.Errorf("no leader: %w", ErrUnknownResult), MissingResult, "getLeader failed: unknown result", ""},
		{"nil result", nil, MissingResult, "getLeader failed: unknown result", ""},
		{"not implemented", fmt.Errorf("x: %w", ErrNotImplemented), UnknownMethod, "Invalid method name: 'getLeader'", ""},
		{"declared", &stormrpc.AuthorizationException{Msg: "getLeader is not authorized"}, 0, "getLeader is not authorized", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr, _, log := start(t, Options{}, &nimbus{
				getLeader: func(context.Context) (*stormrpc.NimbusSummary, error) { return nil, tt.err },
			}, nil)
			c := dial(t, addr, DialOptions{})
			for range 2 { // the connection outlives the error
				_, err := stormrpc.NewNimbusClient(c).GetLeader(t.Context())
				if tt.kind == 0 {
					var denied *stormrpc.AuthorizationException
					if !errors.As(err, &denied) || denied.Msg != tt.text {
						t.Fatalf("got %v, want AuthorizationException %q", err, tt.text)
					}
				} else if kind, _ := ApplicationError(err); kind != tt.kind || err.Error() != tt.text {
					t.Fatalf("got type %d %q, want %d %q", kind, err, tt.kind, tt.text)
				}
			}
			if got := log.String(); tt.logged == "" && got != "" || !strings.Contains(got, tt.logged) {
				t.Errorf("log %q, want %q in it", got, tt.logged)
			}
		})
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	addr, _, log := start(t, Options{}, &nimbus{}, nil)
	c := dial(t, addr, DialOptions{})
	_, err := stormrpc.NewNimbusClient(c).GetClusterInfo(t.Context()) // nil inside
	if kind, _ := ApplicationError(err); kind != InternalError || err.Error() != "Internal error processing getClusterInfo" {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(log.String(), "handler panicked") || !strings.Contains(log.String(), "getClusterInfo") {
		t.Errorf("log: %s", log)
	}
	if _, err := stormrpc.NewNimbusClient(c).GetLeader(t.Context()); err != nil {
		t.Errorf("next call: %v", err)
	}
}

func TestReplyThatDoesNotEncode(t *testing.T) {
	twice := &stormrpc.GlobalStreamId{ComponentId: "a", StreamId: "s"}
	addr, _, log := start(t, Options{}, &nimbus{topology: func() (*stormrpc.StormTopology, error) {
		common := &stormrpc.ComponentCommon{Inputs: []MapEntry[*stormrpc.GlobalStreamId, *stormrpc.Grouping]{
			{Key: twice, Value: &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}}},
			{Key: twice, Value: &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}}},
		}}
		bolt := &stormrpc.Bolt{BoltObject: &stormrpc.ComponentObject{SerializedJava: []byte{1}}, Common: common}
		return &stormrpc.StormTopology{Bolts: map[string]*stormrpc.Bolt{"b": bolt}}, nil
	}}, nil)
	c := dial(t, addr, DialOptions{})
	_, err := stormrpc.NewNimbusClient(c).GetTopology(t.Context(), "t")
	if kind, _ := ApplicationError(err); kind != InternalError || err.Error() != "Internal error processing getTopology" {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(log.String(), "not unique") {
		t.Errorf("log: %s", log)
	}
}

func TestReplyOverTheLimit(t *testing.T) {
	addr, _, log := start(t, Options{MaxReplyBytes: 1000}, &nimbus{
		conf: func(context.Context) (string, error) { return strings.Repeat("x", 1000), nil },
	}, nil)
	_, err := stormrpc.NewNimbusClient(dial(t, addr, DialOptions{})).GetNimbusConf(t.Context())
	if kind, _ := ApplicationError(err); kind != InternalError {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(log.String(), "limit 1000") {
		t.Errorf("log: %s", log)
	}
}

func TestCallerIsKnown(t *testing.T) {
	var seen Peer
	addr, _, _ := start(t, Options{Handshake: func(_ context.Context, conn net.Conn) (net.Conn, string, error) {
		word := make([]byte, 5)
		if _, err := conn.Read(word); err != nil {
			return nil, "", err
		}
		return conn, "user-" + string(word), nil
	}}, &nimbus{kill: func(ctx context.Context, _ string) error { seen = Caller(ctx); return nil }}, nil)
	c := dial(t, addr, DialOptions{Handshake: func(_ context.Context, conn net.Conn) (net.Conn, string, error) {
		_, err := conn.Write([]byte("alice"))
		return conn, "", err
	}})
	if err := stormrpc.NewNimbusClient(c).KillTopology(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	want := Peer{Remote: netip.MustParseAddrPort(c.conn.LocalAddr().String()), Principal: "user-alice"}
	if seen != want {
		t.Errorf("caller %v, want %v", seen, want)
	}
	if Caller(context.Background()) != (Peer{}) {
		t.Error("a caller outside of a call")
	}
}

func TestRefusedHandshakeClosesTheConnection(t *testing.T) {
	addr, _, log := start(t, Options{Handshake: func(context.Context, net.Conn) (net.Conn, string, error) {
		return nil, "", errors.New("wrong password")
	}}, &nimbus{}, nil)
	_, err := stormrpc.NewNimbusClient(dial(t, addr, DialOptions{})).GetLeader(t.Context())
	if _, ok := errors.AsType[*ConnError](err); !ok {
		t.Fatalf("got %v", err)
	}
	eventually(t, "the refusal is logged", func() bool { return strings.Contains(log.String(), "wrong password") })
}

func TestHeldCallsDoNotUseUpTheServer(t *testing.T) {
	held := make(chan struct{}, 10)
	addr, _, log := start(t, Options{MaxInFlight: 1, MaxHeld: 3, Held: []string{"syncNode"}}, &nimbus{},
		&plans{node: func(ctx context.Context, _ int64) (*stormrpc.NodePlan, error) {
			held <- struct{}{}
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}})
	for range 3 {
		own := stormrpc.NewGearstormClient(dial(t, addr, DialOptions{}))
		go own.SyncNode(t.Context(), report(), 0, 60000)
		<-held
	}
	c := dial(t, addr, DialOptions{})
	if _, err := stormrpc.NewNimbusClient(c).GetLeader(t.Context()); err != nil {
		t.Errorf("ordinary call beside held ones: %v", err)
	}
	_, err := stormrpc.NewGearstormClient(c).SyncNode(t.Context(), report(), 0, 60000)
	if kind, _ := ApplicationError(err); kind != InternalError {
		t.Errorf("fourth held call: %v", err)
	}
	if !strings.Contains(log.String(), "too many held calls") {
		t.Errorf("log: %s", log)
	}
}

func TestHeldCallEndsWithItsCaller(t *testing.T) {
	started, cause := make(chan struct{}), make(chan error, 1)
	addr, _, _ := start(t, Options{Held: []string{"syncNode"}}, &nimbus{},
		&plans{node: func(ctx context.Context, _ int64) (*stormrpc.NodePlan, error) {
			close(started)
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return nil, ctx.Err()
		}})
	c := dial(t, addr, DialOptions{})
	go stormrpc.NewGearstormClient(c).SyncNode(t.Context(), report(), 0, 60000)
	<-started
	c.Close()
	if err := <-cause; !errors.Is(err, ErrCallerGone) {
		t.Errorf("cause %v", err)
	}
}

func TestInFlightCapMakesCallsWait(t *testing.T) {
	var mu sync.Mutex
	running, most := 0, 0
	enter := make(chan struct{}, 8)
	leave := make(chan struct{})
	addr, _, _ := start(t, Options{MaxInFlight: 2}, &nimbus{kill: func(context.Context, string) error {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		enter <- struct{}{}
		<-leave
		mu.Lock()
		running--
		mu.Unlock()
		return nil
	}}, nil)
	var calls sync.WaitGroup
	for range 8 {
		c := stormrpc.NewNimbusClient(dial(t, addr, DialOptions{}))
		calls.Go(func() {
			if err := c.KillTopology(t.Context(), "t"); err != nil {
				t.Error(err)
			}
		})
	}
	<-enter
	<-enter
	close(leave)
	calls.Wait()
	if most != 2 {
		t.Errorf("%d calls at one time, want 2", most)
	}
}

func TestShutdownAnswersWhatRuns(t *testing.T) {
	started, leave := make(chan struct{}, 2), make(chan struct{})
	addr, srv, _ := start(t, Options{Held: []string{"syncNode"}},
		&nimbus{kill: func(ctx context.Context, _ string) error {
			started <- struct{}{}
			<-leave
			return ctx.Err()
		}},
		&plans{node: func(ctx context.Context, known int64) (*stormrpc.NodePlan, error) {
			started <- struct{}{}
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), ErrShutdown) {
				return nil, context.Cause(ctx)
			}
			return &stormrpc.NodePlan{PlanVersion: known, Topologies: []*stormrpc.TopologyPlan{}}, nil
		}})
	idle := dial(t, addr, DialOptions{})
	killed, synced := make(chan error, 1), make(chan error, 1)
	go func() {
		killed <- stormrpc.NewNimbusClient(dial(t, addr, DialOptions{})).KillTopology(context.Background(), "t")
	}()
	go func() {
		_, err := stormrpc.NewGearstormClient(dial(t, addr, DialOptions{})).SyncNode(context.Background(), report(), 7, 60000)
		synced <- err
	}()
	<-started
	<-started
	down := make(chan error, 1)
	go func() { down <- srv.Shutdown(context.Background()) }()
	if err := <-synced; err != nil {
		t.Errorf("held call: %v", err)
	}
	if _, err := stormrpc.NewNimbusClient(idle).GetLeader(t.Context()); err == nil {
		t.Error("an idle connection was served during shutdown")
	}
	select {
	case err := <-down:
		t.Fatalf("shutdown did not wait: %v", err)
	default:
	}
	close(leave)
	if err := <-killed; err != nil {
		t.Errorf("ordinary call: %v", err)
	}
	if err := <-down; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if _, err := Dial(t.Context(), addr, DialOptions{}); err == nil {
		t.Error("connected after shutdown")
	}
}

func TestShutdownOutOfPatience(t *testing.T) {
	started := make(chan struct{})
	addr, srv, _ := start(t, Options{}, &nimbus{kill: func(ctx context.Context, _ string) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	}}, nil)
	killed := make(chan error, 1)
	c := dial(t, addr, DialOptions{})
	go func() { killed <- stormrpc.NewNimbusClient(c).KillTopology(context.Background(), "t") }()
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	if err := <-killed; err == nil {
		t.Error("the call succeeded")
	}
}

func TestNewServerRefuses(t *testing.T) {
	n, s := stormrpc.NewNimbusProcessor(&nimbus{}), stormrpc.NewSupervisorProcessor(nil)
	if _, err := NewServer(Options{}, n, s); err == nil || !strings.Contains(err.Error(), "sendSupervisorWorkerHeartbeat") {
		t.Errorf("two services with one method: %v", err)
	}
	for name, opts := range map[string]Options{
		"MaxFrameBytes":    {MaxFrameBytes: -1},
		"MaxConns":         {MaxConns: 1 << 30},
		"MaxBufferedBytes": {MaxBufferedBytes: 10},
		"IdleTimeout":      {IdleTimeout: -time.Second},
		"noSuchMethod":     {Held: []string{"noSuchMethod"}},
	} {
		if _, err := NewServer(opts, n); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func (p *plans) SyncPeer(context.Context, *stormrpc.PeerReport, int64, int32) (*stormrpc.PeerPlan, error) {
	return nil, ErrNotImplemented
}

func (p *plans) Savepoint(context.Context, string, string, bool, int32) (*stormrpc.SavepointAnswer, error) {
	return nil, ErrNotImplemented
}

func (p *plans) FetchBlob(context.Context, string, string, int64, int32) ([]byte, error) {
	return nil, ErrNotImplemented
}
