// Package storetest is what every checkpoint store has to pass, and a store that fails on purpose.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// Page is how many objects stores list by one request, mostly.
const Page = 1000

// Run tests a kind of store. open returns an empty one that ends with the test.
func Run(t *testing.T, open func(t *testing.T) checkpoint.Store) { RunPaged(t, Page, open) }

// RunPaged is Run for a store that lists so many objects by one request.
func RunPaged(t *testing.T, page int, open func(t *testing.T) checkpoint.Store) {
	for name, test := range map[string]func(*testing.T, checkpoint.Store){
		"put and get": putAndGet, "only one puts if absent": oneWins, "delete": deletes, "names": names,
		"half a put is none": halfPut, "contexts end": contexts, "large": large,
		"list": func(t *testing.T, s checkpoint.Store) { list(t, s, page) },
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func get(t *testing.T, s checkpoint.Store, name string) string {
	t.Helper()
	content, err := read(t.Context(), s, name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func put(t *testing.T, s checkpoint.Store, name, content string) {
	t.Helper()
	if err := s.Put(t.Context(), name, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

func putAndGet(t *testing.T, s checkpoint.Store) {
	if _, err := s.Get(t.Context(), "a/b"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("what is not there: %v", err)
	}
	put(t, s, "a/b", "one")
	put(t, s, "a/b", "two")
	put(t, s, "a/empty", "")
	put(t, s, "top", "x")
	if a, b, c := get(t, s, "a/b"), get(t, s, "a/empty"), get(t, s, "top"); a != "two" || b != "" || c != "x" {
		t.Errorf("read %q, %q, %q", a, b, c)
	}
	if _, err := s.Get(t.Context(), "a"); err == nil {
		t.Error("a directory can be opened")
	}
}

func oneWins(t *testing.T, s checkpoint.Store) {
	const callers = 8
	for round := range 5 {
		name := fmt.Sprintf("log/%d", round)
		var won atomic.Int32
		var winner atomic.Value
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				content := fmt.Sprintf("caller %d %s", i, strings.Repeat("x", i*1000))
				switch err := s.PutIfAbsent(t.Context(), name, []byte(content)); {
				case err == nil:
					won.Add(1)
					winner.Store(content)
				case !errors.Is(err, checkpoint.ErrExists):
					t.Errorf("who comes late gets %v", err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d callers put %s", won.Load(), name)
		}
		if got := get(t, s, name); got != winner.Load() {
			t.Errorf("%s is %.20q, the winner put %.20q", name, got, winner.Load())
		}
	}
	put(t, s, "plain", "1")
	if err := s.PutIfAbsent(t.Context(), "plain", []byte("2")); !errors.Is(err, checkpoint.ErrExists) || get(t, s, "plain") != "1" {
		t.Errorf("over what Put wrote: %v", err)
	}
	if err := s.Delete(t.Context(), "plain"); err != nil {
		t.Fatal(err)
	}
	if err := s.PutIfAbsent(t.Context(), "plain", []byte("3")); err != nil || get(t, s, "plain") != "3" {
		t.Errorf("after a delete: %v", err)
	}
}

func list(t *testing.T, s checkpoint.Store, page int) {
	if l, err := s.List(t.Context(), "nothing/"); err != nil || len(l) != 0 {
		t.Errorf("nothing is %v, %v", l, err)
	}
	for _, n := range []string{"a/c/2", "a/c/1", "a/b", "a/c-1", "ab/x", "z"} {
		put(t, s, n, n+"!")
	}
	for prefix, want := range map[string][]string{
		"": {"a/b", "a/c-1", "a/c/1", "a/c/2", "ab/x", "z"}, "a/": {"a/b", "a/c-1", "a/c/1", "a/c/2"}, "a/c/": {"a/c/1", "a/c/2"}, "z/": nil,
	} {
		l, err := s.List(t.Context(), prefix)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range l {
			got = append(got, o.Name)
			if o.Bytes != int64(len(o.Name)+1) {
				t.Errorf("%s has %d bytes", o.Name, o.Bytes)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("list %q: %q, want %q", prefix, got, want)
		}
	}
	const writers = 8
	many := page + 8
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := w; i < many; i += writers {
				if err := s.Put(t.Context(), fmt.Sprintf("many/%04d", i), strings.NewReader("")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	l, err := s.List(t.Context(), "many/")
	if err != nil || len(l) != many || l[many-1].Name != fmt.Sprintf("many/%04d", many-1) {
		t.Errorf("%d of many, %v", len(l), err)
	}
}

func deletes(t *testing.T, s checkpoint.Store) {
	put(t, s, "a/b", "x")
	for range 2 {
		if err := s.Delete(t.Context(), "a/b"); err != nil {
			t.Error(err)
		}
	}
	if err := s.Delete(t.Context(), "never/was"); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(t.Context(), "a/b"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("what was deleted: %v", err)
	}
}

func names(t *testing.T, s checkpoint.Store) {
	bad := []string{"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", ".tmp/x", "a/.b", "a b", "a\\b", "a\x00", "a\n", "ä", "a?b", "a#b", "a%2f",
		strings.Repeat("x", 201), strings.Repeat("x/", 400) + "x"}
	for _, n := range bad {
		if s.Put(t.Context(), n, strings.NewReader("x")) == nil {
			t.Errorf("put %q", n)
		}
		if s.PutIfAbsent(t.Context(), n, nil) == nil {
			t.Errorf("put %q if absent", n)
		}
		if _, err := s.Get(t.Context(), n); err == nil || errors.Is(err, checkpoint.ErrNotFound) {
			t.Errorf("get %q: %v", n, err)
		}
		if s.Delete(t.Context(), n) == nil {
			t.Errorf("delete %q", n)
		}
		if _, err := s.List(t.Context(), n); err == nil && n != "" && n != "a/" {
			t.Errorf("list %q", n)
		}
	}
	good := "A-Z_0.9=x/" + strings.Repeat("y", 200)
	put(t, s, good, "x")
	if l, err := s.List(t.Context(), ""); err != nil || len(l) != 1 || l[0].Name != good {
		t.Errorf("after all that there is %v, %v", l, err)
	}
}

func halfPut(t *testing.T, s checkpoint.Store) {
	broken := errors.New("the reader broke")
	for _, before := range []bool{false, true} {
		if before {
			put(t, s, "a/b", "old")
		}
		err := s.Put(t.Context(), "a/b", io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000)), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("the error is %v", err)
		}
		switch _, err := s.Get(t.Context(), "a/b"); {
		case before && get(t, s, "a/b") != "old":
			t.Error("half a put took the place of a whole one")
		case !before && !errors.Is(err, checkpoint.ErrNotFound):
			t.Errorf("half a put left something: %v", err)
		}
	}
	if l, err := s.List(t.Context(), ""); err != nil || len(l) != 1 {
		t.Errorf("there is %v, %v", l, err)
	}
}

func contexts(t *testing.T, s checkpoint.Store) {
	put(t, s, "a/b", "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, got := s.Get(ctx, "a/b")
	_, listed := s.List(ctx, "a/")
	for op, err := range map[string]error{
		"put": s.Put(ctx, "a/c", strings.NewReader("x")), "put if absent": s.PutIfAbsent(ctx, "a/d", nil), "get": got, "list": listed,
		"delete": s.Delete(ctx, "a/b"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", op, err)
		}
	}
	if l, err := s.List(t.Context(), ""); err != nil || len(l) != 1 {
		t.Errorf("there is %v, %v", l, err)
	}
}

func large(t *testing.T, s checkpoint.Store) {
	b := make([]byte, 6<<20+1)
	for i := range b {
		b[i] = byte(i * i >> 8)
	}
	if err := s.Put(t.Context(), "l/arge", bytes.NewBuffer(bytes.Clone(b))); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "l/arge"); got != string(b) {
		t.Errorf("%d bytes of %d came back, or others", len(got), len(b))
	}
}
