package flux

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Options says what the YAML may use. The zero value reads files, replaces no variables and knows no Go components
// beside compat.GoClass.
type Options struct {
	// Resource says that the definition is a class path resource itself, as its includes may be.
	Resource bool
	// Read opens the definition and its includes; nil reads files. resource is true for an include of a class path
	// resource, which a file cannot be.
	Read func(name string, resource bool) ([]byte, error)
	// Properties replace ${name} and ${list[0]}: the --filter file, see ParseProperties.
	Properties map[string]string
	// Env replaces ${ENV-NAME}; nil leaves them (Flux without --env-filter).
	Env func(name string) (string, bool)
	// Classes finds the Go component that a className stands for. It returns ErrUnknownClass for others.
	Classes func(Class) (Component, error)
	// Java makes the objects of Java classes: JVM.Make. It is asked only if the definition has some; nil refuses those.
	Java func(definition []byte) (Made, error)
}

// ErrUnknownClass is what Options.Classes returns for a name it does not know.
var ErrUnknownClass = errors.New("unknown class")

// Class is a className of a spout or bolt as it stands in the YAML.
type Class struct {
	Name       string
	Spout      bool
	Args       []any          // constructorArgs, in the kinds of conf.Conf
	Properties map[string]any // properties with a value
}

// Component is a Go component.
type Component struct {
	Name    string // as registered in the binary
	Streams map[string]Stream
	Conf    conf.Conf // for its json_conf
}

// Stream is one declared output stream.
type Stream struct {
	Fields []string
	Direct bool
}

// Topology is what a definition says.
type Topology struct {
	Name     string
	Topology *stormrpc.StormTopology
	Conf     conf.Conf
	Warnings []string // each with file and line
}

// Load reads the definition in file, with its includes, and makes the topology of it.
func Load(file string, o Options) (*Topology, error) {
	l, d, err := open(file, o)
	if err != nil {
		return nil, err
	}
	b := builder{loader: l, def: d}
	topo, err := b.topology()
	if err != nil {
		return nil, err
	}
	return &Topology{Name: d.name, Topology: topo, Conf: d.config, Warnings: l.warnings}, nil
}

// open reads the definition in file, with its includes.
func open(file string, o Options) (*loader, *definition, error) {
	if o.Read == nil {
		o.Read = ReadFile
	}
	l := &loader{options: o}
	d, err := l.file(file, o.Resource)
	if err == nil {
		err = l.includes(d)
	}
	return l, d, err
}

// ReadFile reads what Options.Read is asked for out of files, so no resources.
func ReadFile(name string, resource bool) ([]byte, error) {
	if resource {
		return nil, fmt.Errorf("%s is a class path resource, there are only files", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, conf.MaxFileBytes+1)) // ParseNode refuses what is larger
}

// loader reads files and collects warnings.
type loader struct {
	options  Options
	warnings []string
}

func (l *loader) warn(at pos, format string, args ...any) {
	l.warnings = append(l.warnings, at.String()+": "+fmt.Sprintf(format, args...))
}

func (l *loader) file(name string, resource bool) (*definition, error) {
	data, err := l.options.Read(name, resource)
	if err != nil {
		return nil, fmt.Errorf("%s:1: read definition: %w", name, err)
	}
	if len(data) > conf.MaxFileBytes {
		return nil, fmt.Errorf("%s:1: %d bytes: %w", name, len(data), conf.ErrTooLarge)
	}
	data, err = l.substitute(name, data)
	if err != nil {
		return nil, err
	}
	root, err := conf.ParseNode(name, data)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, fmt.Errorf("%s:1: the definition is empty", name)
	}
	// Reading it as a value bounds what aliases can make of it, so that nothing after this needs to count.
	if _, err := conf.NodeValue(name, root); err != nil {
		return nil, err
	}
	return parseDefinition(node{root, name})
}
