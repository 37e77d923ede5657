//go:build long

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// javaChange is a version of a topology with components in Java: it.Changing.
type javaChange struct {
	work     string // class
	label    string
	tasks    int
	grouping string // of keep
	sources  int
	extra    bool
}

func (v javaChange) yaml(dir string) string {
	bolt, stream := "", ""
	if v.extra {
		bolt, stream = `  - {id: extra, className: it.Changing$Keep, constructorArgs: [extra]}`, "  - {from: work, to: extra, grouping: {type: SHUFFLE}}"
	}
	return fmt.Sprintf(`
name: changing
config: {topology.workers: 2, topology.acker.executors: 1, topology.max.spout.pending: 500, it.dir: %q, topology.worker.childopts: "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"}
spouts:
  - {id: source, className: it.Changing$Source, parallelism: %d}
bolts:
  - {id: work, className: it.Changing$%s, constructorArgs: [%q], parallelism: %d}
  - {id: keep, className: it.Changing$Keep, constructorArgs: [kept], parallelism: 2}
%s
streams:
  - {from: source, to: work, grouping: {type: SHUFFLE}}
  - {from: work, to: keep, grouping: %s}
%s
`, dir, v.sources, v.work, v.label, v.tasks, bolt, v.grouping, stream)
}

// changingJar compiles it.Changing, with a word in it that tells jars apart.
func changingJar(t *testing.T, release string) string {
	t.Helper()
	lib := tool(t, "scripts/get-storm-client.sh", "storm", "lib-worker")
	text, err := os.ReadFile("java/src/main/java/it/Changing.java")
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(t.TempDir(), "Changing.java")
	if err := os.WriteFile(source, []byte(strings.Replace(string(text), `"first"`, fmt.Sprintf("%q", release), 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return makeJar(t, filepath.Join(t.TempDir(), "changing.jar"), lib+"/*", source, "java/src/main/java/it/Lines.java")
}

// A topology in Java, whose tuples stay in the processes of Java where they can, is rescaled, gets and loses a bolt, has one made in another way and
// of another class, another grouping, more spouts, and another jar, all under load: every number is acked, and workers go
// on; so do their Java processes, until the jar is another one.
func TestJavaChangesInPlace(t *testing.T) {
	s, dir := startJava(t)
	opts, err := setUpJava()
	if err != nil {
		t.Fatal(err)
	}
	c := &changing{s.c, dir}
	first, second := changingJar(t, "first"), changingJar(t, "second")
	v := javaChange{work: "Work", label: "a", tasks: 2, grouping: "{type: SHUFFLE}", sources: 1}
	file := c.file("changing.yaml")
	write := func() {
		if err := os.WriteFile(file, []byte(v.yaml(dir)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write()
	c.must(t, append([]string{"submit", file, "--jar", first}, opts...)...)
	// from says whether something has come from such a task, since it was asked for last.
	from := func(what string) {
		t.Helper()
		had := len(lines(dir, "kept"))
		waitFor(t, time.Minute, "numbers from "+what, func() bool {
			return slices.ContainsFunc(lines(dir, "kept")[had:], func(l string) bool { return strings.Contains(l, " "+what+"/") })
		})
	}
	from("a/first")
	workers, jvms := c.workers(t), c.jvms(t)
	if len(workers) != 2 || len(jvms) != 2 {
		t.Fatalf("%d workers and %d Java processes run", len(workers), len(jvms))
	}
	c.exits(t, 0, []string{"nothing would change"}, append([]string{"plan", file, "--jar", first}, opts...)...)
	for _, step := range []struct {
		says, from, jar string
		edit            func()
	}{
		{"2 -> 4 tasks", "a/first", first, func() { v.tasks = 4 }},
		{"+ extra", "a/first", first, func() { v.extra = true }},
		{"it is made in another way", "b/first", first, func() { v.label = "b" }},
		{"Java it.Changing$Other instead of Java it.Changing$Work", "other b/first", first, func() { v.work = "Other" }},
		{"from work by FIELDS[n] instead of SHUFFLE", "other b/first", first, func() { v.grouping = "{type: FIELDS, args: [n]}" }},
		{"1 -> 3 tasks", "other b/first", first, func() { v.sources = 3 }},
		{"- extra", "other b/first", first, func() { v.extra = false }},
		{"4 -> 1 task", "c/first", first, func() { v.tasks, v.work, v.label = 1, "Work", "c" }},
		{"its jar is another one", "c/second", second, func() {}},
		{"1 -> 2 tasks", "c/second", second, func() { v.tasks = 2 }},
	} {
		step.edit()
		write()
		if step.jar == second {
			jvms = nil
		}
		c.exits(t, 0, []string{"in place", step.says}, append([]string{"plan", file, "--jar", step.jar}, opts...)...)
		out := c.must(t, append([]string{"apply", file, "--jar", step.jar}, opts...)...)
		if strings.Contains(out, "restart") {
			t.Fatalf("%s: workers restart:\n%s", step.says, out)
		}
		from(step.from)
		if now := c.workers(t); !same(workers, now) {
			t.Fatalf("%s: workers were replaced:\n%v\nare now\n%v", step.says, workers, now)
		}
		if jvms == nil {
			waitFor(t, time.Minute, "the Java processes of the jar before end", func() bool { return len(c.jvms(t)) <= 2 })
		} else if now := c.jvms(t); !same(jvms, now) {
			t.Fatalf("%s: Java processes were replaced:\n%v\nare now\n%v", step.says, jvms, now)
		}
	}
	if had := len(lines(dir, "extra")); had == 0 {
		t.Error("the bolt that came got nothing")
	}
	checkChanging(t, c)
	c.must(t, "kill", "changing", "-w", "0")
	ok(stormClient, "Java components change in place")
}

// checkChanging stops the sources and looks at what became of all that they have emitted: each number was acked, and had arrived then. What
// was under way when a source was closed nobody emits again.
func checkChanging(t *testing.T, c *changing) {
	t.Helper()
	if err := os.WriteFile(c.file("stop"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	sources := map[string]bool{} // that run
	for _, l := range lines(c.dir, "opened") {
		sources[strings.Fields(l)[0]] = true
	}
	ended := lines(c.dir, "closed")
	for _, l := range ended {
		delete(sources, strings.Fields(l)[0])
	}
	waitFor(t, time.Minute, "the sources stop", func() bool { return len(lines(c.dir, "emitted")) >= len(sources) })
	waitFor(t, 2*time.Minute, "every number is acked", func() bool {
		acked := map[string]int{} // numbers, by source
		for id := range kinds(lines(c.dir, "acked")) {
			task, _, _ := strings.Cut(id, ":")
			acked[task]++
		}
		for _, l := range slices.Concat(lines(c.dir, "emitted"), ended) {
			var task string
			var emitted, unheard int
			fmt.Sscan(l, &task, &emitted, &unheard)
			if acked[task] < emitted-unheard {
				return false
			}
		}
		return true
	})
	t.Logf("failed and emitted again: %d; closed were %v", len(lines(c.dir, "failed")), ended)
	kept := map[string]bool{}
	for _, l := range lines(c.dir, "kept") {
		kept[strings.Fields(l)[0]] = true
	}
	for id := range kinds(lines(c.dir, "acked")) {
		if !kept[id] {
			t.Fatalf("number %s was acked and did not arrive", id)
		}
	}
}

// A bolt in Java becomes one in Go while the rest of the jar stays: the topology is a Go program that brings the jar along. Its workers start
// again, which plan says, and what is emitted from then on goes through the new one.
func TestJavaBoltBecomesGo(t *testing.T) {
	s, dir := startJava(t)
	c := &changing{s.c, dir}
	exe, jar := filepath.Join(t.TempDir(), "javago"), changingJar(t, "first")
	if out, err := run(t, 5*time.Minute, nil, "", "go", "build", "-trimpath", "-o", exe, "./testdata/javago"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	does := func(command, with string, says ...string) {
		t.Helper()
		out, err := run(t, 2*time.Minute, nil, "", exe, command, "-nimbus", fmt.Sprintf("127.0.0.1:%d", c.nimbus), "-jar", jar, "-c", "it.dir="+dir,
			"-c", "topology.worker.childopts=-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1", with)
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", command, with, err, out)
		}
		for _, text := range says {
			if !strings.Contains(out, text) {
				t.Errorf("%s %s does not say %q:\n%s", command, with, text, out)
			}
		}
	}
	kept := func(from string) func() bool {
		return func() bool {
			return slices.ContainsFunc(lines(dir, "kept"), func(l string) bool { return strings.Contains(l, " "+from+"/first") })
		}
	}
	does("submit", "java")
	waitFor(t, time.Minute, "numbers through Java", kept("java"))
	does("plan", "java", "nothing would change")
	does("plan", "go", "~ work", "Go work instead of Java it.Changing$Work", "restarts workers")
	does("apply", "go", "version 2 runs")
	waitFor(t, time.Minute, "numbers through Go", kept("go"))
	if n := len(c.jvms(t)); n != 1 {
		t.Errorf("%d Java processes run, want that of the spout and the last bolt", n)
	}
	if err := os.WriteFile(c.file("stop"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var task string
	var n int
	waitFor(t, time.Minute, "the source stops", func() bool {
		return slices.ContainsFunc(lines(dir, "emitted"), func(l string) bool {
			_, err := fmt.Sscan(l, &task, &n)
			return err == nil && strings.HasPrefix(task, "go")
		})
	})
	waitFor(t, time.Minute, "every number is acked", func() bool {
		acked := kinds(lines(dir, "acked"))
		for i := range n {
			if acked[fmt.Sprintf("%s:%d", task, i)] == 0 {
				return false
			}
		}
		return true
	})
	for _, l := range lines(dir, "kept") {
		if strings.HasPrefix(l, "go") && !strings.HasSuffix(l, " go/first") {
			t.Fatalf("%q went another way", l)
		}
	}
	c.must(t, "kill", "changing", "-w", "0")
	ok(stormClient, "a Java bolt becomes a Go one beside its jar")
}

// A counter in Java with a state of Storm's is replaced while it counts, and what is around it too: its counts go on.
func TestJavaStateGoesOn(t *testing.T) {
	build := func(topo exact.Topology, edit func(*stormrpc.StormTopology)) *sdk.Topology {
		built := throughJava(t, topo, "Later")
		withJavaState(t, built)
		edit(built.Thrift)
		return built
	}
	r := startJavaRun(t, "state", func(topo exact.Topology) *sdk.Topology { return build(topo, func(*stormrpc.StormTopology) {}) })
	for _, step := range []struct {
		what string
		edit func(*stormrpc.StormTopology)
	}{
		{"another configuration", func(t *stormrpc.StormTopology) { renew(t.Bolts["counter"].Common, 1) }},
		{"another one", func(t *stormrpc.StormTopology) {
			renew(t.Bolts["counter"].Common, 2)
			tasks(t.Bolts["later"].Common, 3)
		}},
		{"what it sends to", func(t *stormrpc.StormTopology) { renew(t.Bolts["counter"].Common, 2); renew(t.Bolts["sink"].Common, 1) }},
	} {
		r.apply(t, step.what, build(r.topo, step.edit), nil, true)
	}
	killSomeJava(t, r.s.c)
	r.whole(t)
	ok(stormClient, "Java state through changes, exactly once")
}
