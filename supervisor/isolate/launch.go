package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// maxOutputBytes is the size over which a worker's standard output and error files are moved aside at its next start.
const maxOutputBytes = 64 << 20

// launchPatience bounds how long a process may take from its start to the program of the worker.
const launchPatience = time.Minute

// Launch is what it takes to start a worker.
type Launch struct {
	Spec WorkerSpec
	// Binary is the executable, absolute.
	Binary string
	// Env goes over the environment of this process, "key=value", later ones winning. EnvWorker is added.
	Env []string
	// By limits the worker, to Limits.
	By     Isolator
	Limits Limits
	// User is whom it runs as, nil for the user of this process. Others need root here.
	User *User
	// Sandbox is what it gives up.
	Sandbox Sandbox
	// Shim is a program, with its first arguments, that runs package shim. The worker's process begins as that program
	// and becomes Binary. Without it the process is Binary from its start, and there can be no limit for it alone, no user
	// and no sandbox.
	Shim []string
}

// Start starts the worker in a session of its own, with its standard output and error appended to files, and returns as
// soon as its program runs. Directories that the spec names and that are missing are made, for this user, or User, only.
func (l Launch) Start() (*Process, error) {
	data, err := l.Spec.Encode()
	if err != nil {
		return nil, err
	}
	if err := l.prepareDirs(); err != nil {
		return nil, fmt.Errorf("prepare worker %s: %w", l.Spec.Worker, err)
	}
	cage, err := l.By.Cage(l.Spec.Worker, l.Limits)
	if err != nil {
		return nil, fmt.Errorf("make %s cage of worker %s: %w", l.By.Name(), l.Spec.Worker, err)
	}
	p, err := l.startIn(cage, data)
	if err != nil {
		return nil, fmt.Errorf("start worker %s: %w", l.Spec.Worker, err)
	}
	return p, nil
}

// startIn takes the cage over.
func (l Launch) startIn(cage Cage, spec []byte) (*Process, error) {
	var files openFiles
	defer files.close()
	cmd, err := l.command(&files, spec, cage.Entrances())
	if err == nil {
		err = cage.Configure(cmd)
	}
	if err != nil {
		cage.Release()
		return nil, err
	}
	id, h, err := spawn(cmd, l.Spec.Worker)
	cage.Started()
	if err != nil {
		cage.Release()
		return nil, err
	}
	p := start(id, h, cage, files.keepLifeline())
	if err := files.arrival(); err != nil {
		h.signal(syscall.SIGKILL)
		<-p.Done()
		p.Release()
		return nil, err
	}
	return p, nil
}

// prepareDirs makes the worker's directories and gives them to its user. A directory above them stays the supervisor's.
func (l Launch) prepareDirs() error {
	logs := filepath.Dir(l.Spec.LogPath)
	for _, dir := range []string{l.Spec.PidDir, l.Spec.WorkerDir, logs} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if l.User == nil {
		return nil
	}
	for _, dir := range []string{filepath.Dir(l.Spec.WorkerDir), filepath.Dir(logs), filepath.Dir(l.Spec.CodeDir)} {
		if err := LetPass(dir); err != nil {
			return err
		}
	}
	for _, dir := range []string{l.Spec.PidDir, l.Spec.WorkerDir, logs} {
		if err := l.User.Own(dir); err != nil {
			return err
		}
	}
	return l.User.LetRead(l.Spec.CodeDir)
}

func (l Launch) command(files *openFiles, spec []byte, entrances []string) (*exec.Cmd, error) {
	args := l.Spec.Args(l.Binary)
	marker := EnvWorker + "=" + l.Spec.Worker
	env := append(append(withoutWorker(os.Environ()), withoutWorker(l.Env)...), marker)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = l.Spec.WorkerDir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var err error
	if cmd.Stdout, err = files.output(l.Spec.LogPath + ".out"); err != nil {
		return nil, err
	}
	if cmd.Stderr, err = files.output(l.Spec.LogPath + ".err"); err != nil {
		return nil, err
	}
	specFile, err := files.add(memoryFile("gearstorm-worker-spec", spec))
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{specFile}
	if l.Spec.Lifeline {
		r, err := files.openLifeline()
		if err != nil {
			return nil, err
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, r)
	}
	needed := len(entrances) > 0 || l.User != nil || l.Sandbox.Profile != "" && l.Sandbox.Profile != SandboxNone
	if len(l.Shim) == 0 {
		if needed {
			return nil, errors.New("isolation needs a program to enter it")
		}
		return cmd, nil
	}
	entry := Entry{
		Join: entrances, NoFile: l.Limits.NoFile, NoCore: true, User: l.User, Sandbox: l.Sandbox,
		Path: l.Binary, Args: args, Env: dedupe(env),
	}
	// The first program may have more rights than the topology's owner, so it gets none of the topology's environment.
	cmd.Env = append(withoutWorker(os.Environ()), marker)
	return cmd, files.enter(cmd, l.Shim, entry)
}

// dedupe keeps the last value of every variable, as os/exec does.
func dedupe(env []string) []string {
	last := map[string]int{}
	for i, e := range env {
		name, _, _ := strings.Cut(e, "=")
		last[name] = i
	}
	var out []string
	for i, e := range env {
		if name, _, _ := strings.Cut(e, "="); last[name] == i {
			out = append(out, e)
		}
	}
	return out
}

func withoutWorker(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool { return strings.HasPrefix(e, EnvWorker+"=") })
}
