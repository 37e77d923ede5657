package nimbus

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// docs/storm-differences.md names exactly the methods that are not there.
func TestDocumentNamesUnsupportedMethods(t *testing.T) {
	b, err := os.ReadFile("../docs/storm-differences.md")
	must(t, err)
	_, rest, _ := strings.Cut(string(b), "<!-- methods:begin")
	block, _, found := strings.Cut(rest, "<!-- methods:end -->")
	if !found {
		t.Fatal("docs/storm-differences.md has no block methods:begin ... methods:end")
	}
	var got []string
	for _, l := range strings.Split(block, "\n") {
		if strings.HasPrefix(l, "- ") {
			got = append(got, l)
		}
	}
	var want []string
	for _, m := range UnsupportedMethods() {
		want = append(want, fmt.Sprintf("- `%s`: %s", m.Method, m.Why))
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("docs/storm-differences.md lists\n%s\nwant\n%s", g, w)
	}
}
