package multilang

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary play the parent that is killed, and checks that tests leave no goroutine behind.
func TestMain(m *testing.M) {
	if script := os.Getenv("GEARSTORM_TEST_PARENT"); script != "" {
		playParent(script)
	}
	goleak.VerifyTestMain(m)
}

// playParent starts a child, tells its pid and sleeps.
func playParent(python string) {
	p, err := startProcess([]string{python, "-c", `
import os, signal, time
for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE): signal.signal(s, signal.SIG_IGN)
print(os.getpid(), flush=True)
while True: time.sleep(1)
`}, "", os.Environ())
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	line, _ := bufio.NewReader(p.stdout).ReadString('\n')
	os.Stdout.WriteString(line)
	select {}
}

// TestChildDiesWithItsParent kills the parent with SIGKILL. The child reads no input and ignores every signal it can.
func TestChildDiesWithItsParent(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("SKIPPED: the kernel's death signal is Linux's")
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "GEARSTORM_TEST_PARENT="+tool(t, "python3"))
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the parent says %q", line)
	}
	if !alive(pid) {
		t.Fatalf("child %d does not run", pid)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	for deadline := time.Now().Add(10 * time.Second); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("child %d outlived its parent", pid)
		}
	}
}
