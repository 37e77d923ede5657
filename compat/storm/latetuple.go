package storm

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// lateField is the one field of a late tuple's stream.
const lateField = "late_tuple"

// Late is a tuple that came too late for its window.
type Late struct {
	Component, Stream string
	Task              TaskID
	Fields            []string
	Values            []Value
}

// lateValue is a map with the tuple's source and a map of its fields, so that it can leave the process and other languages can read it.
func lateValue(t Tuple) Value {
	vals := t.Values()
	fields := make([]gearcore.Value, 0, len(vals))
	for _, f := range t.Fields() {
		fields = append(fields, gearcore.Str(f))
	}
	return gearcore.Map([]gearcore.Pair{
		{Key: gearcore.Str("component"), Val: gearcore.Str(t.Component())},
		{Key: gearcore.Str("stream"), Val: gearcore.Str(t.Stream())},
		{Key: gearcore.Str("task"), Val: gearcore.Int(int32(t.SourceTask()))},
		{Key: gearcore.Str("fields"), Val: gearcore.List(fields)},
		{Key: gearcore.Str("values"), Val: gearcore.List(append([]gearcore.Value(nil), vals...))},
	})
}

// LateTuple reads what a windowed bolt sent on its stream of late tuples.
func LateTuple(t Tuple) (Late, error) {
	v, ok := t.Field(lateField)
	if !ok || v.Kind() != gearcore.KindMap {
		return Late{}, fmt.Errorf("read a late tuple from %s: it has no field %s with one", t.Component(), lateField)
	}
	var l Late
	for _, p := range v.Map() {
		switch p.Key.Str() {
		case "component":
			l.Component = p.Val.Str()
		case "stream":
			l.Stream = p.Val.Str()
		case "task":
			l.Task = TaskID(p.Val.Int())
		case "fields":
			for _, f := range p.Val.List() {
				l.Fields = append(l.Fields, f.Str())
			}
		case "values":
			l.Values = p.Val.List()
		}
	}
	return l, nil
}
