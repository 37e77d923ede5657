package dynamic

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Names of the components that are always there.
const (
	sourceName = "source"
	workName   = "work"
	keyName    = "key"
	countName  = "count"
	sinkName   = "sink"
	// stepName is the one that may be put before work.
	stepName = "step"
)

// Language is what a component is written in.
type Language string

// The languages of components that are replaced.
const (
	Go     Language = "go"
	Python Language = "python"
)

// Component is a component of one version of the topology.
type Component struct {
	Language Language
	Tasks    int
	// Config tells configurations apart: an argument of a script, a key of a Go component's.
	Config int
	// Code tells versions of the script apart, which nothing in the topology shows.
	Code int
	// From is where its input comes from, "" for the source.
	From string
}

// Spec is one version of the topology, by component. Values are never changed: With and Without copy.
type Spec map[string]Component

// first is the version that is submitted.
func first() Spec {
	return Spec{
		sourceName: {Language: Go, Tasks: sources}, workName: {Language: Python, Tasks: 2, From: sourceName}, keyName: {Language: Go, Tasks: 2, From: workName},
		countName: {Language: Go, Tasks: 2, From: keyName}, sinkName: {Language: Go, Tasks: sinks, From: countName},
	}
}

// sources and sinks are numbers of tasks that no edit changes: their files are by task.
const sources, sinks = 2, 2

// With is the version with that component.
func (s Spec) With(name string, c Component) Spec {
	next := maps.Clone(s)
	next[name] = c
	return next
}

// Without is the version without a component that nothing but work listens to; work gets its input instead.
func (s Spec) Without(name string) Spec {
	next := maps.Clone(s)
	for n, c := range s {
		if c.From == name {
			c.From = s[name].From
			next[n] = c
		}
	}
	delete(next, name)
	return next
}

// Touched are the components that an edit from s to next is about: those that come, go, are replaced or rescaled, or get their input
// from elsewhere.
func (s Spec) Touched(next Spec) map[string]bool {
	touched := map[string]bool{}
	for name, c := range s {
		if other, ok := next[name]; !ok || other != c {
			touched[name] = true
		}
	}
	for name := range next {
		if _, ok := s[name]; !ok {
			touched[name] = true
		}
	}
	return touched
}

// taps lists the taps in order.
func (s Spec) taps() (names []string) {
	for name := range s {
		if strings.HasPrefix(name, tapPrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

const tapPrefix = "tap"

// fields are the outputs of the components that have any.
var fields = map[string][]string{
	sourceName: {"key", "source", "number", "sent"}, stepName: {"key", "source", "number", "sent"}, workName: {"key", "source", "number", "sent"},
	keyName: {"key", "source", "number", "sent"}, countName: {"key", "count", "source", "number", "sent"},
}

// configKey is the key of a Go component's configuration that tells its versions apart.
const configKey = "dynamic.config"

// YAML is the definition of the version, for the commands that read Flux. JSON is YAML.
func (s Spec) YAML(name string, config map[string]any) ([]byte, error) {
	def := map[string]any{
		"name": name, "config": config,
		"components": []any{map[string]any{"id": "byKey", "className": "org.apache.storm.tuple.Fields", "constructorArgs": []any{[]string{"key"}}}},
	}
	var spouts, bolts, streams []any
	for _, name := range slices.Sorted(maps.Keys(s)) {
		c := s[name]
		if c.From == "" {
			spouts = append(spouts, c.bean(name))
			continue
		}
		bolts = append(bolts, c.bean(name))
		streams = append(streams, map[string]any{"from": c.From, "to": name, "grouping": groupingOf(name)})
	}
	def["spouts"], def["bolts"], def["streams"] = spouts, bolts, streams
	return json.MarshalIndent(def, "", "  ")
}

func groupingOf(name string) map[string]any {
	switch name {
	case countName:
		return map[string]any{"type": "CUSTOM", "customClass": map[string]any{"className": "gearstorm.go.KeyGroups", "constructorArgs": []any{map[string]any{"ref": "byKey"}}}}
	case keyName, sinkName:
		return map[string]any{"type": "FIELDS", "args": []string{"key"}}
	}
	return map[string]any{"type": "SHUFFLE"}
}

// bean is a component as Flux names it.
func (c Component) bean(name string) map[string]any {
	b := map[string]any{"id": name, "parallelism": c.Tasks}
	var code any
	if c.Language == Python {
		b["className"] = "org.apache.storm.flux.wrappers.bolts.FluxShellBolt"
		code = []string{"python3", scriptOf(name), fmt.Sprint(c.Config)}
	} else {
		b["className"], code = "gearstorm.go.Component", roleOf(name)
		b["configMethods"] = []any{map[string]any{"name": "addComponentConfig", "args": []any{configKey, c.Config}}}
	}
	args := []any{code}
	if f := fields[name]; f != nil {
		args = append(args, f)
	}
	b["constructorArgs"] = args
	return b
}

// roleOf is what a component does: steps and taps have names of their own.
func roleOf(name string) string {
	switch {
	case name == stepName, name == workName:
		return roleForward
	case strings.HasPrefix(name, tapPrefix):
		return roleTap
	}
	return name
}

// What components do whose names do not say it, as registered in workers.
const (
	roleForward = "forward"
	roleTap     = "tap"
)

// scriptOf is the file of a component in Python.
func scriptOf(name string) string { return name + ".py" }

// Scripts are the files that go along with the version, by name. dir is that of the run.
func (s Spec) Scripts(dir string) map[string]string {
	files := map[string]string{}
	for name, c := range s {
		if c.Language != Python {
			continue
		}
		body := tapBody
		if roleOf(name) == roleForward {
			body = forwardBody
		}
		files[scriptOf(name)] = fmt.Sprintf(script, dir, c.Config, c.Code, body)
	}
	return files
}

const (
	script = `import os
import struct
import time

import gearstorm

DIR = %q
CONFIG, CODE = %d, %d


class Component(gearstorm.BasicBolt):
    def initialize(self, conf, context):
        tasks = sorted(int(t) for t, c in context["task->component"].items() if c == self.component_id)
        self.index, self.tasks, self.kept = tasks.index(self.task_id), len(tasks), 0
        self.last = os.open("%%s/last-%%s.%%d" %% (DIR, self.component_id, self.index), os.O_CREAT | os.O_WRONLY, 0o600)

    def process(self, tup):
        now = time.time_ns()
        if not self.kept:
            with open(DIR + "/starts", "a") as starts:
                starts.write("%%s python %%d %%d %%d %%d %%d\n" %% (self.component_id, CONFIG, CODE, self.index, self.tasks, now))
        if now - self.kept > 1000000:
            os.pwrite(self.last, struct.pack("<q", now), 0)
            self.kept = now
        %s


if __name__ == "__main__":
    Component().run()
`
	forwardBody = "self.emit(tup.values[:3] + [now])"
	tapBody     = "pass"
)
