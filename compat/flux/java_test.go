package flux

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/gearcore/codec"
	"github.com/gearstorm/gearstorm/multilang/jvmhost"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

const javaYAML = `name: t
config: {limit: 7}
components:
  - {id: all, className: com.x.All, constructorArgs: [{reflist: [a, b]}, {ref: a}]}
  - {id: a, className: com.x.A, factory: make, factoryArgs: [1, 5000000000, 2.0, on, "on", {b: 1, a: [null]}]}
  - {id: b, className: com.x.B, properties: [{name: p, ref: a}, {name: q, value: {ref: a}}], configMethods: [{name: with, args: [{ref: a}]}]}
spouts:
  - {id: s, className: com.x.Spout, parallelism: 2, cpuLoad: 10}
bolts:
  - id: b
    className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt
    constructorArgs: [[python3, b.py, x], [out]]
    configMethods: [{name: addComponentConfig, args: [k, 1]}]
streams:
  - {from: s, to: b, grouping: {type: FIELDS, args: [word]}}
workerHooks:
  - {id: h, className: com.x.Hook}
`

// made is what Java would make of javaYAML, with a stand-in for the bolt.
func made(t *testing.T) []byte {
	t.Helper()
	topo := stormrpc.NewStormTopology()
	topo.Spouts = map[string]*stormrpc.SpoutSpec{"s": {
		SpoutObject: &stormrpc.ComponentObject{SerializedJava: []byte{1}},
		Common:      &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{"default": {OutputFields: []string{"word"}}}},
	}}
	topo.Bolts = map[string]*stormrpc.Bolt{"b": {
		BoltObject: &stormrpc.ComponentObject{SerializedJava: []byte{2}},
		Common:     &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{"default": {OutputFields: []string{"out"}}}},
	}}
	data, err := wire.Marshal(topo)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func loadJava(text string, java func([]byte) (Made, error)) (*Topology, error) {
	return Load("f", Options{Read: files(map[string]string{"f": text}), Java: java})
}

// What Java is told has the components in the order in which they can be made, and values of the types that Storm's parser gives.
func TestDefinitionForJava(t *testing.T) {
	var told any
	got, err := loadJava(javaYAML, func(definition []byte) (Made, error) {
		r := codec.NewReader(definition, errors.New("bad"))
		told = r.Value().Any()
		return Made{Topology: made(t), Warnings: []string{"f:9: odd"}}, r.Err
	})
	if err != nil {
		t.Fatal(err)
	}
	def := told.(map[string]any)
	var ids []string
	for _, c := range def["components"].([]any) {
		ids = append(ids, c.(map[string]any)["id"].(string))
	}
	if diff := cmp.Diff([]string{"a", "b", "all"}, ids); diff != "" {
		t.Errorf("order of components: %s", diff)
	}
	var args []string
	for _, a := range def["components"].([]any)[0].(map[string]any)["factoryArgs"].([]any) {
		args = append(args, fmt.Sprintf("%T %v", a.(map[string]any)["value"], a.(map[string]any)["value"]))
	}
	if diff := cmp.Diff([]string{"int32 1", "int64 5000000000", "float64 2", "bool true", "string on", "map[string]interface {} map[a:[<nil>] b:1]"}, args); diff != "" {
		t.Errorf("arguments: %s", diff)
	}
	if q := def["components"].([]any)[1].(map[string]any)["properties"].([]any)[1].(map[string]any)["value"].(map[string]any); q["ref"] != nil {
		t.Errorf("the value of a property was taken for a reference: %v", q)
	}
	bolt := def["bolts"].([]any)[0].(map[string]any)
	if diff := cmp.Diff(map[string]any{"k": int32(1)}, bolt["conf"]); diff != "" || bolt["bean"] != nil {
		t.Errorf("the bolt that needs no Java: %v %s", bolt, diff)
	}
	if arg := got.Topology.Bolts["b"].BoltObject.JavaObject; arg == nil || !strings.Contains(*arg.ArgsList[0].StringArg, "b.py") {
		t.Errorf("the stand-in is still there: %v", got.Topology.Bolts["b"].BoltObject)
	}
	if diff := cmp.Diff([]string{"f:9: odd"}, got.Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestJavaMistakes(t *testing.T) {
	components := func(c string) string { return "name: t\ncomponents:\n" + c + spoutYAML }
	for _, tc := range []struct{ name, text, want string }{
		{"cycle", components("  - {id: a, className: X, constructorArgs: [{ref: b}]}\n  - {id: b, className: X, properties: [{name: p, ref: a}]}\n"),
			`f:4: component "a" is made of itself: a -> b -> a`},
		{"made of itself", components("  - {id: a, className: X, constructorArgs: [{reflist: [a]}]}\n"), `f:3: component "a" is made of itself: a -> a`},
		{"unknown component", components("  - {id: a, className: X, factory: f, factoryArgs: [{reflist: [x]}]}\n"), `f:3: there is no component "x"`},
		{"reference that is no text", components("  - {id: a, className: X, constructorArgs: [{ref: [x]}]}\n"), "f:3: ref must be a text"},
		{"list of references that is none", components("  - {id: a, className: X, constructorArgs: [{reflist: x}]}\n"), "f:3: reflist must be a list"},
		{"arguments without a factory", components("  - {id: a, className: X, factoryArgs: [1]}\n"), "f:3: a component has factoryArgs and no factory"},
		{"value and reference", components("  - {id: a, className: X, properties: [{name: p, value: 1, ref: b}]}\n"), "f:3: a property must have a name and either a value or a ref"},
		{"component twice", components("  - {id: a, className: X}\n  - {id: a, className: X}\n"), `f:4: component "a" is defined twice, first in line 3`},
		{"source and spouts", "name: t\ntopologySource: {className: X}\n" + spoutYAML, "f:2: the class of topologySource makes spouts, bolts and streams"},
		{"source without class", "name: t\ntopologySource: {methodName: x}\n", "f:2: a topologySource must have a className"},
		{"unknown field", strings.Replace(javaYAML, "args: [word]", "args: [other]", 1), `f:15: stream "default" of "s" has no field "other", only word`},
		{"unknown stream", strings.Replace(javaYAML, "type: FIELDS, args: [word]", "type: ALL, streamId: x", 1), `f:15: "s" has no stream "x"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := loadJava(tc.text, func([]byte) (Made, error) { return Made{Topology: made(t)}, nil })
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("%v, %v\nwant %s", got, err, tc.want)
			}
		})
	}
	if _, err := loadJava(javaYAML, func([]byte) (Made, error) { return Made{}, Mistake("f:8: no") }); err == nil || err.Error() != "f:8: no" {
		t.Errorf("Java's own error became %v", err)
	}
	if _, err := loadJava(javaYAML, func([]byte) (Made, error) { return Made{}, &jvmhost.MissingError{What: "no java"} }); err == nil || !strings.HasPrefix(err.Error(), "f:4: class com.x.All is not known without Java: ") {
		t.Errorf("no JVM gave %v", err)
	}
	if _, err := loadJava(javaYAML, func([]byte) (Made, error) { return Made{Topology: []byte("nonsense")}, nil }); err == nil || !strings.HasPrefix(err.Error(), "f:1: read what Java made") {
		t.Errorf("nonsense gave %v", err)
	}
}

// A definition without Java asks for none.
func TestNoJVMWithoutNeed(t *testing.T) {
	_, err := loadJava("name: t\n"+spoutYAML+boltYAML+"streams:\n  - {from: s, to: b, grouping: {type: ALL}}\n", func([]byte) (Made, error) {
		t.Error("Java was asked")
		return Made{}, nil
	})
	if err != nil {
		t.Error(err)
	}
}
