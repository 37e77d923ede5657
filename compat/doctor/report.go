package doctor

import (
	"cmp"
	"slices"
	"strings"
)

// Verdict is where something runs.
type Verdict string

const (
	// Native runs without a JVM: Go code, a multilang child, a grouping of the engine's own.
	Native Verdict = "native"
	// JVM runs in the JVM beside a worker.
	JVM Verdict = "jvm"
	// No does not run.
	No Verdict = "no"
)

// Report is what was found. Its JSON is part of the command line's interface.
type Report struct {
	Of         string      `json:"of"`   // the file or topology
	What       string      `json:"what"` // jar, yaml, program or topology
	Runs       bool        `json:"runs"` // all of it
	Java       int         `json:"java,omitempty"`
	Mains      []string    `json:"mains,omitempty"`     // classes of a jar that can be started
	Resources  []string    `json:"resources,omitempty"` // scripts for multilang children
	Components []Component `json:"components"`
	Findings   []Finding   `json:"findings,omitempty"`
	Unused     []Component `json:"unused,omitempty"` // classes that could be components, but no main class reaches
}

// Component is a component of a topology, or a class of a jar that can be one.
type Component struct {
	Name  string   `json:"name"`
	Kind  Kind     `json:"kind"`
	Class string   `json:"class,omitempty"` // unless it is the name
	Runs  Verdict  `json:"runs"`
	Why   string   `json:"why,omitempty"`   // it does not run; or what runs, in a word or two
	Notes []string `json:"notes,omitempty"` // what else there is to know
}

// Finding is about the whole rather than one component.
type Finding struct {
	Blocks bool   `json:"blocks"` // it keeps the topology from running
	Text   string `json:"text"`
}

// refuse makes the component one that does not run. The first reason stays, further ones become notes.
func (c *Component) refuse(why string) {
	if c.Runs == No {
		c.note(why)
		return
	}
	c.Runs, c.Why = No, why
}

func (c *Component) note(text string) {
	if !slices.Contains(c.Notes, text) && text != c.Why {
		c.Notes = append(c.Notes, text)
	}
}

func (r *Report) find(blocks bool, text string) {
	if f := (Finding{blocks, text}); !slices.Contains(r.Findings, f) {
		r.Findings = append(r.Findings, f)
	}
}

// finish sorts the report and draws its conclusion.
func (r *Report) finish() *Report {
	order := func(a, b Component) int {
		return cmp.Or(rank(a.Kind)-rank(b.Kind), strings.Compare(a.Name, b.Name), strings.Compare(string(a.Kind), string(b.Kind)))
	}
	slices.SortFunc(r.Components, order)
	slices.SortFunc(r.Unused, order)
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return blocking(b) - blocking(a) })
	if r.Components == nil {
		r.Components = []Component{}
	}
	r.Runs = !slices.ContainsFunc(r.Components, func(c Component) bool { return c.Runs == No }) &&
		!slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Blocks })
	return r
}

func blocking(f Finding) int {
	if f.Blocks {
		return 1
	}
	return 0
}
