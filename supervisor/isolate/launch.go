package isolate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// maxOutputBytes is the size over which a worker's standard output and error files are moved aside at its next start.
const maxOutputBytes = 64 << 20

// Launch is what it takes to start a worker.
type Launch struct {
	Spec WorkerSpec
	// Binary is the executable, absolute.
	Binary string
	// Env goes over the environment of this process, "key=value", later ones winning. EnvWorker is added.
	Env []string
	// By limits the worker.
	By Isolator
}

// Start starts the worker in a session of its own, with its standard output and error appended to files, and returns as
// soon as it runs. Directories that the spec names and that are missing are made, for this user only.
func (l Launch) Start() (*Process, error) {
	data, err := l.Spec.Encode()
	if err != nil {
		return nil, err
	}
	var files openFiles
	defer files.close()
	cmd, err := l.command(&files, data)
	if err != nil {
		return nil, fmt.Errorf("prepare worker %s: %w", l.Spec.Worker, err)
	}
	cage, err := l.By.Cage(l.Spec.Worker)
	if err != nil {
		return nil, fmt.Errorf("make %s cage of worker %s: %w", l.By.Name(), l.Spec.Worker, err)
	}
	if err := cage.Configure(cmd); err != nil {
		cage.Release()
		return nil, fmt.Errorf("set up %s cage of worker %s: %w", l.By.Name(), l.Spec.Worker, err)
	}
	id, h, err := spawn(cmd, l.Spec.Worker)
	if err != nil {
		cage.Release()
		return nil, fmt.Errorf("start worker %s: %w", l.Spec.Worker, err)
	}
	p := start(id, h, cage, files.keepLifeline())
	if err := cage.Started(id.Pid); err != nil {
		h.signal(syscall.SIGKILL)
		<-p.Done()
		p.Release()
		return nil, fmt.Errorf("apply %s cage to worker %s: %w", l.By.Name(), l.Spec.Worker, err)
	}
	return p, nil
}

func (l Launch) command(files *openFiles, spec []byte) (*exec.Cmd, error) {
	for _, dir := range []string{l.Spec.WorkerDir, l.Spec.PidDir, filepath.Dir(l.Spec.LogPath)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	args := l.Spec.Args(l.Binary)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = l.Spec.WorkerDir
	cmd.Env = append(append(withoutWorker(os.Environ()), withoutWorker(l.Env)...), EnvWorker+"="+l.Spec.Worker)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var err error
	if cmd.Stdout, err = files.output(l.Spec.LogPath + ".out"); err != nil {
		return nil, err
	}
	if cmd.Stderr, err = files.output(l.Spec.LogPath + ".err"); err != nil {
		return nil, err
	}
	specFile, err := files.add(specFile(spec))
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
	return cmd, nil
}

func withoutWorker(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool { return strings.HasPrefix(e, EnvWorker+"=") })
}

// openFiles are this process's copies of what the child inherits; they are closed once it runs.
type openFiles struct {
	all      []*os.File
	lifeline *os.File
}

func (o *openFiles) add(f *os.File, err error) (*os.File, error) {
	if err == nil {
		o.all = append(o.all, f)
	}
	return f, err
}

// output opens a log for appending. The directory may be writable for the worker, so a link there is not followed.
func (o *openFiles) output(path string) (*os.File, error) {
	if st, err := os.Lstat(path); err == nil && st.Size() > maxOutputBytes {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	return o.add(os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600))
}

func (o *openFiles) openLifeline() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o.lifeline = w
	return o.add(r, nil)
}

// keepLifeline hands the supervisor's end over to the caller.
func (o *openFiles) keepLifeline() *os.File {
	w := o.lifeline
	o.lifeline = nil
	return w
}

func (o *openFiles) close() {
	for _, f := range o.all {
		f.Close()
	}
	if o.lifeline != nil {
		o.lifeline.Close()
	}
}
