package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/internal/pause"
)

// Entries of the large state: about stateEntry bytes each as records of a checkpoint, of which stateText are a text.
const (
	stateEntry = 100
	stateText  = 64
	changed    = 100 // one of so many entries changes from one checkpoint to the next
)

// large fills the state of a topology, has it checkpointed while one entry in a hundred changes each second, kills its worker again and again, and
// compares all counts at the end.
func (x *exactly) large(ctx context.Context, name string, disk bool) (err error) {
	keys := x.o.megabytes << 20 / stateEntry
	sh := shape{Kind: kindCounted, Tasks: 2, Keys: keys, Bytes: stateText, Rate: max(keys/changed, 1), Listener: x.probes.address()}
	c := unacked(1)
	c[keyInterval] = 1000
	if disk {
		c[keyStateDir] = x.our.dir
	}
	topology := "bench-state-" + name
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		err = errors.Join(err, x.our.kill(ctx))
		x.probes.forget()
	}()
	if err := x.our.submit(ctx, topology, sh, c); err != nil {
		return err
	}
	if err := x.running(ctx, sh); err != nil {
		return fmt.Errorf("%w; workers said last:\n%s", err, x.our.said())
	}
	if err := x.filled(ctx, sh); err != nil {
		return err
	}
	took, size, wrong, err := x.checkpoints(ctx, topology)
	if err != nil {
		return err
	}
	if least := int64(x.o.megabytes) << 20 * 8 / 10; size < least {
		wrong = append(wrong, fmt.Sprintf("the checkpoints name %d bytes, less than %d", size, least))
	}
	x.print(fmt.Sprintf("bench state-checkpoint-%s took=%.2fs state=%.0fMB entries=%d changed=1%% goal=<%.0fs", name, took.Seconds(), float64(size)/1e6, keys,
		checkpointGoal.Seconds()), took < checkpointGoal, wrong)
	var all []float64
	for n := range x.o.rounds {
		took, err := x.recover(ctx, sh)
		if err != nil {
			return fmt.Errorf("%w; workers said last:\n%s", err, x.our.said())
		}
		fmt.Fprintf(x.out, "# state-recovery-%s kill %d: %.2fs\n", name, n+1, took.Seconds())
		all = append(all, took.Seconds())
	}
	var s sample
	wrong, err = x.rest(ctx, x.our, topology, sh, 0, &s)
	if err != nil {
		return err
	}
	x.print(fmt.Sprintf("bench state-recovery-%s took=%.2fs most=%.2fs kills=%d entries=%d counted=%d goal=<%.0fs", name, median(all), slices.Max(all), len(all), keys,
		s.Tuples, recoveryGoal.Seconds()), median(all) < recoveryGoal.Seconds(), wrong)
	return nil
}

// fillLimit is how long filling the state may take.
const fillLimit = 10 * time.Minute

// filled waits until every key has had an event.
func (x *exactly) filled(ctx context.Context, sh shape) error {
	for end := time.Now().Add(fillLimit); ; {
		all, err := x.probes.read(askCounts)
		if err != nil {
			return err
		}
		n := total(all).Tuples
		if n > int64(sh.Keys+sh.Rate) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d entries after %v", n, sh.Keys, fillLimit)
		}
		if err := pause.For(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// settled is how many checkpoints are looked at when the state is filled.
const settled = 3

// checkpoints waits for some that begin from now on, and returns how long they took and what they wrote: the medians.
func (x *exactly) checkpoints(ctx context.Context, topology string) (took time.Duration, bytes int64, wrong []string, err error) {
	from := time.Now().UnixMilli()
	for end := time.Now().Add(2 * time.Minute); ; {
		t, err := x.our.timing(ctx, topology)
		if err != nil {
			return 0, 0, nil, err
		}
		var times, sizes []float64
		wrong = nil
		for _, c := range t.Checkpoints {
			switch {
			case c.BegunMs < from+2000: // the first one may have waited for what was written before
			case c.Failed != nil:
				wrong = append(wrong, fmt.Sprintf("checkpoint %d was given up: %s", c.Epoch, *c.Failed))
			case c.TookMs != nil:
				times, sizes = append(times, float64(*c.TookMs)), append(sizes, float64(c.GetBytes()))
			}
		}
		if len(times) >= settled || len(wrong) > 0 {
			return time.Duration(median(times)) * time.Millisecond, int64(median(sizes)), wrong, nil
		}
		if time.Now().After(end) {
			return 0, 0, nil, fmt.Errorf("%d checkpoints within two minutes", len(times))
		}
		if err := pause.For(ctx, 300*time.Millisecond); err != nil {
			return 0, 0, nil, err
		}
	}
}

// aLife is how long a worker is at work before it is killed again. The next kill finds checkpoints of this life then, and the supervisor does not take the
// worker for one that cannot run: it holds such a one back for a second, then two, four and so on, until one has run for five seconds.
const aLife = 6 * time.Second

// recover kills the worker and returns how long it takes from then until the next one has put out a count.
func (x *exactly) recover(ctx context.Context, sh shape) (time.Duration, error) {
	pids, err := taskProcesses(x.probes)
	if err != nil {
		return 0, err
	}
	x.probes.forget()
	began := time.Now()
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return 0, fmt.Errorf("kill worker %d: %w", pid, err)
		}
	}
	if err := x.running(ctx, sh); err != nil {
		return 0, err
	}
	all, err := x.probes.read(askCounts)
	if err != nil {
		return 0, err
	}
	return time.Unix(0, total(all).First).Sub(began), pause.For(ctx, aLife)
}

// taskProcesses are the processes that have tasks of the topology.
func taskProcesses(probes *listener) (pids []int, err error) {
	all, err := probes.read(askCounts)
	for _, r := range all {
		pids = append(pids, r.PID)
	}
	if len(pids) == 0 && err == nil {
		err = errors.New("no process has tasks")
	}
	return pids, err
}
