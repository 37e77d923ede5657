package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const tinyYAML = `
name: tiny
spouts:
  - {id: s, className: org.apache.storm.flux.wrappers.spouts.FluxShellSpout, constructorArgs: [["python3", "s.py"], ["word"]]}
bolts:
  - {id: b, className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [["python3", "b.py"], ["word"]]}
streams:
  - {from: s, to: b, grouping: {type: SHUFFLE}}
`

func TestResourcesDir(t *testing.T) {
	bare(t)
	write(t, "plain/t.yaml", tinyYAML)
	write(t, "with/t.yaml", tinyYAML)
	write(t, "with/resources/b.py", "")
	write(t, "file/resources", "a file of that name is no folder")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ file, dir, want, wrong string }{
		{"plain/t.yaml", "", "plain", ""},
		{"with/t.yaml", "", "with/resources", ""},
		{"file/t.yaml", "", "file", ""},
		{"with/t.yaml", "plain", "plain", ""},
		{"with/t.yaml", "nosuch", "", "nosuch"},
		{"with/t.yaml", "plain/t.yaml", "", "not a folder"},
	} {
		got, err := resourcesDir(c.file, c.dir, false)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s with --resources %s: %s, %v", c.file, c.dir, got, err)
			}
			continue
		}
		if err != nil || got != filepath.Join(here, c.want) {
			t.Errorf("%s with --resources %q: %s, %v; want %s", c.file, c.dir, got, err, c.want)
		}
	}
}

func TestResourcesAreRegularFilesOnly(t *testing.T) {
	bare(t)
	for _, f := range []string{"r/a.py", "r/sub/b.py", "r/.git/config", "r/__pycache__/a.pyc", "r/sub/.venv/x", "r/.dotfile"} {
		write(t, f, "x")
	}
	if err := os.Symlink("/etc/passwd", "r/link"); err != nil {
		t.Fatal(err)
	}
	r, err := openResources("r")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = fs.WalkDir(r, ".", func(p string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			got = append(got, p)
		}
		return err
	})
	if want := []string{".dotfile", "a.py", "sub/b.py"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestResourcesAreBounded(t *testing.T) {
	bare(t)
	write(t, "r/big", "")
	if err := os.Truncate("r/big", maxResourceBytes); err != nil { // takes no room on the disk
		t.Fatal(err)
	}
	if _, err := openResources("r"); err != nil {
		t.Errorf("at the bound: %v", err)
	}
	write(t, "r/more", "x")
	if _, err := openResources("r"); err == nil || !strings.Contains(err.Error(), "--resources") {
		t.Errorf("over the bound: %v", err)
	}
}

func TestDryRun(t *testing.T) {
	bare(t)
	write(t, "t.yaml", tinyYAML)
	write(t, "p.properties", "who = ada\n")
	write(t, "filtered.yaml", strings.ReplaceAll(tinyYAML, "name: tiny", "name: ${who}-${ENV-GS_TEST}"))
	write(t, "nameless.yaml", strings.ReplaceAll(tinyYAML, "name: tiny", ""))
	write(t, "reserved.yaml", strings.NewReplacer("id: s,", "id: __acker,", "from: s,", "from: __acker,").Replace(tinyYAML))
	t.Setenv("GS_TEST", "env")
	for _, c := range []struct {
		args string
		code int
		part string
	}{
		{"t.yaml", 0, "tiny: 1 spouts, 1 bolts, fine\n"},
		{"t.yaml --name other", 0, "other: 1 spouts"},
		{"filtered.yaml -f p.properties -e", 0, "ada-env: 1 spouts"},
		{"t.yaml -f nosuch", 1, "nosuch"},
		{"nameless.yaml", 1, "name"},
		{"reserved.yaml", 1, "__acker is not a valid component id"},
		{"t.yaml -c topology.eventlogger.executors=1", 1, "Event loggers are not supported"},
		{"nosuch.yaml", 1, "nosuch.yaml: no such file"},
		{".", 1, "is not a file"},
		{"t.yaml two.yaml", 2, "one YAML file, got 2"},
		{"t.yaml -c nonsense", 2, "key=value"},
	} {
		got := command(t, append([]string{"gearstorm", "submit", "--dry-run"}, strings.Fields(c.args)...)...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.part) {
			t.Errorf("%s: %+v", c.args, got)
		}
		if c.code != 0 && (got.stdout != "" || strings.Count(got.stderr, "\n") != 1) {
			t.Errorf("%s: not one line: %+v", c.args, got)
		}
	}
}

func TestOnThisMachine(t *testing.T) {
	for _, c := range []struct {
		at   []string
		want bool
	}{
		{[]string{"localhost:1"}, true}, {[]string{"127.0.0.1:1", "[::1]:2"}, true}, {[]string{"localhost"}, true},
		{[]string{"10.0.0.1:1"}, false}, {[]string{"localhost:1", "far:1"}, false},
	} {
		if got := onThisMachine(c.at); got != c.want {
			t.Errorf("%v: %v", c.at, got)
		}
	}
}

func TestFluxCommand(t *testing.T) {
	bare(t)
	write(t, "t.yaml", tinyYAML)
	for _, c := range []struct {
		args string
		code int
		part string
	}{
		{"t.yaml -d -n", 0, "Topology Name: tiny\n--------------- SPOUTS ---------------\ns [1]\n---------------- BOLTS ---------------\nb [1]\n--------------- STREAMS ---------------\ns.default --> b\n"},
		{"t.yaml -l -r", 2, "name one of them"},
		{"t.yaml -l -s 0", 2, "want 1 or more milliseconds"},
		{"-R t.yaml", 2, "name the jar with --jar"},
		{"t.yaml --jar nosuch.jar", 1, "nosuch.jar"},
	} {
		got := command(t, append([]string{"gearstorm", "flux"}, strings.Fields(c.args)...)...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.part) {
			t.Errorf("%s: %+v", c.args, got)
		}
	}
	if got := command(t, "gearstorm", "flux", "-d", "-q", "t.yaml"); got.code != 0 || got.stdout+got.stderr != "" {
		t.Errorf("quietly: %+v", got)
	}
}
