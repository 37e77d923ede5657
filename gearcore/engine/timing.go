package engine

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Timing says how a topology follows event time and takes part in checkpoints. Every task of it has an executor of its own, but
// for those that the engine has itself, so that a sender is a task.
type Timing struct {
	// Checkpoints: the topology has them. Then no task does anything before an Order said what it begins with (Obey), Vault and
	// Parts are needed, sources have to be gearcore.Checkpointed, and the graph may have no cycle.
	Checkpoints bool
	// Vault returns where tasks save their state for a checkpoint, and read that of one.
	Vault func(epoch uint64) gearcore.Vault
	// Parts returns what the tasks of a component had in a checkpoint, in any order. It may block: it is not called from a
	// run. It is asked once a component and generation.
	Parts func(epoch uint64, component string) ([]gearcore.TaskPart, error)
	// Grow is each Recovery's. May be nil.
	Grow func(bytes int64)
	// AlignLimit is how long a task may have the marker of one sender and wait for that of another before the report says that
	// the checkpoint has failed. Default 1 minute.
	AlignLimit time.Duration
	// Changed is told that Report would say something new beside clocks. It may not block, and is called with no lock held. May be nil.
	Changed func()
	// WatermarkEvery is how often a task sends a batch without rows because of its watermark: between two of them a watermark
	// only goes with rows. Default 50 ms.
	WatermarkEvery time.Duration
}

const (
	defaultAlignLimit = time.Minute
	defaultWatermarks = 50 * time.Millisecond
	retellAfter       = 20 // times WatermarkEvery: in a topology without checkpoints a receiver in another worker may be a new one
)

// withDefaults returns t completed for a plan.
func (t Timing) withDefaults(p *dag.Plan) (*Timing, error) {
	switch {
	case t.AlignLimit < 0 || t.WatermarkEvery < 0:
		return nil, fmt.Errorf("engine config: Timing.AlignLimit %v or WatermarkEvery %v is negative", t.AlignLimit, t.WatermarkEvery)
	case t.Checkpoints && (t.Vault == nil || t.Parts == nil):
		return nil, errors.New("engine config: Timing.Checkpoints needs Vault and Parts")
	}
	if c := dag.Cycle(p.Graph); t.Checkpoints && c != nil {
		return nil, fmt.Errorf("engine config: the components %s form a cycle, and a marker that waits for itself never comes: a topology with checkpoints may have none", strings.Join(c, ", "))
	}
	t.AlignLimit = orElse(t.AlignLimit, defaultAlignLimit)
	t.WatermarkEvery = orElse(t.WatermarkEvery, defaultWatermarks)
	return &t, nil
}

// timed is what the executor of a timed topology has beside others. It belongs to the executor's run, but for what says otherwise.
type timed struct {
	x    *executor
	t    *task
	cfg  *Timing
	in   *epochs
	seen *checkpoint.Order // the order that was obeyed last
	impl dag.Impl          // of the component when the task was made

	// What the task's code is; nil: it is not.
	source  gearcore.Timed
	clocked gearcore.Clocked
	state   gearcore.Checkpointed
	commits gearcore.Committer

	receivers []gearcore.TaskID
	ways      []*outbox // to them, made when first needed

	drain drain

	clock
	toTell   bool          // a way may not have been told of out
	scanAt   time.Duration // when ways may be looked at again
	retellAt time.Duration // when all of them are told again, 0: not
	alarmAt  time.Duration // the earliest timer that is set for that, 0: none is
	laterAt  time.Duration // the next one that is set, 0: none is known

	generation uint64
	channels   []channel // by sender
	from       *channel  // of the batch that is executed
	done       uint64    // the newest checkpoint that this task has taken part in, or that was dropped
	aligning   uint64    // the one of which some markers have come, 0: none
	missing    int       // the first channel without that marker
	since      time.Duration
	aside      batches // what came behind markers of aligning, in order
	lent       lent    // the room that it took in the inbox
	ahead      batches // of generations to come
	dropped    uint64  // as Order says
	committed  uint64  // as the task was told
	saves      []save  // under way

	born   uint64    // the checkpoint at which the task went over to another graph, in this generation; 0: none
	before *dag.Plan // what it worked by until then
	ended  bool      // the other graph does not have it: it does nothing more

	base       uint64 // the checkpoint that it is restored from
	restored   bool
	awaiting   bool        // restoring was begun and its end not seen
	restoring  atomic.Bool // Restore is under way, outside of any run
	restoreErr error       // of it; read when restoring is false
	giveUp     func()      // tells it that nobody wants that any more

	calls   int // of user code, ever
	showing sync.Mutex
	shown   shown // guarded by showing
	stand   stand // guarded by epochs.reporting
}

// newTimed returns what x, an executor with its task, has in a timed topology.
func (e *Engine) newTimed(x *executor, user any) (*timed, error) {
	if len(x.tasks) != 1 {
		return nil, fmt.Errorf("executor [%d %d] of %s: in a timed topology every task has one of its own", x.first, x.last, x.component)
	}
	c := &timed{x: x, t: x.tasks[0], cfg: e.cfg.Timing, in: e.epochs, seen: &checkpoint.Order{}, impl: x.wired.plan.Graph.Processor(x.component).Impl}
	c.source, _ = user.(gearcore.Timed)
	if x.role == roleBolt {
		c.source = nil
		c.clocked, _ = user.(gearcore.Clocked)
	}
	if x.role == roleBolt {
		c.drain.holder, _ = user.(gearcore.Holder)
		c.drain.preps, _ = user.(gearcore.Preparer)
	}
	if c.cfg.Checkpoints {
		c.state, _ = user.(gearcore.Checkpointed)
		c.commits, _ = user.(gearcore.Committer)
		if x.role == roleSpout && c.state == nil {
			return nil, fmt.Errorf("a %T is no gearcore.Checkpointed, which a source has to be in a topology with checkpoints", user)
		}
	} else {
		c.restored = true
		if e.cfg.Remote != nil {
			c.retellAt = e.cfg.Clock.Now() + retellAfter*c.cfg.WatermarkEvery
		}
	}
	c.receivers = receiversOf(x.wired.plan, x.component)
	c.channels = newChannels(sendersOf(x.wired.plan, x.component))
	c.clock = clock{at: math.MinInt64, said: math.MinInt64}
	return c, nil
}

// sendersOf returns the tasks that a component gets something from, by a plan, which may not have it. What comes on an edge inside a cycle has no
// event time: there it would wait for itself.
func sendersOf(p *dag.Plan, component string) []gearcore.TaskID {
	seen := map[string]bool{}
	var out []gearcore.TaskID
	to := p.Graph.Processor(component)
	if to == nil {
		return nil
	}
	for _, in := range to.Inputs {
		sid, _ := p.Stream(in.Source, in.Stream)
		if seen[in.Source] || isBack(p, sid, to) {
			continue
		}
		seen[in.Source] = true
		out = append(out, p.TasksOf(in.Source)...)
	}
	return out
}

func isBack(p *dag.Plan, sid gearcore.StreamID, to *dag.Processor) bool {
	for _, r := range p.Routes[sid] {
		if r.Target == to {
			return r.Back
		}
	}
	return false
}

// receiversOf returns the tasks that get something from those of a component, by a plan.
func receiversOf(p *dag.Plan, component string) []gearcore.TaskID {
	seen := map[string]bool{}
	var out []gearcore.TaskID
	for _, o := range p.Graph.Processor(component).Outputs {
		sid, _ := p.Stream(component, o.Stream)
		for _, r := range p.Routes[sid] {
			if seen[r.Target.Name] || r.Back {
				continue
			}
			seen[r.Target.Name] = true
			out = append(out, r.Tasks...)
		}
	}
	return out
}

// outboxes returns the ways to all receivers.
func (c *timed) outboxes() []*outbox {
	if c.ways == nil && len(c.receivers) > 0 {
		c.ways = make([]*outbox, len(c.receivers))
		for i, id := range c.receivers {
			c.ways[i] = c.x.box(id, true)
		}
	}
	return c.ways
}
