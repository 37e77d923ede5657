package flux

import (
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat"
)

const drpcYAML = `name: t
spouts:
  - {id: s, className: org.apache.storm.drpc.DRPCSpout, constructorArgs: [ARGS]}
bolts:
  - {id: b, className: org.apache.storm.drpc.ReturnResults}
streams:
  - {from: s, to: b, grouping: {type: SHUFFLE}}
`

func TestDRPCComponents(t *testing.T) {
	got, err := Load("t", Options{Read: files(map[string]string{"t": strings.ReplaceAll(drpcYAML, "ARGS", "reach")})})
	if err != nil {
		t.Fatal(err)
	}
	if f := compat.DRPCFunctions(got.Topology); len(f) != 1 || f[0] != "reach" {
		t.Errorf("it serves %v", f)
	}
	if _, err := compat.Compile(got.Topology, got.Conf); err != nil {
		t.Error(err)
	}
}

func TestDRPCMistakes(t *testing.T) {
	spout, bolt := "org.apache.storm.drpc.DRPCSpout", "org.apache.storm.drpc.ReturnResults"
	for _, c := range []struct{ name, was, is, says string }{
		{"two arguments", "[ARGS]", "[a, b]", "t:3: " + spout + " takes 1 constructor arguments, not 2"},
		{"no argument", ", constructorArgs: [ARGS]", "", "takes 1 constructor arguments, not 0"},
		{"no name", "[ARGS]", `[""]`, "t:3: the function has no name"},
		{"a bolt as spout", spout + ", constructorArgs: [ARGS]", bolt, "t:3: class " + bolt + " stands in the wrong list"},
		{"config methods", bolt, bolt + ", configMethods: [{name: x}]", "t:5: " + bolt + " has no properties or config methods"},
	} {
		text := strings.Replace(drpcYAML, c.was, c.is, 1)
		if _, err := Load("t", Options{Read: files(map[string]string{"t": text})}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}
