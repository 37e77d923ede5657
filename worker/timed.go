package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/stores"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/worker/keeper"
	"github.com/gearstorm/gearstorm/worker/transport"
)

// timedConfig says of which topology and worker a timed is.
type timedConfig struct {
	plan     *dag.Plan // that it begins with
	topology string    // its id
	slot     string
	timing   compat.Timing
	store    stores.Store // nil without checkpoints
	where    string       // for people
	send     func(slot string, kind byte, note []byte) error
	trouble  func(error)
	log      *slog.Logger
}

// timed is what a worker of a topology with a clock has beside others: an Agent, and a Keeper if the task of __clock is here.
// A nil timed is of another topology and does nothing.
type timed struct {
	timedConfig
	agent  *keeper.Agent
	engine *engine.Engine
	saved  *saved

	mu     sync.Mutex
	newest *dag.Plan       // that was told
	staged time.Time       // since when another version of the graph is to come into force; zero: none is
	ctx    context.Context // of run; nil before
	keeper *keeper.Keeper  // nil: the task is elsewhere
	end    func()          // ends it
	asked  []*stormrpc.SavepointRequest
	gone   bool // the topology was killed, and its checkpoints are not wanted any more
	wg     sync.WaitGroup
}

// newTimed returns nil for a topology without a clock.
func newTimed(cfg timedConfig) *timed {
	if !cfg.timing.Timed {
		return nil
	}
	t := &timed{timedConfig: cfg, newest: cfg.plan, saved: &saved{store: cfg.store, topology: cfg.topology}}
	t.agent = keeper.NewAgent(keeper.AgentConfig{
		Slot: cfg.slot, Life: uint64(time.Now().UnixNano()), Log: cfg.log, MaxNote: transport.MaxNoteBytes,
		Report: func() checkpoint.Report { return t.engine.Report() }, Obey: func(o checkpoint.Order) { t.engine.Obey(o) },
		Send: func(slot string, note []byte) error { return cfg.send(slot, keeper.ReportNote, note) },
	})
	return t
}

// engineTiming is the engine's part of it.
func (t *timed) engineTiming() *engine.Timing {
	if t == nil {
		return nil
	}
	out := &engine.Timing{Checkpoints: t.store != nil, AlignLimit: t.timing.AlignLimit, Changed: t.agent.Changed, Grow: heapGrows}
	if t.store != nil {
		out.Vault, out.Parts = t.saved.vault, t.saved.parts
	}
	return out
}

// checkpoints says whether the topology has them.
func (t *timed) checkpoints() bool { return t != nil && t.store != nil }

// bind says which engine it is, before anything runs.
func (t *timed) bind(e *engine.Engine) {
	if t != nil {
		t.engine = e
	}
}

// note takes a note of the worker in a slot.
func (t *timed) note(slot string, kind byte, body []byte) {
	var err error
	switch kind {
	case keeper.OrderNote:
		var o checkpoint.Order
		if o, err = keeper.ReadOrder(body); err == nil {
			t.agent.Obey(o)
		}
	case keeper.ReportNote:
		var r checkpoint.Report
		if r, err = keeper.ReadReport(slot, body); err == nil {
			t.mu.Lock()
			k := t.keeper
			t.mu.Unlock()
			if k != nil {
				k.Hear(r)
			}
		}
	}
	if err != nil {
		t.log.Warn("a note is not understood", slog.String("slot", slot), slog.Any("err", err))
	}
}

// lost says that a batch will not arrive. What is of a generation that has ended is missed by nobody.
func (t *timed) lost(b *gearcore.Batch, err error) {
	if t != nil && (b.Generation == 0 || b.Generation >= t.agent.Generation()) {
		t.engine.Lost(err.Error())
	}
}

// where says which slots have workers, and in which the task of __clock is, as a plan of that version has it.
func (t *timed) place(version uint64, slots []string, clock string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch here := clock == t.slot; {
	case here && t.keeper == nil:
		t.keeper = keeper.New(keeper.Config{
			Topology: t.topology, Store: t.store, Where: t.where, Keep: t.timing.Keep, From: t.timing.From, Slot: t.slot, Log: t.log, Trouble: t.trouble,
			Checkpoints: checkpoint.Config{Interval: t.timing.Interval, Timeout: t.timing.Timeout, AlignLimit: t.timing.AlignLimit},
			Send:        func(slot string, note []byte) error { return t.send(slot, keeper.OrderNote, note) },
			Obey:        t.agent.Obey,
		})
		t.keeper.Ask(t.asked)
		t.startLocked()
	case !here && t.keeper != nil:
		t.keeper = nil
		if t.end != nil {
			t.end()
			t.end = nil
		}
	}
	if t.keeper != nil {
		t.keeper.SetPlan(checkpoint.PlanOf(t.newest, int64(version)), t.newest.Graph, slots)
	}
	t.agent.SetKeeper(clock, t.keeper)
}

func (t *timed) startLocked() {
	if t.ctx == nil || t.keeper == nil {
		return
	}
	ctx, cancel := context.WithCancel(t.ctx)
	t.end = cancel
	k := t.keeper
	t.wg.Go(func() { k.Run(ctx) })
}

// run runs until ctx ends.
func (t *timed) run(ctx context.Context) {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.ctx = ctx
	t.startLocked()
	t.mu.Unlock()
	t.agent.Run(ctx)
	t.mu.Lock()
	if t.end != nil {
		t.end()
	}
	k, gone := t.keeper, t.gone
	t.keeper, t.ctx = nil, nil // none is begun any more
	t.mu.Unlock()
	t.wg.Wait()
	if k != nil && gone {
		t.purge(k)
	}
	t.close()
}

// killed says that the topology was killed and has come to its end everywhere.
func (t *timed) killed() {
	if !t.checkpoints() || t.timing.Retain {
		return
	}
	t.mu.Lock()
	t.gone = true
	t.mu.Unlock()
}

const (
	// purgeLimit is how long removing checkpoints may take: a worker that takes long to end is killed.
	purgeLimit = 2 * time.Second
	// othersEnd is how long the other workers of a topology that was killed may go on writing theirs.
	othersEnd = 500 * time.Millisecond
)

// purge removes the topology's checkpoints, and then what other workers wrote meanwhile.
func (t *timed) purge(k *keeper.Keeper) {
	ctx, cancel := context.WithTimeout(context.Background(), purgeLimit)
	defer cancel()
	err := k.Purge(ctx)
	if err == nil {
		select {
		case <-ctx.Done():
		case <-time.After(othersEnd):
			err = checkpoint.Purge(ctx, t.store, t.topology)
		}
	}
	if err != nil {
		t.log.Warn("checkpoints of the topology stay", slog.String("store", t.where), slog.Any("err", err))
		return
	}
	t.log.Info("the topology was killed: its checkpoints are removed but for savepoints", slog.String("store", t.where))
}

// close gives the store back.
func (t *timed) close() {
	if t.checkpoints() {
		t.store.Close()
	}
}

// ask takes in which savepoints are asked for.
func (t *timed) ask(requests []*stormrpc.SavepointRequest) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked = requests
	if t.keeper != nil {
		t.keeper.Ask(requests)
	}
}

// view is what the Keeper says to people, nil if it is elsewhere.
func (t *timed) view() *stormrpc.TopologyTiming {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	k := t.keeper
	t.mu.Unlock()
	if k == nil {
		return nil
	}
	return k.Timing()
}

// follow says that the engine has another version of the graph, which is to come into force when all workers have it.
func (t *timed) follow(p *dag.Plan) {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.newest, t.staged = p, time.Now()
	t.mu.Unlock()
}

// pending returns since when a version of the graph waits to come into force, false if none does.
func (t *timed) pending() (since time.Time, ok bool) {
	if t == nil {
		return since, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.staged.IsZero() && t.engine.Report().Version >= t.newest.Graph.Version {
		t.staged = time.Time{}
	}
	return t.staged, !t.staged.IsZero()
}

// checkPosition refuses a source that cannot go back, in a topology with checkpoints.
func (t *timed) checkPosition(component string, source any) error {
	if !t.checkpoints() {
		return nil
	}
	return compat.CheckPosition(component, source)
}
