package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/gearstorm/gearstorm/compat/doctor"
)

// writeReport writes a report as JSON.
func writeReport(w io.Writer, r *doctor.Report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

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

func printParts(w io.Writer, parts []doctor.Component) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "COMPONENT\tKIND\tRUNS\tCLASS\tWHAT OR WHY")
	for _, c := range parts {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", c.Name, c.Kind, c.Runs, c.Class, c.Why)
	}
	return tw.Flush()
}

func conclusion(r *doctor.Report) string {
	count := map[doctor.Verdict]int{}
	for _, c := range r.Components {
		count[c.Runs]++
	}
	text := fmt.Sprintf("%s: %d native, %d in the JVM, %d that do not run", r.Of, count[doctor.Native], count[doctor.JVM], count[doctor.No])
	if r.Runs {
		return text
	}
	if count[doctor.No] == 0 {
		return text + "; as it is, the topology does not run"
	}
	return text
}
