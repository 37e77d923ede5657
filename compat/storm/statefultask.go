package storm

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
	dsl "github.com/gearstorm/gearstorm/gearcore/stream"
)

// stateInMemory is a KeyValueState with the two earlier ones that a transaction may go back to.
type stateInMemory[K comparable, V any] struct {
	now, prepared, committed map[K]V
}

func (s *stateInMemory[K, V]) Get(k K) (V, bool) {
	v, ok := s.now[k]
	return v, ok
}

func (s *stateInMemory[K, V]) Put(k K, v V) { s.now[k] = v }

func (s *stateInMemory[K, V]) Delete(k K) bool {
	_, ok := s.now[k]
	delete(s.now, k)
	return ok
}

func (s *stateInMemory[K, V]) Each(f func(k K, v V) bool) {
	for k, v := range s.now {
		if !f(k, v) {
			return
		}
	}
}

func (s *stateInMemory[K, V]) prepare()  { s.prepared = maps.Clone(s.now) }
func (s *stateInMemory[K, V]) commit()   { s.committed = s.prepared }
func (s *stateInMemory[K, V]) rollback() { s.now = maps.Clone(s.committed) }

// txnTask is a StatefulBolt whose state goes through Storm's protocol (StatefulBoltExecutor). What the bolt acks is acked with the
// transaction that holds what the bolt made of it.
type txnTask[K comparable, V any] struct {
	boltTask
	bolt  StatefulBolt[K, V]
	txns  TxnListener // nil: it is none
	in    checkpointInput
	state stateInMemory[K, V]
	begun bool // InitState was called

	c        *Collector // what the engine gave
	own      *Collector // what the bolt gets: its acks go to acked
	acked    []Tuple    // since the last PREPARE
	prepared []Tuple    // acked before it
	waiting  []Tuple    // came before INITSTATE
}

func (t *txnTask[K, V]) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	t.in.open(ctx)
	t.c, t.own = c, gearcore.NewCollector(&ackKeeper{c: c, keep: func(tu Tuple) { t.acked = append(t.acked, tu) }})
	t.state.now, t.state.prepared, t.state.committed = map[K]V{}, map[K]V{}, map[K]V{}
	return t.boltTask.Open(ctx, t.own)
}

func (t *txnTask[K, V]) Execute(tu gearcore.Tuple, c *gearcore.Collector) error {
	switch {
	case tu.Stream() == checkpointStream:
		step, there := t.in.take(tu)
		if !there {
			c.Ack(tu)
			return nil
		}
		return t.step(step, tu)
	case t.begun:
	case tu.IsTick():
		c.Ack(tu) // a bolt without its state has nothing to do yet
		return nil
	default:
		t.waiting = append(t.waiting, tu)
		return nil
	}
	return t.boltTask.Execute(tu, t.own)
}

// Inspect implements gearcore.Inspected: the state of this moment, committed or not.
func (t *txnTask[K, V]) Inspect(q StateQuery) ([]StateEntry, error) {
	if q.State != "" && q.State != stateName {
		return nil, fmt.Errorf("there is no state %q: there are %s", q.State, stateName)
	}
	e := StateEntry{State: stateName, Kind: "value"}
	if !q.HasKey {
		return []StateEntry{e}, nil
	}
	k, err := parseKey[K](q.Key)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", q.Key, err)
	}
	v, ok := t.state.now[k]
	if !ok {
		return nil, nil
	}
	if e.JSON, err = state.JSON(v); err != nil {
		return nil, fmt.Errorf("show the value of %q: %w", q.Key, err)
	}
	return []StateEntry{e}, nil
}

// parseKey reads a key that a person wrote: texts and numbers as they are, everything else as JSON.
func parseKey[K comparable](text string) (k K, err error) {
	if c, err := dsl.StateCodec[K](); err == nil {
		if parse := parserOf(c); parse != nil {
			return parse(text)
		}
	}
	err = json.Unmarshal([]byte(text), &k)
	return k, err
}

// step does what a checkpoint tuple wants.
func (t *txnTask[K, V]) step(s txnStep, tu Tuple) error {
	switch s.action {
	case txnPrepare:
		if !t.begun {
			return ErrFailed // the task is a new one: that begins a recovery
		}
		if t.txns != nil {
			t.txns.PrePrepare(s.tx)
		}
		t.state.prepare()
		t.prepared = append(t.prepared, t.acked...)
		t.acked = nil
	case txnCommit:
		if t.txns != nil {
			t.txns.PreCommit(s.tx)
		}
		t.state.commit()
		t.settle(&t.prepared, t.c.Ack)
	case txnRollback:
		if t.txns != nil {
			t.txns.PreRollback()
		}
		t.state.rollback()
		t.settle(&t.prepared, t.c.Fail)
		t.settle(&t.acked, t.c.Fail)
		if t.begun { // what it knows of its state does not hold any more
			if err := t.bolt.InitState(&t.state); err != nil {
				return err
			}
		}
	case txnInit:
		if err := t.begin(); err != nil {
			return err
		}
	}
	s.forward(tu, t.c)
	return nil
}

func (t *txnTask[K, V]) settle(tuples *[]Tuple, how func(Tuple)) {
	for _, tu := range *tuples {
		how(tu)
	}
	*tuples = nil
}

// begin gives the bolt its state, and what waited for that.
func (t *txnTask[K, V]) begin() error {
	if t.begun {
		return nil
	}
	if err := t.bolt.InitState(&t.state); err != nil {
		return err
	}
	t.begun = true
	waiting := t.waiting
	t.waiting = nil
	for _, tu := range waiting {
		if err := t.boltTask.Execute(tu, t.own); err != nil {
			t.c.Fail(tu)
			t.c.ReportError(err)
		}
	}
	return nil
}

// ackKeeper is the gearcore.Sink of a bolt whose acks are kept. All else goes to c.
type ackKeeper struct {
	c    *Collector
	keep func(Tuple)
}

func (k *ackKeeper) Output(name string) int { return k.c.OutputIndex(name) }
func (k *ackKeeper) Emit(e *gearcore.Emission, vals []Value) ([]TaskID, error) {
	return k.c.TrySend(*e, vals)
}
func (k *ackKeeper) Ack(t Tuple)           { k.keep(t) }
func (k *ackKeeper) Fail(t Tuple)          { k.c.Fail(t) }
func (k *ackKeeper) ResetTimeout(t Tuple)  { k.c.ResetTimeout(t) }
func (k *ackKeeper) Pause()                { k.c.Pause() }
func (k *ackKeeper) Resume()               { k.c.Resume() }
func (k *ackKeeper) ReportError(err error) { k.c.ReportError(err) }
func (k *ackKeeper) Async() *Async         { return gearcore.NewAsync(keptPoster{k, k.c.Async()}) }

// keptPoster has functions called with the collector of an ackKeeper. Unlike that it may be used by any goroutine.
type keptPoster struct {
	k     *ackKeeper
	async *Async
}

// Post implements gearcore.Poster.
func (p keptPoster) Post(size int, f func(*Collector)) error {
	return p.async.Do(size, func(*Collector) { f(gearcore.NewCollector(p.k)) })
}
