package jvmhost

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
)

// ErrNotRunning: there is no process to ask.
var ErrNotRunning = errors.New("no Java process runs")

// Jcmd runs jcmd of the JDK on the process and returns what it prints. It fails with ErrNotRunning where none runs.
func (h *Host) Jcmd(ctx context.Context, args ...string) ([]byte, error) {
	pid := h.PID()
	if pid == 0 {
		return nil, ErrNotRunning
	}
	jcmd, err := program("jcmd")
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, jcmd, append([]string{strconv.Itoa(pid)}, args...)...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("jcmd %d %s: %w: %s", pid, args[0], err, brief(out))
	}
	return out, nil
}
