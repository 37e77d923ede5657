package drpc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Callers and topologies that do what they want, at random times: every request is handed out once at most, every caller hears
// what became of his own, and nothing is left.
func TestRandomCallersAndTopologies(t *testing.T) {
	for seed := range uint64(50) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { (&play{t: t, seed: seed}).run() })
		})
	}
}

// play is one run.
type play struct {
	t    *testing.T
	seed uint64
	b    *book

	mu      sync.Mutex
	fetched map[string]bool
	failed  map[string]bool // by arguments: the topology failed it
}

func (p *play) rand(who uint64) *rand.Rand { return rand.New(rand.NewPCG(p.seed, who)) }

func (p *play) run() {
	p.b = newBook(Limits{Timeout: 20 * time.Second, Requests: 30})
	p.fetched, p.failed = map[string]bool{}, map[string]bool{}
	ctx, end := context.WithCancel(context.Background())
	var callers, topologies sync.WaitGroup
	for i := range uint64(6) {
		topologies.Go(func() { p.topology(ctx, i) })
	}
	for i := range uint64(40) {
		callers.Go(func() { p.caller(i) })
	}
	callers.Wait()
	end()
	topologies.Wait()
	wantEmpty(p.t, p.b)
	if len(p.b.waiters) != 0 {
		p.t.Errorf("%d waiters are left", len(p.b.waiters))
	}
}

var errLeft = errors.New("left")

// caller executes functions; some he gives up.
func (p *play) caller(i uint64) {
	r := p.rand(i)
	for n := range 10 {
		time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
		ctx, leave := context.WithCancelCause(context.Background())
		if r.IntN(4) == 0 {
			time.AfterFunc(time.Duration(r.IntN(5000))*time.Millisecond, func() { leave(errLeft) })
		}
		args := fmt.Sprintf("%d/%d", i, n)
		result, err := p.b.execute(ctx, fmt.Sprint("f", r.IntN(3)), args)
		leave(nil)
		p.mu.Lock()
		failed := p.failed[args]
		p.mu.Unlock()
		switch f, _ := errors.AsType[*failure](err); {
		case err == nil && result == "did "+args && !failed:
		case errors.Is(err, errLeft), f == errTimedOut, f == errBusy:
		case f != nil && f.Msg == "failed "+args && failed:
		default:
			p.t.Errorf("%s ended with %q, %v", args, result, err)
		}
	}
}

// topology answers one function, by await or fetch; some requests it forgets.
func (p *play) topology(ctx context.Context, i uint64) {
	r, name := p.rand(100+i), fmt.Sprint("f", i%3)
	for ctx.Err() == nil {
		var id, args string
		var ok bool
		if i < 3 {
			id, args, ok = p.b.await(ctx, name)
		} else {
			id, args, ok = p.b.fetch(name)
		}
		if !ok {
			time.Sleep(time.Duration(1+r.IntN(50)) * time.Millisecond)
			continue
		}
		p.mu.Lock()
		if p.fetched[id] {
			p.t.Errorf("request %s was handed out twice", id)
		}
		p.fetched[id] = true
		what := r.IntN(10)
		p.failed[args] = what == 1
		p.mu.Unlock()
		time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
		switch what {
		case 0: // forgotten
		case 1:
			p.b.settle(id, outcome{failure: refused("failed %s", args)})
		default:
			p.b.settle(id, outcome{result: "did " + args})
			p.b.settle(id, outcome{result: "twice"})
		}
	}
}
