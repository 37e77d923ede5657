package flux

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// encode writes the definition in the form that the class Definition of the Java side reads.
func (b *builder) encode() ([]byte, error) {
	components, err := order(b.def.components)
	if err != nil {
		return nil, err
	}
	e := encoder{byID: map[string]*bean{}}
	for _, c := range components {
		e.byID[c.id] = c
	}
	m := fields{{"at", text(b.def.at.String())}, {"config", e.confValue(b.def.config)}, {"components", list(components, e.bean)}}
	vertex := func(x *bean) gearcore.Value { return e.vertex(x, b.native[x.id]) }
	m = append(m, fields{{"spouts", list(b.def.spouts, vertex)}, {"bolts", list(b.def.bolts, vertex)},
		{"streams", list(b.def.streams, e.stream)}, {"hooks", list(b.def.hooks, e.bean)}}...)
	if s := b.def.source; s != nil {
		m = append(m, fields{{"source", e.bean(s)}, {"method", text(s.methodName)}}...)
	}
	if e.err != nil {
		return nil, e.err
	}
	out, err := codec.Append(nil, m.value())
	if err != nil {
		return nil, b.def.at.errorf("write the definition for Java: %w", err)
	}
	return out, nil
}

// encoder makes values of the parts of a definition. Its first error stays.
type encoder struct {
	byID map[string]*bean // components
	err  error
}

type fields []struct {
	key   string
	value gearcore.Value
}

func (f fields) value() gearcore.Value {
	out := make([]gearcore.Pair, len(f))
	for i, x := range f {
		out[i] = gearcore.Pair{Key: gearcore.Str(x.key), Val: x.value}
	}
	return gearcore.Map(out)
}

func list[T any](all []T, each func(T) gearcore.Value) gearcore.Value {
	out := make([]gearcore.Value, len(all))
	for i, x := range all {
		out[i] = each(x)
	}
	return gearcore.List(out)
}

func text(s string) gearcore.Value { return gearcore.Str(s) }

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *encoder) bean(b *bean) gearcore.Value {
	m := fields{{"at", text(b.at.String())}, {"id", text(b.id)}, {"class", text(b.className)}, {"args", list(b.args, e.arg)},
		{"properties", list(b.properties, e.property)}, {"methods", list(b.methods, e.method)}}
	if b.factory != "" {
		m = append(m, fields{{"factory", text(b.factory)}, {"factoryArgs", list(b.factoryArgs, e.arg)}}...)
	}
	return m.value()
}

func (e *encoder) property(p property) gearcore.Value {
	value := fields{{"at", text(p.at.String())}}
	if p.refs {
		id, err := p.value.text("ref")
		if err != nil {
			e.fail(err)
		}
		value = append(value, fields{{"ref", e.ref(p.at, id)}}...)
	} else {
		value = append(value, fields{{"value", e.nodeValue(p.value)}}...)
	}
	return fields{{"at", text(p.at.String())}, {"name", text(p.name)}, {"value", value.value()}}.value()
}

func (e *encoder) method(m method) gearcore.Value {
	return fields{{"at", text(m.at.String())}, {"name", text(m.name)}, {"args", list(m.args, e.arg)}}.value()
}

func (e *encoder) ref(at pos, id string) gearcore.Value {
	if _, err := known(e.byID, ref{at, id}); err != nil {
		e.fail(err)
	}
	return text(id)
}

func (e *encoder) arg(n node) gearcore.Value {
	at := fields{{"at", text(n.pos().String())}}
	ids, key, err := n.refs()
	if err != nil {
		e.fail(err)
	}
	switch {
	case err != nil:
	case key == "ref":
		at = append(at, fields{{"ref", e.ref(n.pos(), ids[0])}}...)
	case key != "":
		at = append(at, fields{{"refs", list(ids, func(id string) gearcore.Value { return e.ref(n.pos(), id) })}}...)
	default:
		at = append(at, fields{{"value", e.nodeValue(n)}}...)
	}
	return at.value()
}

func (e *encoder) vertex(x *bean, native *component) gearcore.Value {
	m := fields{{"at", text(x.at.String())}, {"id", text(x.id)}}
	for _, n := range []struct {
		key   string
		value int
	}{{"parallelism", x.parallelism}, {"tasks", x.tasks}, {"onHeap", x.onHeap}, {"offHeap", x.offHeap}, {"cpu", x.cpuPoints}} {
		m = append(m, fields{{n.key, gearcore.Int(int32(n.value))}}...)
	}
	if native == nil {
		return append(m, fields{{"bean", e.bean(x)}}...).value()
	}
	var streams fields
	for _, name := range slices.Sorted(maps.Keys(native.streams)) {
		s := native.streams[name]
		streams = append(streams, fields{{name, fields{{"fields", list(s.Fields, text)}, {"direct", gearcore.Bool(s.Direct)}}.value()}}...)
	}
	return append(m, fields{{"streams", streams.value()}, {"conf", e.confValue(native.conf)}}...).value()
}

func (e *encoder) stream(s *streamDef) gearcore.Value {
	m := fields{{"at", text(s.at.String())}, {"from", text(s.from)}, {"to", text(s.to)}, {"stream", text(s.grouping.streamID)},
		{"grouping", text(s.grouping.kind)}, {"fields", list(s.grouping.args, text)}}
	if s.grouping.custom != nil {
		m = append(m, fields{{"custom", e.bean(s.grouping.custom)}}...)
	}
	return m.value()
}

// nodeValue gives what Storm's YAML parser makes of a value: maps keep their order, and whole numbers are as small as they
// can be.
func (e *encoder) nodeValue(n node) gearcore.Value {
	switch entries, err := n.anyEntries(""); {
	case err == nil:
		var out []gearcore.Pair
		for _, x := range entries {
			out = append(out, gearcore.Pair{Key: e.nodeValue(x.at), Val: e.nodeValue(x.value)})
		}
		return gearcore.Map(out)
	case n.isList():
		elements, err := n.list("")
		if err != nil {
			e.fail(err)
		}
		return list(elements, e.nodeValue)
	}
	if yes, ok := n.yaml11Bool(); ok {
		return gearcore.Bool(yes)
	}
	v, err := n.value()
	if err != nil {
		e.fail(err)
	}
	return e.value(v)
}

func (e *encoder) confValue(c conf.Conf) gearcore.Value { return e.value(map[string]any(c)) }

// value converts the kinds of a conf.
func (e *encoder) value(v any) gearcore.Value {
	switch v := v.(type) {
	case nil:
		return gearcore.Null()
	case bool:
		return gearcore.Bool(v)
	case string:
		return gearcore.Str(v)
	case int64:
		if v == int64(int32(v)) {
			return gearcore.Int(int32(v))
		}
		return gearcore.Long(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			e.fail(fmt.Errorf("%v is no number for a topology", v))
		}
		return gearcore.Double(v)
	case *big.Int:
		return gearcore.BigInt(v)
	case []any:
		return list(v, e.value)
	case map[string]any:
		var out []gearcore.Pair
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, gearcore.Pair{Key: gearcore.Str(k), Val: e.value(v[k])})
		}
		return gearcore.Map(out)
	}
	e.fail(fmt.Errorf("a %T is no value of a topology", v))
	return gearcore.Null()
}
