package gist

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"", 16, ""},
		{"0123456789abcdef", 16, "0123456789abcdef"},
		{"0123456789abcdefg", 16, "01 ... 89abcdefg"},
		{"é23456789abcdefgé", 17, "é2 ... abcdefgé"},
		{"read \xff", 16, "read \uFFFD"},
	} {
		if got := Of(c.text, c.n); got != c.want {
			t.Errorf("%q in %d bytes: %q, want %q", c.text, c.n, got, c.want)
		}
	}
	long := strings.Repeat("äöü€𝄞", 100)
	for n := 16; n < 60; n++ {
		if got := Of(long, n); len(got) > n || len(got) < n-8 || !utf8.ValidString(got) || !strings.Contains(got, gap) {
			t.Errorf("in %d bytes: %q", n, got)
		}
	}
}
