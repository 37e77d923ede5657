package main

import "regexp"

// figures are what differs between errors of the same kind: tasks, pids, attempts, pauses.
var figures = regexp.MustCompile(`[0-9][0-9.]*(ms|s|m)?\b`)

// alike is the same for texts that differ in figures only. A child that cannot start fails again and again with another
// pid and pause, which is one error to a reader.
func alike(text string) string { return figures.ReplaceAllString(text, "#") }
