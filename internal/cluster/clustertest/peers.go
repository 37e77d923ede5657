package clustertest

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// handoverLimit is how long a change of leaders may take: a session must time out.
const handoverLimit = 60 * time.Second

func (h Harness) peer(t *testing.T, s cluster.Store, dir string) cluster.Store {
	t.Helper()
	p, err := h.Peer(s, dir)
	if err != nil {
		t.Fatalf("open a peer: %v", err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// campaign starts a campaign that is expected to be won some time.
func campaign(t *testing.T, s cluster.Store, name string) <-chan cluster.Term {
	won := make(chan cluster.Term, 1)
	go func() {
		term, err := s.Campaign(t.Context(), name)
		if err != nil && t.Context().Err() == nil {
			t.Errorf("campaign of %s: %v", name, err)
		}
		won <- term
	}()
	return won
}

func wait[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(handoverLimit):
		t.Fatalf("waited %v in vain for %s", handoverLimit, what)
		panic("unreachable")
	}
}

// waits checks that s does not win while another leads.
func waits(t *testing.T, s cluster.Store, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := s.Campaign(ctx, name)
	wantErr(t, "campaign of "+name+" while another leads", err, context.DeadlineExceeded)
}

func testHandover(t *testing.T, h Harness) {
	dir := t.TempDir()
	a, one := start(t, h, dir)
	b := h.peer(t, a, dir)
	c := h.peer(t, a, dir)
	must(t, a.Txn(t.Context(), one.Epoch, cluster.Put("k", []byte("a"))))
	waits(t, b, "b") // and gives its place up, or c would never lead
	won := campaign(t, c, "c")
	must(t, a.Close())
	wait(t, "the end of the first term", one.Lost)
	two := wait(t, "the second leader", won)
	if two.Epoch != one.Epoch+1 {
		t.Fatalf("epochs %d then %d, want one more", one.Epoch, two.Epoch)
	}
	it, err := c.Get(t.Context(), "k")
	must(t, err)
	if string(it.Value) != "a" {
		t.Fatalf("the new leader reads %q", it.Value)
	}
	must(t, c.Txn(t.Context(), two.Epoch, cluster.PutIf("k", it.Version, []byte("c"))))
	waits(t, b, "b")
	wantErr(t, "write of a follower with the leader's epoch",
		b.Txn(t.Context(), one.Epoch, cluster.Put("k", nil)), cluster.ErrFenced)
}

func testExpiry(t *testing.T, h Harness) {
	dir := t.TempDir()
	a, one := start(t, h, dir)
	b := h.peer(t, a, dir)
	won := campaign(t, b, "b")
	h.Expire(a)
	two := wait(t, "the second leader", won)
	wait(t, "the end of the first term", one.Lost)
	if two.Epoch != one.Epoch+1 {
		t.Fatalf("epochs %d then %d, want one more", one.Epoch, two.Epoch)
	}
	wantErr(t, "write of the deposed", eventually(t, func() error {
		return a.Txn(t.Context(), one.Epoch, cluster.Put("k", nil))
	}), cluster.ErrFenced)
	again := campaign(t, a, "a")
	must(t, b.Close())
	three := wait(t, "the first leader's second term", again)
	if three.Epoch != two.Epoch+1 {
		t.Fatalf("epochs %d then %d, want one more", two.Epoch, three.Epoch)
	}
	must(t, a.Txn(t.Context(), three.Epoch, cluster.Put("k", nil)))
}

// eventually repeats f while it cannot reach the store.
func eventually(t *testing.T, f func() error) error {
	t.Helper()
	for end := time.Now().Add(handoverLimit); ; {
		err := f()
		if err == nil || known(err) || time.Now().After(end) {
			return err
		}
	}
}

// known tells whether err says what became of a call.
func known(err error) bool {
	return errors.Is(err, cluster.ErrConflict) || errors.Is(err, cluster.ErrFenced) || errors.Is(err, cluster.ErrNotFound)
}

// testDeposedWriter has a leader count up while it is deposed: what it was told is what stands there.
func testDeposedWriter(t *testing.T, h Harness) {
	dir := t.TempDir()
	a, one := start(t, h, dir)
	b := h.peer(t, a, dir)
	won := campaign(t, b, "b")
	type count struct{ told, tried int }
	counted := make(chan count)
	goes := make(chan struct{})
	go func() {
		var c count
		for {
			c.tried++
			err := a.Txn(t.Context(), one.Epoch, cluster.Put("n", []byte(strconv.Itoa(c.tried))))
			if errors.Is(err, cluster.ErrFenced) {
				counted <- c
				return
			}
			if err == nil {
				c.told = c.tried
			}
			if c.tried == 20 {
				close(goes)
			}
		}
	}()
	wait(t, "some writes", goes)
	h.Expire(a)
	two := wait(t, "the second leader", won)
	it, err := b.Get(t.Context(), "n")
	must(t, err)
	must(t, b.Txn(t.Context(), two.Epoch, cluster.PutIf("n", it.Version, it.Value)))
	c := wait(t, "the deposed leader to be told", counted)
	if n, _ := strconv.Atoi(string(it.Value)); n < c.told || n >= c.tried {
		t.Fatalf("%d stands there; %d was acknowledged, %d was fenced", n, c.told, c.tried)
	}
	after, err := b.Get(t.Context(), "n")
	must(t, err)
	if string(after.Value) != string(it.Value) {
		t.Fatalf("%s became %s though its writer was deposed", it.Value, after.Value)
	}
}

func testPeerReads(t *testing.T, h Harness) {
	dir := t.TempDir()
	a, one := start(t, h, dir)
	b := h.peer(t, a, dir)
	hints := b.Watch(t.Context(), "a/")
	for n := range 5 {
		text := strconv.Itoa(n)
		must(t, a.Txn(t.Context(), one.Epoch, cluster.Put("a/1", []byte(text)), cluster.Put("b", nil)))
		for read := ""; read != text; {
			wait(t, "a hint of the peer's write", hints)
			it, err := b.Get(t.Context(), "a/1")
			if err != nil && !errors.Is(err, cluster.ErrNotFound) {
				t.Fatal(err)
			}
			read = string(it.Value)
		}
	}
	must(t, a.Txn(t.Context(), one.Epoch, cluster.Delete("a/1")))
	wait(t, "a hint of the deletion", hints)
	if got := contents(t, b, ""); len(got) != 1 {
		t.Fatalf("the peer reads %v", got)
	}
}
