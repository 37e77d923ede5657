package jvmhost

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSetup compiles the Java side against Storm's jars, and finds it afterwards. Before that the error tells what to run.
func TestSetup(t *testing.T) {
	if _, err := exec.LookPath("javac"); err != nil {
		missing(t, "needs a JDK of 17 or later: %v", err)
	}
	lib, err := filepath.Abs("../../.tools/storm/lib-worker")
	if err != nil || !hasClient(lib) {
		missing(t, "there are no Storm jars in %s: run scripts/get-storm-client.sh", lib)
	}
	i := Install{Dir: t.TempDir(), Lib: lib}
	var absent *MissingError
	if _, err := i.Find(); !errors.As(err, &absent) || !strings.Contains(err.Error(), SetupCommand) || !strings.Contains(err.Error(), "not compiled") {
		t.Errorf("before: %v", err)
	}
	var said []string
	ready, err := i.Setup(context.Background(), func(s string) { said = append(said, s) })
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"log4j2.xml", "gearstorm/jvmhost/Host.class", "gearstorm/jvmhost/storm/Main.class"} {
		if _, err := os.Stat(filepath.Join(ready.Classes, f)); err != nil {
			t.Error(err)
		}
	}
	again, err := i.Setup(context.Background(), func(s string) { said = append(said, s) })
	if err != nil || again.Classes != ready.Classes || len(said) != 1 {
		t.Errorf("a second time: %v in %s, said %q", err, again.Classes, said)
	}
	if entries, err := os.ReadDir(i.Dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
	if _, err := i.Find(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestNotSetUp names what is missing.
func TestNotSetUp(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("STORM_HOME", "")
	if _, err := exec.LookPath("java"); err == nil {
		if _, err := (Install{Dir: dir}).Find(); err == nil || !strings.Contains(err.Error(), "no storm-client jar") {
			t.Errorf("without jars: %v", err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv("JAVA_HOME", "")
	if _, err := (Install{Dir: dir}).Find(); err == nil || !strings.Contains(err.Error(), "java is neither in") {
		t.Errorf("without Java: %v", err)
	}
	if _, err := (Install{Dir: dir}).Setup(context.Background(), func(string) {}); err == nil || !strings.Contains(err.Error(), "openjdk") {
		t.Errorf("set up without Java: %v", err)
	}
}

// TestStormHome: an installed Storm's jars are taken before fetched ones.
func TestStormHome(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	t.Setenv("STORM_HOME", home)
	i := Install{Dir: dir}
	if got := i.lib(); got != filepath.Join(dir, "storm-"+StormVersion) {
		t.Errorf("with an empty STORM_HOME: %s", got)
	}
	lib := filepath.Join(home, "lib-worker")
	if err := os.Mkdir(lib, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(lib, "storm-client-2.7.0.jar"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := i.lib(); got != lib {
		t.Errorf("with jars in STORM_HOME: %s", got)
	}
	if i.Lib = "/x"; i.lib() != "/x" {
		t.Error("the key does not win")
	}
}

// missing skips a test, unless everything must run.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
