package multilang

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/multilang/clients"
)

// missing skips a test whose tool is not installed, loudly; in CI it fails.
func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", what)
	}
	t.Skipf("SKIPPED: %s is not installed", what)
}

func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name)
	}
	return path
}

// toolsDir is where scripts/get-multilang-clients.sh installs; GEARSTORM_TOOLS names another place.
func toolsDir() string {
	if d := os.Getenv("GEARSTORM_TOOLS"); d != "" {
		return d
	}
	d, err := filepath.Abs("../.tools")
	if err != nil {
		return "../.tools"
	}
	return d
}

// thirdParty returns the path of an installed file below toolsDir.
func thirdParty(t testing.TB, path string) string {
	t.Helper()
	p := filepath.Join(toolsDir(), path)
	if _, err := os.Stat(p); err != nil {
		missing(t, path+" (run scripts/get-multilang-clients.sh)")
	}
	return p
}

// script writes a program beside our client modules and returns its path.
func script(t testing.TB, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := clients.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// python returns the command of a program for our Python client.
func python(t testing.TB, text string) []string {
	t.Helper()
	return []string{tool(t, "python3"), script(t, "component.py", text)}
}

// raw returns the command of a program that speaks the protocol by hand. It starts with a handshake; send writes a message,
// read reads one, work one that is no heartbeat; hello is the handshake.
func raw(t testing.TB, text string) []string {
	t.Helper()
	return python(t, rawPrelude+text)
}

const rawPrelude = `
import json, os, signal, sys, time
def out(text):
    sys.stdout.write(text); sys.stdout.flush()
def send(message):
    out(json.dumps(message) + "\nend\n")
def read():
    text = ""
    while True:
        line = sys.stdin.readline()
        if not line: sys.exit(0)
        if line == "end\n": return json.loads(text)
        text += line
def work():
    while True:
        m = read()
        if isinstance(m, list) or m.get("stream") != "__heartbeat": return m
        send({"command": "sync"})
def tuples():
    while True: yield work()
hello = read()
send({"pid": os.getpid()})
`

// quick returns a spec that retries and gives up fast.
func quick(command []string) Spec {
	return Spec{
		Command: command, FirstBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
		Heartbeat: 20 * time.Millisecond, Timeout: 20 * time.Second, Grace: 5 * time.Second,
	}
}

func words(s string) []string { return strings.Fields(s) }
