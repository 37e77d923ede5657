package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goodYAML has a spout in line 4 and a bolt in line 6, both complete; streams follow in line 8.
const goodYAML = `name: t
config: {topology.workers: 1}
spouts:
  - {id: s, className: org.apache.storm.flux.wrappers.spouts.FluxShellSpout, constructorArgs: [[python3, s.py], [a]]}
bolts:
  - {id: b, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [[python3, b.py], []]}
streams:
`

// badYAML are files and what the one line on standard error must name: the line of the file, 0 for none, and what is wrong.
var badYAML = []struct {
	name, text string
	line       int
	want       []string
}{
	{"unknown key", "name: t\nspuots: []\n", 2, []string{`"spuots"`, "spouts"}},
	{"unknown key of a bolt", strings.Replace(goodYAML, "{id: b,", "{id: b, paralellism: 2,", 1), 6, []string{`"paralellism"`, "parallelism"}},
	{"unknown class", strings.Replace(goodYAML, "org.apache.storm.flux.wrappers.bolts.FluxShellBolt", "com.example.MyBolt", 1), 6, []string{"com.example.MyBolt", "not known"}},
	{"unknown property of a connector", strings.Replace(goodYAML, "org.apache.storm.flux.wrappers.spouts.FluxShellSpout, constructorArgs: [[python3, s.py], [a]]",
		"gearstorm.file.Source, properties: [{name: paths, value: [a]}, {name: folow, value: true}]", 1), 4, []string{"folow", "follow"}},
	{"stream without to", goodYAML + "  - {from: s, grouping: {type: SHUFFLE}}\n", 8, []string{"from, to and a grouping"}},
	{"stream without from", goodYAML + "  - {to: b, grouping: {type: SHUFFLE}}\n", 8, []string{"from, to and a grouping"}},
	{"stream from nowhere", goodYAML + "  - {from: x, to: b, grouping: {type: SHUFFLE}}\n", 8, []string{`"x"`, "no spout or bolt"}},
	{"unknown grouping", goodYAML + "  - {from: s, to: b, grouping: {type: RANDOM}}\n", 8, []string{`"RANDOM"`, "SHUFFLE"}},
	{"unknown field", goodYAML + "  - {from: s, to: b, grouping: {type: FIELDS, args: [z]}}\n", 8, []string{`"z"`, "only a"}},
	{"parallelism of text", strings.Replace(goodYAML, "{id: b,", "{id: b, parallelism: two,", 1), 6, []string{"parallelism", "whole number"}},
	{"tabs", "name: t\nspouts:\n\t- id: s\n", 3, []string{"tab"}},
	{"alias bomb", bombYAML(), 0, []string{"values"}},
	{"alias to itself", "a: &a [*a]\n", 1, []string{"nested"}},
	{"brackets left open", "name: t\nspouts: [\n", 0, nil},
	{"noise", string(noise(4096)), 0, nil},
	{"zeros", string(make([]byte, 4096)), 0, nil},
	{"a Python file", "import gearstorm\n\nclass S(gearstorm.Spout):\n    pass\n", 0, nil},
	{"only a text", "hello\n", 1, []string{"map"}},
	{"empty", "", 1, []string{"empty"}},
	{"larger than allowed", strings.Repeat("# a comment\n", 2<<20), 0, []string{"large"}},
	{"deep", "a: " + strings.Repeat("[", 100_000), 0, nil},
	{"configuration of a wrong type", strings.Replace(goodYAML, "workers: 1", "workers: many", 1) + "  - {from: s, to: b, grouping: {type: SHUFFLE}}\n", 0, []string{"topology.workers"}},
}

func bombYAML() string {
	var b strings.Builder
	b.WriteString("name: t\na0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	return b.String()
}

// A YAML that is wrong ends a command with status 1 and one line, which says where it is wrong.
func TestBadYAML(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, b := range badYAML {
		t.Run(b.name, func(t *testing.T) {
			file := filepath.Join(dir, fmt.Sprintf("t%d.yaml", i))
			if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			line := complaint(t, "submit", "--dry-run", file)
			at := file
			if b.line > 0 {
				at = fmt.Sprintf("%s:%d:", file, b.line)
			}
			for _, want := range append(b.want, at) {
				if !strings.Contains(line, want) {
					t.Errorf("it says\n%s\nwant %q in it", line, want)
				}
			}
			if other := complaint(t, "run", file); other != line {
				t.Errorf("run says\n%s\nand submit\n%s", other, line)
			}
		})
	}
	for _, file := range []string{filepath.Join(dir, "nosuch.yaml"), dir, "/dev/zero"} {
		t.Run("file "+filepath.Base(file), func(t *testing.T) {
			if line := complaint(t, "submit", file); !strings.Contains(line, file) {
				t.Errorf("it says\n%s\nwant %s in it", line, file)
			}
		})
	}
}

// complaint runs a command that has to fail with status 1, nothing on standard output and one line on standard error,
// and returns that.
func complaint(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || out.Len() > 0 {
		t.Fatalf("gearstorm %v: %v, want status 1 and nothing on standard output\n%s%s", args, err, out.String(), errs.String())
	}
	line := strings.TrimSuffix(errs.String(), "\n")
	if line == "" || strings.Contains(line, "\n") || len(line) > 1000 || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		t.Errorf("gearstorm %v says, on standard error, %.2000q, want one readable line", args, errs.String())
	}
	return line
}
