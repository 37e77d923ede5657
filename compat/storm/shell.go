package storm

import (
	"errors"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// The classes of Storm that stand for a program with any number of arguments. gearstorm knows them by name and needs
// no JVM for them.
const (
	shellBoltClass  = "org.apache.storm.task.ShellBolt"
	shellSpoutClass = "org.apache.storm.spout.ShellSpout"
)

// Shell is a component in another language: a program that speaks Storm's multilang protocol on its standard input
// and output. It is started once for each task, in the directory of the topology's resources.
type Shell struct{ command []string }

// ShellBolt returns the bolt that is the program command with its arguments, such as ShellBolt("python3", "split.py").
// The arguments reach the program as they are: no shell sees them.
func ShellBolt(command ...string) Shell { return Shell{slices.Clone(command)} }

// ShellSpout is ShellBolt for a spout.
func ShellSpout(command ...string) Shell { return ShellBolt(command...) }

var errShell = errors.New("a shell component has no Go code")

func (s Shell) newBolt() (gearcore.Task, error) { return nil, errShell }

func (s Shell) newSpout() (gearcore.Source, error) { return nil, errShell }

// object describes s as Storm does: two words are a ShellComponent, which has exactly two, everything else is the
// class with the words as constructor arguments.
func (s Shell) object(class string) *stormrpc.ComponentObject {
	if len(s.command) == 2 {
		return &stormrpc.ComponentObject{Shell: &stormrpc.ShellComponent{ExecutionCommand: s.command[0], Script: s.command[1]}}
	}
	return javaObject(class, s.command...)
}

// javaObject is a class with strings as constructor arguments.
func javaObject(class string, args ...string) *stormrpc.ComponentObject {
	return &stormrpc.ComponentObject{JavaObject: &stormrpc.JavaObject{FullClassName: class, ArgsList: stringArgs(args)}}
}

func stringArgs(args []string) []*stormrpc.JavaObjectArg {
	out := make([]*stormrpc.JavaObjectArg, 0, len(args))
	for _, a := range args {
		out = append(out, &stormrpc.JavaObjectArg{StringArg: &a})
	}
	return out
}
