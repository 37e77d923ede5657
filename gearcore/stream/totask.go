package stream

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// ToTask ends a stream in one of the engine's tasks, as the sinks of gearcore/connect. open makes it for each task, in the process
// that runs it. It gets tuples of the fields that T has (CodecOf), or that WithCodec says: Row makes a codec for a sink that wants certain
// fields.
func ToTask[T any](in *Stream[T], name string, open func() (gearcore.Task, error), opts ...Option) {
	n := &node{name: name, opts: collect(opts), kind: stateless}
	n.opts.apart = true
	c := codecOption[T](in.t, name, n.opts)
	n.ins = []inlet{{
		ports:  in.ports,
		export: func(p *port) *export { return bare(p, name, c) },
		handle: func(r *run, step any, p *port) handler { return step.(func(gearcore.Tuple) error) },
	}}
	in.t.add(n)
	if open == nil {
		in.t.fail("end %s: there is nothing that makes its tasks", name)
	}
	n.build = func(r *run) any {
		if r.env.Tap != nil {
			return tapRows(r, name)
		}
		task, err := open()
		if err != nil {
			return err
		}
		return task
	}
}

// bare returns the stream of p that has the fields of values only, for the end of that name.
func bare[T any](p *port, name string, c Codec[T]) *export {
	for _, x := range p.exports {
		if x.name == name {
			return x
		}
	}
	x := &export{name: name, fields: c.Fields(), grouping: dag.Grouping{Kind: dag.Shuffle}}
	x.open = func(r *run) any {
		o := r.outlet(name)
		return emit[T](func(v T, _ int64) {
			vals, err := c.Append(r.vals[:0], v)
			r.send(o, vals, err)
		})
	}
	p.exports = append(p.exports, x)
	return x
}

// tapRows returns what gives the tuples of an end to a test: each as a []any.
func tapRows(r *run, name string) func(gearcore.Tuple) error {
	s := &tapped[[]any]{step: name, r: r}
	r.opens = append(r.opens, func() error { return s.Open(r.ctx) })
	return func(t gearcore.Tuple) error {
		row := make([]any, 0, t.Len())
		for _, v := range t.Values() {
			row = append(row, v.Any())
		}
		return s.Write(row, time.Time{})
	}
}

// Row returns a codec that only writes: for the streams of ToTask, whose tasks read fields themselves. What append appends are as many
// values as there are fields.
func Row[T any](append func(dst []gearcore.Value, v T) []gearcore.Value, fields ...string) Codec[T] {
	return &row[T]{append, fields}
}

type row[T any] struct {
	append func(dst []gearcore.Value, v T) []gearcore.Value
	fields []string
}

func (r *row[T]) Fields() []string { return r.fields }

func (r *row[T]) Append(dst []gearcore.Value, v T) ([]gearcore.Value, error) {
	before := len(dst)
	dst = r.append(dst, v)
	if len(dst)-before != len(r.fields) {
		return dst, fmt.Errorf("a row of %d values for the fields %v", len(dst)-before, r.fields)
	}
	return dst, nil
}

func (r *row[T]) Read([]gearcore.Value) (v T, err error) {
	return v, fmt.Errorf("the fields %v were made to be read by a task of its own", r.fields)
}
