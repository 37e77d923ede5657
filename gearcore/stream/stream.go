package stream

import "slices"

// Stream is values of type T on their way, each with the time of its event. It is a part of the declaration, not something
// that holds values.
type Stream[T any] struct {
	t     *Topology
	ports []*port
}

// Union is the values of all of streams. Those of each stream keep their order.
func Union[T any](first *Stream[T], more ...*Stream[T]) *Stream[T] {
	u := &Stream[T]{t: first.t, ports: slices.Clone(first.ports)}
	for _, s := range more {
		for _, p := range s.ports {
			if slices.Contains(u.ports, p) {
				u.t.fail("union: the output of %s stands in it twice", p.node.name)
				continue
			}
			u.ports = append(u.ports, p)
		}
	}
	return u
}

// output makes an output of n, which was added before; the first one is its main output.
func output[T any](n *node, name string, c Codec[T]) *Stream[T] {
	p := &port{node: n, name: name, codec: c}
	n.outs = append(n.outs, p)
	if name != "" {
		plain[T](p) // what leaves aside is counted also where nobody listens
	}
	return &Stream[T]{t: n.t, ports: []*port{p}}
}

// codecOption returns the codec of what a step puts out.
func codecOption[T any](t *Topology, name string, o options) Codec[T] {
	if o.codec != nil {
		if c, ok := o.codec.(Codec[T]); ok {
			return c
		}
		var zero T
		t.fail("step %s: its codec is a %T, which is none for %T", name, o.codec, zero)
	}
	c, err := CodecOf[T]()
	if err != nil {
		t.fail("step %s: %w", name, err)
		return JSON[T]() // a declaration with a mistake goes no further
	}
	return c
}
