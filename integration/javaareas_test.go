package integration

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/internal/cluster/zk/zktest"
)

const (
	areaSlots = 32
	// areasAtOnce is how many topologies run beside each other, each with Java processes of its own.
	areasAtOnce = 7
	areaLimit   = 4 * time.Minute // for the results of all areas, on a busy machine

	// atTheEnd begins results that come when the topology is killed.
	atTheEnd = "at the end:"
	// asked begins a question and its answer, by DRPC.
	asked = "asked "
	// killedArea is the topology whose Java process is killed while it works.
	killedArea = "stateful-recovery"
)

// area is a topology of integration/java/src/main/java/it/area and what it finds out in Storm's own LocalCluster.
type area struct {
	name string
	want []string // sorted
	file string   // what it finds out here
	ask  string   // where it is asked, if it has to be
}

// areas reads what scripts/record-java.sh has recorded.
func areas(t *testing.T, c *cluster, dir string) (all []area) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "java", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded results: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, _ := strings.Cut(string(b), "\n")
		if !strings.Contains(head, "Storm 2.8.3") {
			t.Errorf("%s begins with %q, which does not name the release", f, head)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".txt")
		want := strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
		slices.Sort(want)
		a := area{name: name, want: want, file: filepath.Join(dir, name)}
		if strings.HasPrefix(want[0], asked) {
			a.ask = fmt.Sprintf("http://127.0.0.1:%d/drpc/%s/", drpcOf(t, c).DRPCHTTP, name)
		}
		all = append(all, a)
	}
	return all
}

// answers asks what was asked of Storm.
func (a area) answers() (out []string) {
	for _, l := range a.want {
		question, _, _ := strings.Cut(strings.TrimPrefix(l, asked), " = ")
		out = append(out, asked+question+" = "+answer(a.ask+url.PathEscape(question)))
	}
	slices.Sort(out)
	return out
}

// answer returns the answer of a DRPC server, or why there is none yet.
func answer(at string) string {
	resp, err := (&http.Client{Timeout: 20 * time.Second}).Get(at)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// results reads what a topology has found out so far, in the form that the Java class Results writes.
func (a area) results() []string {
	if a.ask != "" {
		return a.answers()
	}
	b, err := os.ReadFile(a.file)
	if err != nil {
		return nil
	}
	var out []string
	last := map[string]string{}
	for l := range bytes.Lines(b) {
		text := strings.TrimSuffix(string(l[1:]), "\n")
		if l[0] == '+' {
			out = append(out, text)
			continue
		}
		key, value, _ := strings.Cut(text, "\t")
		last[key] = value
	}
	for key, value := range last {
		out = append(out, key+" = "+value)
	}
	slices.Sort(out)
	return out
}

// differs says how the results are not those of Storm, with or without those of the end.
func (a area) differs(ended bool) string {
	got, want := a.results(), a.want
	if !ended {
		early := func(l string) bool { return strings.HasPrefix(l, atTheEnd) }
		got, want = slices.DeleteFunc(got, early), slices.DeleteFunc(slices.Clone(want), early)
	}
	if slices.Equal(got, want) {
		return ""
	}
	d := gocmp.Diff(want, got)
	return fmt.Sprintf("%d results, want %d (-Storm +gearstorm) %s", len(got), len(want), d[:min(len(d), 3000)])
}

// waitForAll waits until the results of all areas are those of Storm, and returns how they are not.
func waitForAll(all []area, until time.Time, ended bool) (wrong map[string]string) {
	for {
		wrong = map[string]string{}
		for _, a := range all {
			if ended && a.ask != "" {
				continue // it answers no more
			}
			if d := a.differs(ended); d != "" {
				wrong[a.name] = d
			}
		}
		if len(wrong) == 0 || time.Now().After(until) {
			return wrong
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// A topology for each part of Storm's Java API, sent by the real client, finds out what it finds out in Storm's own
// LocalCluster, also when the process with its state is killed; and doctor says of each component where it really runs.
func TestJavaAreas(t *testing.T) {
	t.Parallel()
	program(t, "jcmd")
	s, dir := startJava(t, "--slots", fmt.Sprint(areaSlots))
	s.options = transactions(t)
	for part := range slices.Chunk(areas(t, s.c, dir), areasAtOnce) {
		tryAreas(t, s, dir, part)
	}
}

// tryAreas submits topologies, compares what they find out, and kills them.
func tryAreas(t *testing.T, s *storm, dir string, part []area) {
	args := []string{dir}
	for _, a := range part {
		args = append(args, a.name)
	}
	began := time.Now()
	if out, err := run(t, areaLimit, nil, "", "java", s.argv("it.area.Submit", args...)...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if slices.ContainsFunc(part, func(a area) bool { return a.name == killedArea }) {
		killRecovering(t, s.c, filepath.Join(dir, killedArea))
	}
	wrong := waitForAll(part, began.Add(areaLimit), false)
	t.Logf("the results of %d came %v after the submit", len(part), time.Since(began).Round(time.Second))
	t.Run("doctor", func(t *testing.T) { checkDoctor(t, s, part) })
	for _, a := range part {
		if _, err := s.c.gearstorm(t, "kill", a.name, "-w", "0"); err != nil {
			t.Errorf("kill %s: %v", a.name, err)
		}
	}
	// Hooks and bolts hear of the end, and nothing came in addition.
	if len(wrong) == 0 {
		wrong = waitForAll(part, time.Now().Add(time.Minute), true)
	}
	for _, a := range part {
		row(t, "java", a.name, func() error {
			if d := wrong[a.name]; d != "" {
				return fmt.Errorf("%s", d)
			}
			return nil
		})
	}
}

// transactions starts a ZooKeeper for Trident, and returns the client's options that name it.
func transactions(t *testing.T) string {
	t.Helper()
	host, port, err := net.SplitHostPort(zktest.New(t, zktest.Config{}).Servers[0].Addr())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("transactional.zookeeper.servers=%s,transactional.zookeeper.port=%s", url.QueryEscape(fmt.Sprintf("[%q]", host)), port)
}

// killRecovering kills the Java process of the topology that keeps its state in files, once a checkpoint has acked a part of
// its input, and waits until another process begins with that state.
func killRecovering(t *testing.T, c *cluster, results string) {
	t.Helper()
	in := func(file string) []string { return lines(filepath.Dir(file), filepath.Base(file)) }
	waitFor(t, areaLimit, "acks after a checkpoint", func() bool { return len(in(results+".acked")) > 20 })
	pids := javasOf(t, c, killedArea)
	if len(pids) != 1 {
		t.Fatalf("%s has Java processes %v", killedArea, pids)
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	begins := func() []string { return in(results + ".begins") }
	waitFor(t, areaLimit, "another life of both tasks", func() bool { return len(begins()) >= 4 })
	if b := begins(); b[0] != "0" || slices.Contains(b[len(b)-2:], "0") {
		t.Errorf("the lives of the two tasks begin with %v numbers in the state", b)
	}
}

// javasOf returns the pids of a topology's Java processes.
func javasOf(t *testing.T, c *cluster, topology string) (pids []int) {
	t.Helper()
	numbers := regexp.MustCompile(`^-Dstorm\.id=` + regexp.QuoteMeta(topology) + `-\d+-\d+$`)
	id := numbers.MatchString
	for _, p := range processes(t, c.dir) {
		if slices.Contains(p.args, "gearstorm.jvmhost.storm.Main") && slices.ContainsFunc(p.args, id) {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

var executorThread = regexp.MustCompile(`(?m)^"Thread-\d+-(.+)-executor\[`)

// jvm is what is in the Java processes of a topology: components that have a thread, and classes that have objects.
type jvm struct{ components, classes map[string]bool }

func jvmOf(t *testing.T, c *cluster, topology string) jvm {
	t.Helper()
	j := jvm{map[string]bool{}, map[string]bool{}}
	ask := filepath.Join(t.TempDir(), "ask")
	if err := os.WriteFile(ask, []byte("Thread.print\nGC.class_histogram -all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, pid := range javasOf(t, c, topology) {
		out, err := run(t, areaLimit, nil, "", "jcmd", "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", fmt.Sprint(pid), "-f", ask)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, m := range executorThread.FindAllStringSubmatch(out, -1) {
			j.components[strings.TrimPrefix(m[1], "__metrics_")] = true
		}
		for l := range strings.Lines(out) {
			if f := strings.Fields(l); len(f) >= 4 && strings.HasSuffix(f[0], ":") {
				j.classes[f[3]] = true
			}
		}
	}
	return j
}

// has says whether what a row of doctor is about is there: groupings and hooks have no thread.
func (j jvm) has(r verdict) bool {
	return j.components[r.Name] || (strings.Contains(r.Kind, "grouping") || strings.Contains(r.Kind, "hook")) && j.classes[cmp.Or(r.Class, r.Name)]
}

// verdicts are rows of doctor.
type verdicts struct {
	Runs       bool
	Components []verdict
}

type verdict struct{ Name, Kind, Class, Runs string }

func doctor(t *testing.T, c *cluster, args ...string) (v verdicts) {
	t.Helper()
	out, err := c.gearstorm(t, append([]string{"doctor", "-o", "json"}, args...)...)
	if err != nil {
		t.Errorf("doctor %v: %v\n%s", args, err, out)
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || !v.Runs || len(v.Components) == 0 {
		t.Errorf("doctor %v: %v\n%s", args, err, out)
	}
	return v
}

// checkDoctor compares doctor's rows, of the running topologies and of the jar, to where the components have their threads.
func checkDoctor(t *testing.T, s *storm, all []area) {
	classes := map[string]string{}
	for _, row := range doctor(t, s.c, "--main", "it.area.Submit", "--storm-lib", s.lib, s.jar).Components {
		classes[row.Name] = row.Runs
	}
	for _, a := range all {
		in := jvmOf(t, s.c, a.name)
		for _, row := range doctor(t, s.c, a.name).Components {
			where := "native"
			if in.has(row) {
				where = "jvm"
			}
			if row.Runs != where {
				t.Errorf("%s: doctor says that %s %s is %s, it is %s", a.name, row.Kind, row.Name, row.Runs, where)
			}
			delete(in.components, row.Name)
			if said, known := classes[row.Class]; strings.HasPrefix(row.Class, "it.area.") && (!known || said != where) {
				t.Errorf("%s: doctor says of the jar that %s is %q, it is %s", a.name, row.Class, said, where)
			}
		}
		for name := range in.components {
			if !strings.HasPrefix(name, "__") {
				t.Errorf("%s: %s runs, and doctor has no row for it", a.name, name)
			}
		}
	}
}
