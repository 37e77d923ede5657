package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// clusterEnv carries the folder of a cluster in the environment of its daemons and of all that they start, so that a
// test finds them (see processes).
const clusterEnv = "GEARSTORM_TEST_CLUSTER"

// daemon is a gearstorm process in the foreground, started by a test and ended with it.
type daemon struct {
	cmd  *exec.Cmd
	args []string
	out  *output
	done chan struct{} // closed once the process is reaped
	err  error         // how it ended; read it after done
}

// startDaemon runs the binary for the cluster in dir. The test's end sends SIGTERM to one that still runs then and
// expects it to obey.
func startDaemon(t *testing.T, dir string, args ...string) *daemon {
	t.Helper()
	return startProcess(t, dir, binary, args...)
}

// startProcess is startDaemon for any program.
func startProcess(t *testing.T, dir, program string, args ...string) *daemon {
	t.Helper()
	d := &daemon{cmd: exec.Command(program, args...), args: args, out: &output{}, done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.out
	d.cmd.Env = append(os.Environ(), clusterEnv+"="+dir)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	d.cmd.WaitDelay = time.Second
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.done)
	}()
	t.Cleanup(func() {
		d.stop(t)
		if t.Failed() {
			t.Logf("%s %v said:\n%s", filepath.Base(program), d.args, d.out)
		}
	})
	return d
}

func (d *daemon) pid() int { return d.cmd.Process.Pid }

// ended reports whether the process has ended.
func (d *daemon) ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// mustRun fails the test if the process has ended.
func (d *daemon) mustRun(t *testing.T) {
	t.Helper()
	if d.ended() {
		t.Fatalf("gearstorm %v ended: %v\n%s", d.args, d.err, d.out)
	}
}

// kill ends the process with SIGKILL.
func (d *daemon) kill(t *testing.T) {
	t.Helper()
	d.mustRun(t)
	d.cmd.Process.Kill()
	<-d.done
}

// stop ends the process with SIGTERM; it must obey.
func (d *daemon) stop(t *testing.T) { d.end(t, syscall.SIGTERM) }

func (d *daemon) end(t *testing.T, by syscall.Signal) {
	t.Helper()
	if d.ended() {
		return
	}
	d.cmd.Process.Signal(by)
	select {
	case <-d.done:
	case <-time.After(patience):
		d.cmd.Process.Kill()
		<-d.done
		t.Errorf("gearstorm %v did not end within %v of %v", d.args, patience, by)
	}
}

// output is what a process writes, for several goroutines.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
