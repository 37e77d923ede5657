package storm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// validate checks the whole declaration. Where Nimbus has a rule, the rule and its words are those of Storm's
// StormCommon.validateBasic and validateStructure.
func (b *TopologyBuilder) validate() error {
	errs := slices.Clone(b.errs)
	seen := map[string]*Declarer{}
	var twice []string
	spouts := 0
	for _, d := range b.components {
		if seen[d.id] != nil && !slices.Contains(twice, d.id) {
			twice = append(twice, d.id)
		}
		seen[d.id] = d
		if d.spout != nil {
			spouts++
		}
	}
	if len(twice) > 0 {
		errs = append(errs, fmt.Errorf("Duplicate component ids: %v", twice))
	}
	if spouts == 0 {
		errs = append(errs, errors.New("a topology needs at least one spout"))
	}
	for _, d := range b.components {
		errs = append(errs, d.validateSelf()...)
		for i, in := range d.inputs {
			errs = append(errs, in.validate(d, seen[in.component]))
			if slices.ContainsFunc(d.inputs[:i], func(o input) bool { return o.component == in.component && o.stream == in.stream }) {
				errs = append(errs, fmt.Errorf("component %s subscribes to stream %s of %s twice", d.id, in.stream, in.component))
			}
		}
	}
	return errors.Join(errs...)
}

func (d *Declarer) validateSelf() []error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if d.id == "" || strings.HasPrefix(d.id, reservedPrefix) {
		fail("%s is not a valid component id.", d.id)
	}
	if d.spout != nil && len(d.inputs) > 0 {
		fail("May not declare inputs for a spout: %s", d.id)
	}
	if tasks, ok := d.conf[keyTasks].(int); ok && tasks < 0 {
		fail("component %s: the number of tasks is %d", d.id, tasks)
	}
	if d.parallelism < 1 {
		fail("component %s: the parallelism is %d. Number of executors must be greater than 0 when number of tasks is greater than 0", d.id, d.parallelism)
	}
	_, shell := d.shell()
	n, isNamed := d.named()
	if d.noRetain && (shell || isNamed || d.spout != nil) {
		fail("component %s: only a bolt written in Go keeps tuples, or can promise not to", d.id)
	}
	if w, ok := d.bolt.(*WindowedSpec); ok && (d.noRetain || w.task == nil) {
		fail("component %s: a windowed bolt needs a factory, and keeps tuples", d.id)
	} else if ok && w.persistent && !w.stateful {
		fail("component %s: only a windowed bolt with a state is Persistent: make it one (StatefulWindowed), or leave that out: with %s every bolt's windows are kept", d.id, keyEngineCheckpoints)
	}
	if s, ok := d.shell(); ok && (len(s.command) == 0 || s.command[0] == "") {
		fail("component %s: its program has no command", d.id)
	}
	if n.problem != "" {
		fail("component %s: %s", d.id, n.problem)
	}
	return append(errs, d.validateStreams()...)
}

func (d *Declarer) validateStreams() []error {
	var errs []error
	for i, s := range d.streams {
		if s.name == "" || strings.HasPrefix(s.name, reservedPrefix) {
			errs = append(errs, fmt.Errorf("%s is not a valid stream id. (component %s)", s.name, d.id))
		}
		if slices.ContainsFunc(d.streams[:i], func(o stream) bool { return o.name == s.name }) {
			errs = append(errs, fmt.Errorf("component %s declares stream %s twice", d.id, s.name))
		}
		for j, f := range s.fields {
			if slices.Contains(s.fields[:j], f) {
				errs = append(errs, fmt.Errorf("component %s: duplicate field %s in stream %s", d.id, f, s.name))
			}
		}
	}
	return errs
}

// shell returns the component's program if it is one.
func (d *Declarer) shell() (Shell, bool) {
	if s, ok := d.spout.(Shell); ok {
		return s, true
	}
	s, ok := d.bolt.(Shell)
	return s, ok
}

// validate checks the subscription of d to source, which is nil if there is none.
func (in *input) validate(d, source *Declarer) error {
	if source == nil {
		return fmt.Errorf("Component: [%s] subscribes from non-existent component [%s]", d.id, in.component)
	}
	i := slices.IndexFunc(source.streams, func(s stream) bool { return s.name == in.stream })
	if i < 0 {
		return fmt.Errorf("Component: [%s] subscribes from non-existent stream: [%s] of component [%s]", d.id, in.stream, in.component)
	}
	s := source.streams[i]
	g := in.grouping.g
	var missing []string
	for _, f := range g.Fields {
		if !slices.Contains(s.fields, f) {
			missing = append(missing, f)
		}
	}
	switch {
	case g.Kind == 0:
		return fmt.Errorf("component %s subscribes to stream %s of %s without a grouping", d.id, in.stream, in.component)
	case g.Kind == dag.Custom && in.grouping.make == nil:
		return fmt.Errorf("component %s subscribes to stream %s of %s by a custom grouping without a factory", d.id, in.stream, in.component)
	case len(missing) > 0:
		return fmt.Errorf("Component: [%s] subscribes from stream: [%s] of component [%s] + with non-existent fields: %v", d.id, in.stream, in.component, missing)
	case (g.Kind == dag.Fields || g.Kind == dag.KeyGroups) && len(g.Fields) == 0:
		return fmt.Errorf("component %s groups stream %s of %s by no fields; Global sends everything to one task", d.id, in.stream, in.component)
	case g.Kind == dag.Direct && !s.direct:
		return fmt.Errorf("component %s subscribes directly to stream %s of %s, which is not declared direct", d.id, in.stream, in.component)
	}
	return nil
}
