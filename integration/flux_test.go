package integration

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/flux"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/multilang/jvmhost"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

const fluxClient = "flux"

// fluxFile is a definition of testdata.
func fluxFile(t *testing.T, name string) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("testdata", "flux", name))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// integrationJar has the classes of the definitions.
func integrationJar(t *testing.T) string {
	t.Helper()
	return tool(t, "scripts/get-storm-client.sh", "storm", "build", "integration.jar")
}

// fluxJar makes the jar that users of Flux build: their own classes, and Flux with all that it needs.
func fluxJar(t *testing.T) string {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "flux.jar"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	z, have := zip.NewWriter(out), map[string]bool{}
	for _, jar := range []string{integrationJar(t), tool(t, "scripts/get-flux.sh", "flux", "flux-core-2.8.3.jar")} {
		in, err := zip.OpenReader(jar)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		for _, f := range in.File {
			if have[f.Name] || strings.HasSuffix(f.Name, "/") {
				continue
			}
			have[f.Name] = true
			if err := z.Copy(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Name()
}

// properties writes a file for --filter.
func properties(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "filter.properties")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Storm's own Flux and ours make the same topology of a definition with components in Java, to the byte of each serialized
// object, and the same configuration.
func TestFluxSameTopology(t *testing.T) {
	program(t, "java")
	program(t, "javac")
	jar, dir := fluxJar(t), t.TempDir()
	if _, err := setUpJava(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FLUX_DIR", dir)
	filter := properties(t, "name=same\n")
	data, err := os.ReadFile(filter)
	if err != nil {
		t.Fatal(err)
	}
	o := flux.Options{Env: os.LookupEnv, Java: func(definition []byte) (flux.Made, error) {
		install := jvmhost.Install{Dir: filepath.Join(filepath.Dir(binary), "java"), Lib: tool(t, "scripts/get-storm-client.sh", "storm", "lib-worker")}
		return flux.JVM{Once: jvmhost.Once{Install: install, Jars: []string{jar}}}.Make(t.Context(), definition)
	}}
	if o.Properties, err = flux.ParseProperties(filter, data); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"parts.yaml", "source.yaml", "stateful.yaml"} {
		row(t, fluxClient, "same-topology-"+strings.TrimSuffix(name, ".yaml"), func() error {
			out := t.TempDir()
			cp := tool(t, "scripts/get-storm-client.sh", "storm", "lib") + "/*:" + jar
			if text, err := run(t, 2*time.Minute, nil, "", "java", "-Dlog4j2.level=WARN", "-cp", cp, "../compat/flux/testdata/FluxReal.java", fluxFile(t, name), filter, out); err != nil {
				return fmt.Errorf("storm's flux: %w: %s", err, text)
			}
			storms, stormsConf, err := readReal(out)
			if err != nil {
				return err
			}
			ours, err := flux.Load(fluxFile(t, name), o)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(stormsConf, conf.Merge(ours.Conf, conf.Conf{"topology.name": ours.Name})); diff != "" {
				return fmt.Errorf("conf (-storm +ours): %s", diff)
			}
			return sameTopology(storms, ours)
		})
	}
}

func readReal(dir string) (*stormrpc.StormTopology, conf.Conf, error) {
	data, err := os.ReadFile(filepath.Join(dir, "topology"))
	if err != nil {
		return nil, nil, err
	}
	topo := stormrpc.NewStormTopology()
	if err := wire.Unmarshal(data, topo); err != nil {
		return nil, nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "conf.json"))
	if err != nil {
		return nil, nil, err
	}
	c, err := conf.ParseJSON(text)
	return topo, c, err
}

// sameTopology compares what two topologies say, field by field, and what they compile to. Shell components are written in
// another way here, so only what they are compiled to counts.
func sameTopology(storms *stormrpc.StormTopology, ours *flux.Topology) error {
	want, err := compat.Compile(storms, ours.Conf)
	if err != nil {
		return err
	}
	got, err := compat.Compile(ours.Topology, ours.Conf)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("graph (-storm +ours): %s", diff)
	}
	if diff := cmp.Diff(spelled(storms, want), spelled(ours.Topology, want)); diff != "" {
		return fmt.Errorf("topology (-storm +ours): %s", diff)
	}
	return nil
}

// spelled is what a topology says, in maps.
func spelled(t *stormrpc.StormTopology, g *dag.Graph) map[string]any {
	out := map[string]any{"hooks": t.WorkerHooks}
	add := func(id string, object *stormrpc.ComponentObject, c *stormrpc.ComponentCommon) {
		if g.Processor(id).Impl.Command == nil {
			out[id+" object"] = object
		}
		for _, in := range c.Inputs {
			out[id+" from "+in.Key.ComponentId+" "+in.Key.StreamId] = in.Value
		}
		var own any
		if err := json.Unmarshal([]byte(c.GetJSONConf()), &own); err == nil {
			out[id+" conf"] = own
		}
		out[id+" streams"], out[id+" parallelism"] = c.Streams, c.ParallelismHint
	}
	for id, s := range t.Spouts {
		add(id, s.SpoutObject, s.Common)
	}
	for id, b := range t.Bolts {
		add(id, b.BoltObject, b.Common)
	}
	return out
}

// The real Flux in a jar of the user's, by the real client, and our own commands run the same definitions.
func TestFluxJava(t *testing.T) {
	s, _ := startJava(t)
	jar := fluxJar(t)
	t.Setenv("STORM_HOME", stormHome(t))
	opts, err := setUpJava()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []struct {
		name string
		run  func(file, filter string) (string, error)
	}{
		{"storm-client", func(file, filter string) (string, error) {
			s := *s
			s.jar, s.upload = jar, jar
			return s.java(t, true, "org.apache.storm.flux.Flux", "--remote", "--no-splash", "--filter", filter, "--env-filter", file)
		}},
		{"gearstorm-jar", func(file, filter string) (string, error) {
			return s.c.gearstorm(t, append([]string{"jar", jar, "org.apache.storm.flux.Flux", "-r", "-n", "-f", filter, "-e", file}, opts...)...)
		}},
		{"gearstorm-submit", func(file, filter string) (string, error) {
			return s.c.gearstorm(t, append([]string{"submit", file, "--jar", integrationJar(t), "--filter", filter, "--env-filter"}, opts...)...)
		}},
	} {
		row(t, fluxClient, u.name, func() error { return fluxParts(t, s.c, u.name, u.run) })
		row(t, fluxClient, u.name+"-source", func() error { return fluxSource(t, s.c, u.name, u.run) })
	}
}

// stormHome is a release of Storm, as far as clients need one.
func stormHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	if err := os.Symlink(tool(t, "scripts/get-storm-client.sh", "storm", "lib"), filepath.Join(home, "lib-worker")); err != nil {
		t.Fatal(err)
	}
	return home
}

// fluxParts submits parts.yaml and looks at what each of its components did. The last window is not acked, since none follows.
func fluxParts(t *testing.T, c *cluster, name string, submit func(file, filter string) (string, error)) error {
	const n = 200
	dir := t.TempDir()
	t.Setenv("FLUX_DIR", dir)
	if out, err := submit(fluxFile(t, "parts.yaml"), properties(t, "name="+name+"\n")); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	defer c.must(t, "kill", name, "-w", "0")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for file, want := range map[string]int{"acked": n - 5, "made-told": 1, "made-arrays": 1, "made-loud": 1, "windows": n / 5, "to": n, "partial": n, "all": 2 * n, "python": n, "hook": 1} {
		for len(lines(dir, file)) < want {
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s has %d lines, want %d; errors: %s", file, len(lines(dir, file)), want, c.must(t, "get-errors", name))
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	for file, want := range map[string]string{
		"made-told": "7 one+two PLAIN 2.0 true [one, one+two] [] [] 3 [] {first=1, second=[a, 2.5, false]} two " +
			"withNothing;with text 4;withLabels [two, one];withLabel one 0.5;",
		"made-arrays": "0 none PLAIN 1.0 false [] [a, b] [1, 2] 0 [] {} none ",
		"made-loud":   "9 none LOUD 9.0 true [] [] [] 0 [] {} none ",
		"hook":        "began",
	} {
		if got := lines(dir, file); !slices.Equal(got, []string{want}) {
			return fmt.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	if tasks := tasksOf(dir, "to"); len(tasks) != 1 {
		return fmt.Errorf("the custom grouping chose %v", tasks)
	}
	if tasks := tasksOf(dir, "all"); len(tasks) != 2 {
		return fmt.Errorf("all grouping reached %v", tasks)
	}
	return nil
}

// tasksOf counts the lines of a bolt Keep by its task.
func tasksOf(dir, file string) map[string]int {
	var list []string
	for _, l := range lines(dir, file) {
		list = append(list, strings.Fields(l)[0])
	}
	return kinds(list)
}

// fluxSource submits source.yaml, whose topology a class makes.
func fluxSource(t *testing.T, c *cluster, name string, submit func(file, filter string) (string, error)) error {
	dir := t.TempDir()
	t.Setenv("FLUX_DIR", dir)
	if out, err := submit(fluxFile(t, "source.yaml"), properties(t, "name="+name+"-source\n")); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	defer c.must(t, "kill", name+"-source", "-w", "0")
	waitFor(t, time.Minute, "all numbers at the bolt", func() bool { return len(lines(dir, "keep")) >= 100 && len(lines(dir, "acked")) >= 100 })
	if tasks := tasksOf(dir, "keep"); len(tasks) != 3 {
		return fmt.Errorf("shuffle reached %v, want three tasks", tasks)
	}
	return nil
}

// What is wrong with a class, its arguments or its objects is one line that says where and what is there instead; nothing is
// submitted.
func TestFluxMistakes(t *testing.T) {
	t.Parallel()
	program(t, "java")
	program(t, "javac")
	jar := integrationJar(t)
	opts, err := setUpJava()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct{ name, bolt, want string }{
		{"unknown class", "className: it.NoSuch", "class it.NoSuch is not known: it is neither in Storm's jars nor in the topology's (--jar)"},
		{"no constructor", "className: it.FluxParts$Bad, constructorArgs: [1, 2]", "class it.FluxParts$Bad has no public constructor for these arguments: given is (Integer, Integer), there is (String)"},
		{"no constant", "className: it.FluxParts$Told, constructorArgs: [QUIET, 1, true, []]", "(Mode, double, boolean, List): argument 1: QUIET is none of PLAIN, LOUD"},
		{"large number", "className: it.FluxParts$Told, factory: loud, factoryArgs: [3000000000]", "no static method loud for these arguments: (int): argument 1: 3000000000 does not fit a int"},
		{"null", "className: it.FluxParts$Bad, constructorArgs: [null]", "an argument cannot be null"},
		{"constructor that throws", "className: it.FluxParts$Bad, constructorArgs: [throws]", "the constructor of it.FluxParts$Bad threw java.lang.IllegalStateException: it is made of throws (at it.FluxParts$Bad.<init>"},
		{"factory of nothing", "className: it.FluxParts$Bad, factory: none", "it.FluxParts$Bad.none returned null"},
		{"no such property", "className: it.FluxParts$Told, properties: [{name: colour, value: red}]", "property colour of it.FluxParts$Told cannot be set: no setColour and no public field of that name"},
		{"property of another type", "className: it.FluxParts$Bad, constructorArgs: [x], properties: [{name: speed, value: fast}]", "setSpeed does not take it: (int): argument 1: a String is no int"},
		{"setter that throws", "className: it.FluxParts$Bad, constructorArgs: [x], properties: [{name: speed, value: 9}]", "it.FluxParts$Bad.setSpeed threw java.lang.IllegalArgumentException: too fast: 9"},
		{"no such method", "className: it.FluxParts$Told, configMethods: [{name: with, args: [x]}]", "it.FluxParts$Told has no config method with for these arguments: given is (String), there is (String, int)"},
		{"no bolt", "className: it.FluxParts$Label, constructorArgs: [x]", "class it.FluxParts$Label is no bolt"},
		{"not serializable", "className: it.FluxParts$Bad, constructorArgs: [holds]", "b cannot be serialized: it holds a java.lang.Object, which is not Serializable"},
	} {
		t.Run(m.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "t.yaml")
			text := "name: t\nspouts:\n  - {id: s, className: it.Numbers, constructorArgs: [5]}\nbolts:\n  - {id: b, " + m.bolt + "}\nstreams:\n  - {from: s, to: b, grouping: {type: ALL}}\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			line := complaint(t, append([]string{"submit", "--dry-run", file, "--jar", jar}, opts...)...)
			if !strings.HasPrefix(line, "gearstorm: "+file+":5: ") || !strings.Contains(line, m.want) {
				t.Errorf("it says\n%s\nwant line 5 and %q", line, m.want)
			}
		})
	}
}
