// Package clustertest is the one test that every cluster.Store passes.
package clustertest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// Harness says how to get a store and what it promises.
type Harness struct {
	// Open opens the store kept in dir. A store that is not durable may ignore dir.
	Open func(dir string) (cluster.Store, error)
	// Durable stores keep their contents over Close and over a kill of the process.
	Durable bool
	// Peer opens another candidate's store of the same state as s, which Open gave for dir. Nil: there can be no other.
	Peer func(s cluster.Store, dir string) (cluster.Store, error)
	// Expire has the store lose its session; some time after it may come back. Needed with Peer.
	Expire func(s cluster.Store)
}

// crashDir names, in the environment of a child, the directory it writes to until it is killed.
const crashDir = "CLUSTERTEST_CRASH_DIR"

// Run tests a store. It must be called by a top-level test and by nothing before it in that test, since the crash
// part runs the test binary again with only that test selected.
func Run(t *testing.T, h Harness) {
	if dir := os.Getenv(crashDir); dir != "" {
		writeUntilKilled(t, h, dir)
		return
	}
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"get and list", testGetList},
		{"conditions", testConditions},
		{"all or nothing", testAllOrNothing},
		{"fencing", testFencing},
		{"raise", testRaise},
		{"bad operations", testBadOps},
		{"watch", testWatch},
		{"closed", testClosed},
		{"concurrent increments", testConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
	if h.Peer != nil {
		t.Run("handover", func(t *testing.T) { testHandover(t, h) })
		t.Run("expiry", func(t *testing.T) { testExpiry(t, h) })
		t.Run("deposed writer", func(t *testing.T) { testDeposedWriter(t, h) })
		t.Run("peer reads", func(t *testing.T) { testPeerReads(t, h) })
	}
	if h.Durable {
		t.Run("reopen", func(t *testing.T) { testReopen(t, h) })
		t.Run("kill", func(t *testing.T) { testKill(t, h) })
	}
}

func start(t *testing.T, h Harness, dir string) (cluster.Store, cluster.Term) {
	t.Helper()
	s, err := h.Open(dir)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	term, err := s.Campaign(t.Context(), "test")
	if err != nil {
		t.Fatalf("campaign: %v", err)
	}
	return s, term
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func contents(t *testing.T, s cluster.Store, prefix string) map[string]string {
	t.Helper()
	items, err := s.List(t.Context(), prefix)
	must(t, err)
	out := make(map[string]string)
	for i, it := range items {
		if i > 0 && items[i-1].Key >= it.Key {
			t.Fatalf("list is not in order: %q then %q", items[i-1].Key, it.Key)
		}
		if it.Version <= 0 {
			t.Fatalf("%s has version %d", it.Key, it.Version)
		}
		out[it.Key] = string(it.Value)
	}
	return out
}

func testGetList(t *testing.T, h Harness) {
	s, term := start(t, h, t.TempDir())
	ctx := t.Context()
	_, err := s.Get(ctx, "a/1")
	wantErr(t, "get of a missing key", err, cluster.ErrNotFound)
	value := []byte("one")
	must(t, s.Txn(ctx, term.Epoch, cluster.Put("a/1", value), cluster.Put("a/2", nil), cluster.Put("ab", []byte("x"))))
	copy(value, "xxx")
	if diff := cmp.Diff(map[string]string{"a/1": "one", "a/2": ""}, contents(t, s, "a/")); diff != "" {
		t.Fatalf("list a/ (-want +got):\n%s", diff)
	}
	it, err := s.Get(ctx, "a/1")
	must(t, err)
	copy(it.Value, "yyy")
	again, err := s.Get(ctx, "a/1")
	must(t, err)
	if string(again.Value) != "one" || again.Version != it.Version {
		t.Fatalf("get after the caller changed its copy: %q version %d, was %d", again.Value, again.Version, it.Version)
	}
	must(t, s.Txn(ctx, term.Epoch, cluster.Put("a/1", []byte("two"))))
	newer, err := s.Get(ctx, "a/1")
	must(t, err)
	if newer.Version <= it.Version {
		t.Fatalf("version went from %d to %d by a write", it.Version, newer.Version)
	}
	must(t, s.Txn(ctx, term.Epoch, cluster.Delete("a/1"), cluster.Delete("never/there")))
	_, err = s.Get(ctx, "a/1")
	wantErr(t, "get after delete", err, cluster.ErrNotFound)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = s.Get(cancelled, "ab")
	wantErr(t, "get with an ended context", err, context.Canceled)
}

func testConditions(t *testing.T, h Harness) {
	s, term := start(t, h, t.TempDir())
	ctx := t.Context()
	must(t, s.Txn(ctx, term.Epoch, cluster.Create("k", []byte("1"))))
	wantErr(t, "create again", s.Txn(ctx, term.Epoch, cluster.Create("k", []byte("2"))), cluster.ErrConflict)
	it, err := s.Get(ctx, "k")
	must(t, err)
	must(t, s.Txn(ctx, term.Epoch, cluster.PutIf("k", it.Version, []byte("2"))))
	wantErr(t, "put on an old version", s.Txn(ctx, term.Epoch, cluster.PutIf("k", it.Version, nil)), cluster.ErrConflict)
	wantErr(t, "delete on an old version", s.Txn(ctx, term.Epoch, cluster.DeleteIf("k", it.Version)), cluster.ErrConflict)
	wantErr(t, "check of absence", s.Txn(ctx, term.Epoch, cluster.Check("k", 0)), cluster.ErrConflict)
	it, err = s.Get(ctx, "k")
	must(t, err)
	must(t, s.Txn(ctx, term.Epoch, cluster.Check("k", it.Version), cluster.Check("other", 0), cluster.Put("side", nil)))
	must(t, s.Txn(ctx, term.Epoch, cluster.DeleteIf("k", it.Version)))
	if diff := cmp.Diff(map[string]string{"side": ""}, contents(t, s, "")); diff != "" {
		t.Fatalf("contents (-want +got):\n%s", diff)
	}
}

func testAllOrNothing(t *testing.T, h Harness) {
	s, term := start(t, h, t.TempDir())
	ctx := t.Context()
	must(t, s.Txn(ctx, term.Epoch, cluster.Put("old", []byte("v"))))
	err := s.Txn(ctx, term.Epoch, cluster.Put("new", []byte("v")), cluster.Delete("old"), cluster.Create("old/x", nil),
		cluster.Check("missing", 7))
	wantErr(t, "failing last condition", err, cluster.ErrConflict)
	if diff := cmp.Diff(map[string]string{"old": "v"}, contents(t, s, "")); diff != "" {
		t.Fatalf("contents (-want +got):\n%s", diff)
	}
}

func testFencing(t *testing.T, h Harness) {
	s, first := start(t, h, t.TempDir())
	ctx := t.Context()
	wantErr(t, "epoch 0", s.Txn(ctx, 0, cluster.Put("k", nil)), cluster.ErrFenced)
	wantErr(t, "epoch from the future", s.Txn(ctx, first.Epoch+1, cluster.Put("k", nil)), cluster.ErrFenced)
	must(t, s.Txn(ctx, first.Epoch, cluster.Put("k", []byte("first"))))
	second, err := s.Campaign(ctx, "second")
	must(t, err)
	if second.Epoch != first.Epoch+1 {
		t.Fatalf("epochs %d then %d, want one more", first.Epoch, second.Epoch)
	}
	select {
	case <-first.Lost:
	case <-time.After(10 * time.Second):
		t.Fatal("the first term was not told that it is over")
	}
	wantErr(t, "old epoch", s.Txn(ctx, first.Epoch, cluster.Put("k", []byte("stale"))), cluster.ErrFenced)
	wantErr(t, "old epoch, nothing to write", s.Txn(ctx, first.Epoch), cluster.ErrFenced)
	must(t, s.Txn(ctx, second.Epoch, cluster.Put("k", []byte("second"))))
	if diff := cmp.Diff(map[string]string{"k": "second"}, contents(t, s, "")); diff != "" {
		t.Fatalf("contents (-want +got):\n%s", diff)
	}
}

func testBadOps(t *testing.T, h Harness) {
	s, term := start(t, h, t.TempDir())
	many := make([]cluster.Op, cluster.MaxTxnOps+1)
	for i := range many {
		many[i] = cluster.Put("k"+strconv.Itoa(i), nil)
	}
	for name, ops := range map[string][]cluster.Op{
		"empty key":       {cluster.Put("", nil)},
		"leading slash":   {cluster.Put("/a", nil)},
		"trailing slash":  {cluster.Put("a/", nil)},
		"double slash":    {cluster.Put("a//b", nil)},
		"control":         {cluster.Put("a\x00b", nil)},
		"long key":        {cluster.Put(strings.Repeat("k", cluster.MaxKeyBytes+1), nil)},
		"long value":      {cluster.Put("k", make([]byte, cluster.MaxValueBytes+1))},
		"same key twice":  {cluster.Put("k", nil), cluster.Delete("k")},
		"too many":        many,
		"zero operation":  {{Key: "k"}},
		"pointless check": {cluster.Check("k", cluster.AnyVersion)},
	} {
		err := s.Txn(t.Context(), term.Epoch, ops...)
		if err == nil || errors.Is(err, cluster.ErrConflict) || errors.Is(err, cluster.ErrFenced) {
			t.Errorf("%s: got %v, want its own error", name, err)
		}
	}
	if got := contents(t, s, ""); len(got) != 0 {
		t.Fatalf("refused transactions left %v", got)
	}
}

func testWatch(t *testing.T, h Harness) {
	s, term := start(t, h, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	hints := s.Watch(ctx, "a/")
	for range 3 {
		must(t, s.Txn(t.Context(), term.Epoch, cluster.Put("a/1", nil)))
	}
	select {
	case <-hints:
	case <-time.After(10 * time.Second):
		t.Fatal("no hint after a change")
	}
	must(t, s.Txn(t.Context(), term.Epoch, cluster.Delete("a/1")))
	select {
	case <-hints:
	case <-time.After(10 * time.Second):
		t.Fatal("no hint after a deletion that followed a read hint")
	}
	cancel()
	must(t, s.Txn(t.Context(), term.Epoch, cluster.Put("a/2", nil)))
}

func testClosed(t *testing.T, h Harness) {
	s, term := start(t, h, t.TempDir())
	must(t, s.Close())
	must(t, s.Close())
	select {
	case <-term.Lost:
	case <-time.After(10 * time.Second):
		t.Fatal("close did not end the term")
	}
	_, err := s.Get(t.Context(), "k")
	wantErr(t, "get", err, cluster.ErrClosed)
	_, err = s.List(t.Context(), "")
	wantErr(t, "list", err, cluster.ErrClosed)
	wantErr(t, "txn", s.Txn(t.Context(), term.Epoch, cluster.Put("k", nil)), cluster.ErrClosed)
	_, err = s.Campaign(t.Context(), "late")
	wantErr(t, "campaign", err, cluster.ErrClosed)
}

// testConcurrent counts with compare-and-set from several goroutines: a lost update would show as a wrong sum.
func testConcurrent(t *testing.T, h Harness) {
	s, term := start(t, h, t.TempDir())
	const workers, each = 4, 10
	must(t, s.Txn(t.Context(), term.Epoch, cluster.Create("n", []byte("0"))))
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < each; {
				it, err := s.Get(t.Context(), "n")
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(it.Value))
				err = s.Txn(t.Context(), term.Epoch, cluster.PutIf("n", it.Version, []byte(strconv.Itoa(n+1))))
				if err == nil {
					done++
				} else if !errors.Is(err, cluster.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := contents(t, s, "")["n"]; got != strconv.Itoa(workers*each) {
		t.Fatalf("counted to %s, want %d", got, workers*each)
	}
}

func testReopen(t *testing.T, h Harness) {
	dir := t.TempDir()
	s, first := start(t, h, dir)
	must(t, s.Txn(t.Context(), first.Epoch, cluster.Put("a", []byte("kept")), cluster.Put("b", nil)))
	must(t, s.Txn(t.Context(), first.Epoch, cluster.Delete("b")))
	before, err := s.Get(t.Context(), "a")
	must(t, err)
	must(t, s.Close())
	s, second := start(t, h, dir)
	if second.Epoch <= first.Epoch {
		t.Fatalf("epoch %d after a restart, was %d", second.Epoch, first.Epoch)
	}
	after, err := s.Get(t.Context(), "a")
	must(t, err)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Fatalf("item after reopening (-want +got):\n%s", diff)
	}
	wantErr(t, "epoch of the last process", s.Txn(t.Context(), first.Epoch, cluster.Delete("a")), cluster.ErrFenced)
}

// crashKeys are written together: after a kill they must all tell the same number.
const crashKeys = 8

// writeUntilKilled is the child's part of testKill: each transaction writes the next number to all keys, and each
// acknowledged number goes to standard output.
func writeUntilKilled(t *testing.T, h Harness, dir string) {
	s, term := start(t, h, dir)
	pad := strings.Repeat("x", 4096)
	for n := 1; n < 1_000_000; n++ {
		ops := make([]cluster.Op, crashKeys)
		for k := range ops {
			ops[k] = cluster.Put("key/"+strconv.Itoa(k), []byte(strconv.Itoa(n)+" "+pad))
		}
		must(t, s.Txn(t.Context(), term.Epoch, ops...))
		fmt.Printf("acknowledged %d\n", n)
	}
}

func testKill(t *testing.T, h Harness) {
	dir := t.TempDir()
	top, _, _ := strings.Cut(t.Name(), "/")
	for round, killAfter := range []int{1, 7, 40} {
		acknowledged := killAt(t, top, dir, killAfter)
		s, term := start(t, h, dir)
		if int(term.Epoch) != 2*(round+1) {
			t.Errorf("round %d: epoch %d, want %d", round, term.Epoch, 2*(round+1))
		}
		numbers := make(map[string]bool)
		got := contents(t, s, "key/")
		for _, v := range got {
			n, _, _ := strings.Cut(v, " ")
			numbers[n] = true
		}
		if len(got) != crashKeys || len(numbers) != 1 {
			t.Fatalf("round %d: %d keys with the numbers %v, want %d keys with one number", round, len(got), numbers, crashKeys)
		}
		for n := range numbers {
			if v, _ := strconv.Atoi(n); v < acknowledged {
				t.Fatalf("round %d: %d was acknowledged, the store has %d", round, acknowledged, v)
			}
		}
		must(t, s.Close())
	}
}

// killAt runs the child and kills it once it has acknowledged some transactions. It returns the last number that the
// child acknowledged.
func killAt(t *testing.T, test, dir string, after int) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	last := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "acknowledged ")
		if !ok {
			t.Errorf("child says %q", lines.Text())
			continue
		}
		if last, err = strconv.Atoi(text); err != nil {
			t.Error(err)
		}
		if last == after {
			must(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended before it was killed")
	}
	if last < after {
		t.Fatalf("the child acknowledged %d, want at least %d", last, after)
	}
	return last
}
