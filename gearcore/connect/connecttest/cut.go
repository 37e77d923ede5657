package connecttest

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// checkpoint is one that counts.
type checkpoint struct {
	epoch uint64
	parts []gearcore.TaskPart
	mark  int // the test's own: how much it holds
}

// member is a task with its executor and the process it lives in.
type member struct {
	*Executor
	checked   gearcore.Checkpointed
	committer gearcore.Committer // nil: has none
	end       func()             // a proper end
	kill      func()             // a power cut
}

// coordinator makes checkpoints of members and restores them.
type coordinator struct {
	t       testing.TB
	rng     *rand.Rand
	vault   *Vault
	epoch   uint64 // the newest that was tried
	begun   uint64 // generations
	counts  checkpoint
	members []*member
}

func newCoordinator(t testing.TB, seed uint64) *coordinator {
	return &coordinator{t: t, rng: rand.New(rand.NewPCG(seed, seed)), vault: NewVault()}
}

// opener is what bolts and sources have in common.
type opener interface {
	Open(*gearcore.Context, *gearcore.Collector) error
	Close()
}

// enlist opens the task at index, in a process that kill ends; nil: nothing has to be done for that.
func (c *coordinator) enlist(index int, task opener, kill func(), fields ...string) *member {
	m := &member{Executor: NewExecutor(index, len(c.members), fields...), end: task.Close, kill: kill}
	if kill == nil {
		m.kill = func() {}
	}
	m.checked = task.(gearcore.Checkpointed)
	m.committer, _ = task.(gearcore.Committer)
	if err := task.Open(m.Context, m.C); err != nil {
		c.t.Fatalf("open task %d: %v", index, err)
	}
	return m
}

// replace ends all members, some properly, and has n others made.
func (c *coordinator) replace(n int, enlist func(index int) *member) {
	for _, m := range c.members {
		if c.rng.IntN(2) == 0 {
			m.end()
		} else {
			m.kill()
		}
	}
	c.members = make([]*member, n)
	for i := range n {
		c.members[i] = enlist(i)
	}
}

// cut makes a checkpoint and reports whether it counts; mark is kept with it.
func (c *coordinator) cut(mark int) bool {
	c.epoch++
	fate := c.rng.IntN(10)
	if fate == 0 {
		c.vault.Fail(1)
	}
	parts, good := make([]gearcore.TaskPart, len(c.members)), true
	for i, m := range c.members {
		frozen, err := m.checked.Freeze(c.epoch)
		if err != nil {
			c.t.Fatalf("freeze %d of task %d: %v", c.epoch, i, err)
		}
		if fate == 1 && i == len(c.members)-1 {
			frozen.Drop()
			good = false
			continue
		}
		part, err := frozen.Save(context.Background(), c.vault)
		if err != nil && fate != 0 {
			c.t.Fatalf("save %d of task %d: %v", c.epoch, i, err)
		}
		good = good && err == nil
		parts[i] = gearcore.TaskPart{Task: m.Context.Task, Index: i, Part: part}
	}
	c.vault.Fail(0)
	if good {
		c.counts = checkpoint{epoch: c.epoch, parts: parts, mark: mark}
	}
	return good
}

// commit tells some members of the newest checkpoint that counts, some of them twice.
func (c *coordinator) commit(all bool) {
	for _, m := range c.members {
		for range 2 {
			if m.committer != nil && c.counts.epoch > 0 && (all || c.rng.IntN(3) > 0) {
				m.committer.Commit(c.counts.epoch)
			}
		}
	}
}

// restore makes a member what it was at the checkpoint that counts.
func (c *coordinator) restore(m *member) {
	c.begun++ // which of a generation a task sees one only
	r := &gearcore.Recovery{Epoch: c.counts.epoch, Generation: c.begun, Parts: c.counts.parts, Index: m.Context.Index, Tasks: len(c.members), Vault: c.vault}
	if err := m.checked.Restore(r); err != nil {
		c.t.Fatalf("restore task %d from %d: %v", m.Context.Index, r.Epoch, err)
	}
}

// runPosts lets every executor do what was posted.
func (c *coordinator) runPosts() {
	for _, m := range c.members {
		m.Run()
	}
}
