package stream

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore"
)

// keyEventTime marks a topology whose edges carry watermarks.
const keyEventTime = "gearstorm.event.time"

// Topology collects steps. Mistakes are kept and reported by Components, all of them at once. It is not safe for concurrent
// use while it is declared.
type Topology struct {
	name  string
	nodes []*node // in the order of declaration
	names map[string]bool
	conf  map[string]any
	errs  []error
}

// New returns a topology without steps. name is its name unless the one who runs it says otherwise.
func New(name string) *Topology {
	return &Topology{name: name, names: map[string]bool{}, conf: map[string]any{keyEventTime: true, "topology.acker.executors": 0}}
}

// Name returns what New was given.
func (t *Topology) Name() string { return t.name }

// Set sets a key of the topology's configuration, such as gearstorm.checkpoint.interval.ms. The value is kept and must be
// one that JSON can express.
func (t *Topology) Set(key string, value any) *Topology {
	t.conf[key] = value
	return t
}

// Conf returns the topology's own configuration, a copy.
func (t *Topology) Conf() map[string]any { return maps.Clone(t.conf) }

func (t *Topology) fail(format string, args ...any) {
	t.errs = append(t.errs, fmt.Errorf(format, args...))
}

// claim takes a name for a step. It is the id of a component or the name of a stream, and the one under which state is kept.
func (t *Topology) claim(name string) {
	switch {
	case name == "" || strings.HasPrefix(name, "__"):
		t.fail("step %q: a name may not be empty or begin with __", name)
	case name == gearcore.DefaultStream || strings.ContainsAny(name, "/@"):
		t.fail("step %q: a name may not be %q or contain / or @", name, gearcore.DefaultStream)
	case t.names[name]:
		t.fail("step %s: there are two of that name", name)
	}
	t.names[name] = true
}

// problems returns what is wrong with the declaration.
func (t *Topology) problems() error {
	errs := t.errs
	if len(t.nodes) == 0 {
		errs = append(errs, errors.New("a topology begins with From"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("topology %s: %w", t.name, err)
	}
	return nil
}
