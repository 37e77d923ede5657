package zk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	zoo "github.com/go-zookeeper/zk"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/zk"
	"github.com/gearstorm/gearstorm/internal/cluster/zk/zktest"
)

// limit bounds whatever is waited for.
const limit = 60 * time.Second

// bystander is a client of the server that no fault touches.
func bystander(t *testing.T) *zoo.Conn {
	t.Helper()
	conn, _, err := zoo.Connect([]string{serverAddr(t)}, 20*time.Second, zoo.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// leader opens a store behind a proxy and has it lead.
func leader(t *testing.T, change func(*zk.Config)) (*zk.Store, *zktest.Proxy, cluster.Term, string) {
	t.Helper()
	addr := serverAddr(t)
	proxy, err := zktest.NewProxy(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	at := root(t.TempDir())
	c := config(at, proxy.Addr(), strings.Replace(proxy.Addr(), "127.0.0.1", "localhost", 1))
	if change != nil {
		change(&c)
	}
	s := open(t, c)
	term, err := s.Campaign(t.Context(), "first")
	if err != nil {
		t.Fatal(err)
	}
	return s, proxy, term, at
}

func open(t *testing.T, c zk.Config) *zk.Store {
	t.Helper()
	s, err := zk.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func await[T any](t *testing.T, what string, ch <-chan T) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(limit):
		t.Fatalf("waited %v in vain for %s", limit, what)
	}
}

// until waits for a condition that nothing tells of.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain for %s", limit, what)
		}
	}
}

// A transaction whose answer is lost was applied, and says so once it can find out.
func TestAnswerIsLost(t *testing.T) {
	t.Parallel()
	s, proxy, term, at := leader(t, nil)
	if err := s.Txn(t.Context(), term.Epoch, cluster.Put("a/k", []byte("0"))); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	proxy.DeafenTo([]byte("unheard"))
	go func() { done <- s.Txn(t.Context(), term.Epoch, cluster.Put("a/k", []byte("unheard"))) }()
	other := bystander(t)
	until(t, "the request to be carried out", func() bool {
		value, _, err := other.Get(at + "/gearstorm/sub/a/k")
		return err == nil && string(value) == "unheard"
	})
	proxy.Cut()
	proxy.Hear()
	if err := <-done; err != nil {
		t.Fatalf("the transaction was applied and returned %v", err)
	}
	if _, stat, err := other.Get(at + "/gearstorm/sub/a/k"); err != nil || stat.Version != 1 {
		t.Fatalf("it was applied %d times, %v", stat.Version, err)
	}
}

// The same, but another leads before the connection is back: what was applied is still known.
func TestAnswerIsLostAndSoIsTheLead(t *testing.T) {
	t.Parallel()
	for name, reaches := range map[string]bool{"applied": true, "not applied": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy, term, at := leader(t, nil)
			if err := s.Txn(t.Context(), term.Epoch, cluster.Put("a/k", []byte("0"))); err != nil {
				t.Fatal(err)
			}
			other := bystander(t)
			done := make(chan error, 1)
			txn := func() { done <- s.Txn(t.Context(), term.Epoch, cluster.Put("a/k", []byte("last"))) }
			if reaches {
				proxy.DeafenTo([]byte("last"))
				go txn()
				until(t, "the request to be carried out", func() bool {
					value, _, err := other.Get(at + "/gearstorm/sub/a/k")
					return err == nil && string(value) == "last"
				})
			} else {
				held := proxy.Hold([]byte("last"))
				go txn()
				await(t, "the request", held)
			}
			proxy.Part()
			proxy.Hear()
			second := open(t, config(at, serverAddr(t)))
			for range 3 { // some terms later
				if _, err := second.Campaign(t.Context(), "second"); err != nil {
					t.Fatal(err)
				}
			}
			await(t, "the first term's end", term.Lost)
			proxy.Join()
			err := <-done
			if reaches && err != nil {
				t.Fatalf("the transaction was applied and returned %v", err)
			}
			if !reaches && !errors.Is(err, cluster.ErrFenced) {
				t.Fatalf("the transaction was not applied and returned %v, want ErrFenced", err)
			}
		})
	}
}

// A request that is under way while another takes over comes too late.
func TestRequestOutlivesTheLead(t *testing.T) {
	t.Parallel()
	s, proxy, term, at := leader(t, func(c *zk.Config) { c.SessionTimeout = 20 * zktest.TickMillis * time.Millisecond })
	if err := s.Txn(t.Context(), term.Epoch, cluster.Put("a/k", []byte("0"))); err != nil {
		t.Fatal(err)
	}
	held := proxy.Hold([]byte("too late"))
	done := make(chan error, 1)
	go func() { done <- s.Txn(t.Context(), term.Epoch, cluster.Put("a/k", []byte("too late"))) }()
	await(t, "the request", held)
	second := open(t, config(at, serverAddr(t)))
	removeCandidates(t, at) // the session, its connection and what it knows of head stay
	next, err := second.Campaign(t.Context(), "second")
	if err != nil {
		t.Fatal(err)
	}
	proxy.Hear()
	if err := <-done; !errors.Is(err, cluster.ErrFenced) {
		t.Fatalf("got %v, want ErrFenced", err)
	}
	if err := s.Txn(t.Context(), term.Epoch, cluster.Put("a/k", []byte("later"))); !errors.Is(err, cluster.ErrFenced) {
		t.Fatalf("got %v, want ErrFenced", err)
	}
	if it, err := second.Get(t.Context(), "a/k"); err != nil || string(it.Value) != "0" {
		t.Fatalf("epoch %d reads %q, %v", next.Epoch, it.Value, err)
	}
}

// removeCandidates takes everybody's place in the line away.
func removeCandidates(t *testing.T, at string) {
	t.Helper()
	conn := bystander(t)
	names, _, err := conn.Children(at + "/gearstorm/candidates")
	if err != nil {
		t.Error(err)
	}
	for _, name := range names {
		if err := conn.Delete(at+"/gearstorm/candidates/"+name, -1); err != nil && !errors.Is(err, zoo.ErrNoNode) {
			t.Error(err)
		}
	}
}

// Who cannot find out in time says that, and goes on properly after.
func TestOutcomeIsUncertain(t *testing.T) {
	t.Parallel()
	s, proxy, term, _ := leader(t, func(c *zk.Config) { c.ConnectTimeout = 300 * time.Millisecond })
	proxy.Hold([]byte("unheard"))
	err := s.Txn(t.Context(), term.Epoch, cluster.Put("k", []byte("unheard")))
	if !errors.Is(err, cluster.ErrUncertain) || !strings.Contains(err.Error(), "cannot be reached for 300ms") {
		t.Fatalf("got %v, want ErrUncertain and why", err)
	}
	proxy.Part()
	err = s.Txn(t.Context(), term.Epoch, cluster.Put("k", []byte("later")))
	if err == nil || errors.Is(err, cluster.ErrUncertain) || errors.Is(err, cluster.ErrFenced) {
		t.Fatalf("a transaction that was never sent returned %v", err)
	}
	proxy.Hear()
	proxy.Join()
	until(t, "the connection", func() bool {
		return s.Txn(t.Context(), term.Epoch, cluster.Create("k", []byte("later"))) == nil
	})
}

// A leader that cannot reach ZooKeeper knows by its own clock that it may be replaced, before it can be.
func TestLostByOwnClock(t *testing.T) {
	t.Parallel()
	const session = 8 * zktest.TickMillis * time.Millisecond
	s, proxy, term, at := leader(t, func(c *zk.Config) { c.SessionTimeout = session })
	other := bystander(t)
	proxy.Part()
	await(t, "the end of the term", term.Lost)
	if names, _, err := other.Children(at + "/gearstorm/candidates"); err != nil || len(names) != 1 {
		t.Fatalf("ZooKeeper has the candidates %v, %v: the term ended after the session", names, err)
	}
	proxy.Join()
	again, err := s.Campaign(t.Context(), "first")
	if err != nil || again.Epoch != term.Epoch+1 {
		t.Fatalf("campaign after that: epoch %d, %v", again.Epoch, err)
	}
}

// A connection that comes back in time costs no lead.
func TestShortCutKeepsTheLead(t *testing.T) {
	t.Parallel()
	s, proxy, term, _ := leader(t, func(c *zk.Config) { c.SessionTimeout = 20 * zktest.TickMillis * time.Millisecond })
	for n := range 5 {
		proxy.Cut()
		if err := s.Txn(t.Context(), term.Epoch, cluster.Put("k", fmt.Append(nil, n))); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-term.Lost:
		t.Fatal("the term ended")
	default:
	}
}

func TestCandidateNodeIsRemoved(t *testing.T) {
	t.Parallel()
	s, _, term, at := leader(t, nil)
	removeCandidates(t, at)
	await(t, "the end of the term", term.Lost)
	if again, err := s.Campaign(t.Context(), "first"); err != nil || again.Epoch != term.Epoch+1 {
		t.Fatalf("campaign after that: epoch %d, %v", again.Epoch, err)
	}
}

// Who removes the state from ZooKeeper ends the term; the next begins from nothing.
func TestStateIsWiped(t *testing.T) {
	t.Parallel()
	s, _, term, at := leader(t, nil)
	if err := s.Txn(t.Context(), term.Epoch, cluster.Put("a/k", nil)); err != nil {
		t.Fatal(err)
	}
	conn := bystander(t)
	if err := conn.Delete(at+"/gearstorm/head", -1); err != nil {
		t.Fatal(err)
	}
	err := s.Txn(t.Context(), term.Epoch, cluster.Put("a/k", nil))
	if err == nil || errors.Is(err, cluster.ErrUncertain) || !strings.Contains(err.Error(), "gone from ZooKeeper") {
		t.Fatalf("got %v", err)
	}
	await(t, "the end of the term", term.Lost)
	if next, err := s.Campaign(t.Context(), "first"); err != nil || next.Epoch != 1 {
		t.Fatalf("epoch %d, %v", next.Epoch, err)
	}
}

// A master that died need not wait for the end of its own session.
func TestRestartOfAnInstance(t *testing.T) {
	t.Parallel()
	instance := func(c *zk.Config) {
		c.Instance, c.SessionTimeout = "restarted", 20*zktest.TickMillis*time.Millisecond
	}
	_, proxy, term, at := leader(t, instance)
	proxy.Part() // it is dead, as far as ZooKeeper can see
	c := config(at, serverAddr(t))
	instance(&c)
	began := time.Now()
	next, err := open(t, c).Campaign(t.Context(), "first")
	if err != nil || next.Epoch != term.Epoch+1 {
		t.Fatalf("epoch %d, %v", next.Epoch, err)
	}
	if took := time.Since(began); took > c.SessionTimeout/2 {
		t.Fatalf("waited %v for the session of the life before", took)
	}
}

func TestAnotherEpochStands(t *testing.T) {
	t.Parallel()
	s, _, term, at := leader(t, nil)
	other := bystander(t)
	data, _ := json.Marshal(map[string]any{"format": 1, "epoch": term.Epoch + 5})
	if _, err := other.Set(at+"/gearstorm/head", data, -1); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of the term", term.Lost)
	if err := s.Txn(t.Context(), term.Epoch); !errors.Is(err, cluster.ErrFenced) {
		t.Fatalf("got %v, want ErrFenced", err)
	}
}

func TestTransactionTooLargeForARequest(t *testing.T) {
	t.Parallel()
	s, _, term, _ := leader(t, nil)
	half := make([]byte, cluster.MaxValueBytes)
	if err := s.Txn(t.Context(), term.Epoch, cluster.Put("a", half)); err != nil {
		t.Fatal(err)
	}
	err := s.Txn(t.Context(), term.Epoch, cluster.Put("a", half), cluster.Put("b", half))
	if err == nil || !strings.Contains(err.Error(), "split it") || errors.Is(err, cluster.ErrUncertain) {
		t.Fatalf("got %v", err)
	}
	if err := s.Txn(t.Context(), term.Epoch, cluster.Create("b", half[:len(half)-16<<10]), cluster.Put("a", half)); err != nil {
		t.Fatalf("as large as is allowed: %v", err)
	}
}

func TestManyKeys(t *testing.T) {
	t.Parallel()
	s, _, term, _ := leader(t, nil)
	var ops []cluster.Op
	for i := range cluster.MaxTxnOps {
		ops = append(ops, cluster.Put(fmt.Sprintf("many/%d/é/%%2F^", i), nil))
	}
	for range 2 {
		if err := s.Txn(t.Context(), term.Epoch, ops...); err != nil {
			t.Fatal(err)
		}
	}
	items, err := s.List(t.Context(), "many/1")
	if err != nil || len(items) != 1+10+100+24 || items[0].Key != "many/1/é/%2F^" {
		t.Fatalf("%d items, first %+v, %v", len(items), items[:min(1, len(items))], err)
	}
}
