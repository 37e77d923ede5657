package clustertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// linearKeys are what the clients of Linearizable fight for.
var linearKeys = [...]string{"a/x", "a/y", "z"}

// clientsPerStore is how many callers a store has at a time, beside the one that campaigns.
const clientsPerStore = 2

// Linear says how much Linearizable does.
type Linear struct {
	Calls  int       // of all clients together; each makes its share
	Faults []func()  // run one after the other while the clients go on, evenly over the calls
	Seed   [2]uint64 // of what the clients choose; zero takes a random one, which a failure tells
}

// Linearizable has clients of several stores of the same state campaign, write and read at random while faults happen, and
// holds what they were told to a model in which every call has its effect at one moment between its beginning and its end. The
// state must be empty.
func Linearizable(t *testing.T, stores []cluster.Store, l Linear) {
	if l.Seed == [2]uint64{} {
		l.Seed = [2]uint64{rand.Uint64(), rand.Uint64()}
	}
	r := &recorder{began: time.Now()}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var rulers, clients sync.WaitGroup
	faults := make(chan struct{}) // closed when all have happened
	for i, s := range stores {
		e := &office{again: make(chan struct{}, 1)}
		rulers.Go(func() { e.rule(ctx, s, r, i) })
		for j := range clientsPerStore {
			c := &linearClient{store: s, office: e, recorder: r, faults: faults,
				share: l.Calls / (clientsPerStore * len(stores)), id: len(stores) + clientsPerStore*i + j,
				random: rand.New(rand.NewPCG(l.Seed[0]+uint64(i), l.Seed[1]+uint64(j)))}
			clients.Go(func() { c.run(ctx) })
		}
		r.offices = append(r.offices, e)
	}
	go func() {
		defer close(faults)
		for i, f := range l.Faults {
			if r.reach(ctx, l.Calls*(i+1)/(len(l.Faults)+1)) {
				f()
				r.offices[i%len(r.offices)].callAgain()
			}
		}
	}()
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	wait(t, "the clients", done)
	cancel()
	rulers.Wait()
	<-faults
	r.conclude(t, stores)
	r.judge(t, l)
}

// office is a store's leadership.
type office struct {
	epoch atomic.Int64 // the last one won
	leads atomic.Bool  // as far as the store knows
	again chan struct{}
}

func (o *office) callAgain() {
	select {
	case o.again <- struct{}{}:
	default:
	}
}

// rule campaigns whenever the store does not lead, and now and then when it does.
func (o *office) rule(ctx context.Context, s cluster.Store, r *recorder, id int) {
	for ctx.Err() == nil {
		end := r.begin(id, call{kind: toCampaign})
		term, err := s.Campaign(ctx, fmt.Sprintf("candidate-%d", id))
		if err != nil {
			end(answer{unknown: true})
			return
		}
		end(answer{epoch: term.Epoch})
		o.epoch.Store(int64(term.Epoch))
		o.leads.Store(true)
		select {
		case <-term.Lost:
			o.leads.Store(false)
		case <-o.again:
		case <-ctx.Done():
		}
	}
}

// linearClient makes calls, one after the other.
type linearClient struct {
	store    cluster.Store
	office   *office
	recorder *recorder
	faults   <-chan struct{}
	share    int // of the calls
	id       int
	random   *rand.Rand
	seen     [len(linearKeys)]cluster.Item // newest read
	writes   int
}

func (c *linearClient) run(ctx context.Context) {
	for n := 0; c.recorder.take(n >= c.share, c.faults); n++ {
		var err error
		switch dice := c.random.IntN(16); {
		case dice < 2:
			err = c.list(ctx)
		case dice < 6, dice < 14 && !c.office.leads.Load(): // who does not lead writes now and then
			err = c.get(ctx)
		default:
			err = c.txn(ctx)
		}
		if err != nil {
			time.Sleep(5 * time.Millisecond) // a store that is away answers at once sometimes
		}
	}
}

func (c *linearClient) get(ctx context.Context) error {
	k := c.random.IntN(len(linearKeys))
	end := c.recorder.begin(c.id, call{kind: toGet, key: k})
	it, err := c.store.Get(ctx, linearKeys[k])
	if err != nil && !errors.Is(err, cluster.ErrNotFound) {
		return err // a read that has no answer says nothing
	}
	c.seen[k] = it
	var v values
	v[k] = string(it.Value)
	end(answer{values: v})
	return nil
}

func (c *linearClient) list(ctx context.Context) error {
	end := c.recorder.begin(c.id, call{kind: toList})
	items, err := c.store.List(ctx, "")
	if err != nil {
		return err
	}
	var v values
	for k, key := range linearKeys {
		c.seen[k] = cluster.Item{}
		for _, it := range items {
			if it.Key == key {
				c.seen[k], v[k] = it, string(it.Value)
			}
		}
	}
	end(answer{values: v})
	return nil
}

func (c *linearClient) txn(ctx context.Context) error {
	w := call{kind: toWrite, guard: cluster.Epoch(c.office.epoch.Load())}
	var ops []cluster.Op
	for _, k := range c.random.Perm(len(linearKeys))[:1+c.random.IntN(2)] {
		p := part{key: k, any: c.random.IntN(3) == 0, want: string(c.seen[k].Value)}
		version := c.seen[k].Version
		if c.random.IntN(6) == 0 {
			p.want, version = "", 0
		}
		if p.any {
			version = cluster.AnyVersion
		}
		switch c.random.IntN(5) {
		case 0:
			if !p.any {
				p.keep = true
				ops = append(ops, cluster.Check(linearKeys[k], version))
				break
			}
			fallthrough
		case 1:
			ops = append(ops, cluster.DeleteIf(linearKeys[k], version))
		default:
			c.writes++
			p.value = fmt.Sprintf("%d-%d", c.id, c.writes)
			ops = append(ops, cluster.PutIf(linearKeys[k], version, []byte(p.value)))
		}
		w.parts = append(w.parts, p)
	}
	end := c.recorder.begin(c.id, w)
	err := c.store.Txn(ctx, w.guard, ops...)
	switch {
	case err == nil:
		end(answer{})
	case errors.Is(err, cluster.ErrConflict):
		end(answer{conflict: true})
	case errors.Is(err, cluster.ErrFenced):
		end(answer{fenced: true})
	case errors.Is(err, cluster.ErrUncertain):
		end(answer{unknown: true})
	}
	return err // of another kind: nothing was sent
}

// recorder is the history.
type recorder struct {
	began   time.Time
	offices []*office

	mu      sync.Mutex
	done    int // calls begun
	history []porcupine.Operation
}

// take tells whether a client shall make its next call: all of its share, and a few more while faults still go on.
func (r *recorder) take(spent bool, faults <-chan struct{}) bool {
	if spent {
		select {
		case <-faults:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	return true
}

// reach waits until so many calls have begun, and tells whether it did.
func (r *recorder) reach(ctx context.Context, calls int) bool {
	for ctx.Err() == nil {
		r.mu.Lock()
		done := r.done
		r.mu.Unlock()
		if done >= calls {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

// begin notes the beginning of a call; end is given its answer. A call without an answer is not recorded, one whose outcome
// is unknown may have its effect at any time after.
func (r *recorder) begin(client int, c call) (end func(answer)) {
	from := time.Since(r.began).Nanoseconds()
	return func(a answer) {
		to := time.Since(r.began).Nanoseconds()
		if a.unknown {
			to = 1<<62 + from
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.history = append(r.history, porcupine.Operation{ClientId: client, Input: c, Output: a, Call: from, Return: to})
	}
}
