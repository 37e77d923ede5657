package isolate

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// scriptSlack is how long the output of a script that ended may stay open in other processes.
const scriptSlack = time.Second

// RunScript runs a program of the operator to its end, without arguments, input or a shell, in its own directory and in a
// process group of its own, and gives the first most bytes of its standard output. When ctx is over the group gets SIGKILL and
// the error is ctx's; an exit code other than 0 is an *exec.ExitError.
func RunScript(ctx context.Context, path string, most int) (string, error) {
	out := head{most: most}
	cmd := exec.CommandContext(ctx, path)
	cmd.Dir, cmd.Stdout = filepath.Dir(path), &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = scriptSlack
	err := cmd.Run()
	if ctx.Err() != nil {
		return out.kept.String(), ctx.Err()
	}
	if errors.Is(err, exec.ErrWaitDelay) { // it ended well, what it started did not yet
		err = nil
	}
	return out.kept.String(), err
}

// head keeps the first bytes written to it. The buffer is no embedded one, whose ReadFrom would take in all there is.
type head struct {
	kept bytes.Buffer
	most int
}

func (h *head) Write(p []byte) (int, error) {
	h.kept.Write(p[:min(len(p), h.most-h.kept.Len())])
	return len(p), nil
}
