package storm

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// shellClass stands for a program that Thrift's ShellComponent, which has exactly two words, cannot describe. Its one
// argument is a shellArg in JSON. compat.ShellClass is the same.
const shellClass = "gearstorm.shell.Component"

type shellArg struct {
	Command []string          `json:"command"`
	Env     map[string]string `json:"env,omitempty"`
}

// Shell is a component in another language: a program that speaks Storm's multilang protocol on its standard input
// and output. It is started once for each task, in the directory of the topology's resources.
type Shell struct {
	command []string
	env     map[string]string // nil: none; never changed, Env makes a new one
}

// ShellBolt returns the bolt that is the program command with its arguments, such as ShellBolt("python3", "split.py").
// The arguments reach the program as they are: no shell sees them.
func ShellBolt(command ...string) Shell { return Shell{command: slices.Clone(command)} }

// ShellSpout is ShellBolt for a spout.
func ShellSpout(command ...string) Shell { return ShellBolt(command...) }

// Env returns s with a variable added to the environment of its process. PATH is appended to the one it has.
func (s Shell) Env(name, value string) Shell {
	env := map[string]string{name: value}
	for k, v := range s.env {
		if k != name {
			env[k] = v
		}
	}
	s.env = env
	return s
}

var errShell = errors.New("a shell component has no Go code")

func (s Shell) newBolt() (gearcore.Task, error) { return nil, errShell }

func (s Shell) newSpout() (gearcore.Source, error) { return nil, errShell }

// object describes s: in Storm's own words if they suffice.
func (s Shell) object() (*stormrpc.ComponentObject, error) {
	if len(s.command) == 2 && len(s.env) == 0 {
		return &stormrpc.ComponentObject{Shell: &stormrpc.ShellComponent{ExecutionCommand: s.command[0], Script: s.command[1]}}, nil
	}
	arg, err := json.Marshal(shellArg{s.command, s.env})
	if err != nil {
		return nil, fmt.Errorf("encode the command: %w", err)
	}
	return javaObject(shellClass, string(arg)), nil
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
