package transport

import (
	"testing"
	"time"
)

// TestSessionsOfWorkersThatAreGone are forgotten: a worker that is started again comes under another id.
func TestSessionsOfWorkersThatAreGone(t *testing.T) {
	b := start(t, "b", func(c *Config) { c.PeerTimeout = 20 * time.Millisecond })
	stays := start(t, "stays", nil)
	stays.to(b.Addr().String(), 4)
	await(t, "one is connected that stays", stays.Ready)
	for _, worker := range []string{"a", "c"} {
		a := start(t, worker, nil)
		a.to(b.Addr().String(), 4)
		await(t, "it is connected", a.Ready)
		pump(a.Outlet(4), 4, 0, 1)
		a.stop()
	}
	await(t, "both are forgotten", func() bool { return b.Stats().Sessions.Load() == 1 })
	pump(stays.Outlet(4), 4, 0, 1)
	await(t, "the one that stays is served", func() bool { return b.count() == 3 })
}

// TestSessionsInUseAreNotForgotten looks at the time between the lookup of a session and its first frame, in which others
// want room: it stays, so there are never more than MaxSessions.
func TestSessionsInUseAreNotForgotten(t *testing.T) {
	b := start(t, "b", func(c *Config) { c.MaxSessions = 2 })
	get := func(worker string, session, process uint64) (*session, bool) {
		return b.session(&identity{worker: worker, session: session, process: process})
	}
	first, _ := get("a", 1, 1)
	second, _ := get("c", 1, 1)
	if s, known := get("d", 1, 1); s != nil || known {
		t.Fatal("there is room for a session beyond two that are looked up")
	}
	if s, _ := get("a", 2, 2); s != nil {
		t.Fatal("a later life of a worker forgets a session that is looked up")
	}
	again, known := get("a", 1, 1)
	if again != first || !known {
		t.Fatal("a session that is looked up is not found again")
	}
	b.leave(first)
	if s, _ := get("d", 1, 1); s != nil {
		t.Fatal("a session that one of two connections has left makes way")
	}
	b.leave(second)
	third, known := get("d", 1, 1)
	if third == nil || known || len(b.sessions) != 2 {
		t.Fatalf("once one was left there is %v, known %v, of %d", third, known, len(b.sessions))
	}
	if s, known := get("a", 1, 1); s != first || !known {
		t.Error("another session than the one that was left made way")
	}
}

// TestPeersBeyondMaxSessionsWait: a worker that there is no room for is served once another has gone.
func TestPeersBeyondMaxSessionsWait(t *testing.T) {
	b := start(t, "b", func(c *Config) { c.MaxSessions = 1 })
	a := start(t, "a", nil)
	a.to(b.Addr().String(), 4)
	await(t, "the first is connected", a.Ready)
	c := start(t, "c", nil)
	c.to(b.Addr().String(), 4)
	await(t, "the second is refused", func() bool { return b.Stats().HandshakesRefused.Load() > 0 })
	if c.Ready() || !a.Ready() || b.Stats().Sessions.Load() != 1 {
		t.Errorf("ready are %v and %v, %d sessions, want the first alone", a.Ready(), c.Ready(), b.Stats().Sessions.Load())
	}
	a.stop()
	await(t, "the second is connected", c.Ready)
	pump(c.Outlet(4), 4, 0, 10)
	await(t, "its tuples arrive", func() bool { return b.count() == 10 })
	if n := b.Stats().Sessions.Load(); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}
