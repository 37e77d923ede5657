package compat

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gearstorm/gearstorm/compat/javaser"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Reserved classes of a JavaObject.
const (
	// GoClass is a component of the worker's binary; its one argument is the registered name.
	GoClass = "gearstorm.go.Component"
	// ShellClass is a multilang child that a ShellComponent cannot say, because that has exactly two arguments and no
	// environment. Its one argument is JSON: {"command":[...],"env":{...},"keepDir":true}.
	ShellClass = "gearstorm.shell.Component"

	// GroupingClass is a custom grouping of the worker's binary; its one argument is the registered name.
	GroupingClass = "gearstorm.go.Grouping"

	// KeyGroupsClass is the grouping by groups of keys that gearstorm's own API has beside Storm's; its arguments are names of fields.
	KeyGroupsClass = "gearstorm.go.KeyGroups"

	partialKeyClass = "org.apache.storm.grouping.PartialKeyGrouping"
)

// shellArg is the argument of ShellClass.
type shellArg struct {
	Command []string          `json:"command"`
	Env     map[string]string `json:"env,omitempty"`
	KeepDir bool              `json:"keepDir,omitempty"`
}

// GoComponent is the object of a Go component registered under name.
func GoComponent(name string) *stormrpc.ComponentObject { return javaObject(GoClass, name) }

// ShellComponent is the object of a multilang child. The slices and maps are not kept. Two arguments without anything
// else become Thrift's own ShellComponent.
func ShellComponent(command []string, env map[string]string, keepDir bool) (*stormrpc.ComponentObject, error) {
	if len(command) == 2 && len(env) == 0 && !keepDir {
		return &stormrpc.ComponentObject{Shell: &stormrpc.ShellComponent{ExecutionCommand: command[0], Script: command[1]}}, nil
	}
	arg, err := json.Marshal(shellArg{command, env, keepDir})
	if err != nil {
		return nil, fmt.Errorf("write shell component: %w", err)
	}
	return javaObject(ShellClass, string(arg)), nil
}

// impl finds the code of a component. Errors are [*InvalidTopology].
func (c *component) impl() (dag.Impl, error) {
	i, err := c.written()
	if err == nil && i.Kind == dag.ImplShell && (len(i.Command) == 0 || i.Command[0] == "") {
		return dag.Impl{}, invalid("Component: [%s] is a shell component without a command", c.id)
	}
	return i, err
}

// written finds what the object of a component says.
func (c *component) written() (dag.Impl, error) {
	switch o := c.object; {
	case o.Shell != nil:
		return dag.Impl{Kind: dag.ImplShell, Command: []string{o.Shell.ExecutionCommand, o.Shell.Script}}, nil
	case o.JavaObject != nil:
		return c.namedImpl(o.JavaObject)
	case o.SerializedJava != nil:
		return c.serializedImpl(o.SerializedJava)
	}
	return dag.Impl{}, invalid("Component: [%s] has no object", c.id)
}

func (c *component) namedImpl(o *stormrpc.JavaObject) (dag.Impl, error) {
	args, err := stringArgs(o)
	if impl, found, wrong := c.native(o.FullClassName, args); found {
		return impl, wrong
	}
	if o.FullClassName != GoClass && o.FullClassName != ShellClass {
		return dag.Impl{Kind: dag.ImplJava, Name: o.FullClassName}, nil
	}
	if err != nil || len(args) != 1 || args[0] == "" {
		return dag.Impl{}, invalid("Component: [%s]: %s takes one text as argument", c.id, o.FullClassName)
	}
	if o.FullClassName == GoClass {
		return dag.Impl{Kind: dag.ImplGo, Name: args[0]}, nil
	}
	var shell shellArg
	if err := json.Unmarshal([]byte(args[0]), &shell); err != nil {
		return dag.Impl{}, invalid("Component: [%s]: the argument of %s cannot be read: %v", c.id, ShellClass, err)
	}
	return dag.Impl{Kind: dag.ImplShell, Command: shell.Command, Env: shell.Env, KeepDir: shell.KeepDir}, nil
}

func (c *component) serializedImpl(data []byte) (dag.Impl, error) {
	f, err := javaser.Recognize(data)
	if err != nil {
		return dag.Impl{}, invalid("Component: [%s] is serialized Java that cannot be read: %v", c.id, err)
	}
	want := javaser.ShellBolt
	if c.spout {
		want = javaser.ShellSpout
	}
	switch f.Kind {
	case javaser.Other:
		return dag.Impl{Kind: dag.ImplJava, Name: f.Class}, nil
	case javaser.DRPCSpout, javaser.ReturnResults:
		return c.nativeOf(f)
	case want:
		inJava, err := c.own.BoolOr(ShellInJavaKey, false)
		if err != nil {
			return dag.Impl{}, invalid("Component: [%s]: %v", c.id, err)
		}
		if inJava {
			return dag.Impl{Kind: dag.ImplJava, Name: f.Class}, nil
		}
		return dag.Impl{Kind: dag.ImplShell, Command: f.Command, Env: f.Env, KeepDir: !f.ChangeDir}, nil
	}
	return dag.Impl{}, invalid("Component: [%s] is a %s where a %s belongs", c.id, f.Kind, want)
}

func stringArgs(o *stormrpc.JavaObject) ([]string, error) {
	out := make([]string, len(o.ArgsList))
	for i, a := range o.ArgsList {
		if a == nil || a.StringArg == nil {
			return nil, fmt.Errorf("argument %d is no text", i)
		}
		out[i] = *a.StringArg
	}
	return out, nil
}

// rule turns a Thrift grouping into the rule of an edge. Errors are [*InvalidTopology].
func (in *input) rule(subscriber string) (dag.Grouping, error) {
	g := in.grouping
	var found []dag.Grouping
	add := func(set bool, kind dag.GroupingKind) {
		if set {
			found = append(found, dag.Grouping{Kind: kind})
		}
	}
	if g.Fields != nil {
		kind := dag.Fields
		if len(g.Fields) == 0 {
			kind = dag.Global
		}
		found = append(found, dag.Grouping{Kind: kind, Fields: g.Fields})
	}
	add(g.Shuffle != nil, dag.Shuffle)
	add(g.All != nil, dag.All)
	add(g.None != nil, dag.None)
	add(g.Direct != nil, dag.Direct)
	add(g.LocalOrShuffle != nil, dag.LocalOrShuffle)
	for _, custom := range []func() (*dag.Grouping, error){in.customObject, in.customSerialized} {
		c, err := custom()
		if err != nil {
			return dag.Grouping{}, err
		}
		if c != nil {
			found = append(found, *c)
		}
	}
	if len(found) != 1 {
		return dag.Grouping{}, invalid("Component: [%s] subscribes from stream: [%s] of component [%s] with %d groupings instead of one",
			subscriber, in.stream, in.source, len(found))
	}
	return found[0], nil
}

// customObject knows groupings of Go programs, key groups and the stock partial key grouping; text arguments of these are their
// fields (Storm itself cannot pass any).
func (in *input) customObject() (*dag.Grouping, error) {
	o := in.grouping.CustomObject
	if o == nil {
		return nil, nil
	}
	switch o.FullClassName {
	case GroupingClass:
		args, err := stringArgs(o)
		if err != nil || len(args) != 1 || args[0] == "" {
			return nil, invalid("The grouping of stream: [%s] of component [%s]: %s takes one text as argument", in.stream, in.source, GroupingClass)
		}
		return &dag.Grouping{Kind: dag.Custom, Name: args[0]}, nil
	case partialKeyClass:
		return byFields(o, dag.PartialKey)
	case KeyGroupsClass:
		return byFields(o, dag.KeyGroups)
	}
	return &dag.Grouping{Kind: dag.Foreign, Name: o.FullClassName}, nil
}

func byFields(o *stormrpc.JavaObject, kind dag.GroupingKind) (*dag.Grouping, error) {
	fields, err := stringArgs(o)
	if err != nil {
		return nil, invalid("The arguments of %s must be names of fields", o.FullClassName)
	}
	return &dag.Grouping{Kind: kind, Fields: fields}, nil
}

func (in *input) customSerialized() (*dag.Grouping, error) {
	if in.grouping.CustomSerialized == nil {
		return nil, nil
	}
	f, err := javaser.Recognize(in.grouping.CustomSerialized)
	switch {
	case err != nil:
		return nil, invalid("The custom grouping of stream: [%s] of component [%s] cannot be read: %v", in.stream, in.source, err)
	case f.Kind == javaser.PartialKey:
		return &dag.Grouping{Kind: dag.PartialKey, Fields: f.Fields}, nil
	}
	return &dag.Grouping{Kind: dag.Foreign, Name: strings.TrimSpace(f.Class)}, nil
}
