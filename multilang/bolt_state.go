package multilang

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
)

var (
	_ gearcore.Committer = (*Bolt)(nil)
	_ gearcore.Inspected = (*Bolt)(nil)
)

// keepStates makes the states that the child of s declares, or checks that they are those that there are. The child has nothing of them.
func (b *Bolt) keepStates(s *session) error {
	if b.states == nil {
		if len(s.states) == 0 {
			return nil
		}
		made, err := newStates(b.child.ctx, &b.spec.Wiring, s.states, b.child.spec.Limits.MessageBytes)
		if err != nil {
			return err
		}
		b.states = made
		return nil
	}
	if !slices.Equal(b.states.decls, s.states) {
		return fmt.Errorf("child of %s declares the states %v, and the one before had %v", b.child.ctx.Component, s.states, b.states.decls)
	}
	b.states.keys.reset()
	b.states.timers.again()
	return nil
}

// change applies a change of state.
func (b *Bolt) change(in *inbound, m *message) error {
	if b.states == nil {
		return &ProtocolError{What: "child changes a state, and has declared none"}
	}
	if err := b.states.apply(m.change, in.values(m)); err != nil {
		return &ProtocolError{What: "child changes its state", Err: err}
	}
	return nil
}

// Freeze implements gearcore.Checkpointed. The child settles all it has before the engine asks, and what it has changed in its states is here
// then; what it knows beyond that is not kept.
func (b *Bolt) Freeze(epoch uint64) (gearcore.Frozen, error) {
	if b.states == nil {
		return nil, nil
	}
	return b.states.store.Freeze(epoch)
}

// Commit implements gearcore.Committer.
func (b *Bolt) Commit(epoch uint64) {
	if b.states != nil {
		b.states.store.Commit(epoch)
	}
}

// restoreState makes the states what they were.
func (b *Bolt) restoreState(r *gearcore.Recovery) error {
	if b.states != nil {
		b.states.timers.reset()
		return b.states.store.Restore(r)
	}
	for _, p := range r.Parts {
		if len(p.Inline) > 0 || len(p.Files) > 0 {
			return b.forgetState(r)
		}
	}
	return nil
}

// forgetState reads what there was of states, of which the child declares none any more, to see that all of it may be forgotten.
func (b *Bolt) forgetState(r *gearcore.Recovery) error {
	store, err := state.New(state.ConfigOf(b.child.ctx, b.child.ctx.Component))
	if err != nil {
		return err
	}
	if err = store.Restore(r); err != nil {
		err = fmt.Errorf("component %s had states at checkpoint %d, and its child declares none: %w", b.child.ctx.Component, r.Epoch, err)
	}
	return errors.Join(err, store.Close())
}

// Inspect implements gearcore.Inspected. What the child has changed since its last frame is not seen yet.
func (b *Bolt) Inspect(q gearcore.StateQuery) ([]gearcore.StateEntry, error) {
	if b.states == nil {
		return nil, gearcore.ErrNoState
	}
	return b.states.store.Inspect(q)
}
