package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExcerpt(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"short", "a\n\n b \nc\n", "a| b|c"},
		{"empty", "\n", ""},
		{"python", "Shell Process Exception: Traceback (most recent call last):\n f1\n l1\n f2\n l2\nAttributeError: no foo\n",
			"Shell Process Exception: Traceback (most recent call last):|...| f2| l2|AttributeError: no foo"},
		{"an exception with a name of its own", "Traceback (most recent call last):\n f1\n l1\n f2\n l2\nMine: no foo\n",
			"Traceback (most recent call last):|...| f2| l2|Mine: no foo"},
		{"node without its script", "was lost: node:internal/loader:1\n  throw err;\n  ^\n\nError: Cannot find module 'x'\n at a\n at b\n\nNode.js v20\n",
			"was lost: node:internal/loader:1|  throw err;|  ^|Error: Cannot find module 'x'|..."},
		{"node", "Shell Process Exception: Error: no field n\n at get\n at process\n at c\n at d\n at e",
			"Shell Process Exception: Error: no field n| at get| at process| at c|..."},
		{"go", "panic: assignment to entry in nil map\n main.f\n main.g\n main.h\n main.i", "panic: assignment to entry in nil map| main.f| main.g| main.h|..."},
	} {
		if d := cmp.Diff(c.want, strings.Join(excerpt(c.text), "|")); d != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, d)
		}
	}
}
