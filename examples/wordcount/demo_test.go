package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestDemo runs the whole demo in this process, the Python child killed half way or not.
func TestDemo(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	text := writeText(t, 20, 1500)
	for _, kill := range []string{"", "split"} {
		t.Run("kill "+kill, func(t *testing.T) {
			t.Chdir(t.TempDir())
			d, err := newDemo([]string{"-local", "-text", text, "-top", "go", "-split", "1", "-kill", kill})
			if err != nil {
				t.Fatal(err)
			}
			d.table = table{w: io.Discard}
			v, err := d.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if v.lost != 0 || v.words < 50_000 || v.distinct != 50 || kill == "" && v.duplicated != 0 {
				t.Errorf("%+v", v)
			}
			if d.kill != "" {
				t.Error("nothing was killed")
			}
			if _, err := os.Stat(d.dir); !os.IsNotExist(err) {
				t.Errorf("the folder of the run is still there: %v", err)
			}
		})
	}
}

func TestDemoRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, args := range map[string][]string{
		"unknown victim":              {"-text", ".", "-kill", "nimbus"},
		"a process that is not there": {"-text", ".", "-local", "-kill", "worker"},
		"no such text":                {"-text", "gone"},
	} {
		if _, err := newDemo(args); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if left, err := filepath.Glob(".gearstorm/*"); len(left) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
