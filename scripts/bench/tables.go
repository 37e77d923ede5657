package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// printTables writes the raw results of a file as the tables of docs/performance.md: a line for each scenario, variant
// and side, in the order in which they first ran.
func printTables(path string, out io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var order []string
	groups := map[string][]sample{}
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for n := 1; in.Scan(); n++ {
		var s sample
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			return fmt.Errorf("read %s, line %d: %w", path, n, err)
		}
		key := s.Scenario + s.Variant + " " + s.Side
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], s)
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	fmt.Fprintln(out, "| scenario | side | a second: median (of rounds) | CPU ns a tuple | cores | others | p50 / p99 us | first tuple s | RSS MiB |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|")
	for _, key := range order {
		fmt.Fprintln(out, tableLine(key, groups[key]))
	}
	return nil
}

// tableLine is the line of one scenario, variant and side.
func tableLine(key string, all []sample) string {
	name, side, _ := strings.Cut(key, " ")
	good := slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return s.First == 0 })
	of := func(get func(*sample) float64) float64 { return medianOf(good, get) }
	var rounds []string
	for _, s := range good {
		rounds = append(rounds, big(s.Rate))
	}
	latency := "-"
	if p := of(p50.of); p > 0 {
		latency = fmt.Sprintf("%.0f / %.0f", p, of(p99.of))
	}
	note := ""
	for _, s := range all {
		if s.Wrong != "" {
			note = " (!)"
		}
	}
	return fmt.Sprintf("| %s%s | %s | %s (%s) | %s | %.2f | %.2f | %s | %.2f | %.0f |", name, note, side, big(of(rate.of)), strings.Join(rounds, ", "),
		orDash("%.0f", of(func(s *sample) float64 { return s.CPU })), of(func(s *sample) float64 { return s.Cores }),
		of(func(s *sample) float64 { return s.Others }), latency, of(took.of), of(func(s *sample) float64 { return s.RSS }))
}

// big writes a rate for people: 12.3 M, 45.6 k, 789.
func big(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.1f k", v/1e3)
	}
	return fmt.Sprintf("%.0f", v)
}
