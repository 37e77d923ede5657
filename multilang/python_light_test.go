package multilang

import (
	"os/exec"
	"testing"
)

// TestPythonClientIsLight: the client loads nothing that takes longer than itself, and what it does by hand instead is what json does.
func TestPythonClientIsLight(t *testing.T) {
	check := python(t, `
import sys
had = set(sys.modules)
import gearstorm
loaded = {"json", "re", "enum", "logging", "traceback", "collections", "functools"} & (set(sys.modules) - had)
assert not loaded, loaded

import json
for text in ['{}', ' {"a": [1, 2.5, -0, 1e400, "\\u00e9\\ud83d\\ude00é"]}\r\n', '[1,true,false,null,NaN,-Infinity]', '"x"', '12345678901234567890',
             '{"a":1,"a":2}', '"\\ud800"', '-0.0']:
    assert repr(gearstorm._decode(text)) == repr(json.loads(text)), text

def refusal(decode, text):
    try:
        return decode(text)
    except ValueError as e:
        return type(e), str(e)
for text in ['', '{', '{}x', '[1,]', "{'a':1}", 'nul', '"\x01"', '[1 2]', '\ufeff{}', '\u00a0{}']:
    assert refusal(gearstorm._decode, text) == refusal(json.loads, text) != text, text

class Special(dict): pass
for value in [{"a": [1, 2.5, "é\n\u2028", None, True]}, (1, [2, (3,)]), {1: Special(x=2)}]:
    assert gearstorm._encode(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":")), value
assert gearstorm._loads(gearstorm._pack([Special(x=2)])) == [{"x": 2}]
`)
	if out, err := exec.Command(check[0], check[1:]...).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestPythonLogging: what a script logs goes to the worker's log with its level, whenever it imports logging, unless it has put logging
// in order itself.
func TestPythonLogging(t *testing.T) {
	for name, imports := range map[string]struct{ top, late, want string }{
		"at the top":             {top: "import logging", want: "INFO shell log said"},
		"in a call":              {late: "import logging", want: "INFO shell log said"},
		"a module of it":         {late: "import logging.handlers; logging = sys.modules['logging']", want: "INFO shell log said"},
		"after a look at it":     {top: "import importlib.util", late: "assert importlib.util.find_spec('logging'); import logging", want: "INFO shell log said"},
		"LogHandler":             {top: "gearstorm.LogHandler", late: "import logging", want: "INFO shell log said"},
		"put in order by itself": {top: "import logging; logging.basicConfig(level='INFO', format='own %(message)s')", late: "pass", want: "own said"},
		"loaded by its loader": {late: "import logging; assert logging.__loader__ is logging.__spec__.loader and logging.__loader__.get_source('logging')",
			want: "INFO shell log said"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			late := imports.late
			if late == "" {
				late = "pass"
			}
			e := startBolt(t, quick(python(t, `
import sys
import gearstorm
`+imports.top+`
class Says(gearstorm.BasicBolt):
    def process(self, tup):
        `+late+`
        logging.getLogger("x").info("said %s", tup[0])
Says().run()
`)), nil)
			e.feed("a", "b")
			e.eventually("acked", func() bool { return len(e.acked) == 2 })
			for _, text := range []string{" a", " b"} {
				e.eventually(imports.want+text, e.hasLog(imports.want+text))
			}
			if got := e.snap(); len(got.errs) > 0 {
				t.Errorf("errors %v", got.errs)
			}
		})
	}
}
