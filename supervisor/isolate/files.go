package isolate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// openFiles are this process's copies of what the child inherits; they are closed once it runs.
type openFiles struct {
	all      []*os.File
	lifeline *os.File
	// failures is the end of the pipe on which the shim says what went wrong; it ends when the shim became the worker.
	// nil without a shim. closing is the other end, to close once the process has it.
	failures, closing *os.File
}

func (o *openFiles) add(f *os.File, err error) (*os.File, error) {
	if err == nil {
		o.all = append(o.all, f)
	}
	return f, err
}

// output opens a log for appending. The directory may be writable for the worker, so nothing there is believed: a link is
// not followed, and a pipe, or another name of a file that lies elsewhere, is refused.
func (o *openFiles) output(path string) (*os.File, error) {
	if st, err := os.Lstat(path); err == nil && st.Size() > maxOutputBytes {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	f, err := o.add(os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600))
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || linksOf(st) > 1 {
		return nil, fmt.Errorf("%s is no plain file of its own: remove it", path)
	}
	return f, nil
}

// enter makes cmd start as the shim, which is told by a descriptor what to become.
func (o *openFiles) enter(cmd *exec.Cmd, shim []string, e Entry) error {
	data, err := e.encode()
	if err != nil {
		return err
	}
	entry, err := o.add(memoryFile("gearstorm-launch-entry", data))
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	o.failures, o.closing = r, w
	fd := SpecFD + len(cmd.ExtraFiles)
	cmd.ExtraFiles = append(cmd.ExtraFiles, entry, w)
	cmd.Path, cmd.Err = shim[0], nil
	cmd.Args = append(append([]string{}, shim...), strconv.Itoa(fd))
	return nil
}

// arrival waits until the process runs the worker's program, or for the reason why it does not.
func (o *openFiles) arrival() error {
	if o.failures == nil {
		return nil
	}
	o.closing.Close()
	o.closing = nil
	o.failures.SetReadDeadline(time.Now().Add(launchPatience))
	text, err := io.ReadAll(io.LimitReader(o.failures, 4<<10))
	switch {
	case len(text) > 0:
		return errors.New(string(text))
	case err != nil:
		return fmt.Errorf("its program did not start within %v: %w", launchPatience, err)
	}
	return nil
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
	for _, f := range []*os.File{o.lifeline, o.failures, o.closing} {
		if f != nil {
			f.Close()
		}
	}
}
