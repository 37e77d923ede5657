package connecttest

import (
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// TwoPhase is a sink that holds back what it gets until the checkpoint that contains it counts.
type TwoPhase interface {
	gearcore.Task
	gearcore.Checkpointed
	gearcore.Committer
}

// Part makes a checkpoint of a task or source.
func Part(t testing.TB, task gearcore.Checkpointed, epoch uint64, v gearcore.Vault) gearcore.TaskPart {
	t.Helper()
	f, err := task.Freeze(epoch)
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Save(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return gearcore.TaskPart{Part: p}
}

// Restore has the only task of a component go on from parts, of epoch len(parts).
func Restore(task gearcore.Checkpointed, v gearcore.Vault, parts ...gearcore.TaskPart) error {
	return task.Restore(&gearcore.Recovery{Epoch: uint64(len(parts)), Parts: parts, Tasks: 1, Vault: v})
}

// Replaced has a sink that holds back values replaced by another one, which is restored from its checkpoint, and then tells the first one that the checkpoint
// counts. begin makes them. It returns the error with which the first one gives up, nil if it does not.
func Replaced(t testing.TB, begin func(v gearcore.Vault, parts ...gearcore.TaskPart) (TwoPhase, *Executor), values ...any) error {
	t.Helper()
	v := NewVault()
	old, e := begin(v)
	if err := old.Execute(e.Tuple(values...), e.C); err != nil {
		t.Fatal(err)
	}
	begin(v, Part(t, old, 1, v))
	old.Commit(1)
	for end := time.Now().Add(settleLimit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		f, err := old.Freeze(2)
		if err != nil {
			return err
		}
		f.Drop()
	}
	return nil
}
