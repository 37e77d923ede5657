package multilang

import (
	"strings"
	"testing"
)

func TestStackIsShort(t *testing.T) {
	const node = `/code/count.js:3
  n = new Value(0);
      ^

TypeError: Value is not a constructor
    at new Count (/code/count.js:2:1)
    at Module._compile (node:internal/modules/cjs/loader:1521:14)
    at node:internal/main/run_main_module:28:49

Node.js v20.20.2`
	const want = "/code/count.js:3\n  n = new Value(0);\n      ^\nTypeError: Value is not a constructor\n    at new Count (/code/count.js:2:1)\nNode.js v20.20.2"
	const plain = "at first\nat last\n  File \"count.py\", line 3\nNameError: x"
	for text, want := range map[string]string{node: want, plain: plain, "": ""} {
		p := newStderrPump(func(string) {})
		p.run(strings.NewReader(text))
		if got := p.last(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
