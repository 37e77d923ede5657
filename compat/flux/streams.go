package flux

import (
	"maps"
	"slices"
)

func parseStreams(n node) ([]*streamDef, error) {
	list, err := n.list("the streams")
	if err != nil {
		return nil, err
	}
	var out []*streamDef
	for _, e := range list {
		s, err := parseStream(e)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func parseStream(n node) (*streamDef, error) {
	entries, err := n.entries("a stream", "name", "from", "to", "grouping")
	if err != nil {
		return nil, err
	}
	s := &streamDef{at: n.pos()}
	for _, e := range entries {
		switch e.key {
		case "from":
			s.from, err = e.value.text("from")
		case "to":
			s.to, err = e.value.text("to")
		case "grouping":
			s.grouping, err = parseGrouping(e.value)
		}
		if err != nil {
			return nil, err
		}
	}
	if s.from == "" || s.to == "" || s.grouping.kind == "" {
		return nil, n.errorf("a stream must have from, to and a grouping")
	}
	return s, nil
}

// groupingKinds are those of Storm's Flux, and KEY_GROUPS, which is ours.
var groupingKinds = []string{"ALL", "CUSTOM", "DIRECT", "SHUFFLE", "LOCAL_OR_SHUFFLE", "FIELDS", "GLOBAL", "NONE", "KEY_GROUPS"}

func parseGrouping(n node) (groupingDef, error) {
	g := groupingDef{at: n.pos(), streamID: "default"}
	entries, err := n.entries("a grouping", "type", "streamId", "args", "customClass")
	if err != nil {
		return g, err
	}
	for _, e := range entries {
		switch e.key {
		case "type":
			g.kind, err = e.value.text("type")
			if err == nil && !slices.Contains(groupingKinds, g.kind) {
				err = e.value.errorf("grouping type %q is not one of %v", g.kind, groupingKinds)
			}
		case "streamId":
			g.streamID, err = e.value.text("streamId")
		case "args":
			g.args, err = e.value.texts("args")
		case "customClass":
			g.custom, err = parseBean(e.value, "a customClass", objectKeys)
		}
		if err != nil {
			return g, err
		}
	}
	switch {
	case g.kind == "":
		return g, n.errorf("a grouping must have a type")
	case (g.kind == "FIELDS" || g.kind == "KEY_GROUPS") != (len(g.args) > 0):
		return g, n.errorf("args are the fields of grouping FIELDS or KEY_GROUPS, %s has %d", g.kind, len(g.args))
	case (g.kind == "CUSTOM") != (g.custom != nil):
		return g, n.errorf("grouping CUSTOM has a customClass and no other")
	}
	return g, nil
}

func parseIncludes(n node) ([]includeDef, error) {
	list, err := n.list("the includes")
	if err != nil {
		return nil, err
	}
	var out []includeDef
	for _, i := range list {
		entries, err := i.entries("an include", "file", "resource", "override")
		if err != nil {
			return nil, err
		}
		x := includeDef{at: i.pos()}
		for _, e := range entries {
			switch e.key {
			case "file":
				x.file, err = e.value.text("file")
			case "resource":
				x.resource, err = e.value.boolean("resource")
			case "override":
				x.override, err = e.value.boolean("override")
			}
			if err != nil {
				return nil, err
			}
		}
		if x.file == "" {
			return nil, i.errorf("an include must have a file")
		}
		out = append(out, x)
	}
	if len(out) > maxIncludes {
		return nil, n.errorf("more than %d includes", maxIncludes)
	}
	return out, nil
}

// maxIncludes bounds what one definition pulls in.
const maxIncludes = 64

// includes merges the included files into d: with override they replace what is there, else they add what is not.
// Streams are always added. Only one level is read.
func (l *loader) includes(d *definition) error {
	for _, i := range d.includes {
		more, err := l.file(i.file, i.resource)
		if err != nil {
			return i.at.errorf("include: %w", err)
		}
		if len(more.includes) > 0 {
			l.warn(more.includes[0].at, "includes of an included file are not read")
		}
		switch {
		case more.name == "":
		case d.name == "" || i.override:
			d.name = more.name
		default:
			l.warn(more.at, "the name %q is ignored, there is one and override is false", more.name)
		}
		for _, k := range slices.Sorted(maps.Keys(more.config)) {
			if _, has := d.config[k]; has && !i.override {
				l.warn(more.at, "the config %s is ignored, there is one and override is false", k)
				continue
			}
			d.config[k] = more.config[k]
		}
		d.components = l.mergeBeans("component", d.components, more.components, i.override)
		d.spouts = l.mergeBeans("spout", d.spouts, more.spouts, i.override)
		d.bolts = l.mergeBeans("bolt", d.bolts, more.bolts, i.override)
		d.streams = append(d.streams, more.streams...)
		d.hooks = append(d.hooks, more.hooks...)
		if d.source == nil {
			d.source = more.source
		}
	}
	return nil
}

func (l *loader) mergeBeans(what string, into, more []*bean, override bool) []*bean {
	at := make(map[string]int, len(into))
	for i, b := range into {
		at[b.id] = i
	}
	for _, b := range more {
		switch i, has := at[b.id]; {
		case !has:
			at[b.id] = len(into)
			into = append(into, b)
		case override:
			into[i] = b
		default:
			l.warn(b.at, "%s %q is ignored, there is one and override is false", what, b.id)
		}
	}
	return into
}
