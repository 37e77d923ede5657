package multilang

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// wiringOf collects what p's child is told about g: the user's streams, not those of ticks and acking.
func wiringOf(g *dag.Graph, p *dag.Processor) Wiring {
	w := Wiring{
		Outputs:      map[string][]string{},
		Targets:      map[string]map[string]dag.Grouping{},
		Sources:      map[string]map[string]dag.Grouping{},
		SourceFields: map[string]map[string][]string{},
	}
	for _, o := range p.Outputs {
		if !reserved(o.Stream) {
			w.Outputs[o.Stream] = o.Fields
		}
	}
	for _, q := range g.Processors {
		if reserved(q.Name) {
			continue
		}
		for _, in := range q.Inputs {
			if in.Source == p.Name && !reserved(in.Stream) {
				put(w.Targets, in.Stream, q.Name, in.Grouping)
			}
		}
	}
	for _, in := range p.Inputs {
		src := g.Processor(in.Source)
		if src == nil || reserved(in.Source) || reserved(in.Stream) {
			continue
		}
		put(w.Sources, in.Source, in.Stream, in.Grouping)
		for _, o := range src.Outputs {
			if !reserved(o.Stream) {
				put(w.SourceFields, in.Source, o.Stream, o.Fields)
			}
		}
	}
	return w
}

func reserved(name string) bool { return strings.HasPrefix(name, "__") }

func put[V any](m map[string]map[string]V, a, b string, v V) {
	if m[a] == nil {
		m[a] = map[string]V{}
	}
	m[a][b] = v
}

func groupingsJSON(m map[string]map[string]dag.Grouping) map[string]map[string]any {
	out := make(map[string]map[string]any, len(m))
	for a, bs := range m {
		for b, g := range bs {
			put(out, a, b, groupingObject(g))
		}
	}
	return out
}

// groupingObject writes a grouping by the name of its Thrift variant.
func groupingObject(g dag.Grouping) any {
	switch g.Kind {
	case dag.Fields, dag.KeyGroups:
		return map[string]any{"type": "FIELDS", "fields": list(g.Fields)}
	case dag.Global: // in Thrift a fields grouping without fields
		return map[string]any{"type": "FIELDS", "fields": []string{}}
	case dag.PartialKey: // in Thrift a serialized Java object
		return map[string]any{"type": "CUSTOM_SERIALIZED"}
	case dag.Custom:
		return map[string]any{"type": "CUSTOM_OBJECT"}
	}
	return map[string]any{"type": g.Kind.String()}
}

// list returns a list that is written as [] and not as null when it is empty.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func lists(m map[string][]string) map[string][]string {
	out := make(map[string][]string, len(m))
	for k, v := range m {
		out[k] = list(v)
	}
	return out
}

// helloJSON makes the first message to a child; unless plain it offers our framings.
func helloJSON(ctx *gearcore.Context, w *Wiring, pidDir string, plain bool) ([]byte, error) {
	tasks := map[string]string{}
	if ctx.Layout != nil {
		for id, name := range ctx.Layout.Components {
			if id > 0 {
				tasks[strconv.Itoa(int(id))] = name
			}
		}
	}
	fields := map[string]map[string][]string{}
	for src, m := range w.SourceFields {
		fields[src] = lists(m)
	}
	conf := ctx.Conf
	if conf == nil {
		conf = map[string]any{}
	}
	hello := map[string]any{
		"pidDir": pidDir,
		"conf":   conf,
		"context": map[string]any{
			"taskid":                   ctx.Task,
			"componentid":              ctx.Component,
			"task->component":          tasks,
			"streams":                  list(slices.Sorted(maps.Keys(w.Outputs))),
			"stream->outputfields":     lists(w.Outputs),
			"stream->target->grouping": groupingsJSON(w.Targets),
			"source->stream->grouping": groupingsJSON(w.Sources),
			"source->stream->fields":   fields,
		},
	}
	if !plain {
		hello["gearstorm"] = map[string]any{"framings": slices.Sorted(maps.Keys(framings)), "states": true, "ttl": true, "timers": true}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(hello); err != nil {
		return nil, fmt.Errorf("write handshake of %s: %w", ctx.Component, err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
