package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// Crash is a server of stores that is killed (kill -9) while they commit.
type Crash struct {
	// Lives is that a part of the server is killed that names do not need: records get theirs all the same.
	Lives bool
	// Open opens an empty store, whose requests go by via.
	Open func(t *testing.T, via http.RoundTripper) checkpoint.Store
	// Names says whether a request gives a record of a log its name, which makes it count.
	Names func(*http.Request) bool
	// Kill kills the server, Restart has it serve again what it had.
	Kill    func()
	Restart func(t *testing.T)
}

// Run kills the server while one commit is carried out and not answered, another one has not reached it yet, and many callers put objects. Nothing
// that counted is gone, nothing counts twice, and what was in doubt is settled by the next commit.
func (c Crash) Run(t *testing.T) {
	dead := make(chan struct{})
	written := c.begin(t, &gate{names: c.Names, after: true, reached: make(chan struct{}), dead: dead})
	unseen := c.begin(t, &gate{names: c.Names, reached: make(chan struct{}), dead: dead})
	crowd := newCrowd(t, c.Open(t, http.DefaultTransport))
	for _, p := range []*topology{written, unseen} {
		go func() { p.done <- p.commit(t.Context()) }()
		<-p.gate.reached
	}
	<-crowd.warm
	c.Kill()
	close(dead)
	c.Restart(t)
	crowd.check(t)
	written.settle(t, true)
	unseen.settle(t, c.Lives)
}

// gate is a way to a server that holds one request that names a record, before or after it is carried out, until the server is dead.
type gate struct {
	names   func(*http.Request) bool
	after   bool
	armed   atomic.Bool
	reached chan struct{} // closed when the request is there
	dead    chan struct{}
}

// RoundTrip implements http.RoundTripper.
func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if !g.names(r) || !g.armed.CompareAndSwap(true, false) {
		return http.DefaultTransport.RoundTrip(r)
	}
	if !g.after {
		close(g.reached)
		<-g.dead
		return http.DefaultTransport.RoundTrip(r)
	}
	a, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		a.Body.Close()
		err = fmt.Errorf("the answer %s is lost", a.Status)
	}
	close(g.reached)
	<-g.dead
	return nil, err
}

// topology is a log of checkpoints that goes by a gate.
type topology struct {
	*checkpoint.Log
	store checkpoint.Store
	gate  *gate
	epoch uint64
	done  chan error // what became of the commit that was under way
}

// begin has a topology begin, with one checkpoint that counts.
func (c Crash) begin(t *testing.T, g *gate) *topology {
	t.Helper()
	p := &topology{store: c.Open(t, g), gate: g, done: make(chan error, 1)}
	p.Log = p.log(t)
	b, err := p.Begin(t.Context(), checkpoint.Start{Reason: "test"})
	if err == nil {
		p.epoch = b.First - 1
		err = p.commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	g.armed.Store(true)
	return p
}

func (p *topology) log(t *testing.T) *checkpoint.Log {
	t.Helper()
	l, err := checkpoint.OpenLog(checkpoint.LogConfig{Store: p.store, Topology: "t"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// commit cuts the next epoch.
func (p *topology) commit(ctx context.Context) error {
	p.epoch++
	f, err := checkpoint.NewVault(p.store, "t", p.epoch).Put(ctx, "state", strings.NewReader(fmt.Sprint("state of ", p.epoch)))
	if err != nil {
		return err
	}
	_, err = p.Commit(ctx, &checkpoint.Manifest{Epoch: p.epoch, Components: []checkpoint.Component{{Name: "count", Parts: []gearcore.TaskPart{
		{Task: 1, Part: gearcore.Part{Files: []gearcore.File{f}}}}}}})
	return err
}

// settle says whether the commit that was under way counts if its record was written, the next one counts behind it, and another coordinator finds
// them and keeps this one out.
func (p *topology) settle(t *testing.T, written bool) {
	t.Helper()
	err := <-p.done
	if checkpoint.Lost(err) || errors.Is(err, checkpoint.ErrFenced) || errors.Is(err, checkpoint.ErrFull) {
		t.Errorf("a commit without a server: %v", err)
	}
	want := []uint64{p.epoch - 1, p.epoch, p.epoch + 1}
	if !written && err != nil {
		want = []uint64{p.epoch - 1, p.epoch + 1}
	}
	if err := p.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := checkpoint.Counting(t.Context(), p.store, "t")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v count, want %v, %v", got, want, err)
	}
	if b, err := p.log(t).Begin(t.Context(), checkpoint.Start{Reason: "test"}); err != nil || b.Base != p.epoch || len(b.FellBack) > 0 {
		t.Errorf("another coordinator begins with %+v, %v", b, err)
	}
	if err := p.commit(t.Context()); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("a commit of the one before: %v", err)
	}
}

// crowd are callers who put objects, all of them the same ones.
type crowd struct {
	store checkpoint.Store
	all   sync.WaitGroup
	warm  chan struct{} // closed when some objects are there
	over  atomic.Bool

	mu    sync.Mutex
	tried map[string][]string // contents, by name
	won   map[string][]string // those whose callers were told that they did it
}

// enough is how many objects are there before the server is killed.
const enough = 20

func newCrowd(t *testing.T, s checkpoint.Store) *crowd {
	c := &crowd{store: s, warm: make(chan struct{}), tried: map[string][]string{}, won: map[string][]string{}}
	for caller := range 4 {
		c.all.Go(func() {
			for n := 0; !c.over.Load() && c.put(t.Context(), fmt.Sprintf("log/%d", n), fmt.Sprintf("caller %d", caller)); n++ {
				if n == enough && caller == 0 {
					close(c.warm)
				}
			}
		})
	}
	return c
}

// put says whether the server has answered.
func (c *crowd) put(ctx context.Context, name, content string) bool {
	c.mu.Lock()
	c.tried[name] = append(c.tried[name], content)
	c.mu.Unlock()
	err := c.store.PutIfAbsent(ctx, name, []byte(content))
	if err == nil {
		c.mu.Lock()
		c.won[name] = append(c.won[name], content)
		c.mu.Unlock()
	}
	return err == nil || errors.Is(err, checkpoint.ErrExists)
}

// check ends the crowd and reads all objects: each is a whole one of those that were tried, and the winner's if there is one.
func (c *crowd) check(t *testing.T) {
	t.Helper()
	c.over.Store(true)
	c.all.Wait()
	for name, tried := range c.tried {
		won := c.won[name]
		got, err := read(t.Context(), c.store, name)
		switch {
		case errors.Is(err, checkpoint.ErrNotFound) && len(won) == 0:
		case err != nil || len(won) > 1 || !slices.Contains(tried, got) || len(won) == 1 && won[0] != got:
			t.Errorf("%s is %q, %v; %v were told that they put it, of %v", name, got, err, won, tried)
		}
	}
}

func read(ctx context.Context, s checkpoint.Store, name string) (string, error) {
	r, err := s.Get(ctx, name)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}
