package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxErrorsKnown bounds the different errors a console remembers; beyond it errors are only counted.
const maxErrorsKnown = 1000

// console is a slog.Handler for people: a line a record, with what a component logs as it is, and an error of a
// component shown once, however often it comes and whatever figures are in it.
type console struct {
	out   func(string)
	level slog.Leveler
	attrs []slog.Attr
	seen  *seenErrors
}

// seenErrors counts the errors of components.
type seenErrors struct {
	mu    sync.Mutex
	texts map[string]bool
	count map[string]int // by component
}

func newConsole(out func(string)) *console {
	return &console{out: out, level: slog.LevelInfo, seen: &seenErrors{texts: map[string]bool{}, count: map[string]int{}}}
}

// Enabled implements slog.Handler.
func (c *console) Enabled(_ context.Context, l slog.Level) bool { return l >= c.level.Level() }

// WithAttrs implements slog.Handler.
func (c *console) WithAttrs(attrs []slog.Attr) slog.Handler {
	d := *c
	d.attrs = append(slices.Clip(c.attrs), attrs...)
	return &d
}

// WithGroup implements slog.Handler. Nothing here logs in groups.
func (c *console) WithGroup(string) slog.Handler { return c }

// Handle implements slog.Handler.
func (c *console) Handle(_ context.Context, r slog.Record) error {
	attrs := slices.Clone(c.attrs)
	r.Attrs(func(a slog.Attr) bool { attrs = append(attrs, a); return true })
	if text, ok := c.text(r, attrs); ok {
		c.out(r.Time.Format(time.TimeOnly) + " " + text)
	}
	return nil
}

// text makes the line of a record; ok is false if it is not to be shown.
func (c *console) text(r slog.Record, attrs []slog.Attr) (text string, ok bool) {
	component, said, failure := value(attrs, "component"), value(attrs, "text"), value(attrs, "err")
	switch {
	case component != "" && said != "": // its log, or what it wrote to standard error
		return severity(r.Level, component) + ": " + indented(said), true
	case component != "" && has(attrs, "text"):
		return "", false
	case component != "" && r.Level >= slog.LevelError && failure != "":
		return component + " error: " + indented(failure), c.seen.first(component, failure)
	}
	var b strings.Builder
	b.WriteString(severity(r.Level, r.Message))
	for _, a := range attrs {
		if a.Key != "topology" { // there is one
			fmt.Fprintf(&b, " %s=%s", a.Key, a.Value)
		}
	}
	return indented(b.String()), true
}

// severity puts the level before what is worse than information.
func severity(l slog.Level, text string) string {
	switch {
	case l >= slog.LevelError:
		return "error: " + text
	case l >= slog.LevelWarn:
		return "warning: " + text
	}
	return text
}

func value(attrs []slog.Attr, key string) string {
	for _, a := range attrs {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

func has(attrs []slog.Attr, key string) bool {
	return slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == key })
}

// indented sets off the lines after the first.
func indented(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}

// first counts an error and reports whether it is new.
func (s *seenErrors) first(component, text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[component]++
	key := component + "\x00" + alike(text)
	if s.texts[key] || len(s.texts) >= maxErrorsKnown {
		return false
	}
	s.texts[key] = true
	return true
}

// of returns how many errors a component had.
func (s *seenErrors) of(component string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[component]
}
