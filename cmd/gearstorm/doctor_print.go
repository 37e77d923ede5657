package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/gearstorm/gearstorm/compat/doctor"
)

// printReport writes a line a component, then what there is to know beside it, then the conclusion.
func printReport(w io.Writer, r *doctor.Report, all bool) error {
	if len(r.Components) > 0 {
		if err := printParts(w, r.Components); err != nil {
			return err
		}
	}
	if all && len(r.Unused) > 0 {
		fmt.Fprintln(w, "\nno main class reaches:")
		if err := printParts(w, r.Unused); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	for _, c := range r.Components {
		for _, note := range c.Notes {
			fmt.Fprintf(w, "%s: %s\n", c.Name, note)
		}
	}
	for _, f := range r.Findings {
		level := "note"
		if f.Blocks {
			level = "error"
		}
		fmt.Fprintf(w, "%s: %s\n", level, f.Text)
	}
	if n := len(r.Unused); n > 0 && !all {
		fmt.Fprintf(w, "%d more classes could be components, but no main class reaches them; -a lists them\n", n)
	}
	fmt.Fprintln(w, conclusion(r))
	return nil
}

// printParts writes a table, with the classes only where they are not the names.
func printParts(w io.Writer, parts []doctor.Component) error {
	classes := slices.ContainsFunc(parts, func(c doctor.Component) bool { return c.Class != "" })
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, kind, runs, class, why string) {
		cells := []string{name, kind, runs}
		if classes {
			cells = append(cells, class)
		}
		fmt.Fprintln(tw, strings.Join(append(cells, why), "\t")) // the last cell, empty too, keeps the columns together
	}
	line("COMPONENT", "KIND", "RUNS", "CLASS", "WHAT OR WHY")
	for _, c := range parts {
		line(c.Name, string(c.Kind), string(c.Runs), c.Class, c.Why)
	}
	return tw.Flush()
}

// conclusion is the last line.
func conclusion(r *doctor.Report) string {
	count := map[doctor.Verdict]int{}
	for _, c := range r.Components {
		count[c.Runs]++
	}
	text := fmt.Sprintf("%s: %d native, %d in the JVM", r.Of, count[doctor.Native], count[doctor.JVM])
	switch n := count[doctor.No]; {
	case n == 1:
		return text + ", 1 does not run"
	case n > 1:
		return fmt.Sprintf("%s, %d do not run", text, n)
	case !r.Runs:
		return text + ", but as it is, the topology does not run"
	}
	return text + ", all runs"
}
