package storm

import (
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// checkpointInput counts the checkpoint tuples of one task's input: a step is there once it came from every task of every component
// that sends such.
type checkpointInput struct {
	sources []string         // components
	of      *gearcore.Layout // by which tasks were counted
	tasks   int              // of them, in all
	active  bool             // the topology follows Storm's protocol of states
	got     map[txnStep]int
}

type txnStep struct {
	tx     int64
	action txnAction
}

func (in *checkpointInput) open(ctx *gearcore.Context) {
	in.got = map[txnStep]int{}
	in.active = followsTransactions(ctx)
	in.count(ctx.Layout)
}

// count counts the tasks that send checkpoint tuples.
func (in *checkpointInput) count(l *gearcore.Layout) {
	in.of, in.tasks = l, 0
	for _, component := range l.Components {
		if slices.Contains(in.sources, component) {
			in.tasks++
		}
	}
}

// followsTransactions says whether the topology follows Storm's protocol of states.
func followsTransactions(ctx *gearcore.Context) bool {
	return slices.ContainsFunc(ctx.Layout.Streams, func(s gearcore.Stream) bool { return s.Component == ctx.Component && s.Name == checkpointStream })
}

// take counts t, a checkpoint tuple, and says whether its step is there now. What is left of steps of transactions before is forgotten: some of
// their tuples were lost, or they came from more tasks than there are now.
func (in *checkpointInput) take(t Tuple) (txnStep, bool) {
	if l := t.Batch().Layout; l != in.of {
		in.count(l)
	}
	s := txnStep{t.Int(0), txnAction(t.String(1))}
	maps.DeleteFunc(in.got, func(o txnStep, _ int) bool { return o.tx < s.tx-1 })
	in.got[s]++
	if in.got[s] < in.tasks {
		return s, false
	}
	delete(in.got, s)
	return s, true
}

// forward passes a step on, and acks the tuple that completed it.
func (s txnStep) forward(t Tuple, c *Collector) {
	c.Stream(checkpointStream).EmitAnchored(t, s.tx, string(s.action))
	c.Ack(t)
}

// forwarder is the task of a bolt without state in a topology with stateful ones: it lets checkpoints through, behind the tuples
// that came before them (CheckpointTupleForwarder).
type forwarder struct {
	gearcore.Task
	in checkpointInput
}

func (f *forwarder) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	f.in.open(ctx)
	return f.Task.Open(ctx, c)
}

func (f *forwarder) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	if !f.in.active || t.Stream() != checkpointStream {
		return f.Task.Execute(t, c)
	}
	if step, there := f.in.take(t); there {
		step.forward(t, c)
	} else {
		c.Ack(t)
	}
	return nil
}

// Holding implements gearcore.Holder, for a bolt that does: what it freezes counts on it.
func (f *forwarder) Holding() bool {
	b, ok := f.Task.(gearcore.Holder)
	return ok && b.Holding()
}

// Advance implements gearcore.Clocked, for a bolt that does.
func (f *forwarder) Advance(w gearcore.Watermark, c *gearcore.Collector) (gearcore.Watermark, error) {
	if b, ok := f.Task.(Clocked); ok {
		return b.Advance(w, c)
	}
	return w, nil
}

// Freeze implements gearcore.Checkpointed.
func (f *forwarder) Freeze(epoch uint64) (gearcore.Frozen, error) {
	if b, ok := f.Task.(Checkpointed); ok {
		return b.Freeze(epoch)
	}
	return nil, nil
}

// Restore implements gearcore.Checkpointed.
func (f *forwarder) Restore(r *gearcore.Recovery) error {
	if b, ok := f.Task.(Checkpointed); ok {
		return b.Restore(r)
	}
	return nil
}

// Commit implements gearcore.Committer.
func (f *forwarder) Commit(epoch uint64) {
	if b, ok := f.Task.(Committer); ok {
		b.Commit(epoch)
	}
}

// Inspect implements gearcore.Inspected.
func (f *forwarder) Inspect(q gearcore.StateQuery) ([]gearcore.StateEntry, error) {
	if b, ok := f.Task.(gearcore.Inspected); ok {
		return b.Inspect(q)
	}
	return nil, gearcore.ErrNoState
}

// forwarding is the BoltSpec of a bolt without state in a topology with stateful ones.
type forwarding struct {
	BoltSpec
	sources []string
}

func (f forwarding) newBolt() (gearcore.Task, error) {
	t, err := f.BoltSpec.newBolt()
	if err != nil {
		return nil, err
	}
	return &forwarder{Task: t, in: checkpointInput{sources: f.sources}}, nil
}
