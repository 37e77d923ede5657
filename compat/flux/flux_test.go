package flux

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files of this package")

func env(name string) (string, bool) {
	if name == "FLUX_TEST_DIR" {
		return "/data", true
	}
	return "", false
}

// What we make of a definition runs as the same graph as what Storm's Flux makes of it, and has the same conf.
func TestAsStormsFlux(t *testing.T) {
	data, err := os.ReadFile("testdata/all.properties")
	if err != nil {
		t.Fatal(err)
	}
	properties, err := ParseProperties("all.properties", data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Load("testdata/all.yaml", Options{Properties: properties, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	var want stormrpc.StormTopology
	data, err = os.ReadFile("testdata/all.storm.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	data, err = os.ReadFile("testdata/all.storm-conf.json")
	if err != nil {
		t.Fatal(err)
	}
	wantConf, err := conf.ParseJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantConf, conf.Merge(got.Conf, conf.Conf{"topology.name": got.Name})); diff != "" {
		t.Errorf("conf (-storm +ours):\n%s", diff)
	}
	ours, err := compat.Compile(got.Topology, got.Conf)
	if err != nil {
		t.Fatal(err)
	}
	storms, err := compat.Compile(&want, got.Conf)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(storms, ours); diff != "" {
		t.Errorf("graph (-storm +ours):\n%s", diff)
	}
	warnings := []string{
		`testdata/shared.yaml:1: the name "shared" is ignored, there is one and override is false`,
		`testdata/shared.yaml:1: the config topology.workers is ignored, there is one and override is false`,
		`testdata/shared.yaml:6: bolt "b1" is ignored, there is one and override is false`,
		`testdata/all.yaml:67: bolt "alone" is left out, no stream goes to it`,
	}
	if diff := cmp.Diff(warnings, got.Warnings); diff != "" {
		t.Errorf("warnings: %s", diff)
	}
}

func TestGoComponents(t *testing.T) {
	var asked Class
	classes := func(c Class) (Component, error) {
		if c.Name != "example.Count" {
			return Component{}, ErrUnknownClass
		}
		asked = c
		return Component{Name: "count", Streams: map[string]Stream{"counts": {Fields: []string{"word", "n"}, Direct: true}}, Conf: conf.Conf{"count.limit": int64(10)}}, nil
	}
	got, err := Load("testdata/go.yaml", Options{Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	want := Class{Name: "example.Count", Args: []any{int64(3), map[string]any{"deep": []any{true}}}, Properties: map[string]any{"limit": int64(10)}}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("the registry was asked for something else: %s", diff)
	}
	text, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "go.golden.json", append(text, '\n'))
	if _, err := compat.Compile(got.Topology, got.Conf); err != nil {
		t.Error(err)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
}

// files serves definitions from memory.
func files(m map[string]string) func(string, bool) ([]byte, error) {
	return func(name string, resource bool) ([]byte, error) {
		if resource {
			name = "resource:" + name
		}
		text, ok := m[name]
		if !ok {
			return nil, os.ErrNotExist
		}
		return []byte(text), nil
	}
}

const (
	spoutYAML = "spouts:\n  - {id: s, className: gearstorm.go.Component, constructorArgs: [s, [a, b]]}\n" // lines 2 and 3
	boltYAML  = "bolts:\n  - {id: b, className: gearstorm.go.Component, constructorArgs: [b, [a]]}\n"     // lines 4 and 5
)

func TestErrors(t *testing.T) {
	stream := func(rest string) string {
		return "name: t\n" + spoutYAML + boltYAML + "streams:\n  - " + rest + "\n" // line 7
	}
	shell := func(rest string) string {
		return "name: t\nspouts:\n  - {id: s, className: " + shellSpoutClass + ", constructorArgs: [[x]], " + rest + "}\n"
	}
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "f:1: the definition is empty"},
		{"no map", "- a\n", "f:1: a definition must be a map"},
		{"broken", "name: t\nspouts: [\n", "f:2: did not find expected node content"},
		{"tabs", "name: t\nspouts:\n\t- id: s\n", "f:3: found character that cannot start any token: the line is indented with a tab, and YAML takes only spaces"},
		{"unknown key", "name: t\nspuots: []\n", `f:2: a definition has no key "spuots", only name, config,`},
		{"key twice", "name: t\nname: u\n", `f:2: key "name" stands there twice`},
		{"no name", spoutYAML, "f:1: the topology has no name"},
		{"no spouts", "name: t\n", "f:1: the topology has no spouts"},
		{"topology source", "name: t\ntopologySource: {className: X}\n", "f:2: class X is not known without Java: nobody can make its objects"},
		{"worker hook", "name: t\n" + spoutYAML + "workerHooks:\n  - {id: h, className: X}\n", "f:5: class X is not known without Java"},
		{"config no map", "name: t\nconfig: [1]\n", "f:2: a configuration must be a map of keys"},
		{"spouts no list", "name: t\nspouts: {}\n", "f:2: the spouts must be a list"},
		{"spout no map", "name: t\nspouts:\n  - s\n", "f:3: a spout must be a map"},
		{"spout without id", "name: t\nspouts:\n  - className: X\n", "f:3: a spout must have an id"},
		{"spout without class", "name: t\nspouts:\n  - id: s\n", "f:3: a spout must have a className"},
		{"spout with unknown key", "name: t\nspouts:\n  - id: s\n    paralellism: 2\n", `f:4: a spout has no key "paralellism"`},
		{"spout twice", "name: t\nspouts:\n  - {id: s, className: X}\n  - {id: s, className: X}\n", `f:4: spout "s" is defined twice, first in line 3`},
		{"spout and bolt", "name: t\n" + spoutYAML + strings.ReplaceAll(boltYAML, "id: b", "id: s"), `f:5: "s" is the id of a spout and of a bolt`},
		{"parallelism", shell("parallelism: 0"), "f:3: parallelism must be a whole number from 1 to 2147483647"},
		{"tasks", shell("numTasks: x"), "f:3: numTasks must be a whole number from -1 to 2147483647"},
		{"factory", shell("factory: make"), "f:3: class " + shellSpoutClass + " is not known without Java"},
		{"Java class", "name: t\nspouts:\n  - {id: s, className: com.x.Spout}\n", "f:3: class com.x.Spout is not known without Java"},
		{"bolt class for a spout", "name: t\nspouts:\n  - {id: s, className: " + shellBoltClass + ", constructorArgs: [[x]]}\n", "f:3: class " + shellBoltClass + " is not known"},
		{"Java component", "name: t\ncomponents:\n  - {id: c, className: java.util.Date}\n" + spoutYAML, "f:3: class java.util.Date is not known without Java"},
		{"no constructor arguments", "name: t\nspouts:\n  - {id: s, className: " + shellSpoutClass + "}\n", "f:3: " + shellSpoutClass + " takes 1 or 2 constructor arguments, not 0"},
		{"empty command", "name: t\nspouts:\n  - {id: s, className: " + shellSpoutClass + ", constructorArgs: [[]]}\n", "the command line, which is empty"},
		{"command no list", "name: t\nspouts:\n  - {id: s, className: " + shellSpoutClass + ", constructorArgs: [x]}\n", "f:3: the command line must be a list"},
		{"command of maps", "name: t\nspouts:\n  - {id: s, className: " + shellSpoutClass + ", constructorArgs: [[{}]]}\n", "f:3: each element of the command line must be a text"},
		{"unknown method", shell("configMethods: [{name: setSpeed, args: [1]}]"), "f:3: " + shellSpoutClass + " has no config method setSpeed"},
		{"method without name", shell("configMethods: [{args: [1]}]"), "f:3: a config method must have a name"},
		{"method with wrong arguments", shell("configMethods: [{name: setNamedStream, args: [x]}]"), "f:3: setNamedStream takes 2 arguments, not 1"},
		{"environment no map", shell("configMethods: [{name: setEnv, args: [x]}]"), "f:3: the environment must be a map"},
		{"directory no boolean", shell("configMethods: [{name: changeChildCWD, args: [x]}]"), "f:3: the argument of changeChildCWD must be true or false"},
		{"property without value", shell("properties: [{name: env}]"), "f:3: a property must have a name and either a value or a ref"},
		{"property that refers", shell("properties: [{name: env, ref: x}]"), `f:3: there is no component "x"`},
		{"property without setter", shell("properties: [{name: speed, value: 1}]"), "f:3: " + shellSpoutClass + " has no config method setSpeed"},
		{"stream without grouping", stream("{from: s, to: b}"), "f:7: a stream must have from, to and a grouping"},
		{"stream with unknown key", stream("{form: s}"), `f:7: a stream has no key "form", only name, from, to, grouping`},
		{"stream from nowhere", stream("{from: x, to: b, grouping: {type: ALL}}"), `f:7: stream comes from "x", which is no spout or bolt`},
		{"stream to nowhere", stream("{from: s, to: x, grouping: {type: ALL}}"), `f:7: stream goes to "x", which is no bolt`},
		{"stream to a spout", stream("{from: b, to: s, grouping: {type: ALL}}"), `f:7: stream goes to "s", which is no bolt`},
		{"unknown stream", stream("{from: s, to: b, grouping: {type: ALL, streamId: x}}"), `f:7: "s" has no stream "x"`},
		{"unknown field", stream("{from: s, to: b, grouping: {type: FIELDS, args: [a, x]}}"), `f:7: stream "default" of "s" has no field "x", only a, b`},
		{"stream twice", stream("{from: s, to: b, grouping: {type: ALL}}\n  - {from: s, to: b, grouping: {type: NONE}}"), `f:8: "b" gets stream "default" of "s" twice`},
		{"unknown grouping", stream("{from: s, to: b, grouping: {type: shuffle}}"), `f:7: grouping type "shuffle" is not one of [ALL CUSTOM`},
		{"grouping without type", stream("{from: s, to: b, grouping: {streamId: x}}"), "f:7: a grouping must have a type"},
		{"fields without fields", stream("{from: s, to: b, grouping: {type: FIELDS}}"), "f:7: args are the fields of grouping FIELDS or KEY_GROUPS, FIELDS has 0"},
		{"fields where none belong", stream("{from: s, to: b, grouping: {type: ALL, args: [a]}}"), "f:7: args are the fields of grouping FIELDS or KEY_GROUPS, ALL has 1"},
		{"custom without class", stream("{from: s, to: b, grouping: {type: CUSTOM}}"), "f:7: grouping CUSTOM has a customClass and no other"},
		{"custom Java class", stream("{from: s, to: b, grouping: {type: CUSTOM, customClass: {className: X}}}"), `f:7: grouping class X is written in Java; it can only be asked where "s" is, which is not`},
		{"reference to nothing", stream("{from: s, to: b, grouping: {type: CUSTOM, customClass: {className: " + partialKeyClass + ", constructorArgs: [{ref: w}]}}}"), `f:7: there is no component "w"`},
		{"include without file", "name: t\nincludes:\n  - {resource: true}\n", "f:3: an include must have a file"},
		{"include that is not there", "name: t\nincludes:\n  - {file: g}\n", "f:3: include: g:1: read definition: file does not exist"},
		{"include with an error", "name: t\nincludes:\n  - {file: bad}\n", `f:3: include: bad:2: a definition has no key "x"`},
		{"large", strings.Repeat("#", conf.MaxFileBytes+1), "configuration too large"},
		{"bomb", "a: &a [1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\n" +
			"e: &e [*d,*d,*d,*d,*d,*d,*d,*d]\ng: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", "more than 262144 values"},
		{"cycle", "a: &a [*a]\n", "nested deeper than 64"},
		{"line break in a variable", "name: ${nl}\n", "f:1: the value of ${nl} has a line break"},
		{"element of no list", "name: ${x[0]}\n", "f:1: ${x[0]}: the property is no list in brackets"},
		{"element over the end", "name: ${l[2]}\n", "f:1: ${l[2]}: the list has 2 elements"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := Options{Read: files(map[string]string{"f": tc.text, "bad": "name: u\nx: 1\n"}),
				Properties: map[string]string{"nl": "a\nb", "x": "y", "l": "[a, b]"}}
			got, err := Load("f", o)
			if err == nil {
				t.Fatalf("accepted as %v", got)
			}
			if !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestRegistryErrors(t *testing.T) {
	text := "name: t\nspouts:\n  - id: s\n    className: X\n    constructorArgs: [{ref: y}]\n"
	fail := func(err error) func(Class) (Component, error) {
		return func(Class) (Component, error) { return Component{}, err }
	}
	for _, tc := range []struct {
		name, text, want string
		err              error
	}{
		{"unknown", strings.ReplaceAll(text, "{ref: y}", "1"), "f:3: class X is not known", ErrUnknownClass},
		{"own error", strings.ReplaceAll(text, "{ref: y}", "1"), "f:3: class X: it is Monday", errors.New("it is Monday")},
		{"reference", text, `f:5: there is no component "y"`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load("f", Options{Read: files(map[string]string{"f": tc.text}), Classes: fail(tc.err)})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
}

func TestIncludes(t *testing.T) {
	more := "name: other\nconfig: {k: 2, l: 3}\nspouts:\n  - {id: s, className: gearstorm.go.Component, constructorArgs: [replaced, [a]]}\n"
	include := func(override bool) string {
		return fmt.Sprintf("name: t\nconfig: {k: 1}\nincludes:\n  - {file: more, resource: true, override: %v}\n", override) + spoutYAML
	}
	for _, override := range []bool{false, true} {
		t.Run(fmt.Sprint(override), func(t *testing.T) {
			got, err := Load("f", Options{Read: files(map[string]string{"f": include(override), "resource:more": more})})
			if err != nil {
				t.Fatal(err)
			}
			name, k, component := "t", int64(1), "s"
			if override {
				name, k, component = "other", 2, "replaced"
			}
			if got.Name != name || got.Conf["k"] != k || got.Conf["l"] != int64(3) {
				t.Errorf("name %s, conf %v", got.Name, got.Conf)
			}
			if diff := cmp.Diff(compat.GoComponent(component), got.Topology.Spouts["s"].SpoutObject); diff != "" {
				t.Error(diff)
			}
		})
	}
	nested := "includes:\n  - {file: deeper}\n" + spoutYAML
	got, err := Load("f", Options{Read: files(map[string]string{"f": "name: t\nincludes:\n  - {file: more}\n", "more": nested})})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"more:2: includes of an included file are not read"}, got.Warnings); diff != "" {
		t.Error(diff)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "f"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there gave %v", err)
	}
}

func TestSubstitute(t *testing.T) {
	l := &loader{options: Options{Env: env, Properties: map[string]string{"a": "1", "b.c": "two words", "l": `["x", 'y', z ]`, "ENV-a": "p"}}}
	for in, want := range map[string]string{
		"plain":                        "plain",
		"${a}-${b.c}\n":                "1-two words\n",
		"${l[0]}${l[1]}${l[2]}":        "xyz",
		"${ENV-FLUX_TEST_DIR}/x":       "/data/x",
		"${none} ${ENV-NONE} ${no[0]}": "${none} ${ENV-NONE} ${no[0]}",
		"$a ${":                        "$a ${",
		"${open":                       "${open",
		"$${a}":                        "$1",
	} {
		got, err := l.substitute("f", []byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%q became %q, %v; want %q", in, got, err, want)
		}
	}
	if len(l.warnings) != 3 {
		t.Errorf("%d warnings, want 3: %v", len(l.warnings), l.warnings)
	}
	without := &loader{options: Options{Properties: map[string]string{"ENV-a": "p"}}}
	if got, err := without.substitute("f", []byte("${ENV-a}")); err != nil || string(got) != "p" {
		t.Errorf("without the environment it became %q, %v", got, err)
	}
}

func TestParseProperties(t *testing.T) {
	text := "# c\n! c\n\na=1\n  b : two words \nc\tthree\nd=x\\\n   y\nempty\n\\ k\\=ey = v\nu=\\u00e9\\ud83d\\ude00\ntab=a\\tb\nq\\q=\\q\\\\\ne==\nlast=\\"
	want := map[string]string{"a": "1", "b": "two words ", "c": "three", "d": "xy", "empty": "", " k=ey": "v", "u": "é\U0001F600",
		"tab": "a\tb", "qq": "q\\", "e": "=", "last": ""}
	got, err := ParseProperties("p", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := ParseProperties("p", []byte("a=\xe9")); err != nil || got["a"] != "é" {
		t.Errorf("Latin-1 gave %q, %v", got["a"], err)
	}
	for _, bad := range []string{"x=1\na=\\u12", "x=1\na=\\uzzzz"} {
		if _, err := ParseProperties("p", []byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "p:2: ") {
			t.Errorf("%q gave %v", bad, err)
		}
	}
	if _, err := ParseProperties("p", bytes.Repeat([]byte("#"), conf.MaxFileBytes+1)); !errors.Is(err, conf.ErrTooLarge) {
		t.Errorf("a large file gave %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range []string{"all.yaml", "go.yaml", "shared.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "stage=test\nworkers=[\"1\",\"2\"]\n")
	}
	f.Add([]byte(spoutYAML+boltYAML), "")
	f.Fuzz(func(t *testing.T, data []byte, properties string) {
		p, err := ParseProperties("p", []byte(properties))
		if err != nil && !strings.HasPrefix(err.Error(), "p:") {
			t.Fatalf("error without a place: %v", err)
		}
		read := func(name string, resource bool) ([]byte, error) {
			if name == "f" {
				return data, nil
			}
			return []byte(spoutYAML), nil
		}
		got, err := Load("f", Options{Read: read, Properties: p, Env: env})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		var invalid *compat.InvalidTopology
		if _, err := compat.Compile(got.Topology, got.Conf); err != nil && !errors.As(err, &invalid) {
			t.Fatalf("what was loaded fails to compile: %v", err)
		}
	})
}
