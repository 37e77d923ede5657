package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// perCall bounds what the sources of this package emit in one call.
const perCall = 64

// Slice returns a source of the values of a slice, which is kept: of n tasks each emits every n-th of them. It ends, and takes part in
// checkpoints.
func Slice[T any](values []T) func() Source[T] {
	return Generate(func(i int64) (T, error) {
		if i >= int64(len(values)) {
			var none T
			return none, ErrEnd
		}
		return values[i], nil
	})
}

// Generate returns a source that emits what f returns for 0, 1, 2 and so on: of n tasks each takes every n-th of these numbers. f
// returns ErrIdle if there is nothing for a number yet, and ErrEnd if there will be nothing for it and all that follow. It always returns the
// same for a number, so that the source can go back to a checkpoint, and is called by all tasks, at the same time.
func Generate[T any](f func(i int64) (T, error)) func() Source[T] {
	return func() Source[T] { return &generated[T]{f: f} }
}

// generated is the source of Generate. Its position is the number of the next value for each of the n slots that the numbers were
// divided into when the topology began; another number of tasks divides the slots anew. For event time a slot is a split.
type generated[T any] struct {
	f     func(i int64) (T, error)
	slots []slot
	turn  int
	told  bool  // the splits are those of slots
	last  *slot // of the value before
}

// slot is the numbers First, First+Step and so on; Next is the one to be emitted next.
type slot struct {
	Next  int64 `json:"next"`
	Step  int64 `json:"step"`
	Ended bool  `json:"ended,omitempty"`
}

func (s *slot) split() string { return strconv.FormatInt(s.Next%s.Step, 10) }

func (g *generated[T]) Open(ctx *gearcore.Context) error {
	g.slots = []slot{{Next: int64(ctx.Index), Step: int64(max(len(ctx.Tasks), 1))}}
	return nil
}

func (g *generated[T]) Next(out *Out[T]) error {
	if !g.told {
		g.tell(out)
	}
	emitted := 0
	for range perCall {
		s := g.next()
		if s == nil {
			return ErrEnd
		}
		v, err := g.f(s.Next)
		switch {
		case errors.Is(err, ErrEnd):
			s.Ended = true
			g.tell(out)
		case errors.Is(err, ErrIdle) && emitted > 0:
			return nil
		case err != nil:
			return err
		default:
			if s != g.last {
				out.Split(s.split())
				g.last = s
			}
			s.Next += s.Step
			out.Emit(v)
			emitted++
		}
	}
	return nil
}

// tell says which splits there are: the slots that have not ended.
func (g *generated[T]) tell(out *Out[T]) {
	var ids []string
	for i := range g.slots {
		if s := &g.slots[i]; !s.Ended {
			ids = append(ids, s.split())
		}
	}
	out.Splits(ids...)
	g.told, g.last = true, nil
}

// next returns the slot whose turn it is, nil if all have ended.
func (g *generated[T]) next() *slot {
	for range g.slots {
		g.turn = (g.turn + 1) % len(g.slots)
		if s := &g.slots[g.turn]; !s.Ended {
			return s
		}
	}
	return nil
}

func (g *generated[T]) Close() {}

// Freeze implements gearcore.Checkpointed.
func (g *generated[T]) Freeze(uint64) (gearcore.Frozen, error) {
	b, err := json.Marshal(g.slots)
	if err != nil {
		return nil, fmt.Errorf("write a position: %w", err)
	}
	return connect.Bytes(b, fmt.Sprintf("next %d", g.least())), nil
}

func (g *generated[T]) least() int64 {
	low := int64(1<<63 - 1)
	for _, s := range g.slots {
		low = min(low, s.Next)
	}
	return low
}

// Restore implements gearcore.Checkpointed.
func (g *generated[T]) Restore(r *gearcore.Recovery) error {
	g.turn, g.told = 0, false
	if len(r.Parts) == 0 { // the beginning, or the source is new
		g.slots = []slot{{Next: int64(r.Index), Step: int64(max(r.Tasks, 1))}}
		return nil
	}
	g.slots = nil
	n, divide := 0, len(r.Parts) != r.Tasks
	for _, p := range r.Parts {
		var slots []slot
		b, err := connect.Content(context.Background(), r.Vault, p.Part)
		if err == nil {
			err = json.Unmarshal(b, &slots)
		}
		if err != nil {
			return fmt.Errorf("read the position of task %d: %w", p.Task, err)
		}
		for _, s := range slots {
			if divide && n%r.Tasks == r.Index || !divide && p.Index == r.Index {
				g.slots = append(g.slots, s)
			}
			n++
		}
	}
	return nil
}

// Channel returns a source of what comes on a channel, which it never closes; when it is closed, the source ends. All tasks receive from it.
// It cannot go back, so it has no place in a topology with checkpoints.
func Channel[T any](from <-chan T) func() Source[T] {
	return func() Source[T] { return channel[T](from) }
}

type channel[T any] <-chan T

func (channel[T]) Open(*gearcore.Context) error { return nil }

func (c channel[T]) Next(out *Out[T]) error {
	for n := range perCall {
		select {
		case v, ok := <-c:
			if !ok {
				return ErrEnd
			}
			out.Emit(v)
		default:
			if n == 0 {
				return ErrIdle
			}
			return nil
		}
	}
	return nil
}

func (channel[T]) Close() {}
