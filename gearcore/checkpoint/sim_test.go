package checkpoint_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/storetest"
	"github.com/gearstorm/gearstorm/internal/raced"
)

var (
	seeds = flag.Int("seeds", 10, "how many simulations")
	seed  = flag.Uint64("seed", 1, "the first one's seed")
)

// TestSimulation runs coordinators, workers and a store under virtual time while coordinators are paused, replaced and left behind, workers
// die and are silent, tasks move, and the store is slow, loses answers, or does what it was asked later. What holds:
//
//   - of two coordinators one commits: each epoch is in the chain once, and generations only grow;
//   - a checkpoint that counts has a part of every task, all of one cut and one past, with its files;
//   - effects that were held back until a checkpoint counted (Committer) are exactly those of the past of the last one: none lost,
//     none twice, none of a past that was undone;
//   - a savepoint that was told of is whole for as long as nobody deletes it, also where its name is not new;
//   - once the faults end, checkpoints count again.
func TestSimulation(t *testing.T) {
	for i := range max(1, uint64(*seeds)/raced.Fewer) {
		n := *seed + i
		t.Run(fmt.Sprint("seed ", n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, n).run() })
		})
	}
}

const (
	tasksOf  = 2 // tasks of each of two components
	workers  = 3
	faulty   = 3 * time.Minute
	interval = time.Second
)

// world is one simulation. Everything in it is under mu but the store.
type world struct {
	t     *testing.T
	store *storetest.Faulty
	disk  *checkpoint.Memory

	mu      sync.Mutex
	rnd     *rand.Rand
	faults  bool
	place   map[gearcore.TaskID]int // where tasks are
	leaders []*leader
	workers []*worker
	outside map[gearcore.TaskID]*outside
	counted map[uint64]int    // commits by epoch
	kept    map[string]uint64 // epochs by names of savepoints
}

func newWorld(t *testing.T, n uint64) *world {
	w := &world{t: t, disk: new(checkpoint.Memory), rnd: rand.New(rand.NewPCG(n, 7)), faults: true, place: map[gearcore.TaskID]int{},
		outside: map[gearcore.TaskID]*outside{}, counted: map[uint64]int{}, kept: map[string]uint64{}}
	w.store = &storetest.Faulty{Store: w.disk, On: w.fault}
	for id := gearcore.TaskID(1); id <= 2*tasksOf; id++ {
		w.place[id] = int(id) % workers
		w.outside[id] = &outside{pending: map[string]bool{}, shown: map[string]bool{}}
	}
	return w
}

func plan(version int64) checkpoint.Plan {
	p := checkpoint.Plan{Version: version}
	for id := gearcore.TaskID(1); id <= 2*tasksOf; id++ {
		p.Tasks = append(p.Tasks, checkpoint.Task{ID: id, Component: []string{"in", "count"}[(id-1)/tasksOf], Index: int(id-1) % tasksOf, Source: id <= tasksOf})
	}
	return p
}

// chance is true once in n, while there are faults.
func (w *world) chance(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.faults && w.rnd.IntN(n) == 0
}

// some is a duration up to most.
func (w *world) some(most time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.rnd.Int64N(int64(most)))
}

var errStore = errors.New("the store does not answer")

// fault makes the store slow and unreliable. A put may also happen after its caller was told that it has failed.
func (w *world) fault(ctx context.Context, c storetest.Call) storetest.Fault {
	time.Sleep(w.some(20 * time.Millisecond))
	switch {
	case w.chance(60):
		time.Sleep(w.some(5 * time.Second))
	case w.chance(40):
		return storetest.Fault{Err: errStore, After: c.Op != storetest.Get && c.Op != storetest.List && w.chance(2)}
	case w.chance(60):
		return storetest.Fault{Err: checkpoint.ErrFull}
	}
	return storetest.Fault{Err: ctx.Err()}
}

// late is a store whose conditional puts may arrive long after the answer.
type late struct {
	*storetest.Faulty
	w *world
}

func (l late) PutIfAbsent(ctx context.Context, name string, content []byte) error {
	if strings.Contains(name, "/log/") && l.w.chance(15) {
		content, d := slices.Clone(content), l.w.some(10*time.Second)
		time.AfterFunc(d, func() { l.w.disk.PutIfAbsent(context.Background(), name, content) })
		return errStore
	}
	return l.Faulty.PutIfAbsent(ctx, name, content)
}

func (w *world) run() {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	var all sync.WaitGroup
	for i := range workers {
		k := &worker{w: w, slot: i}
		k.die()
		w.workers = append(w.workers, k)
		all.Go(func() { k.run(ctx) })
	}
	w.lead(ctx, &all, 1)
	version := int64(1)
	for start := time.Now(); time.Since(start) < faulty; time.Sleep(w.some(4 * time.Second)) {
		w.harm(ctx, &all, &version)
	}
	w.mu.Lock()
	w.faults = false
	w.mu.Unlock()
	w.lead(ctx, &all, version+1) // all before it are left behind
	w.settle()
	cancel()
	all.Wait()
	time.Sleep(time.Minute) // what comes late has come
	w.checkChain()
	w.checkEffects()
	w.checkSavepoints()
}

// harm does something to somebody.
func (w *world) harm(ctx context.Context, all *sync.WaitGroup, version *int64) {
	w.mu.Lock()
	k := w.workers[w.rnd.IntN(workers)]
	l := w.leaders[w.rnd.IntN(len(w.leaders))]
	what := w.rnd.IntN(10)
	task, to := gearcore.TaskID(1+w.rnd.IntN(2*tasksOf)), w.rnd.IntN(workers)
	pause := time.Duration(w.rnd.Int64N(int64(15 * time.Second)))
	switch what {
	case 0, 1:
		k.die()
	case 2:
		k.deaf = time.Now().Add(pause)
	case 3:
		w.place[task] = to
	case 4, 5:
		l.asleep = time.Now().Add(pause)
	case 6:
		k.fails++
	}
	w.mu.Unlock()
	name := fmt.Sprint("s", to%2)
	switch what {
	case 7:
		*version += int64(to % 2) // the same plan may well have several processes that believe to lead
		w.lead(ctx, all, *version)
	case 8, 9:
		w.keepAnew(ctx, name)
	}
}

// keepAnew deletes a savepoint and asks for another one of its name.
func (w *world) keepAnew(ctx context.Context, name string) {
	if err := checkpoint.DeleteSavepoint(ctx, w.disk, name); err != nil {
		w.t.Errorf("delete savepoint %s: %v", name, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.leaders[len(w.leaders)-1].events <- checkpoint.Ask{Name: name}:
	default:
	}
}

// settle waits until checkpoints count again.
func (w *world) settle() {
	deadline := time.Now().Add(2 * time.Minute)
	for n := 0; n < 3; time.Sleep(interval / 2) {
		w.mu.Lock()
		l := w.leaders[len(w.leaders)-1]
		n = l.commits
		w.mu.Unlock()
		if time.Now().After(deadline) {
			w.t.Fatalf("two minutes after the last fault %d checkpoints count; the coordinator is %+v", n, l.c.Status(0))
		}
	}
	time.Sleep(5 * time.Second) // workers hear of it
}

// leader is a process with a coordinator.
type leader struct {
	w       *world
	c       *checkpoint.Coordinator
	log     *checkpoint.Log
	events  chan checkpoint.Event
	asleep  time.Time
	commits int
	stopped bool
}

// lead starts another coordinator beside those that there are.
func (w *world) lead(ctx context.Context, all *sync.WaitGroup, version int64) {
	c, err := checkpoint.NewCoordinator(checkpoint.Config{Interval: interval, Timeout: 10 * time.Second, AlignLimit: 5 * time.Second, Silence: 5 * time.Second})
	if err != nil {
		w.t.Fatal(err)
	}
	log, err := checkpoint.OpenLog(checkpoint.LogConfig{Store: late{w.store, w}, Topology: "t", Keep: 2})
	if err != nil {
		w.t.Fatal(err)
	}
	l := &leader{w: w, c: c, log: log, events: make(chan checkpoint.Event, 1000)}
	w.mu.Lock()
	w.leaders = append(w.leaders, l)
	w.mu.Unlock()
	l.events <- plan(version)
	all.Go(func() { l.run(ctx) })
}

func (l *leader) run(ctx context.Context) {
	start, tick := time.Now(), time.NewTicker(200*time.Millisecond)
	defer tick.Stop()
	var doing sync.WaitGroup
	defer doing.Wait()
	for {
		var e checkpoint.Event
		select {
		case <-ctx.Done():
			return
		case e = <-l.events:
		case <-tick.C:
			e = checkpoint.Tick{}
		}
		l.w.mu.Lock()
		asleep := time.Until(l.asleep)
		l.w.mu.Unlock()
		time.Sleep(asleep)
		l.w.mu.Lock()
		actions := l.c.Step(time.Since(start), e)
		for _, a := range actions {
			l.note(a)
		}
		l.w.mu.Unlock()
		for _, a := range actions {
			doing.Go(func() {
				timed, cancel := context.WithTimeout(ctx, 8*time.Second)
				defer cancel()
				if e, ok := l.log.Do(timed, a); ok {
					select {
					case l.events <- e:
					case <-ctx.Done():
					}
				}
			})
		}
	}
}

func (l *leader) note(a checkpoint.Action) {
	switch a := a.(type) {
	case checkpoint.Stop:
		l.stopped = true
	case checkpoint.Notice:
		if a.Kind == checkpoint.NoticeFell && a.Epoch > 0 { // a put that comes very late may leave a record before a gap
			l.w.t.Errorf("nothing was damaged, but: %v", a)
		}
		if a.Kind == checkpoint.NoticeCommit {
			l.commits++
			l.w.counted[a.Epoch]++
		}
		if a.Kind == checkpoint.NoticeKept && !slices.ContainsFunc(l.w.leaders, func(o *leader) bool { return o.c.Order().Generation > l.c.Order().Generation }) {
			l.w.kept[a.Name] = a.Epoch
		}
	}
}

// outside is a system outside, to which one task's effects go in two phases: an effect is known by the cut that ends it. It refuses
// tasks of generations before the newest that was restored, and a second one that is restored in the same.
type outside struct {
	fence          uint64
	pending, shown map[string]bool
}

// worker is a slot with a process.
type worker struct {
	w     *world
	slot  int
	life  uint64
	deaf  time.Time // until then it neither hears nor speaks
	fails int       // parts that it will not save
	order checkpoint.Order
	tasks map[gearcore.TaskID]*task
	state checkpoint.Report
}

// task is what a task knows: the checkpoints of its past, which are those of all tasks, and its own cuts.
type task struct {
	past   []string
	cuts   []string
	cut    uint64
	ripens time.Time // when its part of cut is saved
}

// part writes what a task knows at a cut.
func (t *task) part() string { return strings.Join(t.past, " ") + "|" + strings.Join(t.cuts, " ") }

// parsePart is the opposite.
func parsePart(b []byte) *task {
	past, cuts, _ := strings.Cut(string(b), "|")
	return &task{past: strings.Fields(past), cuts: strings.Fields(cuts)}
}

// die is that another process takes the worker's place.
func (k *worker) die() {
	k.life++
	k.order, k.tasks, k.state = checkpoint.Order{}, map[gearcore.TaskID]*task{}, checkpoint.Report{}
}

func (k *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(20*time.Millisecond + k.w.some(80*time.Millisecond))
		k.w.mu.Lock()
		work := k.turn()
		k.w.mu.Unlock()
		work(ctx)
	}
}

// turn hears, acts and speaks. It returns what takes time.
func (k *worker) turn() func(context.Context) {
	nothing := func(context.Context) {}
	if time.Now().Before(k.deaf) {
		return nothing
	}
	for _, l := range k.w.leaders {
		if o := l.c.Order(); !l.stopped && o.Generation >= k.order.Generation && o.Generation > 0 {
			k.order = o
		}
	}
	if k.order.Generation > k.state.Generation {
		k.state = checkpoint.Report{Generation: k.order.Generation}
		k.tasks = map[gearcore.TaskID]*task{}
	}
	work := nothing
	var mine []gearcore.TaskID
	for id, at := range k.w.place {
		if at == k.slot {
			mine = append(mine, id)
		}
	}
	slices.Sort(mine)
	k.state.Restored = true
	for _, id := range mine {
		if k.tasks[id] == nil {
			k.state.Restored = false
			if !k.order.Go && k.order.Generation > 0 {
				work = k.restore(id)
			}
		}
	}
	for id := range k.tasks {
		if !slices.Contains(mine, id) {
			delete(k.tasks, id)
		}
	}
	if w := k.cut(mine); w != nil {
		work = w
	}
	k.commit(mine)
	k.speak(mine)
	return work
}

// restore makes a task what it was, and settles what it has outside.
func (k *worker) restore(id gearcore.TaskID) func(context.Context) {
	life, order := k.life, k.order
	return func(ctx context.Context) {
		t, err := k.read(ctx, order.Restore, id)
		k.w.mu.Lock()
		defer k.w.mu.Unlock()
		if k.life != life || k.order.Generation != order.Generation || ctx.Err() != nil {
			return
		}
		if err != nil {
			if k.state.Broken = err.Error(); checkpoint.Lost(err) {
				k.state.Unreadable = order.Restore
			}
			return
		}
		o := k.w.outside[id]
		if order.Generation <= o.fence {
			k.state.Broken = "somebody else has taken over"
			return
		}
		o.fence = order.Generation
		for _, e := range t.cuts {
			switch {
			case o.pending[e]:
				delete(o.pending, e)
				o.shown[e] = true
			case !o.shown[e]:
				k.w.t.Errorf("task %d: effect %s of the past of epoch %d is lost", id, e, order.Restore)
			}
		}
		clear(o.pending)
		k.tasks[id] = t
	}
}

// read returns what a task knew at an epoch.
func (k *worker) read(ctx context.Context, epoch uint64, id gearcore.TaskID) (*task, error) {
	if epoch == 0 {
		return &task{}, nil
	}
	m, err := checkpoint.ReadManifest(ctx, k.w.store, "t", epoch)
	if err != nil {
		return nil, err
	}
	for _, c := range m.Components {
		for _, p := range c.Parts {
			if p.Task == id {
				return parsePart(p.Inline), nil
			}
		}
	}
	return nil, fmt.Errorf("%w: epoch %d has no part of task %d", checkpoint.ErrCorrupt, epoch, id)
}

// cut begins what is asked for, and saves a part that is ripe.
func (k *worker) cut(mine []gearcore.TaskID) func(context.Context) {
	if !k.order.Go || k.order.Cut <= k.order.Dropped || k.order.Cut <= k.order.Committed {
		return nil
	}
	epoch := k.order.Cut
	if k.state.Epoch != epoch {
		k.state.Epoch, k.state.Saved, k.state.Failed = epoch, nil, ""
	}
	for _, id := range mine {
		t := k.tasks[id]
		if t == nil {
			continue
		}
		if t.cut < epoch {
			if t.cut > 0 && t.cut == k.order.Committed {
				t.past = append(slices.Clone(t.past), fmt.Sprint(t.cut))
			}
			t.cut, t.ripens = epoch, time.Now().Add(time.Duration(k.w.rnd.IntN(600))*time.Millisecond)
			t.cuts = append(slices.Clone(t.cuts), fmt.Sprintf("%d.%d", k.order.Generation, epoch))
		}
		if !t.ripens.IsZero() && time.Now().After(t.ripens) {
			t.ripens = time.Time{}
			return k.save(id, t, epoch)
		}
	}
	return nil
}

// save writes a part and what it did outside, as something that is not to be seen yet.
func (k *worker) save(id gearcore.TaskID, t *task, epoch uint64) func(context.Context) {
	life, generation, part, cuts := k.life, k.state.Generation, t.part(), t.cuts
	if k.fails > 0 {
		k.fails--
		k.state.Failed = "it would not"
		return nil
	}
	return func(ctx context.Context) {
		f, err := checkpoint.NewVault(k.w.store, "t", epoch).Put(ctx, "part", strings.NewReader(part))
		k.w.mu.Lock()
		defer k.w.mu.Unlock()
		if k.life != life || k.state.Generation != generation || k.state.Epoch != epoch || k.tasks[id] != t {
			return
		}
		if err != nil {
			k.state.Failed = err.Error()
			return
		}
		o := k.w.outside[id]
		if generation < o.fence {
			k.state.Failed = "somebody else has taken over"
			return
		}
		for _, e := range cuts { // also of epochs that were given up: they count with this one
			if !o.shown[e] {
				o.pending[e] = true
			}
		}
		k.state.Saved = append(slices.Clone(k.state.Saved), gearcore.TaskPart{Task: id, Part: gearcore.Part{Inline: []byte(part), Files: []gearcore.File{f}}})
	}
}

// commit shows the effects of what counts.
func (k *worker) commit(mine []gearcore.TaskID) {
	if !k.order.Go {
		return
	}
	for _, id := range mine {
		o := k.w.outside[id]
		if k.tasks[id] == nil || k.state.Generation < o.fence {
			continue
		}
		for e := range o.pending {
			var generation, epoch uint64
			fmt.Sscanf(e, "%d.%d", &generation, &epoch)
			if generation == k.state.Generation && epoch <= k.order.Committed {
				delete(o.pending, e)
				o.shown[e] = true
			}
		}
	}
}

// speak reports to all who lead, some of which may not hear it.
func (k *worker) speak(mine []gearcore.TaskID) {
	r := k.state
	r.Worker, r.Life, r.Tasks = fmt.Sprint("w", k.slot), k.life, mine
	for _, l := range k.w.leaders {
		if k.w.faults && k.w.rnd.IntN(10) == 0 {
			continue
		}
		select {
		case l.events <- r:
		default:
		}
	}
}
