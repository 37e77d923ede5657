package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// closedPort returns an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func connect(t *testing.T, o Options) *Client {
	t.Helper()
	o.RetryInterval, o.RetryCeiling = time.Millisecond, 4*time.Millisecond
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestLeaderLookup(t *testing.T) {
	noResult := func() (*stormrpc.NimbusSummary, error) { return nil, wire.ErrUnknownResult }
	broken := func() (*stormrpc.NimbusSummary, error) { return nil, errors.New("zookeeper is away") }
	denied := func() (*stormrpc.NimbusSummary, error) { return nil, &stormrpc.AuthorizationException{Msg: "no"} }
	dead := closedPort(t)
	tests := []struct {
		name   string
		seeds  func(a, b *fakeNimbus) []string
		leader func(a, b *fakeNimbus) func() (*stormrpc.NimbusSummary, error) // what a answers
		want   string                                                         // a, b or an error
	}{
		{"itself", func(a, b *fakeNimbus) []string { return []string{a.addr()} }, func(a, b *fakeNimbus) func() (*stormrpc.NimbusSummary, error) { return a.leader }, "a"},
		{"another one", func(a, b *fakeNimbus) []string { return []string{a.addr()} }, func(a, b *fakeNimbus) func() (*stormrpc.NimbusSummary, error) { return b.leader }, "b"},
		{"first seed is away", func(a, b *fakeNimbus) []string { return []string{dead, b.addr()} }, nil, "b"},
		{"first seed knows none", func(a, b *fakeNimbus) []string { return []string{a.addr(), b.addr()} }, func(_, _ *fakeNimbus) func() (*stormrpc.NimbusSummary, error) { return noResult }, "b"},
		{"first seed fails", func(a, b *fakeNimbus) []string { return []string{a.addr(), b.addr()} }, func(_, _ *fakeNimbus) func() (*stormrpc.NimbusSummary, error) { return broken }, "b"},
		{"first seed refuses", func(a, b *fakeNimbus) []string { return []string{a.addr(), b.addr()} }, func(_, _ *fakeNimbus) func() (*stormrpc.NimbusSummary, error) { return denied }, "b"},
		{"leader of the first seed is away", func(a, b *fakeNimbus) []string { return []string{a.addr(), b.addr()} },
			func(_, _ *fakeNimbus) func() (*stormrpc.NimbusSummary, error) {
				_, port, _ := net.SplitHostPort(dead)
				var p int32
				fmt.Sscan(port, &p)
				return func() (*stormrpc.NimbusSummary, error) {
					return &stormrpc.NimbusSummary{Host: "127.0.0.1", Port: p, Version: "2.8.3"}, nil
				}
			}, "b"},
		{"leader makes no sense", func(a, b *fakeNimbus) []string { return []string{a.addr(), b.addr()} },
			func(_, _ *fakeNimbus) func() (*stormrpc.NimbusSummary, error) {
				return func() (*stormrpc.NimbusSummary, error) { return &stormrpc.NimbusSummary{Host: " "}, nil }
			}, "b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, _ := serve(t, "127.0.0.1:0")
			b, _ := serve(t, "127.0.0.1:0")
			if tt.leader != nil {
				a.setLeader(tt.leader(a, b))
			}
			c := connect(t, Options{Seeds: tt.seeds(a, b), Retries: -1})
			want := map[string]*fakeNimbus{"a": a, "b": b}[tt.want]
			for range 2 {
				if ok, err := c.Nimbus().IsTopologyNameAllowed(t.Context(), want.addr()); err != nil || !ok {
					t.Fatalf("answered by %s: %v, %v", tt.want, ok, err)
				}
			}
			if at, err := c.Leader(t.Context()); err != nil || at != want.addr() {
				t.Errorf("leader %s, %v", at, err)
			}
			if n := a.asked.Load() + b.asked.Load(); n > 2 {
				t.Errorf("%d lookups", n)
			}
		})
	}
}

func TestNoLeader(t *testing.T) {
	a, _ := serve(t, "127.0.0.1:0")
	a.setLeader(func() (*stormrpc.NimbusSummary, error) { return nil, wire.ErrUnknownResult })
	dead := closedPort(t)
	c := connect(t, Options{Seeds: []string{dead, a.addr()}, Retries: 2, LeaderPatience: -1})
	_, err := c.Nimbus().GetClusterInfo(t.Context())
	if !errors.Is(err, ErrNoLeader) || KindOf(err) != NoLeader || !Retryable(err) {
		t.Errorf("got %v, %v", err, KindOf(err))
	}
	for _, part := range []string{"no Nimbus leads at present", dead, a.addr(), "try again"} {
		if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "unknown result") {
			t.Errorf("%q is not in %q", part, err)
		}
	}
	if n := a.asked.Load(); n != 3 {
		t.Errorf("%d lookups, want 3", n)
	}
}

func TestDeniedLookupIsNotRepeated(t *testing.T) {
	a, _ := serve(t, "127.0.0.1:0")
	a.setLeader(func() (*stormrpc.NimbusSummary, error) {
		return nil, &stormrpc.AuthorizationException{Msg: "getLeader is not authorized"}
	})
	c := connect(t, Options{Seeds: []string{a.addr()}})
	_, err := c.Nimbus().GetClusterInfo(t.Context())
	if !errors.Is(err, ErrNoLeader) || !strings.Contains(err.Error(), "getLeader is not authorized") {
		t.Errorf("got %v", err)
	}
	if n := a.asked.Load(); n != 1 {
		t.Errorf("%d lookups", n)
	}
}

func TestLeaderAppearsDuringRetries(t *testing.T) {
	a, _ := serve(t, "127.0.0.1:0")
	a.setLeader(func() (*stormrpc.NimbusSummary, error) {
		if a.asked.Load() < 4 {
			return nil, wire.ErrUnknownResult
		}
		return a.summary(), nil
	})
	c := connect(t, Options{Seeds: []string{a.addr()}})
	if ok, err := c.Nimbus().IsTopologyNameAllowed(t.Context(), a.addr()); err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
}

func TestContextEndsTheLookup(t *testing.T) {
	c := connect(t, Options{Seeds: []string{closedPort(t)}, Retries: 1 << 30})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	var calls sync.WaitGroup
	for range 3 {
		calls.Go(func() {
			if _, err := c.Nimbus().GetClusterInfo(ctx); KindOf(err) != Ended || Retryable(err) {
				t.Errorf("got %v", err)
			}
		})
	}
	calls.Wait()
}

func TestContextEndedBeforeTheLookup(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := findLeaderPatiently(ctx, Options{Seeds: []string{closedPort(t)}, Retries: 5})
	if !errors.Is(err, context.Canceled) || KindOf(err) != Ended {
		t.Errorf("got %v", err)
	}
}

func TestCloseEndsTheLookup(t *testing.T) {
	c := connect(t, Options{Seeds: []string{closedPort(t)}, Retries: 1 << 30})
	failed := make(chan error, 1)
	go func() {
		_, err := c.Nimbus().GetClusterInfo(context.Background())
		failed <- err
	}()
	eventually(t, "a lookup begins", func() bool {
		c.calls.mu.Lock()
		defer c.calls.mu.Unlock()
		return c.calls.ending != nil
	})
	c.Close()
	if err := <-failed; !errors.Is(err, ErrClosed) || Retryable(err) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Nimbus().GetClusterInfo(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestFailover(t *testing.T) {
	a, stopA := serve(t, "127.0.0.1:0")
	b, _ := serve(t, "127.0.0.1:0")
	c := connect(t, Options{Seeds: []string{a.addr(), b.addr()}})
	if ok, err := c.Nimbus().IsTopologyNameAllowed(t.Context(), a.addr()); err != nil || !ok {
		t.Fatalf("before: %v, %v", ok, err)
	}
	stopA()
	// The loss may show only once the request was written; from then on the other one answers.
	ok, err := c.Nimbus().IsTopologyNameAllowed(t.Context(), b.addr())
	if err != nil {
		if !Retryable(err) || KindOf(err) != Disconnected {
			t.Fatalf("lost connection: %v, %v", err, KindOf(err))
		}
		ok, err = c.Nimbus().IsTopologyNameAllowed(t.Context(), b.addr())
	}
	if err != nil || !ok {
		t.Errorf("after: %v, %v", ok, err)
	}
}

func TestConcurrentCallsShareOneLookup(t *testing.T) {
	a, _ := serve(t, "127.0.0.1:0")
	c := connect(t, Options{Seeds: []string{a.addr()}})
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			if ok, err := c.Nimbus().IsTopologyNameAllowed(t.Context(), a.addr()); err != nil || !ok {
				t.Errorf("got %v, %v", ok, err)
			}
		})
	}
	calls.Wait()
	if n := a.asked.Load(); n != 1 {
		t.Errorf("%d lookups", n)
	}
}

func TestHeldPollStopsNobody(t *testing.T) {
	a, _ := serve(t, "127.0.0.1:0")
	polled, leave := make(chan struct{}), make(chan struct{})
	a.poll = func(context.Context) error { close(polled); <-leave; return nil }
	c := connect(t, Options{Seeds: []string{a.addr()}})
	plan := make(chan error, 1)
	go func() {
		_, err := c.Gearstorm().SyncNode(context.Background(), &stormrpc.NodeReport{}, 7, 60000)
		plan <- err
	}()
	<-polled
	if ok, err := c.Nimbus().IsTopologyNameAllowed(t.Context(), a.addr()); err != nil || !ok {
		t.Errorf("got %v, %v", ok, err)
	}
	close(leave)
	if err := <-plan; err != nil {
		t.Error(err)
	}
	if _, err := c.Gearstorm().SyncWorker(t.Context(), &stormrpc.WorkerReport{}, 0, 0); KindOf(err) != NotImplemented {
		t.Errorf("unknown method: %v", err)
	}
}

func TestUpload(t *testing.T) {
	for _, size := range []int{0, 1, jarChunk, 2*jarChunk + 5} {
		a, _ := serve(t, "127.0.0.1:0")
		c := connect(t, Options{Seeds: []string{a.addr()}})
		jar := bytes.Repeat([]byte("jar"), size/3+1)[:size]
		path := filepath.Join(t.TempDir(), "t.jar")
		if err := os.WriteFile(path, jar, 0o600); err != nil {
			t.Fatal(err)
		}
		var told []int64
		location, err := c.UploadFile(t.Context(), path, func(n int64) { told = append(told, n) })
		if err != nil || location != "/inbox/jar" || !bytes.Equal(a.jars["finished"], jar) {
			t.Errorf("%d bytes: %q, %v, %d arrived", size, location, err, len(a.jars["finished"]))
		}
		if size == 2*jarChunk+5 && fmt.Sprint(a.chunks, told) != "[307200 307200 5] [307200 614400 614405]" {
			t.Errorf("chunks %v, progress %v", a.chunks, told)
		}
	}
}

func TestUploadFails(t *testing.T) {
	a, _ := serve(t, "127.0.0.1:0")
	a.failAt = 2
	c := connect(t, Options{Seeds: []string{a.addr()}})
	_, err := c.Upload(t.Context(), bytes.NewReader(make([]byte, 3*jarChunk)), nil)
	if KindOf(err) != Internal || !strings.Contains(err.Error(), "chunk at byte 307200: Internal error processing uploadChunk") {
		t.Errorf("refused chunk: %v", err)
	}
	broken := io.MultiReader(strings.NewReader("abc"), iotestErr{errors.New("disk gone")})
	if _, err := c.Upload(t.Context(), broken, nil); err == nil || !strings.Contains(err.Error(), "read byte 3: disk gone") {
		t.Errorf("broken reader: %v", err)
	}
	if _, err := c.UploadFile(t.Context(), filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

type iotestErr struct{ err error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.err }

func TestBlobs(t *testing.T) {
	a, _ := serve(t, "127.0.0.1:0")
	c := connect(t, Options{Seeds: []string{a.addr()}})
	meta := &stormrpc.SettableBlobMeta{Acl: []*stormrpc.AccessControl{}}
	content := bytes.Repeat([]byte{1, 2, 3}, 50_000)
	if err := c.CreateBlob(t.Context(), "k", meta, bytes.NewReader(content), nil); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateBlob(t.Context(), "k", meta, bytes.NewReader(content), nil); KindOf(err) != KeyExists || Message(err) != "k" {
		t.Errorf("create again: %v", err)
	}
	if err := c.UpdateBlob(t.Context(), "other", bytes.NewReader(content), nil); KindOf(err) != KeyNotFound {
		t.Errorf("update of none: %v", err)
	}
	content = append(content, 9)
	if err := c.UpdateBlob(t.Context(), "k", bytes.NewReader(content), nil); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(a.joined) != "[k k]" || a.chunks[0] != blobChunk || a.cancels != 0 {
		t.Errorf("announced %v, first chunk %d, %d cancelled", a.joined, a.chunks[0], a.cancels)
	}
	a.failAt = len(a.chunks) + 2
	if err := c.UpdateBlob(t.Context(), "k", bytes.NewReader(content), nil); KindOf(err) != Internal || a.cancels != 1 {
		t.Errorf("refused chunk: %v, %d cancelled", err, a.cancels)
	}

	size := int64(len(content))
	for _, tt := range []struct {
		name      string
		key       string
		limit     int64
		announced int64
		want      error
		kind      Kind
	}{
		{"no limit", "k", -1, 0, nil, Other},
		{"exactly the limit", "k", size, 0, nil, Other},
		{"announced over the limit", "k", size - 1, 0, ErrBlobTooLarge, Other},
		{"over the limit after all", "k", size - 1, 10, ErrBlobTooLarge, Other},
		{"shorter than announced", "k", -1, size + 1, ErrBlobSize, Other},
		{"longer than announced", "k", -1, size - 1, ErrBlobSize, Other},
		{"none", "other", -1, 0, nil, KeyNotFound},
	} {
		a.size = tt.announced
		var got bytes.Buffer
		blob, err := c.DownloadBlob(t.Context(), tt.key, &got, tt.limit)
		if KindOf(err) != tt.kind || tt.want != nil && !errors.Is(err, tt.want) || tt.want == nil && tt.kind == Other && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.limit >= 0 && int64(got.Len()) > tt.limit {
			t.Errorf("%s: %d bytes written", tt.name, got.Len())
		}
		if err == nil && (blob != Blob{Version: 42, Size: size} || !bytes.Equal(got.Bytes(), content)) {
			t.Errorf("%s: %v, %d bytes", tt.name, blob, got.Len())
		}
	}
}

func TestKinds(t *testing.T) {
	a, _ := serve(t, "127.0.0.1:0")
	c := connect(t, Options{Seeds: []string{a.addr()}})
	err := c.Nimbus().KillTopology(t.Context(), "words")
	if KindOf(err) != NotAlive || Message(err) != "words is not alive" || Retryable(err) {
		t.Errorf("kill: %v, %v, %q", err, KindOf(err), Message(err))
	}
	for _, tt := range []struct {
		err     error
		kind    Kind
		message string
		retry   bool
	}{
		{&stormrpc.AlreadyAliveException{Msg: "m"}, AlreadyAlive, "m", false},
		{fmt.Errorf("submit: %w", &stormrpc.InvalidTopologyException{Msg: "m"}), InvalidTopology, "m", false},
		{&stormrpc.AuthorizationException{Msg: "m"}, NotAuthorized, "m", false},
		{&stormrpc.IllegalStateException{Msg: "m"}, IllegalState, "m", false},
		{&wire.ConnError{Addr: "h:1", Err: io.EOF}, Disconnected, "connect to h:1: EOF", true},
		{&wire.ConnError{Addr: "h:1", Method: "kill", Sent: true, Err: wire.ErrCallTimeout}, Disconnected, "call kill at h:1: no reply in time", true},
		{&wire.ConnError{Addr: "h:1", Method: "kill", Err: context.Canceled}, Ended, "call kill at h:1: context canceled", false},
		{&wire.Refusal{Reason: ReasonSession, Text: "x"}, SessionLost, "session lost: x", true},
		{&wire.Refusal{Reason: ReasonInDoubt, Text: "x"}, InDoubt, "outcome unknown: x", true},
		{io.EOF, Other, "EOF", false},
		{nil, Other, "", false},
	} {
		if KindOf(tt.err) != tt.kind || Message(tt.err) != tt.message || Retryable(tt.err) != tt.retry {
			t.Errorf("%v: %v, %q, %v", tt.err, KindOf(tt.err), Message(tt.err), Retryable(tt.err))
		}
	}
	for k := Other; k <= Ended; k++ {
		if k.String() == "unknown" || k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		opts Options
		want string // the first seed's endpoint, or the error
	}{
		{Options{}, "nimbus.seeds is empty"},
		{Options{Seeds: []string{"h"}}, "h:6627"},
		{Options{Seeds: []string{"h"}, Port: 1}, "h:1"},
		{Options{Seeds: []string{"h:7"}, Port: 1}, "h:7"},
		{Options{Seeds: []string{"::1"}}, "[::1]:6627"},
		{Options{Seeds: []string{"[::1]"}}, "[::1]:6627"},
		{Options{Seeds: []string{"[::1]:7"}}, "[::1]:7"},
		{Options{Seeds: []string{"h", ""}}, "nimbus.seeds"},
		{Options{Seeds: []string{"h:x"}}, "port of"},
		{Options{Seeds: []string{"h"}, Port: 70000}, "nimbus.thrift.port"},
	} {
		c, err := New(tt.opts)
		if err != nil {
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v: %v, want %q", tt.opts.Seeds, err, tt.want)
			}
			continue
		}
		if e, err := c.calls.opts.endpoint(tt.opts.Seeds[0]); err != nil || e.String() != tt.want {
			t.Errorf("%v: %v, %v; want %q", tt.opts.Seeds, e, err, tt.want)
		}
	}
}

func TestBackoffIsBounded(t *testing.T) {
	o := Options{RetryInterval: 250 * time.Millisecond, RetryCeiling: 5 * time.Second}
	var got []time.Duration
	for _, n := range []int{0, 1, 2, 4, 5, 6, 1 << 30} {
		got = append(got, o.backoff(n))
	}
	if s := fmt.Sprint(got); s != "[250ms 500ms 1s 4s 5s 5s 5s]" {
		t.Errorf("got %s", s)
	}
}
