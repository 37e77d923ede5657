package multilang

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one subprocess in a process group of its own. When it ends, for whatever reason, what is left of its group is
// killed. It ends with this process: its standard input closes then, and on Linux the kernel kills it.
type process struct {
	cmd    *exec.Cmd
	stdin  *os.File
	stdout *output
	stderr *os.File
	exited chan struct{} // closed once the process is reaped

	mu     sync.Mutex
	reaped bool // no signal may be sent: the pid may belong to another process
}

// startProcess starts argv, exactly as given, in dir. It returns when the program runs or could not be started.
func startProcess(argv []string, dir string, env []string) (*process, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("start child: empty command")
	}
	path, err := lookPath(argv[0], env)
	if err != nil {
		return nil, fmt.Errorf("start child %q: %w", argv[0], err)
	}
	p := &process{exited: make(chan struct{})}
	p.cmd = &exec.Cmd{Path: path, Args: argv, Dir: dir, Env: env, SysProcAttr: childAttr()}
	theirs, err := p.pipes()
	if err != nil {
		return nil, fmt.Errorf("start child %q: %w", argv[0], err)
	}
	started := make(chan error)
	go p.live(started)
	err = <-started
	closeAll(theirs)
	if err != nil {
		p.closeFiles()
		return nil, fmt.Errorf("start child %q in %q: %w", argv[0], dir, err)
	}
	return p, nil
}

// pipes connects the three standard files and returns the child's ends.
func (p *process) pipes() (theirs []*os.File, err error) {
	var files [6]*os.File
	for i := range 3 {
		if files[2*i], files[2*i+1], err = os.Pipe(); err != nil {
			closeAll(files[:])
			return nil, err
		}
	}
	if p.stdout, err = newOutput(files[2]); err != nil {
		closeAll(files[:])
		return nil, err
	}
	p.stdin, p.stderr = files[1], files[4]
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = files[0], files[3], files[5]
	return []*os.File{files[0], files[3], files[5]}, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

func (p *process) closeFiles() {
	closeAll([]*os.File{p.stdin, p.stderr})
	p.stdout.Close()
}

// live starts the process and waits for its end on one operating system thread: the kernel's promise to kill the child with
// its parent is in truth tied to the thread that started it.
func (p *process) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	awaitExit(p.cmd.Process.Pid)
	p.mu.Lock()
	// The process is dead but not reaped, so its group number cannot have been taken by others.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.reaped = true
	p.mu.Unlock()
	_ = p.cmd.Wait() // the status is in cmd.ProcessState
	close(p.exited)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// signal sends sig to the group; a process that has ended gets none.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

// stop asks the process to end (end of input and SIGTERM), kills its group after grace and waits until it is reaped.
func (p *process) stop(grace time.Duration) {
	p.stdin.Close()
	p.signal(syscall.SIGTERM)
	if !p.wait(grace) {
		p.signal(syscall.SIGKILL)
		<-p.exited
	}
}

// kill ends the group at once and waits until the process is reaped.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// wait reports whether the process ended within d.
func (p *process) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.exited:
		return true
	case <-t.C:
		return false
	}
}

// status tells how the process ended ("exit status 1", "signal: killed"); it may be called after exited is closed.
func (p *process) status() string { return p.cmd.ProcessState.String() }

// terminated tells whether SIGTERM ended the process; it may be called after exited is closed.
func (p *process) terminated() bool {
	ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGTERM
}

// clientMark tells our client modules that they run under gearstorm, so that they protect standard output at once.
const clientMark = "GEARSTORM_MULTILANG=1"

// childEnv returns this process's environment with add laid over it. Storm appends PATH instead of replacing it
// (ShellProcess.modifyEnvironment).
func childEnv(base []string, add map[string]string) []string {
	env := append(append([]string(nil), base...), clientMark)
	for k, v := range add {
		if k == "PATH" {
			if old := getenv(base, "PATH"); old != "" {
				v = old + string(os.PathListSeparator) + v
			}
		}
		env = append(env, k+"="+v)
	}
	return env
}

// getenv returns the last setting of key in env.
func getenv(env []string, key string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], key+"="); ok {
			return v
		}
	}
	return ""
}

// lookPath finds a program in the PATH that the child will have. A name with a slash is taken as it is, relative to the
// child's directory.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, dir := range filepath.SplitList(getenv(env, "PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			if !filepath.IsAbs(path) {
				path, err = filepath.Abs(path)
			}
			return path, err
		}
	}
	return "", fmt.Errorf("no such program in PATH: %w", exec.ErrNotFound)
}
