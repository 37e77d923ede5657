package multilang

import (
	"errors"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// TestForgottenStates has a program that declares no states follow one that kept some: only where all of them may be forgotten.
func TestForgottenStates(t *testing.T) {
	vault := memVault{}
	before := startKeeper(t, keepers["python"](t), dag.KeyGroups, map[string]any{})
	before.says("a")
	part := before.save(vault)
	for _, c := range []struct {
		name   string
		forget []any
		errs   []string // nil: it begins
	}{
		{"none", nil, []string{"component me had states at checkpoint 1, and its child declares none", "gearstorm.state.forget: ["}},
		{"one of three", []any{"total"}, []string{"its child declares none", "gearstorm.state.forget: ["}},
		{"all", []any{"total", "last", "spots"}, nil},
	} {
		conf := map[string]any{}
		if c.forget != nil {
			conf["gearstorm.state.forget"] = c.forget
		}
		e := startKeeper(t, python(t, countingChild), dag.KeyGroups, conf)
		var err error
		e.onBolt(func(b *Bolt) error {
			err = b.Restore(backTo(vault, gearcore.TaskPart{Part: part}))
			return nil
		})
		if (err == nil) != (c.errs == nil) {
			t.Errorf("%s may be forgotten: %v", c.name, err)
			continue
		}
		if _, never := errors.AsType[*gearcore.MisfitError](err); never != (err != nil) {
			t.Errorf("%s may be forgotten: %v is worth another try", c.name, err)
		}
		for _, want := range c.errs {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s may be forgotten: %v, want %q", c.name, err, want)
			}
		}
		if err == nil {
			e.feed("a")
			e.eventually("the child goes on without them", func() bool { return len(e.emits) == 1 })
		}
	}
}

// TestStateOfAnotherKind has bolts in Python, with a state and without, come behind a component that kept what nobody but it can read.
func TestStateOfAnotherKind(t *testing.T) {
	kept := gearcore.Part{Inline: append([]byte{1, 0, 0, 0}, "an object of Java"...)}
	for name, command := range map[string][]string{"with a state": keepers["python"](t), "without": python(t, countingChild)} {
		e := startKeeper(t, command, dag.KeyGroups, map[string]any{})
		var err error
		e.onBolt(func(b *Bolt) error {
			err = b.Restore(backTo(memVault{}, gearcore.TaskPart{Task: 3, Part: kept}))
			return nil
		})
		if _, never := errors.AsType[*gearcore.MisfitError](err); !never || !strings.Contains(err.Error(), "what task 3 kept was written by a component of another kind") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
