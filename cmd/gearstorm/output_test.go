package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/gearstorm/gearstorm/internal/seeds"
)

func TestYAMLSaysWhatJSONSays(t *testing.T) {
	var out strings.Builder
	v := []any{map[string]any{"a": "12", "b": 1.5, "c": nil, "d": true, "e": []string{}, "f": "x: <y>\nz", "g": map[string]int{"n": 3}, "h": "true", "i": ""}}
	if err := writeYAML(&out, v); err != nil {
		t.Fatal(err)
	}
	var fromYAML, fromJSON any
	if err := yaml.Unmarshal([]byte(out.String()), &fromYAML); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(fromYAML)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal(want, &v) != nil || json.Unmarshal(text, &fromJSON) != nil || cmp.Diff(any(v), fromJSON) != "" {
		t.Errorf("%s\nis %s, want %s", out.String(), text, want)
	}
	if !strings.HasPrefix(out.String(), "- a: \"12\"\n  b: 1.5\n  c: null\n  d: true\n  e: []\n") {
		t.Errorf("not in block style:\n%s", out.String())
	}
}

func TestOutputFormats(t *testing.T) {
	bare(t)
	_, at := startFake(t)
	t.Setenv(seeds.Env, at)
	for _, args := range []string{"list", "info wc", "nodes", "nimbuses", "version"} {
		for format, begins := range map[string]string{"json": "[{", "yaml": ""} {
			got := command(t, append([]string{"gearstorm"}, strings.Fields(args+" -o "+format)...)...)
			if got.code != 0 || begins != "" && !strings.Contains(begins, got.stdout[:1]) {
				t.Errorf("%s -o %s: %+v", args, format, got)
			}
			var v any
			if err := yaml.Unmarshal([]byte(got.stdout), &v); err != nil {
				t.Errorf("%s -o %s: %v", args, format, err)
			}
		}
		if got := command(t, append([]string{"gearstorm"}, strings.Fields(args+" -o xml")...)...); got.code != 2 || !strings.Contains(got.stderr, `output "xml": table, json and yaml are known`) {
			t.Errorf("%s -o xml: %+v", args, got)
		}
	}
}

func TestNodeCommands(t *testing.T) {
	bare(t)
	dir, err := filepath.Abs("state")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-c", "storm.local.dir=" + dir, "-c", "storm.health.check.dir=" + filepath.Join(dir, "checks")}
	try := func(name, cmd string) outcome { return command(t, append([]string{name, cmd}, args...)...) }
	if got := try("gearstorm", "node-health-check"); got != (outcome{0, "healthy\n", ""}) {
		t.Errorf("without checks: %+v", got)
	}
	check := filepath.Join(dir, "checks", "disk")
	write(t, check, "#!/bin/sh\necho fine\n")
	if err := os.Chmod(check, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := try("storm", "node-health-check"); got != (outcome{0, "", ""}) {
		t.Errorf("with a good one: %+v", got)
	}
	write(t, check, "#!/bin/sh\necho ERROR full\n")
	if got := try("gearstorm", "node-health-check"); got != (outcome{1, "", "gearstorm: health check disk says: ERROR full\n"}) {
		t.Errorf("with a bad one: %+v", got)
	}
	if got := try("gearstorm", "kill_workers"); got != (outcome{0, "killed 0 workers of " + dir + "/supervisor\n", ""}) {
		t.Errorf("no workers: %+v", got)
	}
}

func TestAdminPrints(t *testing.T) {
	bare(t)
	_, at := startFake(t)
	t.Setenv(seeds.Env, at)
	for _, args := range []string{"admin print_super", "admin print_assignment wc-1-1700000000", "heartbeats get /workerbeats/wc-1-1700000000/h-6700"} {
		got := command(t, append([]string{"gearstorm"}, strings.Fields(args)...)...)
		_, text, _ := strings.Cut(got.stdout, ":")
		if args[0] == 'a' {
			_, text, _ = strings.Cut(got.stdout, ":\n")
		} else {
			text = strings.TrimPrefix(text, " ")
		}
		var v any
		if err := json.Unmarshal([]byte(text), &v); got.code != 0 || err != nil {
			t.Errorf("%s: %v, %+v", args, err, got)
		}
	}
	if got := command(t, "gearstorm", "admin", "help", "print_topo"); got.code != 0 || !strings.HasPrefix(got.stdout, "gearstorm admin print_topo: ") {
		t.Errorf("%+v", got)
	}
	for _, cmd := range []string{"zk_cli", "creds"} {
		if got := command(t, "storm", "admin", cmd); got.code != adminFailed || got.stderr == "" {
			t.Errorf("%s: %+v", cmd, got)
		}
	}
}
