package drpc

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// fetched is an await that ended.
type fetched struct {
	id, args string
	ok       bool
	after    time.Duration
}

// awaiting awaits in a goroutine of the bubble.
func awaiting(ctx context.Context, b *book, function string) <-chan fetched {
	out := make(chan fetched, 1)
	began := time.Now()
	go func() {
		id, args, ok := b.await(ctx, function)
		out <- fetched{id, args, ok, time.Since(began)}
	}()
	synctest.Wait()
	return out
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(Limits{Timeout: time.Minute})
		if f := <-awaiting(t.Context(), b, "f"); f.ok || f.after != holdTime {
			t.Errorf("nothing came, but it gave %+v", f)
		}
		first, second, other := awaiting(t.Context(), b, "f"), awaiting(t.Context(), b, "f"), awaiting(t.Context(), b, "g")
		one := ask(t.Context(), b, "f", "a")
		if f := <-first; !f.ok || f.id != "1" || f.args != "a" || f.after != 0 {
			t.Errorf("the one who waited longest got %+v", f)
		}
		if f := <-second; f.ok {
			t.Errorf("the second got %+v", f)
		}
		if f := <-other; f.ok {
			t.Errorf("the one for another function got %+v", f)
		}
		two := ask(t.Context(), b, "f", "b")
		if f := <-awaiting(t.Context(), b, "f"); !f.ok || f.id != "2" || f.after != 0 {
			t.Errorf("what was there already came as %+v", f)
		}
		b.close()
		<-one
		<-two
		if len(b.waiters) != 0 {
			t.Errorf("%d waiters are left", len(b.waiters))
		}
	})
}

// A topology that leaves is given nothing, and the request goes to the next one at once.
func TestAwaitOfOneWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook(Limits{Timeout: time.Minute})
		ctx, leave := context.WithCancel(t.Context())
		gone, next := awaiting(ctx, b, "f"), awaiting(t.Context(), b, "f")
		leave()
		one := ask(t.Context(), b, "f", "a")
		if f := <-gone; f.ok {
			t.Errorf("who left got %+v", f)
		}
		if f := <-next; !f.ok || f.after != 0 {
			t.Errorf("the next one got %+v", f)
		}
		b.close()
		<-one
		if len(b.waiters) != 0 {
			t.Errorf("%d waiters are left", len(b.waiters))
		}
	})
}

// A name that nobody may execute is not waited for.
func TestAwaitOfALongName(t *testing.T) {
	b := newBook(Limits{})
	if _, _, ok := b.await(t.Context(), string(make([]byte, MaxFunctionBytes+1))); ok || len(b.waiters) != 0 {
		t.Errorf("%v, %d waiters", ok, len(b.waiters))
	}
}
