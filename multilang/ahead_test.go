package multilang

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// tellIDs emits three words for a tuple, each with the ids that it was told for the one before.
const tellIDs = `
class C(storm.BasicBolt):
    def process(self, tup):
        told = tup.values[0]
        for i in range(3): told = "%s%s" % (tup.values[0], storm.emit([told]))
        storm.logInfo(told)
C().run()
`

// turns gives every emit another receiver.
func turns() func([]gearcore.Value) []gearcore.TaskID {
	n := gearcore.TaskID(100)
	return func([]gearcore.Value) []gearcore.TaskID {
		n++
		return []gearcore.TaskID{n}
	}
}

// checkTold checks that what tellIDs was told before its second and third emit is where its first and second went.
func checkTold(t *testing.T, emits []fakeEmit) {
	t.Helper()
	for i, e := range emits {
		if i%3 == 0 {
			continue
		}
		if want := fmt.Sprint(emits[i-1].to); !strings.HasSuffix(e.vals[0], want) {
			t.Fatalf("emit %d says %q, but the one before it went to %s", i, e.vals[0], want)
		}
	}
}

func TestIDsAhead(t *testing.T) {
	for _, c := range []struct {
		name  string
		conf  map[string]any
		with  func(e *fakeEngine, s *Spec)
		ahead bool
	}{
		{"storm.py", nil, nil, true},
		{"switched off by key", map[string]any{"gearstorm.multilang.ids.ahead": false}, nil, false},
		{"switched off by the spec", nil, func(_ *fakeEngine, s *Spec) { s.LockStep = true }, false},
		{"routing by content", nil, func(e *fakeEngine, _ *Spec) { e.outputs[0].looks = true }, false},
		{"two streams", nil, func(e *fakeEngine, _ *Spec) {
			l := *e.layout
			l.Streams = append(slices.Clone(l.Streams), gearcore.Stream{Component: "me", Name: "other", Fields: []string{"a"}})
			e.ctx.Layout = &l
		}, false},
		{"a client of its own", nil, func(_ *fakeEngine, s *Spec) {
			lib := filepath.Join(filepath.Dir(s.Command[1]), "storm.py")
			b, err := os.ReadFile(lib)
			if err == nil {
				err = os.WriteFile(lib, []byte(strings.Replace(string(b), "def readTaskIds():", "def readTaskIds():\n    pass", 1)), 0o600)
			}
			if err != nil {
				panic(err)
			}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, c.conf)
			e.outputs[0].tasks = turns()
			spec := quick(stormPy(t, tellIDs))
			if c.with != nil {
				c.with(e, &spec)
			}
			e.start(NewBolt(spec), nil)
			const n = 300
			e.feed(numbers(n)...)
			e.eventually("all acked", func() bool { return len(e.acked) == n || len(e.errs) > 0 })
			got := e.snap()
			if len(got.errs) > 0 || len(got.emits) != 3*n {
				t.Fatalf("%d emits, errors %v", len(got.emits), got.errs)
			}
			checkTold(t, got.emits)
			e.mu.Lock()
			defer e.mu.Unlock()
			switch {
			case !c.ahead && e.reserved != 0:
				t.Errorf("%d lists were reserved", e.reserved)
			case c.ahead && (e.reserved < aheadMost || e.reserved > 3*n+aheadMost): // fewer than emits: they were overtaken
				t.Errorf("%d lists were reserved for %d emits", e.reserved, 3*n)
			}
		})
	}
}

// TestIDsAheadAfterLoss checks that a new process starts with new lists.
func TestIDsAheadAfterLoss(t *testing.T) {
	e := newEngine(t, nil)
	e.outputs[0].tasks = turns()
	e.start(NewBolt(quick(stormPy(t, strings.Replace(tellIDs, "told = tup.values[0]\n", "told = tup.values[0]\n        if told == 'end': import os; os._exit(7)\n", 1)))), nil)
	e.feed("one", "end")
	e.eventually("lost", e.hasError("exit status 7"))
	e.feed("two", "three")
	e.eventually("acked", func() bool { return len(e.acked) == 3 })
	got := e.snap()
	if len(got.emits) != 9 {
		t.Fatalf("%d emits, want 9", len(got.emits))
	}
	checkTold(t, got.emits)
}

// TestIDsAheadOfAnotherGraph has other receivers while a child was told of coming emits: they get all of these.
func TestIDsAheadOfAnotherGraph(t *testing.T) {
	e := newEngine(t, nil)
	e.start(NewBolt(quick(stormPy(t, tellIDs))), nil)
	e.feed("one")
	e.eventually("acked", func() bool { return len(e.acked) == 1 })
	e.onBolt(func(b *Bolt) error {
		e.outputs[0].tasks = to(8, 9)
		b.Follow(2)
		return nil
	})
	e.feed(numbers(20)...)
	e.eventually("all acked", func() bool { return len(e.acked) == 21 || len(e.errs) > 0 })
	got := e.snap()
	if len(got.errs) > 0 || len(got.emits) != 63 {
		t.Fatalf("%d emits, errors %v", len(got.emits), got.errs)
	}
	for i, emit := range got.emits[3:] {
		if !slices.Equal(emit.to, to(8, 9)(nil)) {
			t.Errorf("emit %d went to %v", i, emit.to)
		}
	}
}

func TestIDsAheadOfSpout(t *testing.T) {
	e := newEngine(t, nil)
	e.outputs[0].tasks = turns()
	e.start(nil, NewSpout(quick(stormPy(t, `
class C(storm.Spout):
    def initialize(self, conf, context): self.n = 0
    def nextTuple(self):
        if self.n == 9: return
        told = "0"
        for i in range(3):
            self.n += 1
            told = "%d%s" % (self.n, storm.emit([told], id=self.n))
C().run()
`))))
	e.activate(true)
	e.eventually("emitted", func() bool { return len(e.emits) == 9 })
	got := e.snap()
	checkTold(t, got.emits)
	if len(got.errs) > 0 {
		t.Error(got.errs)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reserved == 0 {
		t.Error("no list was told ahead")
	}
}

// TestIdentify lays out scripts and modules; storm.py and storm.rb stand for the texts of Storm's releases.
func TestIdentify(t *testing.T) {
	var release = map[string]string{}
	for _, ext := range []string{".py", ".rb"} {
		b, err := os.ReadFile(thirdParty(t, "multilang/storm"+ext))
		if err != nil {
			t.Fatal(err)
		}
		release[ext] = string(b)
	}
	const script = "import storm\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		argv  []string
		env   string // PYTHONPATH below the test's folder
		want  client
	}{
		{"beside the script", map[string]string{"a.py": script, "storm.py": "*"}, words("python3 a.py"), "", clientStormPy},
		{"another interpreter, options", map[string]string{"a.py": script, "storm.py": "*"}, words("/usr/bin/python3.11 -u -B a.py x -m y"), "", clientStormPy},
		{"through env", map[string]string{"a.py": script, "storm.py": "*"}, words("/usr/bin/env python a.py"), "", clientStormPy},
		{"other forms", map[string]string{"a.py": "import os, storm\n", "storm.py": "*"}, words("python a.py"), "", clientStormPy},
		{"from import", map[string]string{"a.py": "  from storm import BasicBolt\r\n", "storm.py": "*"}, words("python a.py"), "", clientStormPy},
		{"in a folder", map[string]string{"d/a.py": script, "d/storm.py": "*"}, words("python d/a.py"), "", clientStormPy},
		{"by a module of the component", map[string]string{"a.py": "import b\n", "b.py": script, "storm.py": "*"}, words("python a.py"), "", clientStormPy},
		{"on the path", map[string]string{"a.py": script, "lib/storm.py": "*"}, words("python a.py"), "lib", clientStormPy},
		{"another one first", map[string]string{"a.py": script, "storm.py": "", "lib/storm.py": "*"}, words("python a.py"), "lib", clientUnknown},
		{"a package first", map[string]string{"a.py": script, "storm/__init__.py": "", "lib/storm.py": "*"}, words("python a.py"), "lib", clientUnknown},
		{"not imported", map[string]string{"a.py": "# import storm\nimport json\n", "storm.py": "*"}, words("python a.py"), "", clientUnknown},
		{"other paths", map[string]string{"a.py": "import sys\nsys.path.insert(0, 'x')\n" + script, "storm.py": "*"}, words("python a.py"), "", clientUnknown},
		{"another client too", map[string]string{"a.py": script + "import pystorm\n", "storm.py": "*"}, words("python a.py"), "", clientUnknown},
		{"isolated", map[string]string{"a.py": script, "storm.py": "*"}, words("python -I a.py"), "", clientUnknown},
		{"a module", map[string]string{"a.py": script, "storm.py": "*"}, words("python -m a"), "", clientUnknown},
		{"no script", nil, words("python"), "", clientUnknown},
		{"no file", nil, words("python a.py"), "", clientUnknown},
		{"nothing", nil, nil, "", clientUnknown},
		{"node", map[string]string{"a.py": script, "storm.py": "*"}, words("node a.py"), "", clientUnknown},
		{"defined twice", map[string]string{"a.py": script, "storm.py": "*\ndef emit(): pass\n"}, words("python a.py"), "", clientUnknown},
		{"changed elsewhere", map[string]string{"a.py": script, "storm.py": "*\ndef mine(): pass\n"}, words("python a.py"), "", clientStormPy},
		{"changed comments", map[string]string{"a.py": script, "storm.py": "*#"}, words("python a.py"), "", clientStormPy},
		{"in a circle", map[string]string{"a.py": "import b\n", "b.py": "import a\n"}, words("python a.py"), "", clientUnknown},
		{"ruby", map[string]string{"a.rb": "require \"./storm\"\n", "storm.rb": "*"}, words("ruby -w a.rb"), "", clientStormRb},
		{"ruby, relative", map[string]string{"a.rb": "require_relative 'storm'\n", "storm.rb": "*"}, words("ruby a.rb"), "", clientStormRb},
		{"ruby, defined again", map[string]string{"a.rb": "require_relative 'storm'\n", "storm.rb": "*\n    def emit_bolt(x)\n    end\n"}, words("ruby a.rb"), "", clientUnknown},
		{"ruby without storm.rb", map[string]string{"a.rb": "require './storm'\n", "storm.rb": "def emit_bolt\nend\n"}, words("ruby a.rb"), "", clientUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if base, ok := strings.CutPrefix(text, "*"); ok {
					lib := release[filepath.Ext(name)]
					if text = lib + base; base == "#" {
						text = strings.ReplaceAll(lib, "def readTaskIds():", "def readTaskIds():  # waits")
					}
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := identify(c.argv, dir, []string{"PYTHONPATH=" + filepath.Join(dir, c.env)}); got != c.want {
				t.Errorf("identify(%q) = %v, want %v", c.argv, got, c.want)
			}
		})
	}
}
