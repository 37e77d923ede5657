package keeper

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

const (
	// reportPause is how long at least is between two reports, and reportShare the part of the time that making them may take:
	// while many tasks save large parts, each part that is done would have all of them told.
	reportPause = 20 * time.Millisecond
	reportShare = 10
	// again is how often reports and orders are told without a change.
	again = time.Second
)

// AgentConfig says whose Agent it is. All but Log is needed.
type AgentConfig struct {
	// Slot is the worker's, and Life grows with each process there.
	Slot string
	Life uint64
	// Report and Obey are the engine's.
	Report func() checkpoint.Report
	Obey   func(checkpoint.Order)
	// Send sends a report to the worker in a slot, of MaxNote bytes at most. It does not wait.
	Send    func(slot string, note []byte) error
	MaxNote int
	Log     *slog.Logger
}

// Agent is a worker's part of the protocol. Its methods are safe for concurrent use and do not wait.
type Agent struct {
	cfg  AgentConfig
	wake chan struct{}

	mu     sync.Mutex
	at     string  // slot of the Keeper, "" if that is not known
	keeper *Keeper // if it is here
	over   uint64  // the newest checkpoint that counts or was given up
	now    uint64  // the newest generation
	failed string  // the last error of Send, logged
}

// NewAgent returns an Agent that knows no Keeper.
func NewAgent(cfg AgentConfig) *Agent {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Agent{cfg: cfg, wake: make(chan struct{}, 1)}
}

// SetKeeper says in which slot the Keeper is, and which one it is if that is this worker's.
func (a *Agent) SetKeeper(slot string, here *Keeper) {
	a.mu.Lock()
	a.at, a.keeper = slot, here
	a.mu.Unlock()
	a.Changed()
}

// Changed has a report sent soon.
func (a *Agent) Changed() { wake(a.wake) }

// Obey hands an order to the engine.
func (a *Agent) Obey(o checkpoint.Order) {
	a.mu.Lock()
	a.over, a.now = max(a.over, o.Committed, o.Dropped), max(a.now, o.Generation)
	a.mu.Unlock()
	a.cfg.Obey(o)
}

// Generation is the newest one that was ordered.
func (a *Agent) Generation() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// Run sends reports until ctx ends.
func (a *Agent) Run(ctx context.Context) {
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		case <-tick.C:
		}
		began := time.Now()
		a.tell()
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(max(reportPause, reportShare*time.Since(began)), again)): // it may have been held up by others
		}
	}
}

func (a *Agent) tell() {
	a.mu.Lock()
	at, here, over := a.at, a.keeper, a.over
	a.mu.Unlock()
	if at == "" && here == nil {
		return
	}
	r := a.cfg.Report()
	r.Worker, r.Life = a.cfg.Slot, a.cfg.Life
	if r.Epoch <= over {
		r.Saved, r.Failed, r.Waiting = nil, "", nil // the coordinator is through with it
	}
	if here != nil {
		here.Hear(r)
		return
	}
	note := write(r)
	if len(note) > a.cfg.MaxNote {
		r.Failed = fmt.Sprintf("what %d tasks of worker %s keep without a file takes %d bytes, more than %d: it belongs into files", len(r.Saved), r.Worker, len(note), a.cfg.MaxNote)
		r.Saved = nil
		note = write(r)
	}
	a.sent(a.cfg.Send(at, note))
}

// sent logs an error of Send when it is another one than before.
func (a *Agent) sent(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	a.mu.Lock()
	news := text != a.failed
	a.failed = text
	a.mu.Unlock()
	if news && err != nil {
		a.cfg.Log.Debug("the coordinator cannot be told", slog.Any("err", err))
	}
}
