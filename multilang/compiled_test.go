package multilang

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/multilang/clients"
)

// halfCompiled makes a folder with component.py, which is text and may import words, of which half a compiled file is there.
func halfCompiled(t *testing.T, dir, text string) {
	t.Helper()
	if err := clients.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"component.py": text, "words.py": "def split(s):\n    return s.split()\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(tool(t, "python3"), "-c", "import words")
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "PYTHON") })
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, pycache, "words.*.pyc"))
	if err != nil || len(files) != 1 {
		t.Fatalf("compiled are %v, %v", files, err)
	}
	if err := os.Truncate(files[0], 60); err != nil { // behind its head of 16 bytes
		t.Fatal(err)
	}
}

const splitsAtOnce = `
import gearstorm, words
class Split(gearstorm.BasicBolt):
    def process(self, tup):
        for word in words.split(tup["sentence"]):
            self.emit([word])
Split().run()
`

const splitsLater = `
import gearstorm
class Split(gearstorm.BasicBolt):
    def process(self, tup):
        try:
            import words
        except EOFError:
            import os, sys, traceback
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        for word in words.split(tup["sentence"]):
            self.emit([word])
Split().run()
`

// A full disk may leave half of what Python compiled: a process that ends of it is the last one that does.
func TestHalfCompiledModule(t *testing.T) {
	for name, text := range map[string]string{"before the handshake": splitsAtOnce, "with a tuple": splitsLater} {
		t.Run(name, func(t *testing.T) {
			spec := quick([]string{tool(t, "python3"), "component.py"})
			spec.Wiring.SourceFields = map[string]map[string][]string{"src": {"default": {"sentence"}}}
			e := newEngine(t, nil)
			halfCompiled(t, e.ctx.CodeDir, text)
			e.start(NewBolt(spec), nil)
			e.feed("the cow")
			e.eventually("the child is lost", e.hasError(badCompiled))
			e.feed("jumped")
			e.eventually("the next one works", func() bool { return slices.Contains(e.seen.vals(), "jumped") })
			got := e.snap()
			if len(got.errs) != 1 || !slices.ContainsFunc(got.logs, func(s string) bool { return strings.HasPrefix(s, "WARN what Python had compiled was removed") }) {
				t.Errorf("errors %v, logs %q", got.errs, got.logs)
			}
		})
	}
}

// What is in a folder that is not the topology's stays.
func TestFoldersOfTheUserStay(t *testing.T) {
	spec := quick([]string{tool(t, "python3"), "component.py"})
	spec.Dir = t.TempDir()
	halfCompiled(t, spec.Dir, splitsAtOnce)
	e := startBolt(t, spec, nil)
	e.eventually("it is lost, and again", e.hasError("restart 2 in"))
	if _, err := os.Stat(filepath.Join(spec.Dir, pycache)); err != nil {
		t.Error(err)
	}
}

func TestRemoveCompiled(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	for _, d := range []string{"__pycache__", "a/b/__pycache__", "a/b/__pycache__/deep", "c", "d"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"__pycache__/x.pyc", "a/b/__pycache__/deep/y.pyc", "a/b/m.py", "d/__pycache__"} { // the last is a file
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(elsewhere, "lib", pycache), 0o700); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"c/__pycache__": filepath.Join(elsewhere, "lib"), "c/lib": elsewhere} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := removeCompiled(dir); n != 2 || err != nil {
		t.Errorf("%d folders, %v", n, err)
	}
	for name, there := range map[string]bool{dir + "/__pycache__": false, dir + "/a/b/__pycache__": false, dir + "/a/b/m.py": true, dir + "/d/__pycache__": true,
		dir + "/c/__pycache__": true, elsewhere + "/lib/__pycache__": true} {
		if _, err := os.Lstat(name); (err == nil) != there {
			t.Errorf("%s is there: %t, want %t", name, err == nil, there)
		}
	}
	if n, err := removeCompiled(filepath.Join(dir, "none")); n != 0 || err == nil {
		t.Errorf("a folder that is not there: %d, %v", n, err)
	}
}

func TestRunsPython(t *testing.T) {
	for command, want := range map[string]bool{"python": true, "python3.12 x.py": true, "/opt/venv/bin/python3 -u x.py": true, "env python3 x.py": true, "pypy3 x.py": true,
		"/venv/bin/streamparse_run x": true, "node x.js": false, "pythonic": false, "env": false, "env -i python3": false, "sh -c python3": false} {
		if got := runsPython(strings.Fields(command)); got != want {
			t.Errorf("%s: %t", command, got)
		}
	}
	if runsPython(nil) {
		t.Error("no command")
	}
}
