package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// status is what the table shows.
type status struct {
	elapsed    time.Duration
	words, all int // words whose lines are acked, words of the text
	rate       float64
	components []componentStats // nil if not known
	top        []wordCount
}

// table shows a status again and again: in place on a terminal, as one line each elsewhere.
type table struct {
	w        io.Writer
	terminal bool
	lines    int // drawn last time
}

func (t *table) show(s status) {
	if !t.terminal {
		fmt.Fprintln(t.w, s.headline()+s.oneLine())
		return
	}
	text := s.headline() + "\n" + s.componentTable() + s.topTable()
	var b strings.Builder
	if t.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", t.lines)
	}
	b.WriteString(strings.ReplaceAll(text, "\n", "\x1b[K\n"))
	b.WriteString("\x1b[J")
	t.lines = strings.Count(text, "\n")
	io.WriteString(t.w, b.String())
}

// note prints a line that stays.
func (t *table) note(format string, args ...any) {
	if t.terminal && t.lines > 0 {
		fmt.Fprintf(t.w, "\x1b[%dA\x1b[J", t.lines)
	}
	t.lines = 0
	fmt.Fprintf(t.w, format+"\n", args...)
}

func (s status) headline() string {
	return fmt.Sprintf("%5.1f s  %s of %s words counted (%d %%), %s words/s", s.elapsed.Seconds(), thousands(int64(s.words)),
		thousands(int64(s.all)), 100*s.words/max(s.all, 1), thousands(int64(s.rate)))
}

// oneLine adds what fits on the line of a log.
func (s status) oneLine() string {
	var b strings.Builder
	for _, c := range s.components {
		fmt.Fprintf(&b, "  %s %d/%d", c.name, c.acked, c.failed)
	}
	if len(s.top) > 0 {
		fmt.Fprintf(&b, "  top: %s %d", s.top[0].Word, s.top[0].Count)
	}
	return b.String()
}

func (s status) componentTable() string {
	if len(s.components) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-10s %14s %14s %8s %12s\n", "component", "executed", "acked", "failed", "latency ms")
	for _, c := range s.components {
		fmt.Fprintf(&b, "%-10s %14s %14s %8s %12.3f\n", c.name, thousands(c.executed), thousands(c.acked), thousands(c.failed), c.latency())
	}
	return b.String()
}

func (s status) topTable() string {
	if len(s.top) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteByte('\n')
	for _, w := range s.top {
		bar := strings.Repeat("#", int(40*w.Count/max(s.top[0].Count, 1)))
		fmt.Fprintf(&b, "%-16.16s %12s  %s\n", w.Word, thousands(w.Count), bar)
	}
	return b.String()
}

// thousands writes n with commas.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
