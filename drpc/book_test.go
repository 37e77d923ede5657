package drpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// asked is a call of execute in progress.
type asked struct {
	result string
	err    error
	after  time.Duration
}

// ask executes in a goroutine of the bubble.
func ask(ctx context.Context, b *book, function, args string) <-chan asked {
	out := make(chan asked, 1)
	began := time.Now()
	go func() {
		result, err := b.execute(ctx, function, args)
		out <- asked{result, err, time.Since(began)}
	}()
	synctest.Wait()
	return out
}

func wantFailure(t *testing.T, a asked, kind stormrpc.DRPCExceptionType, text string) {
	t.Helper()
	f, ok := errors.AsType[*failure](a.err)
	if !ok || f.GetType() != kind || f.Msg != text {
		t.Errorf("it ended with %q, %v; want %v %q", a.result, a.err, kind, text)
	}
}

func wantEmpty(t *testing.T, b *book) {
	t.Helper()
	if requests, functions := b.counts(); requests != 0 || functions != 0 || b.bytes.Used() != 0 {
		t.Errorf("%d requests, %d functions and %d bytes are left", requests, functions, b.bytes.Used())
	}
}

func TestFirstComeFirstFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(Limits{})
		if id, args, ok := b.fetch("f"); ok || id != "" || args != "" {
			t.Errorf("an empty book gave %q, %q", id, args)
		}
		one, two, other := ask(t.Context(), b, "f", "a"), ask(t.Context(), b, "f", "b"), ask(t.Context(), b, "g", "c")
		for _, want := range []struct{ function, id, args string }{{"f", "1", "a"}, {"g", "3", "c"}, {"f", "2", "b"}} {
			if id, args, ok := b.fetch(want.function); !ok || id != want.id || args != want.args {
				t.Errorf("fetch %s gave %q, %q, want %v", want.function, id, args, want)
			}
		}
		if _, _, ok := b.fetch("f"); ok {
			t.Error("a request was fetched twice")
		}
		b.settle("2", outcome{result: "B"})
		b.settle("1", outcome{result: "A"})
		b.settle("1", outcome{result: "late"})
		b.settle("17", outcome{result: "unknown"})
		b.settle("3", outcome{failure: errFailed})
		if a := <-one; a.result != "A" || a.err != nil {
			t.Errorf("the first got %q, %v", a.result, a.err)
		}
		if a := <-two; a.result != "B" || a.err != nil {
			t.Errorf("the second got %q, %v", a.result, a.err)
		}
		wantFailure(t, <-other, stormrpc.DRPCExceptionType_FAILED_REQUEST, "Request failed")
		wantEmpty(t, b)
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(Limits{Timeout: 7 * time.Second})
		waiting, fetched := ask(t.Context(), b, "f", "a"), ask(t.Context(), b, "g", "b")
		b.fetch("g")
		for _, c := range []<-chan asked{waiting, fetched} {
			a := <-c
			wantFailure(t, a, stormrpc.DRPCExceptionType_SERVER_TIMEOUT, "Timed Out")
			if a.after != 7*time.Second {
				t.Errorf("it took %v", a.after)
			}
		}
		if _, _, ok := b.fetch("f"); ok {
			t.Error("a request that timed out was fetched")
		}
		b.settle("1", outcome{result: "late"})
		wantEmpty(t, b)
	})
}

// A caller who leaves takes his request along, fetched or not.
func TestCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(Limits{})
		gone := errors.New("gone")
		ctx, leave := context.WithCancelCause(t.Context())
		one, two, stays := ask(ctx, b, "f", "a"), ask(ctx, b, "f", "b"), ask(t.Context(), b, "f", "c")
		b.fetch("f")
		leave(gone)
		for _, c := range []<-chan asked{one, two} {
			if a := <-c; !errors.Is(a.err, gone) {
				t.Errorf("it ended with %v", a.err)
			}
		}
		if id, _, _ := b.fetch("f"); id != "3" {
			t.Errorf("the next request is %q", id)
		}
		b.settle("3", outcome{result: "C"})
		if a := <-stays; a.result != "C" {
			t.Errorf("the one who stayed got %q, %v", a.result, a.err)
		}
		wantEmpty(t, b)
	})
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(Limits{})
		waiting, fetched := ask(t.Context(), b, "f", "a"), ask(t.Context(), b, "g", "b")
		b.fetch("g")
		b.close()
		for _, c := range []<-chan asked{waiting, fetched, ask(t.Context(), b, "h", "c")} {
			wantFailure(t, <-c, stormrpc.DRPCExceptionType_SERVER_SHUTDOWN, "Server Shutting Down")
		}
		wantEmpty(t, b)
	})
}

// One function may have half of all requests; nothing else is held up by it.
func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(Limits{Requests: 4, Bytes: 100})
		var open []<-chan asked
		open = append(open, ask(t.Context(), b, "f", "a"), ask(t.Context(), b, "f", "b"))
		wantFailure(t, <-ask(t.Context(), b, "f", "c"), stormrpc.DRPCExceptionType_INTERNAL_ERROR, errBusy.Msg)
		wantFailure(t, <-ask(t.Context(), b, "g", strings.Repeat("x", 99)), stormrpc.DRPCExceptionType_INTERNAL_ERROR, errBusy.Msg)
		open = append(open, ask(t.Context(), b, "g", "d"), ask(t.Context(), b, "h", "e"))
		wantFailure(t, <-ask(t.Context(), b, "i", "f"), stormrpc.DRPCExceptionType_INTERNAL_ERROR, errBusy.Msg)
		if id, _, ok := b.fetch("f"); !ok || id != "1" {
			t.Errorf("fetched %q", id)
		}
		b.settle("1", outcome{result: "A"})
		<-open[0]
		b.settle("2", outcome{result: "B"})
		<-open[1]
		last := ask(t.Context(), b, "f", "g")
		b.close()
		for _, c := range append(open[2:], last) {
			<-c
		}
		wantEmpty(t, b)
	})
}

func TestRefusedTexts(t *testing.T) {
	b := newBook(Limits{})
	for name, c := range map[string]struct{ function, args, says string }{
		"no name":    {"", "a", "no name"},
		"long name":  {strings.Repeat("f", MaxFunctionBytes+1), "a", "257 bytes"},
		"wrong name": {"\xff", "a", "UTF-8"},
		"wrong args": {"f", "\xff", "UTF-8"},
	} {
		_, err := b.execute(t.Context(), c.function, c.args)
		f, ok := errors.AsType[*failure](err)
		if !ok || f.GetType() != stormrpc.DRPCExceptionType_FAILED_REQUEST || !strings.Contains(f.Msg, c.says) {
			t.Errorf("%s gave %v", name, err)
		}
	}
	wantEmpty(t, b)
}

// Names that nobody serves leave nothing behind, asked for or fetched.
func TestManyFunctionsLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(Limits{Timeout: time.Second})
		var callers sync.WaitGroup
		for i := range 100_000 {
			name := fmt.Sprint("f", i)
			b.fetch(name)
			if i%100 == 0 {
				callers.Go(func() { b.execute(t.Context(), name, "x") })
			}
		}
		callers.Wait()
		wantEmpty(t, b)
	})
}
