package nimbus

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// maxRows bounds what is told and kept of a change.
	maxRows = 200
	// maxRowBytes bounds a line of it.
	maxRowBytes = 300
)

// rowsOf tells a difference in lines for people, and for which of them workers have to start again. Subscriptions of what comes or
// goes are part of its own line.
func rowsOf(d *dag.Diff, next *dag.Graph, r *dag.Restarts) []*stormrpc.ChangeRow {
	rows := []*stormrpc.ChangeRow{}
	add := func(kind, component, format string, args ...any) {
		rows = append(rows, &stormrpc.ChangeRow{Kind: kind, Component: component, Text: clipped(fmt.Sprintf(format, args...)), Restarts: text(cmp.Or(r.Graph, r.Components[component]))})
	}
	for _, name := range d.Added {
		add("add", name, "%s", introduced(next.Processor(name)))
	}
	for _, name := range d.Removed {
		add("remove", name, "is no more")
	}
	for _, r := range d.Replaced {
		add("replace", r.Component, "%s", strings.Join(maskedReasons(r.Reasons), "; "))
	}
	for _, r := range d.Rescaled {
		add("rescale", r.Component, "%s", rescaled(r))
	}
	for _, e := range d.Edges {
		if !slices.Contains(d.Added, e.Target) && !slices.Contains(d.Removed, e.Target) {
			add("edge", e.Target, "%s", rerouted(e))
		}
	}
	for _, c := range d.Conf {
		rows = append(rows, &stormrpc.ChangeRow{Kind: "conf", Text: clipped(keyText(c)), Restarts: text(cmp.Or(r.Conf[c.Key], r.Graph))})
	}
	if more := len(rows) - maxRows; more > 0 {
		rows = append(rows[:maxRows], &stormrpc.ChangeRow{Kind: "conf", Text: fmt.Sprintf("and %d more", more)})
	}
	return rows
}

// introduced tells of a component that is new.
func introduced(p *dag.Processor) string {
	out := fmt.Sprintf("%v %v, %s", p.Kind, p.Impl, counted(p.Tasks, "task"))
	if p.Executors != p.Tasks {
		out += " in " + counted(p.Executors, "executor")
	}
	for _, in := range p.Inputs {
		out += fmt.Sprintf(", from %s by %v", streamText(in.Source, in.Stream), in.Grouping)
	}
	return out
}

func rescaled(r dag.Rescale) string {
	var parts []string
	if r.Tasks != r.NewTasks {
		parts = append(parts, fmt.Sprintf("%d -> %s", r.Tasks, counted(r.NewTasks, "task")))
	}
	if r.Executors != r.NewExec {
		parts = append(parts, fmt.Sprintf("%d -> %s", r.Executors, counted(r.NewExec, "executor")))
	}
	return strings.Join(parts, ", ")
}

func rerouted(e dag.EdgeChange) string {
	from := streamText(e.Source, e.Stream)
	switch {
	case e.Old == nil:
		return fmt.Sprintf("also from %s by %v", from, *e.New)
	case e.New == nil:
		return "no more from " + from
	}
	return fmt.Sprintf("from %s by %v instead of %v", from, *e.New, *e.Old)
}

func streamText(component, stream string) string {
	if stream == "default" {
		return component
	}
	return component + "/" + stream
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// keyText tells of a key of the configuration, but not what is secret.
func keyText(c dag.KeyChange) string {
	if isSecret(c.Key) {
		return c.Key + " has another value"
	}
	return c.String()
}

// maskedReasons are reasons without values of keys that are secret.
func maskedReasons(reasons []string) []string {
	out := slices.Clone(reasons)
	for i, r := range out {
		if key, _, ok := strings.Cut(r, ": "); ok && isSecret(key) {
			out[i] = key + " has another value"
		}
	}
	return out
}

// clipped is a row that people read from its beginning.
func clipped(s string) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "\uFFFD")
	if r := []rune(s); len(r) > maxRowBytes {
		return string(r[:maxRowBytes-3]) + "..."
	}
	return s
}

// renewed lists the components that are new or not as before.
func renewed(d *dag.Diff) []string {
	out := slices.Clone(d.Added)
	for _, r := range d.Replaced {
		out = append(out, r.Component)
	}
	for _, r := range d.Rescaled {
		out = append(out, r.Component)
	}
	for _, e := range d.Edges {
		if e.New != nil {
			out = append(out, e.Target)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
