package nimbus

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// documented reads a list in docs/storm-differences.md that a test holds to be true: lines "- `what`: why" between the marks
// name:begin and name:end.
func documented(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile("../docs/storm-differences.md")
	must(t, err)
	_, rest, _ := strings.Cut(string(b), "<!-- "+name+":begin")
	block, _, found := strings.Cut(rest, "<!-- "+name+":end -->")
	if !found {
		t.Fatalf("docs/storm-differences.md has no block %s:begin ... %s:end", name, name)
	}
	var out []string
	for _, l := range strings.Split(block, "\n") {
		if strings.HasPrefix(l, "- ") {
			out = append(out, l)
		}
	}
	return out
}

// docs/storm-differences.md names exactly the methods that are not there.
func TestDocumentNamesUnsupportedMethods(t *testing.T) {
	var want []string
	for _, m := range UnsupportedMethods() {
		want = append(want, fmt.Sprintf("- `%s`: %s", m.Method, m.Why))
	}
	if g, w := strings.Join(documented(t, "methods"), "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("docs/storm-differences.md lists\n%s\nwant\n%s", g, w)
	}
}

// allowedDifferences are the fields and answers in which we differ from Storm on purpose, as patterns, with the reasons.
func allowedDifferences(t *testing.T) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, l := range documented(t, "answers") {
		head, why, ok := strings.Cut(l, ": ")
		if !ok || why == "" {
			t.Errorf("docs/storm-differences.md lists %q without a reason", l)
		}
		for _, pattern := range strings.Split(strings.TrimPrefix(head, "- "), ", ") {
			out[strings.Trim(pattern, "`")] = why
		}
	}
	return out
}
