package doctor

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/flux"
)

func yamlOptions(text string) flux.Options {
	return flux.Options{Read: func(name string, resource bool) ([]byte, error) {
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
				"count | bolt | no | com.acme.Count | " + javaInYAML,
				"log | basic bolt | no | org.apache.storm.flux.wrappers.bolts.LogInfoBolt | " + javaInYAML,
				"count to words.default | grouping | no | com.acme.Group | " + javaInYAML,
				"hook | worker hook | no | com.acme.Hook | " + javaInYAML,
			},
			findings: []string{"error: f:6: scheme (com.acme.Scheme): " + javaInYAML},
		},
		{
			name:     "a Java class makes the topology",
			text:     "name: t\ntopologySource:\n  className: com.acme.Source\n  methodName: make\n",
			rows:     []string{},
			findings: []string{"error: f:2: topologySource com.acme.Source: " + javaInYAML},
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
			r, err := YAML("f", yamlOptions(tc.text), tc.set)
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

// The reason that YAML reports give for Java classes is flux.Load's doing: once that takes them, part has to ask Where.
func TestLoadTakesNoJava(t *testing.T) {
	text := "name: t\nspouts:\n  - {id: s, className: com.acme.Spout}\n"
	if _, err := flux.Load("f", yamlOptions(text)); err == nil {
		t.Error("flux.Load takes Java classes now, and the reports of this package say that it does not")
	}
}
