package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/internal/seeds"
)

func TestComplete(t *testing.T) {
	bare(t)
	_, at := startFake(t)
	t.Setenv(seeds.Env, at)
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"act"}, "activate"},
		{[]string{"deac"}, "deactivate"},
		{[]string{"blobstore", ""}, "cat create delete list replication set-acl update"},
		{[]string{"blobstore", "create", "--rep"}, "--replication-factor"},
		{[]string{"kill", "--w"}, "--wait --wait-time-secs"},
		{[]string{"kill", "-w", "5", ""}, "a-name-longer-than-its-column wc"},
		{[]string{"info", "w"}, "wc"},
		{[]string{"completion", ""}, "bash fish zsh"},
		{[]string{"localconfvalue", "nimbus.thrift.po"}, "nimbus.thrift.port"},
		{[]string{"submit", ""}, ""}, // files
		{[]string{"nosuch-"}, ""},
	} {
		got := command(t, append([]string{"gearstorm", completeCommand}, c.words...)...)
		if got.code != 0 || strings.Join(strings.Fields(got.stdout), " ") != c.want || got.stderr != "" {
			t.Errorf("%q: %+v", c.words, got)
		}
	}
	all := command(t, "gearstorm", completeCommand)
	if n := strings.Count(all.stdout, "\n"); n != len(newApp(false).Commands) {
		t.Errorf("%d commands: %s", n, all.stdout)
	}
}

// TestCompletionScripts has the shells that are here look at the scripts, and bash complete a command.
func TestCompletionScripts(t *testing.T) {
	for shell := range scriptsOf {
		got := command(t, "gearstorm", "completion", shell)
		if got.code != 0 || !strings.Contains(got.stdout, completeCommand) {
			t.Errorf("%s: %+v", shell, got)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not here, its script was not parsed", shell)
			continue
		}
		check := exec.Command(path, "-n")
		check.Stdin = strings.NewReader(got.stdout)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
		if shell != "bash" {
			continue
		}
		try := fmt.Sprintf("gearstorm() { echo blobstore; echo 'two words'; }\n%s\nCOMP_WORDS=(gearstorm b); COMP_CWORD=1; _gearstorm; echo \"${COMPREPLY[*]}\"", got.stdout)
		out, err := exec.Command(path, "-c", try).CombinedOutput()
		if err != nil || string(out) != "blobstore\n" {
			t.Errorf("bash completed to %q, %v", out, err)
		}
	}
	if got := command(t, "gearstorm", "completion", "dosshell"); got.code != 2 {
		t.Errorf("%+v", got)
	}
}
