package main

import (
	"regexp"
	"strings"
)

// named is a line that names what went wrong, as most languages write it.
var named = regexp.MustCompile(`(Error|Exception|panic)\b.*: `)

// excerpt is an error in at most errorLines lines, and a line of dots for those left out: the first line, then the one
// that says what was wrong with those before it. Where the first line is that line, those behind it say where.
func excerpt(text string) []string {
	var lines []string
	for l := range strings.Lines(text) {
		if l = strings.TrimRight(l, " \t\r\n"); l != "" {
			lines = append(lines, l)
		}
	}
	if len(lines) <= errorLines {
		return lines
	}
	const more = errorLines - 1
	last := len(lines) - 1 // where Python and most others put it
	for i := last; i >= 0; i-- {
		if named.MatchString(lines[i]) && !strings.Contains(lines[i], "Traceback") {
			last = i
			break
		}
	}
	from := max(last-more+1, 1)
	if last == 0 {
		from = 1
	}
	out := append([]string{}, lines[0])
	if from > 1 {
		out = append(out, "...")
	}
	out = append(out, lines[from:from+more]...)
	if from == 1 {
		out = append(out, "...")
	}
	return out
}
