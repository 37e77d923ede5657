package doctor

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/connectors"
	"github.com/gearstorm/gearstorm/compat/flux"
	"github.com/gearstorm/gearstorm/multilang/jvmhost"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

func yamlOptions(text string) flux.Options {
	return flux.Options{Classes: connectors.Classes, Read: func(name string, resource bool) ([]byte, error) {
		if name != "f" || resource {
			return nil, fs.ErrNotExist
		}
		return []byte(text), nil
	}}
}

const fluxHead = `name: t
spouts:
  - {id: words, className: org.apache.storm.flux.wrappers.spouts.FluxShellSpout, constructorArgs: [[python3, words.py], [word]]}
`

func TestYAML(t *testing.T) {
	made, err := wire.Marshal(topology(&stormrpc.ComponentObject{SerializedJava: javaObject("user.Class", "")}, map[string]*stormrpc.ComponentObject{
		"count": {SerializedJava: javaObject("org.apache.storm.topology.WindowedBoltExecutor", "user.Window")}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, text string
		set        conf.Conf
		rows       []string
		findings   []string
		runs       bool
	}{
		{
			name: "native",
			text: fluxHead + `
components:
  - {id: key, className: org.apache.storm.tuple.Fields, constructorArgs: [[word]]}
bolts:
  - {id: split, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [[node, split.js], [word]]}
  - {id: count, className: gearstorm.go.Component, constructorArgs: [count]}
streams:
  - {from: words, to: split, grouping: {type: SHUFFLE}}
  - {from: split, to: count, grouping: {type: CUSTOM, customClass: {className: org.apache.storm.grouping.PartialKeyGrouping, constructorArgs: [{ref: key}]}}}
`,
			rows: []string{
				"words | shell spout | native | org.apache.storm.flux.wrappers.spouts.FluxShellSpout | python3 words.py",
				"split | shell bolt | native | org.apache.storm.flux.wrappers.bolts.FluxShellBolt | node split.js",
				"count | bolt | native | gearstorm.go.Component | Go component | only workers of the Go program that registers it have it",
				"count to split.default | partial key grouping | native | org.apache.storm.grouping.PartialKeyGrouping",
			},
			runs: true,
		},
		{
			name: "connectors",
			text: `name: t
spouts: [{id: lines, className: gearstorm.file.Source, properties: [{name: paths, value: [in]}]}]
bolts: [{id: out, className: gearstorm.file.Sink, properties: [{name: dir, value: out}]}]
streams: [{from: lines, to: out, grouping: {type: SHUFFLE}}]
`,
			rows: []string{
				"lines | spout | native | gearstorm.file.Source | a connector of gearstorm's",
				"out | bolt | native | gearstorm.file.Sink | a connector of gearstorm's",
			},
			runs: true,
		},
		{
			name: "Java everywhere",
			text: fluxHead + `
components:
  - {id: scheme, className: com.acme.Scheme}
bolts:
  - {id: count, className: com.acme.Count, factory: make}
  - {id: log, className: org.apache.storm.flux.wrappers.bolts.LogInfoBolt}
workerHooks:
  - {id: hook, className: com.acme.Hook}
streams:
  - {from: words, to: count, grouping: {type: CUSTOM, customClass: {className: com.acme.Group}}}
`,
			rows: []string{
				"words | shell spout | native | org.apache.storm.flux.wrappers.spouts.FluxShellSpout | python3 words.py",
				"count | bolt | java | com.acme.Count",
				"log | basic bolt | java | org.apache.storm.flux.wrappers.bolts.LogInfoBolt",
				"count to words.default | grouping | java | com.acme.Group | only for streams of Java components: it is asked where the tuple comes from",
				"hook | worker hook | java | com.acme.Hook",
			},
			findings: []string{`error: f:13: grouping class com.acme.Group is written in Java; it can only be asked where "words" is, which is not`},
		},
		{
			name:     "a Java class makes the topology",
			text:     "name: t\ntopologySource:\n  className: com.acme.Source\n  methodName: make\n",
			rows:     []string{"words | spout | java | user.Class", "count | windowed bolt | java | user.Window"},
			findings: []string{},
			runs:     true,
		},
		{
			name: "Java components",
			text: "name: t\nspouts:\n  - {id: words, className: com.acme.Words}\nbolts:\n  - {id: count, className: com.acme.Count}\nstreams:\n  - {from: words, to: count, grouping: {type: ALL}}\n",
			rows: []string{"words | spout | java | com.acme.Words", "count | windowed bolt | java | com.acme.Count"},
			runs: true,
		},
		{
			name:     "what a submit refuses",
			text:     fluxHead + "streams:\n  - {from: words, to: count, grouping: {type: SHUFFLE}}\n",
			rows:     []string{"words | shell spout | native | org.apache.storm.flux.wrappers.spouts.FluxShellSpout | python3 words.py"},
			findings: []string{`error: f:5: stream goes to "count", which is no bolt`},
		},
		{
			name:     "its configuration",
			text:     fluxHead,
			set:      conf.Conf{"topology.multilang.serializer": "com.acme.Thrift"},
			rows:     []string{"words | shell spout | native | org.apache.storm.flux.wrappers.spouts.FluxShellSpout | python3 words.py", "topology.multilang.serializer | multilang serializer | no | com.acme.Thrift | multilang children speak JSON or msgpack here; a class for topology.multilang.serializer is not loaded"},
			findings: []string{},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := yamlOptions(tc.text)
			o.Java = func([]byte) (flux.Made, error) { return flux.Made{Topology: made}, nil }
			r, err := YAML("f", o, tc.set)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.rows, rows(r.Components)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(orEmpty(tc.findings), findings(r)); diff != "" {
				t.Error(diff)
			}
			if r.Runs != tc.runs {
				t.Errorf("runs is %t", r.Runs)
			}
		})
	}
	if _, err := YAML("none", yamlOptions(""), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there gave %v", err)
	}
}

// Without a JVM set up the report goes by the names of classes, and says so.
func TestYAMLWithoutJVM(t *testing.T) {
	o := yamlOptions("name: t\nspouts:\n  - {id: s, className: com.acme.Spout}\n")
	o.Java = func([]byte) (flux.Made, error) { return flux.Made{}, &jvmhost.MissingError{What: "there is no java"} }
	r, err := YAML("f", o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"s | spout | java | com.acme.Spout"}, rows(r.Components)); diff != "" {
		t.Error(diff)
	}
	if f := findings(r); !r.Runs || len(f) != 1 || !strings.HasPrefix(f[0], "note: its Java classes were not looked at: ") {
		t.Errorf("runs is %t: %v", r.Runs, f)
	}
}
