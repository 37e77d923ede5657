package stream

import (
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// timeField is the first field of every tuple between steps: the time of the event in milliseconds, noTime without.
const timeField = "@time"

// export is a port as a stream between components: the time, the key if there is one, and the value.
type export struct {
	name     string
	fields   []string
	grouping dag.Grouping
	open     func(r *run) any // an emit
}

// plain returns the export of p without a key.
func plain[T any](p *port) *export {
	for _, x := range p.exports {
		if x.name == p.streamName() {
			return x
		}
	}
	c := p.codec.(Codec[T])
	x := &export{name: p.streamName(), fields: append([]string{timeField}, c.Fields()...), grouping: dag.Grouping{Kind: dag.Shuffle}}
	x.open = func(r *run) any {
		o := r.outlet(x.name)
		return emit[T](func(v T, at int64) {
			vals, err := c.Append(append(r.vals[:0], gearcore.Long(at)), v)
			r.send(o, vals, err)
		})
	}
	p.exports = append(p.exports, x)
	return x
}

// send emits vals, whose memory is used again.
func (r *run) send(o *outlet, vals []gearcore.Value, err error) {
	r.vals = vals[:0]
	if err != nil {
		r.fail(err)
		return
	}
	o.to.EmitValues(gearcore.Tuple{}, vals)
}

// listen returns the inlet of a step that takes values as they come.
func listen[T any](in *Stream[T]) inlet {
	return inlet{
		ports:  in.ports,
		export: plain[T],
		handle: func(_ *run, step any, p *port) handler {
			c, push := p.codec.(Codec[T]), step.(emit[T])
			return func(t gearcore.Tuple) error {
				vals := t.Values()
				v, err := c.Read(vals[1:])
				if err != nil {
					return err
				}
				push(v, vals[0].Int())
				return nil
			}
		},
	}
}
