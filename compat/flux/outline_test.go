package flux

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// Read takes what Load refuses, includes and variables too.
func TestRead(t *testing.T) {
	got, err := Read("f", Options{Properties: map[string]string{"class": "com.acme.Spout"}, Read: files(map[string]string{
		"f": `name: t
config: {topology.workers: 2}
includes:
  - {file: g}
components:
  - {id: c, className: com.acme.Scheme, factoryArgs: [1], factory: make}
spouts:
  - {id: s, className: "${class}"}
bolts:
  - {id: b, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [[python3, b.py]]}
streams:
  - {from: s, to: b, grouping: {type: CUSTOM, customClass: {className: com.acme.Group}}}
`,
		"g": "workerHooks:\n  - {id: h, className: com.acme.Hook}\ntopologySource: {className: com.acme.Source, methodName: make}\n",
	})})
	if err != nil {
		t.Fatal(err)
	}
	want := &Outline{
		Name: "t", Conf: conf.Conf{"topology.workers": int64(2)},
		Spouts:      []Part{{ID: "s", Class: "com.acme.Spout", At: "f:8"}},
		Bolts:       []Part{{ID: "b", Class: shellBoltClass, At: "f:10", Command: []string{"python3", "b.py"}}},
		Groupings:   []Part{{ID: "b to s.default", Class: "com.acme.Group", At: "f:12"}},
		Components:  []Part{{ID: "c", Class: "com.acme.Scheme", At: "f:6", Java: true}},
		WorkerHooks: []Part{{ID: "h", Class: "com.acme.Hook", At: "g:2"}},
		Source:      &Part{Class: "com.acme.Source", At: "g:3"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Read("f", Options{Read: files(map[string]string{"f": "spouts:\n  - {className: X}\n"})}); err == nil || err.Error() != "f:2: a spout must have an id" {
		t.Errorf("a spout without an id gave %v", err)
	}
}
