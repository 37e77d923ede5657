package stream

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// keyField is the name of a key's field between steps, or the beginning of it where a key is a struct.
const keyField = "@key"

// Keyed is a stream whose values are divided among tasks by a key: those of one key come to one task, in the order in which
// each task before it sent them.
type Keyed[K comparable, T any] struct {
	t     *Topology
	ports []*port
	name  string
	key   func(T) K
	codec Codec[K]
}

// KeyBy divides a stream by a key: a string, a number (none that is unsigned, as in Java), a boolean, or a struct of these. key is called by all tasks of the
// steps before it, at the same time. What listens runs in tasks of its own, each with a share of the 4,096 groups of keys.
func KeyBy[K comparable, T any](in *Stream[T], name string, key func(T) K) *Keyed[K, T] {
	in.t.claim(name)
	c, err := CodecOf[K]()
	if err != nil {
		in.t.fail("key %s: %w", name, err)
	} else if _, opaque := c.(inJSON[K]); opaque {
		var zero K
		in.t.fail("key %s: a %T cannot be a key: want a string, a number (none that is unsigned), a boolean or a struct of these", name, zero)
	}
	if key == nil {
		in.t.fail("key %s: there is no function that says it", name)
	}
	return &Keyed[K, T]{t: in.t, ports: in.ports, name: name, key: key, codec: c}
}

// fields are the names of the key's fields between steps.
func (k *Keyed[K, T]) fields() []string {
	names := k.codec.Fields()
	if len(names) == 1 {
		return []string{keyField}
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = keyField + "." + n
	}
	return out
}

// export returns the stream by which tasks get the values of p with their keys.
func (k *Keyed[K, T]) export(p *port) *export {
	for _, x := range p.exports {
		if x.name == k.name {
			return x
		}
	}
	c, keys := p.codec.(Codec[T]), k.fields()
	x := &export{name: k.name, fields: append(append([]string{timeField}, keys...), c.Fields()...)}
	x.grouping = dag.Grouping{Kind: dag.KeyGroups, Fields: keys}
	x.open = func(r *run) any {
		o := r.outlet(x.name)
		return emit[T](func(v T, at int64) {
			vals, err := k.codec.Append(append(r.vals[:0], gearcore.Long(at)), k.key(v))
			if err == nil {
				vals, err = c.Append(vals, v)
			}
			r.send(o, vals, err)
		})
	}
	p.exports = append(p.exports, x)
	return x
}

// keyedEmit takes a value with its key.
type keyedEmit[K comparable, T any] func(k K, v T, at int64)

// inlet is that of a step that takes the values of k. input returns what takes them, of the step that was made.
func (k *Keyed[K, T]) inlet(input func(step any) keyedEmit[K, T]) inlet {
	n := len(k.fields())
	return inlet{
		ports:  k.ports,
		export: k.export,
		handle: func(_ *run, step any, p *port) handler {
			c, push := p.codec.(Codec[T]), input(step)
			return func(t gearcore.Tuple) error {
				vals := t.Values()
				key, err := k.codec.Read(vals[1 : 1+n])
				if err != nil {
					return fmt.Errorf("read the key: %w", err)
				}
				v, err := c.Read(vals[1+n:])
				if err != nil {
					return err
				}
				push(key, v, vals[0].Int())
				return nil
			}
		},
	}
}
