package integration

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// setUpJava compiles the Java side of workers once for all tests, and returns what a cluster is told of it.
var setUpJava = sync.OnceValues(func() ([]string, error) {
	lib, err := filepath.Abs(filepath.Join("..", ".tools", "storm", "lib-worker"))
	if err != nil {
		return nil, err
	}
	opts := []string{"-c", "gearstorm.java.dir=" + filepath.Join(filepath.Dir(binary), "java"), "-c", "gearstorm.java.lib=" + lib}
	out, err := runBinary(append([]string{"setup", "java"}, opts...)...)
	if err != nil {
		err = fmt.Errorf("setup java: %w\n%s", err, out)
	}
	return opts, err
})

// runBinary runs gearstorm without a cluster.
func runBinary(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, args...).CombinedOutput()
	return string(out), err
}

// startJava starts a cluster that runs components written in Java, with a client for it and a folder for results. Arguments
// are those of the cluster.
func startJava(t *testing.T, args ...string) (s *storm, dir string) {
	t.Helper()
	program(t, "java")
	program(t, "javac")
	program(t, "python3")
	tool(t, "scripts/get-storm-client.sh", "storm", "lib-worker")
	opts, err := setUpJava()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	s = newStorm(t, startCluster(t, slices.Concat(args, opts, quickJVMs)...))
	return s, dir
}

// quickJVMs has the processes of Java compile quickly rather than well: a test is over before the better code would count.
var quickJVMs = []string{"-c", "topology.worker.gc.childopts=-XX:+UseSerialGC -XX:TieredStopAtLevel=1"}

// lines reads a file that a topology has appended to; none if it is not there.
func lines(dir, file string) []string {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil
	}
	out := strings.Split(string(b), "\n")
	return out[:len(out)-1]
}

// kinds counts equal lines.
func kinds(list []string) map[string]int {
	n := map[string]int{}
	for _, l := range list {
		n[l]++
	}
	return n
}

// The topology that everybody writes first, from the real client: every word is counted once and on one task, and every
// sentence acked, with one worker and with two; a bolt in Python hears of every count.
func TestJavaWordCount(t *testing.T) {
	t.Parallel()
	for _, workers := range []string{"1", "2"} {
		t.Run(workers+" workers", func(t *testing.T) {
			const n = 500
			s, dir := startJava(t)
			s.must(t, true, "it.WordCount", "words", dir, workers, strconv.Itoa(n), "100")
			waitFor(t, time.Minute, "an ack of every sentence", func() bool { return len(lines(dir, "acked")) >= n || len(lines(dir, "failed")) > 0 })
			if failed := lines(dir, "failed"); len(failed) > 0 {
				t.Errorf("failed: %v", failed)
			}
			if acked := kinds(lines(dir, "acked")); len(acked) != n {
				t.Errorf("%d sentences were acked, want %d", len(acked), n)
			}
			checkCounts(t, lines(dir, "counts"), n, 1)
			waitFor(t, 20*time.Second, "every count at the bolt in Python", func() bool { return len(lines(dir, "python")) == 6*n })
			if heard := lines(dir, "python"); !slices.Contains(heard, fmt.Sprintf("count %s the %d", strings.Fields(heard[0])[1], 2*n)) {
				t.Errorf("the last count of \"the\" did not reach Python")
			}
			s.must(t, false, command+"Deactivate", "words")
			waitFor(t, 20*time.Second, "the spout hears of it", func() bool { return slices.Equal(lines(dir, "life"), []string{"opened", "activated", "deactivated"}) })
			s.must(t, false, command+"KillTopology", "words", "-w", "0")
		})
	}
	ok(stormClient, "jar with Java components")
}

// checkCounts checks that every word of n sentences was counted at least once, at most that often, and on one task.
func checkCounts(t *testing.T, counts []string, n, most int) {
	t.Helper()
	seen, task, last := map[string]int{}, map[string]string{}, map[string]int{}
	for _, l := range counts {
		f := strings.Fields(l) // sentence, place, word, task, count
		seen[f[0]+" "+f[1]]++
		if was, twice := task[f[2]]; twice && was != f[3] {
			t.Fatalf("word %s was counted by tasks %s and %s", f[2], was, f[3])
		}
		task[f[2]] = f[3]
		last[f[2]]++
	}
	if len(seen) != 6*n {
		t.Errorf("%d words of sentences were counted, want %d", len(seen), 6*n)
	}
	for w, k := range seen {
		if k > most {
			t.Errorf("word %s was counted %d times, at most %d were expected", w, k, most)
			return
		}
	}
	if most == 1 && (last["the"] != 2*n || last["cow"] != n) {
		t.Errorf("counts are %v", last)
	}
}

// kill -9 of the Java process under load: another one goes on, and what the first one held comes again.
func TestJavaKill(t *testing.T) {
	t.Parallel()
	const n = 20_000
	s, dir := startJava(t)
	s.must(t, true, "it.WordCount", "words", dir, "1", strconv.Itoa(n), "500")
	acked := func() int { return len(kinds(lines(dir, "acked"))) }
	waitFor(t, time.Minute, "tuples flow", func() bool { return acked() > n/20 })
	var pid int
	for _, p := range processes(t, s.c.dir) {
		if slices.Contains(p.args, "gearstorm.jvmhost.storm.Main") {
			pid = p.pid
		}
	}
	if pid == 0 {
		t.Fatal("there is no Java process")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	waitFor(t, time.Minute, "another life of the spout", func() bool { return len(lines(dir, "life")) >= 3 })
	t.Logf("the spout was opened again %v after the kill", time.Since(began).Round(time.Millisecond))
	// The new spout begins at 0 again, as in Storm: so every sentence is acked in the end.
	waitFor(t, 2*time.Minute, "an ack of every sentence", func() bool { return acked() == n })
	checkCounts(t, lines(dir, "counts"), n, 4)
	errs := s.must(t, false, command+"GetErrors", "words")
	if !strings.Contains(errs, "java process") || !strings.Contains(errs, "killed") {
		t.Errorf("get-errors says\n%s", errs)
	}
}

// A component for each part of Storm's interface.
func TestJavaFeatures(t *testing.T) {
	t.Parallel()
	const n = 200
	s, dir := startJava(t)
	s.must(t, true, "it.Features", "features", dir, strconv.Itoa(n))
	waitFor(t, time.Minute, "two ticks", func() bool { return len(lines(dir, "ticks")) >= 2 })
	waitFor(t, time.Minute, "an ack of all but the last window", func() bool { return len(lines(dir, "acked")) >= n-5 })
	for file, want := range map[string]int{"points": n, "directed": n, "last": n, "partial": n, "all": 2 * n, "emitted": n, "hooked": n, "plain": n} {
		waitFor(t, 20*time.Second, "all lines of "+file, func() bool { return len(lines(dir, file)) >= want })
	}
	if tick := lines(dir, "ticks")[0]; tick != "__system [rate_secs]" {
		t.Errorf("a tick is %q", tick)
	}
	if failed := lines(dir, "failed"); len(failed) > 0 {
		t.Errorf("failed: %v", failed)
	}
	t.Run("objects", func(t *testing.T) {
		points := lines(dir, "points")
		if len(points) != n {
			t.Errorf("%d points came, the first one as %v", len(points), points[:min(1, len(points))])
		}
		if s := strings.Join(points, "\n"); !strings.Contains(s, "[7, k2, Point[x=7, y=-7]]") {
			t.Errorf("point 7 did not come as it was:\n%s", s)
		}
	})
	t.Run("registered classes and options", func(t *testing.T) {
		if s := strings.Join(lines(dir, "plain"), "\n"); !strings.Contains(s, "[plain 7, [plain 7]]") {
			t.Errorf("an object of a registered class did not come as it was:\n%s", s)
		}
		if got := lines(dir, "option"); len(got) != 1 || !strings.HasPrefix(got[0], "of-features-1-") {
			t.Errorf("the option of the JVM is %v", got)
		}
	})
	t.Run("windows", func(t *testing.T) {
		waitFor(t, 20*time.Second, "every tuple in windows of both kinds", func() bool {
			byCount, byTime := 0, 0
			for _, l := range lines(dir, "sums") {
				f := strings.Fields(l)
				size, _ := strconv.Atoi(strings.Trim(f[3], "[,"))
				if f[1] != "bycount" {
					byTime += size
				} else if byCount++; size != 5 {
					t.Fatalf("a window of five has %s", l)
				}
			}
			return byCount == n/5 && byTime == n
		})
	})
	tasks := func(file string) map[string]int {
		var list []string
		for _, l := range lines(dir, file) {
			list = append(list, strings.Fields(l)[0])
		}
		return kinds(list)
	}
	t.Run("groupings", func(t *testing.T) {
		for file, want := range map[string]struct{ tasks, tuples int }{"directed": {2, n}, "last": {1, n}, "all": {2, 2 * n}} {
			got := tasks(file)
			if sum := len(lines(dir, file)); len(got) != want.tasks || sum != want.tuples {
				t.Errorf("%s: %d tuples by task %v, want %d at %d tasks", file, sum, got, want.tuples, want.tasks)
			}
		}
		byKey := map[string]map[string]bool{}
		for _, l := range lines(dir, "partial") {
			f := strings.Fields(l)
			key := strings.Trim(f[4], "]")
			if byKey[key] == nil {
				byKey[key] = map[string]bool{}
			}
			byKey[key][f[0]] = true
		}
		for key, at := range byKey {
			if len(at) > 2 {
				t.Errorf("key %s of a partial key grouping went to %v", key, at)
			}
		}
	})
	t.Run("threads", func(t *testing.T) {
		emitted := lines(dir, "emitted")
		if len(emitted) != n || strings.Count(emitted[0], ",") != 3 { // one of last, one of partial, both of all
			t.Errorf("%d emits returned ids, the first one %v", len(emitted), emitted[:min(1, len(emitted))])
		}
	})
	t.Run("metrics", func(t *testing.T) {
		executed := func() (n int) {
			for _, l := range lines(dir, "metrics") {
				if f := strings.Fields(l); f[0] == "async" && f[1] == "1" && f[2] == "executed" {
					k, _ := strconv.Atoi(f[3])
					n += k
				}
			}
			return n
		}
		waitFor(t, 20*time.Second, "the metrics of all tuples", func() bool { return executed() == n })
	})
	t.Run("hooks", func(t *testing.T) {
		if got := lines(dir, "worker"); len(got) != 1 || !strings.HasPrefix(got[0], "started ") {
			t.Errorf("the worker's hook says %v", got)
		}
		if got := kinds(lines(dir, "resource")); len(got) != 1 || got["from the hook"] != 2 {
			t.Errorf("the resource of the worker's hook is %v", got)
		}
		if got := kinds(lines(dir, "hooked")); len(got) != n {
			t.Errorf("the hook heard of %d acks", len(got))
		}
	})
	ok(stormClient, "Java API")
}

// A bolt with state, and its checkpoints.
func TestJavaState(t *testing.T) {
	t.Parallel()
	const n = 100
	s, dir := startJava(t)
	s.must(t, true, "it.Stateful", "stateful", dir, strconv.Itoa(n))
	waitFor(t, time.Minute, "an ack of every tuple", func() bool { return len(kinds(lines(dir, "acked"))) == n })
	waitFor(t, time.Minute, "checkpoints of both tasks", func() bool { return len(lines(dir, "commits")) >= 4 })
	got := kinds(lines(dir, "remember"))
	for k := range 5 {
		if want := fmt.Sprintf("k%d %d", k, n/5); got[want] != 1 {
			t.Errorf("the state did not come to %q", want)
		}
	}
	ok(stormClient, "Java state")
}

// What goes wrong in a component is its error, and the rest goes on.
func TestJavaTroubles(t *testing.T) {
	t.Parallel()
	const n = 100
	program(t, "node")
	s, dir := startJava(t)
	errorsOf := func(name string, want ...string) {
		t.Helper()
		var errs string
		defer func() {
			if t.Failed() {
				t.Logf("get-errors %s:\n%s", name, errs)
			}
		}()
		waitFor(t, 2*time.Minute, "all errors of "+name, func() bool {
			errs = s.must(t, false, command+"GetErrors", name)
			return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(errs, w) })
		})
	}
	allAcked := func(dir string) {
		t.Helper()
		waitFor(t, time.Minute, "an ack of every tuple", func() bool { return len(kinds(lines(dir, "acked"))) == n })
	}
	s.must(t, true, "it.Troubles", "troubles", dir, strconv.Itoa(n), "throws", "reports", "prepare", "incomplete", "python", "node")
	allAcked(dir)
	errorsOf("troubles", "seven is too much", "seven is odd", "it cannot be prepared",
		"class org.apache.commons.lang3.tuple.ImmutablePair is neither in", "field point of stream default of once", "Java class it.Point")
	waitFor(t, time.Minute, "the class that neither Python nor Node can read", func() bool {
		errs := s.must(t, false, command+"GetErrors", "troubles")
		return strings.Count(errs, "Java class it.Point") >= 2
	})
	for _, once := range []string{"throws", "reports"} {
		if got := lines(dir, once); len(got) != 1 {
			t.Errorf("%s happened %d times", once, len(got))
		}
	}
	if len(lines(dir, "failed")) == 0 {
		t.Error("the tuple that was thrown at did not fail")
	}
	// The process itself ends: all tasks of it start anew.
	dir = t.TempDir()
	s.must(t, true, "it.Troubles", "exits", dir, strconv.Itoa(n), "exits")
	allAcked(dir)
	errorsOf("exits", "exit status 3", "System.exit")
	dir = t.TempDir()
	s.must(t, true, "it.Troubles", "memory", dir, strconv.Itoa(n), "memory")
	allAcked(dir)
	errorsOf("memory", "ran out of memory under -Xmx64m", "topology.worker.childopts", "java.lang.OutOfMemoryError")
	ok(stormClient, "Java errors")
}

// A cluster without the Java side says what to run, and goes on when that was done.
func TestJavaNotSetUp(t *testing.T) {
	t.Parallel()
	program(t, "java")
	program(t, "javac")
	lib := tool(t, "scripts/get-storm-client.sh", "storm", "lib-worker")
	dir, results := t.TempDir(), t.TempDir()
	opts := []string{"-c", "gearstorm.java.dir=" + dir, "-c", "gearstorm.java.lib=" + lib}
	s := newStorm(t, startCluster(t, opts...))
	s.must(t, true, "it.WordCount", "words", results, "1", "10", "10")
	waitFor(t, time.Minute, "an error that names the command", func() bool {
		return strings.Contains(s.must(t, false, command+"GetErrors", "words"), "gearstorm setup java")
	})
	if out, err := runBinary(append([]string{"setup", "java"}, opts...)...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	waitFor(t, time.Minute, "an ack of every sentence", func() bool { return len(kinds(lines(results, "acked"))) == 10 })
}

// Tuples of a spout in Python are what Java expects of them.
func TestJavaAfterPython(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	s.must(t, true, "it.Mixed", "mixed", dir)
	words := func() int {
		seen := map[string]bool{}
		for _, l := range lines(dir, "counts") {
			f := strings.Fields(l)
			seen[f[0]+" "+f[1]] = true
		}
		return len(seen)
	}
	waitFor(t, time.Minute, "200 sentences of 9 words", func() bool { return words() == 200*9 })
	ok(stormClient, "jar with Java and Python components")
}

// A rebalance moves Java tasks between workers while tuples flow; none is lost.
func TestJavaRebalance(t *testing.T) {
	t.Parallel()
	const n = 5000
	s, dir := startJava(t)
	s.must(t, true, "it.WordCount", "words", dir, "2", strconv.Itoa(n), "200")
	acked := func() int { return len(kinds(lines(dir, "acked"))) }
	waitFor(t, time.Minute, "tuples flow", func() bool { return acked() > n/20 })
	s.must(t, false, command+"Rebalance", "words", "-w", "0", "-n", "1", "-e", "split=1")
	waitFor(t, 2*time.Minute, "an ack of every sentence", func() bool { return acked() == n })
	checkCounts(t, lines(dir, "counts"), n, 4)
}

// A class that was compiled for a newer Java is the error of its component, in a sentence; the others run.
func TestJavaNewerClass(t *testing.T) {
	t.Parallel()
	s, dir := startJava(t)
	s.upload = newerJar(t, s.jar, "it/WordCount$Count.class")
	s.must(t, true, "it.WordCount", "words", dir, "1", "10", "10")
	waitFor(t, time.Minute, "an error that says so", func() bool {
		return strings.Contains(s.must(t, false, command+"GetErrors", "words"), "class it.WordCount$Count was compiled for Java 32723 (class file version 32767), and the worker's Java is ")
	})
	if got := lines(dir, "life"); !slices.Equal(got, []string{"opened", "activated"}) {
		t.Errorf("the spout was %v", got)
	}
}

// newerJar copies a jar, in which one class then is of a version that no Java can read.
func newerJar(t *testing.T, jar, class string) string {
	t.Helper()
	in, err := zip.OpenReader(jar)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	file := filepath.Join(t.TempDir(), "newer.jar")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := zip.NewWriter(f)
	found := false
	for _, e := range in.File {
		if e.Name != class {
			err = out.Copy(e)
		} else {
			found = true
			err = copyNewer(out, e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil || !found {
		t.Fatalf("%v; %s is in the jar: %v", err, class, found)
	}
	return file
}

func copyNewer(out *zip.Writer, e *zip.File) error {
	r, err := e.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	b[6], b[7] = 0x7F, 0xFF // the major version
	w, err := out.Create(e.Name)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}
