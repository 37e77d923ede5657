package javaser

import (
	"fmt"
	"slices"
)

// Kind is what Storm makes of a serialized object.
type Kind int

const (
	// Other is everything that needs a JVM.
	Other Kind = iota
	// ShellBolt and ShellSpout speak the multilang protocol with a child process.
	ShellBolt
	ShellSpout
	// PartialKey is the stock partial key grouping.
	PartialKey
	// DRPCSpout and ReturnResults are the two ends of a DRPC topology.
	DRPCSpout
	ReturnResults
)

func (k Kind) String() string {
	return [...]string{"other", "shell bolt", "shell spout", "partial key grouping", "DRPC spout", "ReturnResults bolt"}[k]
}

const (
	shellBoltClass  = "org.apache.storm.task.ShellBolt"
	shellSpoutClass = "org.apache.storm.spout.ShellSpout"
	partialKeyClass = "org.apache.storm.grouping.PartialKeyGrouping"
	fieldsClass     = "org.apache.storm.tuple.Fields"
	drpcSpoutClass  = "org.apache.storm.drpc.DRPCSpout"
	resultsClass    = "org.apache.storm.drpc.ReturnResults"
)

// stockClasses behave as their superclass: there is no need to look at their class files.
var stockClasses = []string{
	"org.apache.storm.flux.wrappers.bolts.FluxShellBolt",
	"org.apache.storm.flux.wrappers.spouts.FluxShellSpout",
}

// wrappers are Storm's classes that hold the user's component in the field "bolt". Only the forwarder, which does
// nothing that a native bolt needs, can be left off.
var wrappers = map[string]bool{
	"org.apache.storm.topology.CheckpointTupleForwarder":       true,
	"org.apache.storm.topology.BasicBoltExecutor":              false,
	"org.apache.storm.topology.StatefulBoltExecutor":           false,
	"org.apache.storm.topology.WindowedBoltExecutor":           false,
	"org.apache.storm.topology.StatefulWindowedBoltExecutor":   false,
	"org.apache.storm.topology.PersistentWindowedBoltExecutor": false,
}

// Found is what [Recognize] made of a stream.
type Found struct {
	Kind Kind
	// Class is the class of the user's object, inside any wrapper. For a lambda it is the class that holds it.
	Class string
	// Wrapper is the class around it, "" when there is none.
	Wrapper string
	// Unchecked are the user's classes between Class and the stock class, Class included, most derived first. They may
	// change what the stock class does: see [Overrides].
	Unchecked []string

	// Command, Env and ChangeDir are those of a shell component. Env is nil when none was set; ChangeDir asks for the
	// resources of the topology as working directory.
	Command   []string
	Env       map[string]string
	ChangeDir bool

	// Fields are those of a partial key grouping; nil groups by the first value.
	Fields []string

	// Function is what a DRPC spout serves.
	Function string
}

// Recognize reads a stream and tells what it holds. Anything it cannot run natively is [Other] with the name of the
// class, even when the stream cannot be read to its end; an error means that not even a class could be read, or that a
// shell component or grouping is not what Storm makes of one.
func Recognize(data []byte) (Found, error) {
	r, err := newReader(data)
	if err != nil {
		return Found{}, err
	}
	v, err := r.value(0)
	if err != nil && (r.root == nil || r.root.Class == nil) {
		return Found{}, err
	}
	// Superclasses write first, so what a stock class wrote is there even if a subclass's part cannot be read.
	o, ok := v.(*Object)
	if err != nil {
		o, ok = r.root, true
	}
	if !ok {
		return Found{Class: className(v)}, nil
	}
	f := Found{Class: o.Class.Name}
	for range MaxDepth {
		leaveOff, wrapped := wrappers[o.Class.Name]
		if !wrapped {
			break
		}
		bolt, _ := o.Field(o.Class.Name, "bolt")
		inner, ok := bolt.(*Object)
		if !ok {
			return f, nil
		}
		f.Wrapper, o = o.Class.Name, inner
		f.Class = o.Class.Name
		if !leaveOff {
			return f, nil
		}
	}
	return f, f.fill(o)
}

func className(v Value) string {
	switch v := v.(type) {
	case string:
		return "java.lang.String"
	case *Array:
		return v.Class.Name
	case *Enum:
		return v.Class.Name
	case *Class:
		return "java.lang.Class"
	}
	return "null"
}

func (f *Found) fill(o *Object) error {
	switch {
	case o.Class.Extends(shellBoltClass):
		return f.shell(o, ShellBolt, shellBoltClass)
	case o.Class.Extends(shellSpoutClass):
		return f.shell(o, ShellSpout, shellSpoutClass)
	case o.Class.Name == partialKeyClass:
		return f.partialKey(o)
	case o.Class.Name == drpcSpoutClass:
		return f.drpcSpout(o)
	case o.Class.Name == resultsClass:
		f.Kind = ReturnResults
	case o.Class.Name == "java.lang.invoke.SerializedLambda":
		if s, ok := text(o, o.Class.Name, "implClass"); ok {
			f.Class = slashToDot(s)
		}
	}
	return nil
}

func (f *Found) shell(o *Object, kind Kind, stock string) error {
	if o.data(stock) == nil {
		return fmt.Errorf("read %s: %w: its %s part cannot be read", f.Class, ErrBroken, stock)
	}
	command, _ := o.Field(stock, "command")
	list, err := stringArray(command)
	if err != nil || len(list) == 0 {
		return fmt.Errorf("read %s: %w: its command is no list of texts", f.Class, ErrBroken)
	}
	env, _ := o.Field(stock, "env")
	m, err := stringMap(env)
	if err != nil {
		return fmt.Errorf("read environment of %s: %w", f.Class, err)
	}
	change, has := o.Field(stock, "changeDirectory")
	f.Kind, f.Command, f.Env = kind, list, m
	f.ChangeDir = !has || change == true // releases before the field existed always changed
	for c := o.Class; c.Name != stock; c = c.Super {
		if !slices.Contains(stockClasses, c.Name) {
			f.Unchecked = append(f.Unchecked, c.Name)
		}
	}
	return nil
}

func (f *Found) partialKey(o *Object) error {
	parts := map[string]string{
		"assignmentCreator": partialKeyClass + "$RandomTwoTaskAssignmentCreator",
		"targetSelector":    partialKeyClass + "$BalancedTargetSelector",
	}
	for field, stock := range parts {
		v, _ := o.Field(partialKeyClass, field)
		part, ok := v.(*Object)
		if !ok {
			return fmt.Errorf("read %s: %w: it has no %s", f.Class, ErrBroken, field)
		}
		if part.Class.Name != stock {
			f.Class = part.Class.Name // the user's own part is what needs a JVM
			return nil
		}
	}
	f.Kind = PartialKey
	v, _ := o.Field(partialKeyClass, "fields")
	if v == nil {
		return nil
	}
	fields, ok := v.(*Object)
	if !ok || fields.Class.Name != fieldsClass {
		return fmt.Errorf("read %s: %w: its fields are no Fields", f.Class, ErrBroken)
	}
	list, _ := fields.Field(fieldsClass, "fields")
	names, err := stringList(list)
	if err != nil {
		return fmt.Errorf("read fields of %s: %w", f.Class, err)
	}
	f.Fields = names
	return nil
}

// drpcSpout knows spouts that ask servers. One made for a LocalDRPC can only run in the JVM that holds that.
func (f *Found) drpcSpout(o *Object) error {
	if local, _ := o.Field(drpcSpoutClass, "localDrpcId"); local != nil {
		return nil
	}
	function, ok := text(o, drpcSpoutClass, "function")
	if !ok || function == "" {
		return fmt.Errorf("read %s: %w: it names no function", f.Class, ErrBroken)
	}
	f.Kind, f.Function = DRPCSpout, function
	return nil
}
