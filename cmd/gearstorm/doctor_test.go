package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/classfile"
	"github.com/gearstorm/gearstorm/compat/classfile/classfiletest"
	"github.com/gearstorm/gearstorm/compat/doctor"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// javaOf pretends that this machine has that release of Java.
func javaOf(t *testing.T, version string) {
	t.Helper()
	t.Setenv("JAVA_HOME", t.TempDir())
	write(t, filepath.Join(os.Getenv("JAVA_HOME"), "release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\""+version+"\"\n")
}

func reportOf(t *testing.T, o outcome) doctor.Report {
	t.Helper()
	var r doctor.Report
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("%v in %+v", err, o)
	}
	return r
}

// multilangJar is a jar in which all runs without a JVM.
func multilangJar(t *testing.T) string {
	return string(classfiletest.Jar(t, map[string]string{"resources/split.py": ""},
		classfiletest.Class{Name: "a.Main", Methods: []classfile.Method{classfiletest.Main}, Classes: []string{"org.apache.storm.StormSubmitter", "a.Split"}},
		classfiletest.Class{Name: "a.Split", Super: "org.apache.storm.task.ShellBolt", Texts: []string{"split.py"}},
		classfiletest.Class{Name: "b.Spare", Super: "org.apache.storm.task.ShellBolt"}))
}

func TestDoctorJar(t *testing.T) {
	bare(t)
	javaOf(t, "17.0.15")
	write(t, "x.jar", multilangJar(t))
	o := command(t, "gearstorm", "doctor", "x.jar")
	if o.code != 0 || !strings.Contains(o.stdout, "a.Split") || !strings.Contains(o.stdout, "multilang split.py") ||
		!strings.HasSuffix(o.stdout, "1 more classes could be components, but no main class reaches them; -a lists them\nx.jar: 1 native, 0 in the JVM, all runs\n") {
		t.Errorf("got %+v", o)
	}
	if o := command(t, "gearstorm", "doctor", "-a", "x.jar"); o.code != 0 || !strings.Contains(o.stdout, "b.Spare") {
		t.Errorf("-a gave %+v", o)
	}
	r := reportOf(t, command(t, "gearstorm", "doctor", "x.jar", "-o", "json"))
	if r.What != "jar" || !r.Runs || r.Java != 17 || len(r.Components) != 1 || len(r.Unused) != 1 || !slices.Equal(r.Mains, []string{"a.Main"}) {
		t.Errorf("got %+v", r)
	}
	if o := command(t, "gearstorm", "doctor", "x.jar", "-o", "yaml"); o.code != 0 || !strings.Contains(o.stdout, "\nruns: true\n") {
		t.Errorf("YAML is %+v", o)
	}
}

func TestDoctorJarThatDoesNotRun(t *testing.T) {
	bare(t)
	javaOf(t, "1.8.0_412")
	write(t, "x.jar", string(classfiletest.Jar(t, nil,
		classfiletest.Class{Name: "a.Main", Methods: []classfile.Method{classfiletest.Main}, Classes: []string{"org.apache.storm.StormSubmitter", "a.Count", "a.Lib"}},
		classfiletest.Class{Name: "a.Count", Java: 21, Super: "org.apache.storm.topology.base.BaseRichBolt"})))
	o := command(t, "gearstorm", "doctor", "x.jar")
	if o.code != 1 || o.stderr != "" || !strings.Contains(o.stdout, "a.Count is built for Java 21, the Java here is 8") || !strings.Contains(o.stdout, "error: a.Lib, which a.Main uses, is not in the jar\n") {
		t.Errorf("got %+v", o)
	}
	write(t, "lib.jar", string(classfiletest.Jar(t, nil, classfiletest.Class{Name: "a.Lib"})))
	r := reportOf(t, command(t, "gearstorm", "doctor", "x.jar", "-o", "json", "--java", "21", "--jar", "lib.jar")) // as submit has it
	if r.Java != 21 || len(r.Findings) > 0 {
		t.Errorf("with what it needs: %+v", r)
	}
}

func TestDoctorYAML(t *testing.T) {
	bare(t)
	const text = "name: ${name}\nspouts:\n  - {id: words, className: org.apache.storm.flux.wrappers.spouts.FluxShellSpout, constructorArgs: [[python3, words.py], [word]]}\n"
	write(t, "x.yaml", text)
	write(t, "values", "name=t\n")
	if o := command(t, "gearstorm", "doctor", "x.yaml", "--filter", "values"); o.code != 0 || !strings.Contains(o.stdout, "words") {
		t.Errorf("got %+v", o)
	}
	write(t, "java.yaml", strings.ReplaceAll(text, "org.apache.storm.flux.wrappers.spouts.FluxShellSpout", "com.acme.Spout"))
	r := reportOf(t, command(t, "gearstorm", "doctor", "-ojson", "java.yaml"))
	if !r.Runs || len(r.Components) != 1 || r.Components[0].Runs != doctor.JVM {
		t.Errorf("got %+v", r)
	}
	if o := command(t, "gearstorm", "doctor", "java.yaml"); o.code != 0 || o.stderr != "" || !strings.Contains(o.stdout, "note: its Java classes were not looked at: ") {
		t.Errorf("got %+v", o)
	}
}

func TestDoctorUsage(t *testing.T) {
	bare(t)
	write(t, "x.jar", multilangJar(t))
	write(t, "program", "\x7fELF nothing else")
	write(t, "A.class", "\xca\xfe\xba\xbe\x00")
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "doctor takes a jar, a YAML file, a program or the name of a topology"},
		{[]string{"x.jar", "-o", "xml"}, 2, `output "xml": table, json and yaml are known`},
		{[]string{"x.jar", "more"}, 2, `only a program takes arguments, and there is "more"`},
		{[]string{"x.jar", "--main", "a.None"}, 2, "no such main class: a.None; there are a.Main"},
		{[]string{"none.jar"}, 1, "read topology: open none.jar: no such file or directory"},
		{[]string{"."}, 1, "read topology: . is not a file"},
		{[]string{"A.class"}, 1, "read topology: A.class is one class; name the jar that it goes into"},
		{[]string{"program"}, 1, "program is a program, but not one that was written in Go with gearstorm"},
		{[]string{"x.jar", "--storm-lib", "none"}, 1, "look for Storm's jars: open none"},
		{[]string{"x.jar", "--jars", "none.jar"}, 1, "open jar: open none.jar"},
	} {
		o := command(t, append([]string{"gearstorm", "doctor"}, tc.args...)...)
		if o.code != tc.code || o.stdout != "" || !strings.Contains(o.stderr, tc.want) || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("doctor %v gave %+v, want %d and %s", tc.args, o, tc.code, tc.want)
		}
	}
}

// runningTopology is a Nimbus with one topology.
type runningTopology struct {
	stormrpc.Nimbus
	port int
}

func (n *runningTopology) GetLeader(context.Context) (*stormrpc.NimbusSummary, error) {
	return &stormrpc.NimbusSummary{Host: "127.0.0.1", Port: int32(n.port), IsLeader: true, Version: stormVersion}, nil
}

func (n *runningTopology) GetTopologySummaryByName(_ context.Context, name string) (*stormrpc.TopologySummary, error) {
	if name != "wc" {
		return nil, &stormrpc.NotAliveException{Msg: name + " is not alive"}
	}
	return &stormrpc.TopologySummary{ID: "wc-1-1", Name: "wc", Status: "ACTIVE"}, nil
}

func (n *runningTopology) GetTopologyConf(context.Context, string) (string, error) {
	return `{"topology.metrics.reporters":[{"class":"com.acme.Reporter"}]}`, nil
}

func (n *runningTopology) GetUserTopology(_ context.Context, id string) (*stormrpc.StormTopology, error) {
	if id != "wc-1-1" {
		return nil, &stormrpc.NotAliveException{Msg: id + " is not alive"}
	}
	common := &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{"default": {OutputFields: []string{"word"}}}}
	return &stormrpc.StormTopology{
		Spouts:      map[string]*stormrpc.SpoutSpec{"words": {SpoutObject: compat.GoComponent("words"), Common: common}},
		Bolts:       map[string]*stormrpc.Bolt{},
		StateSpouts: map[string]*stormrpc.StateSpoutSpec{},
	}, nil
}

func TestDoctorRunningTopology(t *testing.T) {
	bare(t)
	n := &runningTopology{}
	at := serveNimbus(t, n, &n.port)
	o := command(t, "gearstorm", "--nimbus", at, "doctor", "wc", "-o", "json")
	r := reportOf(t, o)
	if r.What != "topology" || len(r.Components) != 2 || r.Components[0].Why != "Go component words" || r.Components[1].Name != "com.acme.Reporter" {
		t.Errorf("got %+v", r)
	}
	if o := command(t, "gearstorm", "--nimbus", at, "doctor", "none"); o.code != 1 || !strings.Contains(o.stderr, "none is not alive; `list` shows") {
		t.Errorf("got %+v", o)
	}
}

// A program is built, and says what it would submit.
func TestDoctorProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "hello")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/gearstorm/gearstorm/examples/hello").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	r := reportOf(t, command(t, "gearstorm", "doctor", "-o", "json", program))
	if r.What != "program" || !r.Runs || len(r.Components) != 3 {
		t.Errorf("got %+v", r)
	}
	for _, c := range r.Components {
		if c.Runs != doctor.Native || c.Why != map[string]string{"names": "Go component names", "greet": "python3 greet.py", "print": "Go component print"}[c.Name] {
			t.Errorf("component %+v", c)
		}
	}
}

func TestJavaRelease(t *testing.T) {
	for text, want := range map[string]int{"JAVA_VERSION=\"17.0.15\"\n": 17, "A=\"1\"\nJAVA_VERSION=\"1.8.0_412\"": 8, "JAVA_VERSION=\"25\"": 25, "JAVA_VERSION=\"x\"": 0, "": 0} {
		if got := javaRelease(text); got != want {
			t.Errorf("%q is Java %d, want %d", text, got, want)
		}
	}
}
