package integration

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/dynamic"
)

// betweenEdits is the pause after an edit, editLimit how long the command of one may take, killsOfEdits of how many edits one has a worker
// killed while it is made.
const (
	betweenEdits = 2 * time.Second
	editLimit    = time.Minute
	killsOfEdits = 3
)

// edits is what became of the edits of a topology that is edited at random.
type edits struct {
	o      *onceRun
	edited *dynamic.Edited
	// supervisors are those whose workers are killed, as (name, storm.local.dir).
	supervisors             map[string]string
	asked, answered, killed int
}

// editAtRandom edits a topology again and again, and kills workers of it meanwhile, until the function that it returns is called.
func (o *onceRun) editAtRandom(ctx context.Context, e *dynamic.Edited) (stop func() *edits) {
	d := &edits{o: o, edited: e, supervisors: map[string]string{}}
	for _, s := range o.c.Supervisors() {
		if s.Running() {
			d.supervisors[s.Name] = s.Local
		}
	}
	random := rand.New(rand.NewPCG(o.seed, 20))
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() {
		for ctx.Err() == nil {
			d.edit(context.WithoutCancel(ctx), random)
			sleepOrEnd(ctx, betweenEdits)
		}
	})
	return func() *edits {
		cancel()
		group.Wait()
		return d
	}
}

// edit makes one edit. Whether it is answered or not, the next one goes on from what there is.
func (d *edits) edit(ctx context.Context, random *rand.Rand) {
	ctx, cancel := context.WithTimeout(ctx, editLimit)
	defer cancel()
	var kill sync.WaitGroup
	defer kill.Wait()
	if random.IntN(killsOfEdits) == 0 {
		which, after := random.IntN(100), time.Duration(random.IntN(800))*time.Millisecond
		kill.Go(func() { d.kill(which, after) })
	}
	e, err := d.edited.Edit(ctx, random)
	d.asked++
	if err == nil {
		d.answered++
	}
	d.o.Logf("edit %d, %s %s: %v", d.asked, e.Kind, e.What, err)
}

// kill kills a worker of the topology somewhere in the middle of an edit.
func (d *edits) kill(which int, after time.Duration) {
	time.Sleep(after) // the moment is the point
	var all []chaos.Worker
	for name, local := range d.supervisors {
		workers, _ := chaos.WorkersOf(name, local) // a record that is being written is not looked at
		all = append(all, workers...)
	}
	all = slices.DeleteFunc(all, func(w chaos.Worker) bool { return w.Topology != d.o.id })
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b chaos.Worker) int { return a.Pid - b.Pid })
	w := all[which%len(all)]
	if w.Signal(syscall.SIGKILL) == nil {
		d.killed++
		d.o.Logf("killed the worker %v of it meanwhile", w)
	}
}

// judge makes a last edit, which has to be in force, and notes what was not as it should be.
func (d *edits) judge(ctx context.Context) {
	d.o.Helper()
	d.o.must("make a last edit", d.edited.Last(ctx))
	for _, wrong := range d.edited.Wrong {
		d.o.result.Failf("%s", wrong)
	}
	d.o.Logf("%d edits were made, %d of them answered, %d workers killed meanwhile", d.asked, d.answered, d.killed)
	if d.answered == 0 {
		d.o.result.Failf("no edit was answered in all the time")
	}
}
