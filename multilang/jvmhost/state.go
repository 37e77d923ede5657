package jvmhost

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gearstorm/gearstorm/gearcore"
)

// A component in Java may keep a state (Storm's IStatefulBolt), which is in the checkpoints as the bytes that Java makes of it. Java is
// asked for them once it holds no tuples (Prepare), behind all it got and before anything else comes, ticks too; what it emits on that
// occasion is before the checkpoint. The bytes begin with the number of entries (u32).

// maxState bounds the state of one task, in bytes: all of it is in memory on both sides for a while.
const maxState = 1 << 30

// freezing is how far the state for a checkpoint is.
type freezing struct {
	asked bool   // Java has not answered
	there bool   // it has: what follows is to be fetched by Freeze
	epoch uint64 // of either
	data  []byte
	none  string // why there is no data; "": there is
}

// Prepare implements gearcore.Preparer.
func (b *Bolt) Prepare(epoch uint64, c *gearcore.Collector) {
	b.freeze = freezing{}
	if !b.keeps || b.cur == nil {
		return
	}
	b.freeze = freezing{asked: true, epoch: epoch}
	b.cur.send(func(buf []byte) []byte { return appendNumber(buf, frameFreeze, epoch) })
	c.Pause() // no ticks either, or what they change and what comes of them would be on two sides of the checkpoint
}

// froze takes in what a reply says of the state.
func (b *Bolt) froze(c *gearcore.Collector, rp *reply) error {
	f := &b.freeze
	switch {
	case len(rp.state) == 0 && rp.frozen == 0:
		return nil
	case !f.asked:
		return badFrame("a state that nobody asked for")
	case len(f.data)+len(rp.state) > maxState:
		return badFrame("a state of more than %d bytes", maxState)
	case rp.frozen != 0 && rp.frozen != f.epoch:
		return badFrame("the state at checkpoint %d, asked for was that at %d", rp.frozen, f.epoch)
	}
	f.data = append(f.data, rp.state...)
	if rp.frozen != 0 {
		if rp.noState == "" && len(f.data) < 4 {
			return badFrame("a state of %d bytes", len(f.data))
		}
		f.asked, f.there, f.none = false, true, rp.noState
		c.Resume()
	}
	return nil
}

// Freeze implements gearcore.Checkpointed. Java has settled all it got before the engine asks; what it knows beyond its tuples and
// its state is not kept.
func (b *Bolt) Freeze(epoch uint64) (gearcore.Frozen, error) {
	f := b.freeze
	b.freeze = freezing{}
	switch {
	case !b.keeps:
		return nil, nil
	case !f.there || f.epoch != epoch:
		return nil, errDown
	case f.none != "":
		return nil, &JavaError{f.none}
	}
	return frozenState(f.data), nil
}

// Commit implements gearcore.Committer.
func (b *Bolt) Commit(epoch uint64) {
	if b.keeps && b.cur != nil {
		b.cur.send(func(buf []byte) []byte { return appendNumber(buf, frameCommit, epoch) })
	}
}

// frozenState is a state on its way into a checkpoint: in the part itself if it is short, else in a file.
type frozenState []byte

func (s frozenState) Save(ctx context.Context, to gearcore.Vault) (gearcore.Part, error) {
	note := fmt.Sprintf("%d keys", binary.LittleEndian.Uint32(s))
	if len(s) <= gearcore.MaxInline {
		return gearcore.Part{Inline: s, Note: note}, nil
	}
	f, err := to.Put(ctx, "java", bytes.NewReader(s))
	if err != nil {
		return gearcore.Part{}, fmt.Errorf("save the state of a component in Java: %w", err)
	}
	return gearcore.Part{Files: []gearcore.File{f}, Note: note}, nil
}

func (frozenState) Drop() {}

// stateIn returns what a task of the component in Java had; nil if there was nothing. Storm keeps such a state by component and
// task, and nobody knows how to divide it among others.
func stateIn(component string, r *gearcore.Recovery) (state []byte, err error) {
	var own gearcore.Part
	kept := false
	for _, p := range r.Parts {
		kept = kept || len(p.Inline) > 0 || len(p.Files) > 0
		if p.Index == r.Index {
			own = p.Part
		}
	}
	if !kept {
		return nil, nil
	}
	if len(r.Parts) != r.Tasks {
		return nil, misfit("component %s had %d tasks at checkpoint %d and has %d now: the state of a bolt in Java belongs to its task and cannot be divided anew; "+
			"give it %d tasks again", component, len(r.Parts), r.Epoch, r.Tasks, len(r.Parts))
	}
	if state = own.Inline; len(own.Files) > 0 {
		if state, err = readState(r.Vault, own.Files[0]); err != nil {
			return nil, fmt.Errorf("read the state of component %s: %w", component, err)
		}
	}
	if !plausible(state) {
		return nil, misfit("component %s was none in Java at checkpoint %d, and a bolt in Java cannot read what it kept: give it another id", component, r.Epoch)
	}
	return state, nil
}

// plausible says whether bytes may be the state of a component in Java: each entry takes the lengths of its key and its value at least.
func plausible(state []byte) bool {
	return len(state) == 0 || len(state) >= 4 && 8*uint64(binary.LittleEndian.Uint32(state)) <= uint64(len(state)-4)
}

// misfit says what of a checkpoint a component in Java can never take up.
func misfit(format string, args ...any) error {
	return &gearcore.MisfitError{Err: fmt.Errorf(format, args...)}
}

func readState(from gearcore.Vault, f gearcore.File) ([]byte, error) {
	if f.Bytes > maxState {
		return nil, fmt.Errorf("%s has %d bytes, allowed are %d", f.Name, f.Bytes, maxState)
	}
	in, err := from.Get(context.Background(), f)
	if err != nil {
		return nil, err
	}
	state, err := io.ReadAll(io.LimitReader(in, maxState+1))
	return state, errors.Join(err, in.Close())
}
