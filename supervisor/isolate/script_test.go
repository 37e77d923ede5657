package isolate

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "check")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunScript(t *testing.T) {
	for name, tt := range map[string]struct {
		text, out string
		code      int
	}{
		"well":          {text: "echo fine; echo not seen >&2", out: "fine\n"},
		"exit code":     {text: "echo bad; exit 3", out: "bad\n", code: 3},
		"much output":   {text: "i=0; while [ $i -lt 2000 ]; do echo 0123456789; i=$((i+1)); done", out: strings.Repeat("0123456789\n", 10)[:100]},
		"no arguments":  {text: `echo "$#"; cat`, out: "0\n"},
		"own directory": {text: `[ -f ./check ] && echo here`, out: "here\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := RunScript(t.Context(), script(t, tt.text), 100)
			var exit *exec.ExitError
			if out != tt.out || errors.As(err, &exit) != (tt.code != 0) || exit != nil && exit.ExitCode() != tt.code {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
	if _, err := RunScript(t.Context(), "/nonexistent/check", 100); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestScriptThatHangsIsKilledWithAllItStarted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := RunScript(ctx, script(t, "sleep 1000 & echo $! > "+dir+"/pid.new; mv "+dir+"/pid.new "+dir+"/pid; wait"), 100)
		ended <- err
	}()
	var pid int
	for deadline := time.Now().Add(20 * time.Second); pid == 0; time.Sleep(time.Millisecond) {
		data, _ := os.ReadFile(filepath.Join(dir, "pid"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(data)))
		if time.Now().After(deadline) {
			t.Fatal("the script does not run")
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		st, err := readStat(pid)
		if err != nil || st.ended {
			return
		}
		if time.Now().After(deadline) {
			syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("what the script started lives")
		}
	}
}
