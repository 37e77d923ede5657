package dynamic

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// padBytes is what counters keep of each key where the state is to be large.
	padBytes  = 1 << 10
	fillLimit = 5 * time.Minute
)

// large makes a topology of g whose counters get a large state: many keys, and nothing that is slow in the way.
func (g *running) large() {
	g.topo.PadBytes = padBytes
	g.topo.Exact.Keys = max(1, int(g.StateBytes/padBytes))
	work := g.now[workName]
	work.Language = Go
	g.now = g.now.With(workName, work)
}

// largeEdits are the edits of a topology with large state.
func largeEdits(s Spec) []Edit {
	count := s[countName]
	more, other := count, count
	more.Tasks *= 2
	other.Config = 1
	return []Edit{
		{Kind: Rescale, What: fmt.Sprintf("%s %d -> %d", countName, count.Tasks, more.Tasks), Next: s.With(countName, more)},
		{Kind: Rescale, What: fmt.Sprintf("%s %d -> %d", countName, more.Tasks, count.Tasks), Next: s},
		{Kind: Replace, What: countName + " in go, another configuration", Next: s.With(countName, other)},
	}
}

// choose returns edit n.
func (g *running) choose(rnd *rand.Rand, kept []Version, n int) Edit {
	if g.StateBytes > 0 {
		return largeEdits(g.versions[0].Spec)[n-1]
	}
	return Choose(rnd, g.now, kept, n)
}

// fill waits until the state of the counters is as large as it is to be.
func (g *running) fill(ctx context.Context) error {
	if g.StateBytes == 0 {
		return nil
	}
	return until(ctx, fillLimit, time.Second, "the state to be filled", func() error {
		bytes, err := g.stateBytes(ctx)
		if err == nil && bytes < g.StateBytes {
			err = fmt.Errorf("it has %d bytes of %d", bytes, g.StateBytes)
		}
		return err
	})
}

// stateBytes is how large the newest checkpoint that counts is.
func (g *running) stateBytes(ctx context.Context) (int64, error) {
	var timing struct {
		Checkpoints []struct {
			State string
			Bytes int64
		}
	}
	if err := g.cmd.run(ctx, &timing, "checkpoints", topologyName, "-o", "json"); err != nil {
		return 0, err
	}
	for _, c := range timing.Checkpoints {
		if c.State == "committed" {
			return c.Bytes, nil
		}
	}
	return 0, nil
}
