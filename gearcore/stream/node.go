package stream

import "github.com/gearstorm/gearstorm/gearcore"

// node is one step as it was declared. What depends on types is in closures.
type node struct {
	t    *Topology
	name string
	opts options
	kind kind
	ins  []inlet // none for a source
	outs []*port // the main one first; none for an end

	assigns   bool // it gives events their times
	needsTime bool // it makes no sense without them

	// build makes the step for one task. What it returns is for the closures of ins; of a step without state it is the emit
	// that the step before it calls.
	build func(r *run) any
}

// kind is what a step needs of its task.
type kind uint8

const (
	source    kind = iota + 1 // begins a component, without inputs
	stateless                 // may be called by the step before it
	stateful                  // begins a component
)

// inlet is one input of a step: one or, after Union, several ports whose values it takes in the same way.
type inlet struct {
	ports []*port
	// export returns the stream by which tasks of their own get the values of one of the ports.
	export func(p *port) *export
	// handle returns what takes a tuple of that stream; step is what build made.
	handle func(r *run, step any, p *port) handler
}

// handler takes one tuple.
type handler func(t gearcore.Tuple) error

// port is an output of a step: where values of one type leave it.
type port struct {
	node    *node
	name    string  // "" for the step's main output
	codec   any     // a Codec
	subs    []*node // who listens, in the order of declaration
	exports []*export
}

// add makes a node known.
func (t *Topology) add(n *node) *node {
	n.t = t
	t.claim(n.name)
	if n.opts.parallelism < 0 || n.opts.parallelism > gearcore.KeyGroups {
		t.fail("step %s: the parallelism is %d, want 1 to %d", n.name, n.opts.parallelism, gearcore.KeyGroups)
	}
	for _, in := range n.ins {
		for _, p := range in.ports {
			if p.node.t != t {
				t.fail("step %s listens to %s, which is of another topology", n.name, p.node.name)
				continue
			}
			p.subs = append(p.subs, n)
		}
	}
	t.nodes = append(t.nodes, n)
	return n
}

// chains reports whether n is called by the one step that it listens to, in its task.
func (n *node) chains() bool {
	if n.kind != stateless || n.opts.apart || len(n.ins[0].ports) != 1 {
		return false
	}
	return n.opts.parallelism == 0 || n.opts.parallelism == n.ins[0].ports[0].node.head().tasks()
}

// head returns the first step of the tasks that n is in.
func (n *node) head() *node {
	for n.chains() {
		n = n.ins[0].ports[0].node
	}
	return n
}

// tasks is how many tasks a head has. One that keeps no state and says nothing has as many as the first step before it.
func (n *node) tasks() int {
	if n.opts.parallelism > 0 {
		return n.opts.parallelism
	}
	if n.kind == stateless {
		return n.ins[0].ports[0].node.head().tasks()
	}
	return 1
}

// streamName is what the stream of p is called in its component: after the step, unless that is the first one there.
func (p *port) streamName() string {
	name := p.name
	if p.node.chains() {
		name = p.node.name
		if p.name != "" {
			name += "/" + p.name
		}
	}
	if name == "" {
		return gearcore.DefaultStream
	}
	return name
}
