package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/clock"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Config says which topology a Keeper is of. Topology, Send and Obey are needed.
type Config struct {
	Topology string // its id
	// Store is where checkpoints are, Where its URL for people. Without a Store there are none, only clocks.
	Store checkpoint.Store
	Where string
	// Checkpoints says when they are made, Keep how many are kept, From is the savepoint that the topology begins with.
	Checkpoints checkpoint.Config
	Keep        int
	From        string
	// Slot is this worker's; Obey gives it orders, Send sends them to the others. Both do not wait.
	Slot string
	Send func(slot string, note []byte) error
	Obey func(checkpoint.Order)
	// Trouble is told what people should hear of. It does not wait. May be nil.
	Trouble func(error)
	Log     *slog.Logger // default: none
}

const (
	step = 200 * time.Millisecond
	// fencedPause is before a Keeper whose place was taken tries again.
	fencedPause = time.Second
	// storeTimeout bounds one action on the store.
	storeTimeout = time.Minute
)

// Keeper is what the worker with the task of __clock has. Make it with New.
type Keeper struct {
	cfg    Config
	wake   chan struct{}
	errand chan struct{} // there may be something to do about savepoints

	mu      sync.Mutex
	plan    checkpoint.Plan
	planned bool // plan has not been told yet
	slots   []string
	reports map[string]checkpoint.Report // the newest of each worker
	news    map[string]bool              // workers whose report has not been told yet
	events  []checkpoint.Event           // what became of actions
	order   checkpoint.Order             // as told last; Generation 0: none
	history history
	figures Figures
	saves   savepoints
	clocks  clocks
	trouble string          // what it does in words, while the store is of no use
	why     string          // why the generation has begun
	log     *checkpoint.Log // of the last term; nobody uses it any more when Run has ended
	rests   string          // how long until the next one begins, and why; "": it does not wait
	unborn  string          // which version of the graph is to come into force, and what it waits for
}

// New returns a Keeper that has not begun.
func New(cfg Config) *Keeper {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Trouble == nil {
		cfg.Trouble = func(error) {}
	}
	return &Keeper{cfg: cfg, wake: make(chan struct{}, 1), errand: make(chan struct{}, 1), reports: map[string]checkpoint.Report{}, news: map[string]bool{},
		clocks: clocks{order: &clock.Order{}, watch: clock.Watch{Limit: standing}}}
}

// SetPlan says which tasks there are, of which graph, and in which slots workers are. Reports of others are forgotten. Another
// graph than before comes into force when all workers are ready for it.
func (k *Keeper) SetPlan(p checkpoint.Plan, g *dag.Graph, slots []string) {
	k.mu.Lock()
	k.clocks.order = clock.OrderOf(g)
	p.Workers = slots
	k.plan, k.planned, k.slots = p, true, slots
	maps.DeleteFunc(k.reports, func(slot string, _ checkpoint.Report) bool { return !slices.Contains(slots, slot) })
	k.mu.Unlock()
	k.kick()
}

// Hear takes in a worker's report.
func (k *Keeper) Hear(r checkpoint.Report) {
	k.mu.Lock()
	if slices.Contains(k.slots, r.Worker) {
		k.reports[r.Worker], k.news[r.Worker] = r, true
	}
	k.mu.Unlock()
	k.kick()
}

// Ask takes in which savepoints are asked for. Those that it knows already are passed over.
func (k *Keeper) Ask(requests []*stormrpc.SavepointRequest) {
	k.mu.Lock()
	k.saves.ask(requests)
	k.mu.Unlock()
	k.kick()
	wake(k.errand)
}

func (k *Keeper) kick() { wake(k.wake) }

// wake leaves a word for somebody who looks for it now or later.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run keeps until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { k.seeClocks(ctx) })
	if k.cfg.Store == nil {
		return
	}
	for ctx.Err() == nil {
		err := k.term(ctx)
		if ctx.Err() != nil {
			return
		}
		k.cfg.Log.Warn("the checkpoints are in other hands", slog.Any("err", err))
		select {
		case <-ctx.Done():
		case <-time.After(fencedPause):
		}
	}
}

// Purge removes the topology's checkpoints but for savepoints, of a topology that is gone for good. It is for after Run.
func (k *Keeper) Purge(ctx context.Context) error {
	k.mu.Lock()
	l := k.log
	k.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.Purge(ctx)
}

// seeClocks looks at the clocks of all workers now and then.
func (k *Keeper) seeClocks(ctx context.Context) {
	tick := time.NewTicker(step)
	defer tick.Stop()
	for began := time.Now(); ; {
		k.mu.Lock()
		k.clocks.see(time.Since(began), k.order.Generation, k.reports)
		k.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// term is the life of one coordinator. It ends with ctx or when another one has taken over.
func (k *Keeper) term(ctx context.Context) error {
	c, err := checkpoint.NewCoordinator(k.cfg.Checkpoints)
	if err != nil {
		return err
	}
	l, err := checkpoint.OpenLog(checkpoint.LogConfig{Store: k.cfg.Store, Topology: k.cfg.Topology, Keep: k.cfg.Keep, From: k.cfg.From})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	t := &term{k: k, c: c, log: l, began: time.Now(), writes: make(chan checkpoint.Action, 1), cleans: make(chan checkpoint.Action, 1)}
	wg.Go(func() { t.work(ctx, t.writes) })
	wg.Go(func() { t.work(ctx, t.cleans) })
	wg.Go(func() { k.serveSavepoints(ctx) })
	k.mu.Lock()
	k.log = l
	k.planned, k.events, k.unborn = true, nil, "" // a coordinator knows nothing
	for slot := range k.reports {
		k.news[slot] = true
	}
	k.mu.Unlock()
	return t.run(ctx)
}

// term has what one coordinator needs. run's goroutine owns c.
type term struct {
	k      *Keeper
	c      *checkpoint.Coordinator
	log    *checkpoint.Log
	began  time.Time
	toldAt time.Time
	writes chan checkpoint.Action // at most one is under way
	cleans chan checkpoint.Action // the same
}

// run steps the coordinator.
func (t *term) run(ctx context.Context) error {
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		for _, e := range t.k.take() {
			for _, a := range t.c.Step(time.Since(t.began), e) {
				if err := t.do(a); err != nil {
					return err
				}
			}
		}
		if time.Since(t.toldAt) >= again {
			t.tell(t.c.Order())
			t.k.waits(t.c.Unborn(time.Since(t.began)))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.k.wake:
		case <-tick.C:
		}
	}
}

// waits logs what a version of the graph that is to come into force waits for, if that is what it was a moment ago.
func (k *Keeper) waits(unborn string) {
	k.mu.Lock()
	same := unborn != "" && unborn == k.unborn
	k.unborn = unborn
	k.mu.Unlock()
	if same {
		k.cfg.Log.Info("checkpoints", slog.String("what", unborn))
	}
}

// take returns what has happened since the last call, a Tick at least.
func (k *Keeper) take() []checkpoint.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []checkpoint.Event
	if k.planned {
		k.planned = false
		out = append(out, k.plan)
	}
	for slot := range k.news {
		if r, ok := k.reports[slot]; ok {
			out = append(out, r)
		}
	}
	clear(k.news)
	out = append(out, k.events...)
	k.events = nil
	for _, name := range k.saves.take() {
		out = append(out, checkpoint.Ask{Name: name})
	}
	return append(out, checkpoint.Tick{})
}

// do carries out what the coordinator wants, or has it carried out.
func (t *term) do(a checkpoint.Action) error {
	switch a := a.(type) {
	case checkpoint.Send:
		t.tell(a.Order)
	case checkpoint.Notice:
		t.k.noticed(a)
	case checkpoint.Stop:
		return errors.New(a.Why)
	case checkpoint.Clean:
		t.cleans <- a
	case checkpoint.Commit:
		t.k.committing(a.Manifest)
		t.writes <- a
	default:
		t.writes <- a
	}
	return nil
}

// work carries out actions on the store.
func (t *term) work(ctx context.Context, actions chan checkpoint.Action) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-actions:
			limited, cancel := context.WithTimeout(ctx, storeTimeout)
			e, ok := t.log.Do(limited, a)
			cancel()
			if !ok {
				e = checkpoint.Failed{Action: a, Err: fmt.Errorf("no store does a %T", a)}
			}
			t.k.happened(e)
		}
	}
}

// happened leaves an event for the coordinator.
func (k *Keeper) happened(e checkpoint.Event) {
	k.mu.Lock()
	k.events = append(k.events, e)
	k.mu.Unlock()
	k.kick()
}

// tell sends an order to all workers.
func (t *term) tell(o checkpoint.Order) {
	t.toldAt = time.Now()
	if o.Generation == 0 {
		return
	}
	k := t.k
	k.mu.Lock()
	k.order = o
	slots := k.slots
	k.mu.Unlock()
	k.cfg.Obey(o)
	note := write(o)
	for _, slot := range slots {
		if slot != k.cfg.Slot {
			if err := k.cfg.Send(slot, note); err != nil {
				k.cfg.Log.Debug("a worker cannot be told", slog.String("slot", slot), slog.Any("err", err))
			}
		}
	}
}
