package engine

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Limits that are not for tuning.
const (
	maxBatchBytes   = 64 << 10 // a batch is handed over at this size, however few rows it has
	minBatchRows    = 16       // where the batch size of an edge starts, and its floor
	maxAcksPerBatch = 512
	maxWaiting      = 1 << 20  // bytes in full batches without room with which an executor goes on, for other receivers
	maxOvershoot    = 8 << 20  // bytes an executor may emit beyond the room there is before its emits wait
	maxTuple        = 64 << 20 // content of a tuple
	maxPosted       = 1 << 20  // bytes of closures queued by Async before its callers wait
	runBatches      = 16       // a run's budget
	runTime         = 100 * time.Microsecond
	runCalls        = 16 << 10
	maxStride       = 128 // calls between two readings of the clock
)

// Config says what an Engine runs and how.
type Config struct {
	// Plan is the topology. Local lists the executors of this worker.
	Plan  *dag.Plan
	Local []dag.Executor
	// Version is that of the plan, for changes (Change.Version).
	Version uint64
	// NewTask makes the gearcore.Task, gearcore.BatchTask or gearcore.Source of a task, and its Context. It is called by
	// New, and by Apply, for every local task but ackers; nothing is opened before the first activation.
	NewTask func(dag.Task) (task any, ctx *gearcore.Context, err error)
	// Remote returns the way to a task of another worker, never nil. It is called once by each executor, when it first
	// has something for the task, and again after a change, from the executor's run: it may not block. May be nil if all tasks are local.
	Remote func(task gearcore.TaskID) Outlet
	// NewGrouping makes a custom grouping by its name (dag.Grouping.Name), for one task that emits. May be nil if there is
	// none in what the local tasks emit.
	NewGrouping func(name string) (gearcore.CustomGrouping, error)
	// Hooks is told what happens; may be nil.
	Hooks gearcore.Hooks
	// Loops is the number of run loops. Default: GOMAXPROCS.
	Loops int
	// Clock defaults to the real one. Another one needs a Driver: Run sleeps by the real clock.
	Clock Clock
	// Seed makes routing and ids repeatable in a Driver. 0 takes a random one, which production must: workers with
	// the same seed make the same tuple ids.
	Seed uint64
	// MessageTimeout is how long a tree may take: a spout tuple fails after one to two of it. 0: no timeouts.
	MessageTimeout time.Duration
	// MaxSpoutPending bounds the tuples in flight of a spout's task; an executor may use the sum of its tasks. nil or
	// 0: no bound.
	MaxSpoutPending func(component string) int
	// TickEvery is the period of tick tuples for a bolt. nil or 0: none. Never asked for names that start with "__".
	TickEvery func(component string) time.Duration
	// Fuse says whether the executors of a component may be fused with their neighbours (fuse.go). nil: none are.
	Fuse func(component string) bool
	// InboxBatches and InboxBytes bound the inbox of an executor. Defaults 64 and 1 MiB.
	InboxBatches int
	InboxBytes   int
	// BatchRows is the largest batch, at least 16. Default 256.
	BatchRows int
	// MaxTupleBytes bounds the strings and bytes of one tuple; an emit beyond it is an error (gearcore.ErrTupleTooLarge).
	// What is inside lists and maps counts only where it is encoded, by the bound of a link's frames. Default 64 MiB.
	MaxTupleBytes int
	// SpoutWait is the pause of a spout after a round of Next that emitted nothing. nil, or 0: 1 ms.
	SpoutWait func(component string) time.Duration
	// SpoutWaitMax bounds the pause of a spout that had nothing for long: it is a 32nd of that time, at least SpoutWait, at
	// most this. Default 32 ms.
	SpoutWaitMax time.Duration
	// PlainShuffle divides the tuples of shuffle groupings evenly, whatever room there is. Else they go by load and
	// locality (dag.Balance), with LowerBound and HigherBound as its bounds. Defaults 0.2 and 0.8.
	PlainShuffle            bool
	LowerBound, HigherBound float64
	// OnHost says whether a task of another worker is on this host. It is asked once by each source task that shuffles
	// to it. nil: none is.
	OnHost func(task gearcore.TaskID) bool
	// SampleEvery is how many tuples apart a bolt's process latency (from Execute to ack) is measured. Default 0: about
	// one tuple a run, so all of them when there are few and one in thousands at full speed.
	SampleEvery int
	// Timing has the topology follow event time and, if it says so, take part in checkpoints. nil: it does neither.
	Timing *Timing
}

// withDefaults returns c completed, or an error that names the field.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Plan == nil:
		return c, errors.New("engine config: Plan is missing")
	case c.NewTask == nil:
		return c, errors.New("engine config: NewTask is missing")
	case c.SpoutWaitMax < 0:
		return c, fmt.Errorf("engine config: SpoutWaitMax %v is negative", c.SpoutWaitMax)
	case c.MessageTimeout < 0:
		return c, fmt.Errorf("engine config: MessageTimeout %v is negative", c.MessageTimeout)
	case c.BatchRows != 0 && c.BatchRows < minBatchRows:
		return c, fmt.Errorf("engine config: BatchRows %d is less than %d", c.BatchRows, minBatchRows)
	case c.LowerBound < 0 || c.HigherBound < 0 || c.HigherBound != 0 && c.LowerBound > c.HigherBound:
		return c, fmt.Errorf("engine config: LowerBound %v and HigherBound %v are not in order", c.LowerBound, c.HigherBound)
	case c.InboxBatches < 0 || c.InboxBytes < 0 || c.Loops < 0 || c.SampleEvery < 0 || c.MaxTupleBytes < 0:
		return c, errors.New("engine config: a negative InboxBatches, InboxBytes, Loops, SampleEvery or MaxTupleBytes")
	}
	c.Loops = orElse(c.Loops, runtime.GOMAXPROCS(0))
	c.InboxBatches = orElse(c.InboxBatches, 64)
	c.InboxBytes = orElse(c.InboxBytes, 1<<20)
	c.BatchRows = orElse(c.BatchRows, 256)
	c.MaxTupleBytes = orElse(c.MaxTupleBytes, maxTuple)
	c.LowerBound = orElse(c.LowerBound, 0.2)
	c.HigherBound = orElse(c.HigherBound, 0.8)
	c.SpoutWaitMax = orElse(c.SpoutWaitMax, 32*time.Millisecond)
	c.Seed = orElse(c.Seed, rand.Uint64())
	if c.Clock == nil {
		c.Clock = realClock{time.Now()}
	}
	if c.Timing != nil {
		t, err := c.Timing.withDefaults(c.Plan)
		if err != nil {
			return c, err
		}
		c.Timing = t
	}
	return c, nil
}

// clip returns n, which is not negative, as an int32 or the largest one.
func clip(n int) int32 { return int32(min(n, math.MaxInt32)) }

func orElse[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// Outlet is the way to the tasks of one executor: the inbox of a local one, or a bounded queue of a link towards a
// remote one. It is safe for concurrent use.
//
// Each executor needs a bound of its own, also where many share a connection: under a common one, tuples that a
// blocked executor cannot consume would keep out those for the executor that it waits for, which is a deadlock.
type Outlet interface {
	// Push takes b, always, and says whether there is room for more. It does not block. A sender pushes tuples only
	// when there was room, so what it adds beyond the bound is one batch; acks and edges inside a cycle come without
	// asking. The outlet calls b.Done, if there is one, when it no longer needs b.
	Push(b *gearcore.Batch) (room bool)
	// HasRoom says whether a batch is welcome.
	HasRoom() bool
	// Notify calls wake once: when there is room again (at best when half of the bound is free), at once if there is
	// already, possibly before Notify returns. wake does not block.
	Notify(wake func())
}
