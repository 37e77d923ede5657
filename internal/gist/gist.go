// Package gist bounds texts of errors where they are kept or sent on. The cause of an error stands at its end, where it happened at its
// beginning, so what is left out is the middle.
package gist

import (
	"strings"
	"unicode/utf8"
)

const gap = " ... "

// Of returns s, in UTF-8, if it has at most n bytes; else a quarter of that of its beginning, and as much of its end as fits. n has to be 16
// or more.
func Of(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	head := (n - len(gap)) / 4
	tail := len(s) - (n - len(gap) - head)
	for !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + gap + s[tail:]
}
