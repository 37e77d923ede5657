package gearstorm

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore/stream"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/worker"
)

// KeyArgs is the key of a topology's configuration that holds the arguments its program was given.
const KeyArgs = conf.ProgramArgs

// Program is a topology as a program.
type Program struct {
	// Name is the topology's name unless Options.Name says otherwise. It may not contain "/", ".", ":" or "\".
	Name string
	// Define declares the topology. It is called once in every process that has to do with it, with the same
	// arguments, and should do no more than declare: what a component needs it gets when it is opened.
	Define func(b *storm.TopologyBuilder, args []string) error
	// Resources are the files that shell components find in their working directory. Nil is none. If they stand in a
	// folder called resources, as in an embed.FS of one, it is taken for the root. The client modules gearstorm.py and
	// gearstorm.js (and their parts, gearstorm_state.py and .js) are added unless the files have them.
	Resources fs.FS
}

// Stream is the Program of a topology of the typed API (package gearcore/stream). define is called like Program.Define.
func Stream(name string, define func(t *stream.Topology, args []string) error) Program {
	return Program{Name: name, Define: func(b *storm.TopologyBuilder, args []string) error {
		t := stream.New(name)
		if err := define(t, args); err != nil {
			return err
		}
		b.AddStream(t)
		return nil
	}}
}

// Options say how a Program is to run. The zero value is fine.
type Options struct {
	// Name replaces Program.Name.
	Name string
	// Args is what Define gets.
	Args []string
	// Conf goes over what Define put into the topology's configuration.
	Conf conf.Conf

	// Started, if not nil, is called by RunLocal and RunTopology with what it is about to run, for its figures.
	Started func(*worker.Local)

	// Components, if not nil, makes for RunTopology what is written in Go in a topology without a program.
	Components worker.Registry

	// Nimbus is where Submit finds a Nimbus, host:port each. Empty looks as the command line does; see Connect.
	Nimbus []string
	// Progress, if not nil, is told how much of the program Submit has uploaded, from the calling goroutine.
	Progress func(sent, total int64)
	// Inactive makes Submit start the topology deactivated.
	Inactive bool
	// Jar is a file with the Java classes of what is submitted or applied; its entries are uploaded with the resources.
	Jar string

	// Base is the version of the running topology that a change was planned for: if another one runs it is refused. 0 is any.
	Base int64
	// DropState allows a change to remove components that keep state or a position in checkpoints, or to leave all checkpoints behind.
	DropState bool
	// Replace names components that a change replaces though nothing shows it, with the reason for people.
	Replace map[string]string
	// Wait is how long AwaitVersion waits. 0 is five minutes, or twice gearstorm.change.patience.secs if that is longer.
	Wait time.Duration
}

// nameRule is Storm's rule for names of topologies (Utils.isValidTopologyName).
var nameRule = regexp.MustCompile(`^[^/.:\\]+$`)

func badName(name string) error {
	return fmt.Errorf("topology name %q: it may not be empty or contain any of / . : \\", name)
}

// build calls Define and merges the options into the result.
func (p Program) build(o Options) (name string, t *storm.Topology, err error) {
	if name = p.Name; o.Name != "" {
		name = o.Name
	}
	if !nameRule.MatchString(name) {
		return "", nil, badName(name)
	}
	if p.Define == nil {
		return "", nil, errors.New("the program defines no topology")
	}
	b := storm.NewTopologyBuilder()
	if err := p.Define(b, slices.Clone(o.Args)); err != nil {
		return "", nil, err
	}
	for k, v := range o.Conf {
		b.AddConfig(k, v)
	}
	if len(o.Args) > 0 {
		b.AddConfig(KeyArgs, o.Args)
	}
	t, err = b.Build()
	return name, t, err
}

// components is the registry for a worker of a topology with that configuration.
func (p Program) components(c conf.Conf) (*storm.Registry, error) {
	args, err := c.StringList(KeyArgs)
	if err != nil {
		return nil, err
	}
	_, t, err := p.build(Options{Args: args})
	if err != nil {
		return nil, fmt.Errorf("define the components: %w", err)
	}
	return t.Components, nil
}

// Connect returns a client of the Nimbus at host:port. If that is empty it is the one that $GEARSTORM_NIMBUS names, else
// the gearstorm dev that runs in this folder, else those of nimbus.seeds in storm.yaml. No connection is made yet.
func Connect(nimbus string) (*client.Client, error) {
	if nimbus == "" {
		return connect(nil)
	}
	return connect([]string{nimbus})
}
