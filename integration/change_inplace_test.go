package integration

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// startChanging starts a cluster with a folder of scripts for changeYAML.
func startChanging(t *testing.T) *changing {
	t.Helper()
	program(t, "python3")
	c := &changing{startCluster(t), t.TempDir()}
	scripts := filepath.Join(c.dir, "resources")
	if err := os.Mkdir(scripts, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"source.py": changeSource, "work.py": changeBolt, "dies.py": "import sys; sys.exit(3)\n"} {
		if err := os.WriteFile(filepath.Join(scripts, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// untouched are the processes that no change of the work bolt may touch: the workers and the source's.
func (c *changing) untouched(t *testing.T) map[int]process {
	t.Helper()
	all := c.workers(t)
	maps.Copy(all, c.scripts(t, "source.py"))
	return all
}

// A topology in Python is rescaled, gets and loses a bolt, has one replaced, goes back, and comes back by itself from a version that dies:
// all while its workers and its source go on.
func TestChangeInPlace(t *testing.T) {
	t.Parallel()
	c := startChanging(t)
	work := func(out string) string { return fmt.Sprintf("work.py, %q", c.file(out)) }
	one := c.write(t, "one.yaml", work("one.out"), false, 1, false)
	two := c.write(t, "two.yaml", work("one.out"), false, 2, true)
	three := c.write(t, "three.yaml", work("three.out"), false, 2, true)
	bad := c.write(t, "bad.yaml", `"dies.py"`, false, 2, true)
	c.must(t, "submit", one)
	c.grows(t, "one.out")
	was := c.untouched(t)
	stays := func(what string) {
		t.Helper()
		if now := c.untouched(t); !same(was, now) {
			t.Fatalf("%s: processes were replaced:\n%v\nare now\n%v", what, was, now)
		}
	}

	c.exits(t, 0, []string{"in place", "1 -> 2 tasks"}, "plan", two)
	c.exits(t, 0, []string{"version 2 runs"}, "apply", two)
	c.grows(t, "one.out")
	c.grows(t, "extra.out")
	stays("rescaled, and a bolt more")
	c.exits(t, 0, []string{"version 3 runs"}, "apply", three)
	c.grows(t, "three.out")
	stays("another script")
	c.exits(t, 1, []string{"the version before runs again as version 5", "component work died"}, "apply", bad)
	c.grows(t, "three.out")
	stays("back from a version that dies")
	c.exits(t, 0, []string{"- extra", "version 6 runs"}, "rollback", "changing", "1")
	c.grows(t, "one.out")
	stays("as at the beginning")
	c.exits(t, 0, []string{"as version 1; in place", "as version 3; in place; version 4 went back by itself"}, "history", "changing")
	c.exits(t, 0, []string{"restarts workers", "topology.debug"}, "plan", c.write(t, "debug.yaml", work("one.out"), true, 1, false))
	c.must(t, "kill", "changing", "-w", "0")
}

// A script that is another one under its name is a change of the components that name it, and of no others.
func TestChangeOfAScript(t *testing.T) {
	t.Parallel()
	c := startChanging(t)
	file := c.write(t, "one.yaml", fmt.Sprintf("work.py, %q", c.file("one.out")), false, 1, false)
	c.must(t, "submit", file)
	c.grows(t, "one.out")
	was := c.untouched(t)
	script := fmt.Sprintf("import sys\nsys.argv[1] = %q\n", c.file("two.out")) + changeBolt
	if err := os.WriteFile(c.file("resources/work.py"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	c.exits(t, 0, []string{"~ work", "work.py is another one", "version 2 runs"}, "apply", file)
	c.grows(t, "two.out")
	if now := c.untouched(t); !same(was, now) {
		t.Errorf("processes were replaced:\n%v\nare now\n%v", was, now)
	}
	c.must(t, "kill", "changing", "-w", "0")
}

// Another Go program restarts the workers, which plan says; the same one changes nothing, and with other arguments it has its components replaced.
func TestChangeOfAProgram(t *testing.T) {
	t.Parallel()
	program(t, "python3")
	c := &changing{startCluster(t), t.TempDir()}
	one, two := c.file("one"), c.file("two")
	for exe, flags := range map[string]string{one: "-ldflags=", two: "-ldflags=-s"} {
		if out, err := run(t, 5*time.Minute, nil, "", "go", "build", "-trimpath", flags, "-o", exe, "../examples/hello"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if out, err := run(t, time.Minute, nil, "", one, "submit", "-nimbus", fmt.Sprintf("127.0.0.1:%d", c.nimbus)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	waitFor(t, time.Minute, "a worker", func() bool { return len(c.workers(t)) == 1 })
	was := c.workers(t)
	c.exits(t, 0, []string{"nothing would change"}, "plan", one)
	c.exits(t, 0, []string{"~ names", "~ print", "in place", "the program has other arguments"}, "plan", one, "Ada")
	c.exits(t, 0, []string{"version 2 runs"}, "apply", one, "Ada")
	if now := c.workers(t); !same(was, now) {
		t.Errorf("the worker is another one for other arguments: %v, was %v", now, was)
	}
	c.exits(t, 0, []string{"(files)", "restarts workers", "workers restart: workers are the Go program, and that is another one"}, "plan", two, "Ada")
	c.exits(t, 0, []string{"version 3 runs"}, "apply", two, "Ada")
	if now := c.workers(t); same(was, now) {
		t.Errorf("the worker is the old program: %v", now)
	}
	c.must(t, "kill", "hello", "-w", "0")
}
