package storm

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
	dsl "github.com/gearstorm/gearstorm/gearcore/stream"
)

// KeyValueState is the state of one task of a StatefulBolt, as Storm's interface of that name. It belongs to the task.
type KeyValueState[K comparable, V any] interface {
	// Get returns the value of k and whether it has one. What is inside (slices, maps) may not be changed.
	Get(k K) (V, bool)
	// Put makes v the value of k.
	Put(k K, v V)
	// Delete removes the value of k and reports whether it had one.
	Delete(k K) bool
	// Each calls f for every key, in no order, until f returns false. f may put and delete the key it is given, no others.
	Each(f func(k K, v V) bool)
}

// StatefulBolt is a Bolt with a state that outlives it, as Storm's IStatefulBolt. The state is that of the task: its keys are whatever the
// bolt likes.
//
// With gearstorm.checkpoint.interval.ms set the state is in the engine's checkpoints, and after a failure what the bolt knows and what it has
// been sent fit each other exactly. Without it the state is in memory and goes through Storm's own protocol (topology.state.checkpoint.interval.ms):
// what the bolt acks is acked once the state with it is committed, and what was not committed is failed, so that spouts emit it again.
type StatefulBolt[K comparable, V any] interface {
	Bolt
	// InitState is called after Prepare and before Execute, and again whenever the state has gone back to an earlier one.
	InitState(s KeyValueState[K, V]) error
}

// TxnListener is a StatefulBolt that follows the transactions of its state. tx grows; it is the number of a checkpoint.
type TxnListener interface {
	// PrePrepare is called before the state of tx is fixed, PreCommit before it counts, PreRollback before the state goes back.
	PrePrepare(tx int64)
	PreCommit(tx int64)
	PreRollback()
}

// Stateful returns a stateful bolt for SetBolt; factory makes one for each task. Keys and values are of types that can be kept (stream.StateCodec): texts,
// numbers, and structs, slices and maps of these.
func Stateful[K comparable, V any](factory func() StatefulBolt[K, V]) BoltSpec {
	return statefulSpec[K, V]{factory}
}

type statefulSpec[K comparable, V any] struct{ make func() StatefulBolt[K, V] }

// stateKeeper is implemented by stateful specs, whatever their types are.
type stateKeeper interface {
	// inMemory returns the task that follows Storm's protocol, with the components that it gets checkpoint tuples from.
	inMemory(sources []string) (gearcore.Task, error)
}

func (s statefulSpec[K, V]) bolt() (StatefulBolt[K, V], error) {
	if s.make == nil {
		return nil, errors.New("there is no factory")
	}
	b := s.make()
	if b == nil {
		return nil, errors.New("the factory returned nil")
	}
	typ := reflect.TypeOf(b)
	_, prepares := typ.MethodByName("PrePrepare")
	_, commits := typ.MethodByName("PreCommit")
	_, rolls := typ.MethodByName("PreRollback")
	if prepares || commits || rolls {
		if err := checkMethod[TxnListener](typ, "PrePrepare, PreCommit or PreRollback", true); err != nil {
			return nil, err
		}
	}
	return b, checkBolt(b)
}

// newBolt returns the task whose state is in the engine's checkpoints.
func (s statefulSpec[K, V]) newBolt() (gearcore.Task, error) {
	b, err := s.bolt()
	if err != nil {
		return nil, err
	}
	return newCheckpointedState(b)
}

// inMemory implements stateKeeper.
func (s statefulSpec[K, V]) inMemory(sources []string) (gearcore.Task, error) {
	b, err := s.bolt()
	if err != nil {
		return nil, err
	}
	t := &txnTask[K, V]{boltTask: boltTask{b}, bolt: b, in: checkpointInput{sources: sources}}
	t.txns, _ = b.(TxnListener)
	return t, nil
}

// stored is a KeyValueState in package state.
type stored[K comparable, V any] struct{ v *state.Value[K, V] }

func (s stored[K, V]) Get(k K) (V, bool)          { return s.v.Get(k) }
func (s stored[K, V]) Put(k K, v V)               { s.v.Set(k, v) }
func (s stored[K, V]) Delete(k K) bool            { return s.v.Delete(k) }
func (s stored[K, V]) Each(f func(k K, v V) bool) { s.v.Each(f) }

// checkpointedState is a StatefulBolt whose state is in the engine's checkpoints.
type checkpointedState[K comparable, V any] struct {
	boltTask
	bolt   StatefulBolt[K, V]
	txns   TxnListener // nil: it is none
	keys   state.Codec[K]
	values state.Codec[V]
	store  *state.Store
	state  stored[K, V]
	begun  bool // InitState was called
}

func newCheckpointedState[K comparable, V any](b StatefulBolt[K, V]) (gearcore.Task, error) {
	t := &checkpointedState[K, V]{boltTask: boltTask{b}, bolt: b}
	t.txns, _ = b.(TxnListener)
	var err error
	if t.keys, err = dsl.StateCodec[K](); err != nil {
		return nil, fmt.Errorf("keys of the state: %w", err)
	}
	if t.values, err = dsl.StateCodec[V](); err != nil {
		return nil, fmt.Errorf("values of the state: %w", err)
	}
	return t, nil
}

func (t *checkpointedState[K, V]) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	cfg := state.ConfigOf(ctx, ctx.Component)
	s, err := state.New(cfg)
	if err != nil {
		return err
	}
	// All of a task's keys stand in its first group: what belongs to which task is the grouping's affair, not that of the keys.
	group, _ := gearcore.KeyGroupRange(cfg.Index, cfg.Tasks)
	keys := state.KeyFunc(t.keys, func(*K, gearcore.HashMode) int { return group }, parserOf(t.keys))
	t.store, t.state = s, stored[K, V]{state.NewValue(s, "state", keys, t.values)}
	if err := t.boltTask.Open(ctx, c); err != nil {
		return err
	}
	interval, err := conf.Conf(ctx.Conf).IntOr(keyEngineCheckpoints, 0)
	if err != nil || interval > 0 {
		return err // Restore comes, and the state with it
	}
	t.begun = true
	return t.bolt.InitState(t.state)
}

// parserOf returns how keys are read that a person wrote: texts and numbers as they are, everything else as JSON (nil).
func parserOf[K comparable](c state.Codec[K]) func(string) (K, error) {
	if k, ok := c.(state.KeyCodec[K]); ok {
		return k.Parse
	}
	return nil
}

// Inspect implements gearcore.Inspected.
func (t *checkpointedState[K, V]) Inspect(q gearcore.StateQuery) ([]gearcore.StateEntry, error) {
	return t.store.Inspect(q)
}

// Execute implements gearcore.Task. Between two tuples what is in memory is kept within its bounds.
func (t *checkpointedState[K, V]) Execute(tu gearcore.Tuple, c *gearcore.Collector) error {
	if err := t.boltTask.Execute(tu, c); err != nil {
		return err
	}
	return t.store.Trim()
}

// Direct implements gearcore.DirectTask.
func (t *checkpointedState[K, V]) Direct() gearcore.Executor { return t }

// Freeze implements gearcore.Checkpointed.
func (t *checkpointedState[K, V]) Freeze(epoch uint64) (gearcore.Frozen, error) {
	if t.txns != nil {
		t.txns.PrePrepare(int64(epoch))
	}
	return t.store.Freeze(epoch)
}

// Commit implements gearcore.Committer.
func (t *checkpointedState[K, V]) Commit(epoch uint64) {
	if t.txns != nil {
		t.txns.PreCommit(int64(epoch))
	}
	t.store.Commit(epoch)
}

// Restore implements gearcore.Checkpointed.
func (t *checkpointedState[K, V]) Restore(r *gearcore.Recovery) error {
	if len(r.Parts) > 0 && len(r.Parts) != r.Tasks {
		return fmt.Errorf("the state of a stateful bolt is that of its task: it was kept by %d tasks, and there are %d now", len(r.Parts), r.Tasks)
	}
	if t.begun && t.txns != nil {
		t.txns.PreRollback()
	}
	if err := t.store.Restore(r); err != nil {
		return err
	}
	t.begun = true
	return t.bolt.InitState(t.state)
}

func (t *checkpointedState[K, V]) Close() {
	t.boltTask.Close()
	if t.store != nil {
		t.store.Close()
	}
}
