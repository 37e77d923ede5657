package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// pane is a value with inner slices, so that sharing between what is frozen and what goes on would show.
type pane struct {
	Count int
	Tags  []string
}

// task is one task of a component with state of every kind.
type task struct {
	s      *Store
	panes  *Value[string, pane]
	counts *Value[int64, int64]
	sets   *Map[string, int64, string]
	logs   *List[string, int64]
	timers *Timers[string]
}

func newTask(t *testing.T, i, n int, change func(*Config)) *task {
	t.Helper()
	cfg := Config{Name: fmt.Sprintf("c[%d]", i), Index: i, Tasks: n}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.lim = limits{slack: 2 << 10, files: 12, cycleLeast: 100, cycleShare: 1, tail: 500, tailShare: 16, inline: 300, segment: 1500, sweep: 50, growth: 4}
	s.chain.lim = s.lim
	k := &task{s: s}
	k.panes = NewValue(s, "panes", Strings[string](), Struct[pane]())
	k.counts = NewValue(s, "counts", Ints[int64](), Codec[int64](Ints[int64]()))
	k.sets = NewMap(s, "sets", Strings[string](), Codec[int64](Ints[int64]()), Codec[string](Strings[string]()))
	k.logs = NewList(s, "logs", Strings[string](), Codec[int64](Ints[int64]()))
	k.timers = NewTimers(s, "timers", Strings[string]())
	return k
}

// model is what all tasks together have to hold.
type model struct {
	panes  map[string]pane
	counts map[int64]int64
	sets   map[string]map[int64]string
	logs   map[string][]int64
	timers map[Pair[string, int64]]bool
}

func newModel() *model {
	return &model{map[string]pane{}, map[int64]int64{}, map[string]map[int64]string{}, map[string][]int64{}, map[Pair[string, int64]]bool{}}
}

func (m *model) clone() *model {
	c := newModel()
	for k, p := range m.panes {
		c.panes[k] = pane{p.Count, slices.Clone(p.Tags)}
	}
	for k, s := range m.sets {
		c.sets[k] = maps.Clone(s)
	}
	for k, l := range m.logs {
		c.logs[k] = slices.Clone(l)
	}
	c.counts, c.timers = maps.Clone(m.counts), maps.Clone(m.timers)
	return c
}

// world is a component whose tasks work, are frozen, saved, lost and restored.
type world struct {
	t         *testing.T
	r         *rand.Rand
	change    func(*Config)
	keys      int
	tasks     []*task
	now       *model
	vault     *memVault
	epoch     uint64
	committed *model
	parts     []gearcore.TaskPart
	at        uint64
	longest   int // chain of segments
	bloat     float64
	biggest   int64
	cold      int // steps of tasks that were on disk
	// Checks of tasks that had been through a cycle, in memory and on disk.
	cycled, turned int
}

func newWorld(t *testing.T, seed uint64, n, keys int, change func(*Config)) *world {
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 7)), change: change, keys: keys, now: newModel(), committed: newModel(), vault: newVault()}
	for i := range n {
		w.tasks = append(w.tasks, newTask(t, i, n, change))
	}
	t.Cleanup(w.close)
	return w
}

func (w *world) close() {
	for _, k := range w.tasks {
		if err := k.s.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

func (w *world) of(v gearcore.Value) *task {
	return w.tasks[GroupOf(gearcore.HashByValue, v)*len(w.tasks)/gearcore.KeyGroups]
}

// step does something to a random key, in the tasks and the model.
func (w *world) step() {
	n := w.r.Int64N(int64(w.keys))
	name := fmt.Sprintf("key-%d", n)
	k, m := w.of(gearcore.Str(name)), w.now
	switch op := w.r.IntN(14); op {
	case 0, 1:
		tag := fmt.Sprint(w.r.IntN(100))
		k.panes.Update(name, func(p *pane) {
			p.Count++
			if len(p.Tags) > 4 {
				p.Tags = p.Tags[:1]
			}
			p.Tags = append(p.Tags, tag)
			p.Tags[0] = tag
		})
		p := m.panes[name]
		p.Count++
		if len(p.Tags) > 4 {
			p.Tags = p.Tags[:1]
		}
		p.Tags = append(p.Tags, tag)
		p.Tags[0] = tag
		m.panes[name] = p
	case 2:
		k.panes.Delete(name)
		delete(m.panes, name)
	case 3:
		x := pane{Count: w.r.IntN(10)}
		k.panes.Set(name, x)
		m.panes[name] = x
	case 4, 5:
		ref, _ := w.of(gearcore.Long(n)).counts.Ref(n)
		*ref += n
		m.counts[n] += n
	case 6:
		_, had := m.counts[n]
		if got := w.of(gearcore.Long(n)).counts.Delete(n); got != had {
			w.t.Fatalf("delete of %d: %v, want %v", n, got, had)
		}
		delete(m.counts, n)
	case 7, 8:
		sub, x := w.r.Int64N(6), fmt.Sprint(w.r.IntN(1000))
		if op == 8 {
			k.sets.Delete(name, sub)
			delete(m.sets[name], sub)
			break
		}
		k.sets.Set(name, sub, x)
		if m.sets[name] == nil {
			m.sets[name] = map[int64]string{}
		}
		m.sets[name][sub] = x
	case 9:
		if w.r.IntN(4) == 0 {
			k.sets.Clear(name)
			delete(m.sets, name)
		}
	case 10:
		for range w.r.IntN(40) {
			x := w.r.Int64()
			k.logs.Append(name, x)
			m.logs[name] = append(m.logs[name], x)
		}
	case 11:
		drop := w.r.IntN(30)
		k.logs.DropFirst(name, drop)
		if m.logs[name] = m.logs[name][min(drop, len(m.logs[name])):]; len(m.logs[name]) == 0 {
			delete(m.logs, name)
		}
	case 12:
		at := w.r.Int64N(1000)
		k.timers.Set(name, at)
		m.timers[Pair[string, int64]{name, at}] = true
	case 13:
		w.fire(w.r.Int64N(300))
	}
}

// fire lets timers be due in all tasks.
func (w *world) fire(upTo int64) {
	for _, k := range w.tasks {
		last := int64(-1)
		err := k.timers.Due(upTo, func(name string, at int64) error {
			if at < last || at > upTo {
				w.t.Fatalf("timer at %d behind one at %d, up to %d", at, last, upTo)
			}
			last = at
			if !w.now.timers[Pair[string, int64]{name, at}] {
				w.t.Fatalf("timer %s at %d is not set", name, at)
			}
			delete(w.now.timers, Pair[string, int64]{name, at})
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	for p := range w.now.timers {
		if p.Sub <= upTo {
			w.t.Fatalf("timer %v is not due up to %d", p, upTo)
		}
	}
}

// check compares everything.
func (w *world) check() {
	w.t.Helper()
	named := int64(0)
	for _, k := range w.tasks {
		b, n := k.s.chain.named()
		if k.s.chain.floor > 0 && k.s.disk != nil {
			w.turned++
		} else if k.s.chain.floor > 0 {
			w.cycled++
		}
		if w.longest = max(w.longest, n); b > 0 {
			w.bloat = max(w.bloat, float64(b-2<<10)/float64(k.s.liveBytes()+1))
		}
		named += b
	}
	w.biggest = max(w.biggest, named)
	got := newModel()
	for i, k := range w.tasks {
		if err := k.s.Err(); err != nil {
			w.t.Fatal(err)
		}
		k.panes.Each(func(name string, p pane) bool { got.panes[name] = p; return true })
		k.counts.Each(func(n int64, x int64) bool { got.counts[n] = x; return true })
		for n := range w.keys {
			name := fmt.Sprintf("key-%d", n)
			if w.of(gearcore.Str(name)) != w.tasks[i] {
				continue
			}
			k.sets.Each(name, func(sub int64, x *string) bool {
				if got.sets[name] == nil {
					got.sets[name] = map[int64]string{}
				}
				got.sets[name][sub] = *x
				return true
			})
			k.logs.Each(name, func(_ int, x int64) bool { got.logs[name] = append(got.logs[name], x); return true })
			if l := k.logs.Len(name); l != len(got.logs[name]) {
				w.t.Fatalf("list of %s has %d elements, Len says %d", name, len(got.logs[name]), l)
			}
		}
		k.timers.t.each(func(e *entry[Pair[string, int64], struct{}]) bool { got.timers[e.key] = true; return true })
	}
	diff := func(what string, a, b int) {
		if a != b {
			w.t.Fatalf("%s: %d, want %d", what, a, b)
		}
	}
	diff("panes", len(got.panes), len(w.now.panes))
	for k, p := range w.now.panes {
		if q := got.panes[k]; p.Count != q.Count || !slices.Equal(p.Tags, q.Tags) {
			w.t.Fatalf("pane %s is %v, want %v", k, q, p)
		}
	}
	if !maps.Equal(got.counts, w.now.counts) {
		w.t.Fatalf("counts are %v, want %v", got.counts, w.now.counts)
	}
	for k, s := range w.now.sets {
		if !maps.Equal(s, got.sets[k]) {
			w.t.Fatalf("map of %s is %v, want %v", k, got.sets[k], s)
		}
		delete(got.sets, k)
	}
	diff("maps that should not be", len(got.sets), 0)
	diff("lists", len(got.logs), len(w.now.logs))
	for k, l := range w.now.logs {
		if !slices.Equal(l, got.logs[k]) {
			w.t.Fatalf("list of %s is %v, want %v", k, got.logs[k], l)
		}
	}
	if !maps.Equal(got.timers, w.now.timers) {
		w.t.Fatalf("timers are %v, want %v", got.timers, w.now.timers)
	}
}

// checkpoint freezes all tasks, goes on working, then saves; now and then a Put fails, or it is dropped, or never committed.
func (w *world) checkpoint() {
	w.epoch++
	var frozen []gearcore.Frozen
	for _, k := range w.tasks {
		f, err := k.s.Freeze(w.epoch)
		if err != nil {
			w.t.Fatal(err)
		}
		frozen = append(frozen, f)
	}
	then := w.now.clone()
	for range w.r.IntN(50) {
		w.step()
	}
	fate := w.r.IntN(10)
	if fate == 0 {
		for _, f := range frozen {
			f.Drop()
		}
		return
	}
	if fate == 1 {
		w.vault.fail = 1
	}
	var parts []gearcore.TaskPart
	failed := false
	for i, f := range frozen {
		p, err := f.Save(context.Background(), w.vault)
		if err != nil {
			if !errors.Is(err, errFull) {
				w.t.Fatal(err)
			}
			failed = true
		}
		parts = append(parts, gearcore.TaskPart{Index: i, Part: p})
	}
	w.vault.fail = 0
	if failed || fate == 2 {
		return
	}
	w.parts, w.committed, w.at = parts, then, w.epoch
	w.vault.retain(parts)
	if fate != 3 { // else the word of it comes late
		for _, k := range w.tasks {
			k.s.Commit(w.epoch)
		}
	}
}

// restore goes back to the last checkpoint, with n tasks: in place where there are as many.
func (w *world) restore(n int) {
	tasks := w.tasks
	if n != len(tasks) || w.r.IntN(2) == 0 {
		w.close()
		tasks = nil
		for i := range n {
			tasks = append(tasks, newTask(w.t, i, n, w.change))
		}
	}
	w.tasks, w.now = tasks, w.committed.clone()
	for i, k := range tasks {
		first, last := gearcore.KeyGroupRange(i, n)
		r := &gearcore.Recovery{Epoch: w.at, Parts: w.parts, Index: i, Tasks: n, First: first, Last: last, Vault: w.vault}
		if err := k.s.Restore(r); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) run(steps int) {
	for i := range steps {
		w.step()
		for _, k := range w.tasks {
			if err := k.s.Trim(); err != nil {
				w.t.Fatal(err)
			}
			if k.s.disk != nil {
				w.cold++
			}
		}
		if w.r.IntN(60) == 0 {
			w.checkpoint()
		}
		if w.r.IntN(300) == 0 {
			w.restore(1 + w.r.IntN(8))
			w.check()
		}
		if i%997 == 0 {
			w.check()
		}
	}
	w.check()
	w.t.Logf("up to %d segments of a task, %d bytes; %.1f times what lives; cycles seen: %d in memory, %d on disk", w.longest, w.biggest, w.bloat, w.cycled, w.turned)
}

// TestAgainstModel does random things and compares with plain maps: no key is lost or doubled by checkpoints that fail, are
// dropped or come late, and by restoring with another number of tasks.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(max(2, 8/raced.Fewer)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			newWorld(t, seed, 1+int(seed)%4, 20<<(seed%4*2), nil).run(4000)
		})
	}
}

// TestAgainstModelOnDisk is the same with so little memory that tasks go to the disk, while they work or when they are restored.
func TestAgainstModelOnDisk(t *testing.T) {
	for seed := range uint64(max(1, 4/raced.Fewer)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			dir := t.TempDir()
			w := newWorld(t, seed, 1+int(seed)%3, 20<<(seed%4*2), func(c *Config) { c.Dir, c.Memory = dir, 12_000 })
			w.run(1500)
			if w.cold < 100 {
				t.Errorf("tasks were on disk for %d steps only", w.cold)
			}
			w.close()
			w.tasks = nil
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("%v is left in the directory, %v", left, err)
			}
		})
	}
}
