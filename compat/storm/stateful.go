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

// Stateful returns a stateful bolt for SetBolt; factory makes one for each task. Keys and values are of types that can be kept
// (stream.StateCodec): texts, numbers, and structs, slices and maps of these.
func Stateful[K comparable, V any](factory func() StatefulBolt[K, V]) BoltSpec {
	return statefulSpec[K, V]{func() (StatefulBolt[K, V], error) {
		if factory == nil {
			return nil, errNoFactory
		}
		b := factory()
		if b == nil {
			return nil, errNothing
		}
		if _, err := txnListener(b); err != nil {
			return nil, err
		}
		return b, checkBolt(b)
	}}
}

var errNoFactory = errors.New("there is no factory")

type statefulSpec[K comparable, V any] struct {
	bolt func() (StatefulBolt[K, V], error)
}

// stateKeeper is implemented by stateful specs, whatever their types are.
type stateKeeper interface {
	// inMemory returns the task that follows Storm's protocol, with the components that it gets checkpoint tuples from.
	inMemory(sources []string) (gearcore.Task, error)
}

// txnListener returns b if it follows transactions, and an error if it only seems to.
func txnListener(b any) (TxnListener, error) {
	typ := reflect.TypeOf(b)
	_, prepares := typ.MethodByName("PrePrepare")
	_, commits := typ.MethodByName("PreCommit")
	_, rolls := typ.MethodByName("PreRollback")
	if err := checkMethod[TxnListener](typ, "PrePrepare, PreCommit or PreRollback", prepares || commits || rolls); err != nil {
		return nil, err
	}
	l, _ := b.(TxnListener)
	return l, nil
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

// stateName is what the state of a stateful bolt is called.
const stateName = "state"

// stored is a KeyValueState in package state.
type stored[K comparable, V any] struct{ v *state.Value[K, V] }

func (s stored[K, V]) Get(k K) (V, bool)          { return s.v.Get(k) }
func (s stored[K, V]) Put(k K, v V)               { s.v.Set(k, v) }
func (s stored[K, V]) Delete(k K) bool            { return s.v.Delete(k) }
func (s stored[K, V]) Each(f func(k K, v V) bool) { s.v.Each(f) }

// windowKeeper is a StatefulBolt that keeps windows beside its state.
type windowKeeper interface {
	// stateless says that there are only windows.
	stateless() bool
	// register has the windows kept in s, in that key group. It is called before Prepare, and not at all where there are no checkpoints.
	register(ctx *gearcore.Context, s *state.Store, group int) error
	// freeze puts all there is into the store; restore has load fill the store and takes up what is there.
	freeze()
	restore(load func() error) error
}

// checkpointedState is a StatefulBolt whose state is in the engine's checkpoints. Where there are none it is in memory.
type checkpointedState[K comparable, V any] struct {
	boltTask
	bolt    StatefulBolt[K, V]
	txns    TxnListener  // nil: it is none
	windows windowKeeper // nil: it has none
	keys    state.Codec[K]
	values  state.Codec[V]
	store   *state.Store // nil: there is nothing to keep
	state   stored[K, V]
	begun   bool // InitState was called
}

func newCheckpointedState[K comparable, V any](b StatefulBolt[K, V]) (gearcore.Task, error) {
	t := &checkpointedState[K, V]{boltTask: boltTask{b}, bolt: b}
	t.txns, _ = b.(TxnListener)
	t.windows, _ = b.(windowKeeper)
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
	interval, err := conf.Conf(ctx.Conf).IntOr(keyEngineCheckpoints, 0)
	if err == nil {
		err = t.openStore(ctx, interval > 0)
	}
	if err == nil {
		err = t.boltTask.Open(ctx, c)
	}
	if err != nil || interval > 0 {
		return err // Restore comes, and the state with it
	}
	t.begun = true
	return t.bolt.InitState(t.state)
}

// openStore makes the store of what the task has to keep.
func (t *checkpointedState[K, V]) openStore(ctx *gearcore.Context, checkpoints bool) error {
	stateless := t.windows != nil && t.windows.stateless()
	if stateless && !checkpoints {
		return nil
	}
	cfg := state.ConfigOf(ctx, ctx.Component)
	s, err := state.New(cfg)
	if err != nil {
		return err
	}
	t.store = s
	// All of a task's keys stand in its first group: what belongs to which task is the grouping's affair, not that of the keys.
	group, _ := gearcore.KeyGroupRange(cfg.Index, cfg.Tasks)
	if !stateless {
		keys := state.KeyFunc(t.keys, func(*K, gearcore.HashMode) int { return group }, parserOf(t.keys))
		t.state = stored[K, V]{state.NewValue(s, stateName, keys, t.values)}
	}
	if t.windows != nil && checkpoints {
		return t.windows.register(ctx, s, group)
	}
	return nil
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
	if t.store == nil {
		return nil, gearcore.ErrNoState
	}
	return t.store.Inspect(q)
}

// Execute implements gearcore.Task. Between two tuples what is in memory is kept within its bounds.
func (t *checkpointedState[K, V]) Execute(tu gearcore.Tuple, c *gearcore.Collector) error {
	if err := t.boltTask.Execute(tu, c); err != nil || t.store == nil {
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
	if t.windows != nil {
		t.windows.freeze()
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
		return &gearcore.MisfitError{Err: fmt.Errorf("the state and the windows of a bolt are those of its task: they were kept by %d tasks, and there are %d now",
			len(r.Parts), r.Tasks)}
	}
	if t.begun && t.txns != nil {
		t.txns.PreRollback()
	}
	load := func() error { return t.store.Restore(r) }
	if t.windows != nil {
		restored := load
		load = func() error { return t.windows.restore(restored) }
	}
	if err := load(); err != nil {
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
