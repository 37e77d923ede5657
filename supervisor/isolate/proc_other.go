//go:build !linux

package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Outside Linux a supervisor runs workers as its own children only, for development: there is no pidfd and no /proc, so
// nothing is adopted and a worker's process group stands for all that belongs to it.

type stat struct {
	ended bool
	start uint64
}

func readStat(int) (stat, error) { return stat{}, errors.ErrUnsupported }

func bootID() string { return "" }

type handle struct {
	cmd    *exec.Cmd
	ended  chan struct{}
	closed chan struct{}
}

func openHandle(Identity) (handle, error) { return handle{}, ErrGone }

func (h handle) close() error {
	select {
	case <-h.closed:
		return os.ErrClosed
	default:
		close(h.closed)
		return nil
	}
}

func (h handle) wait() error {
	select {
	case <-h.ended:
		return nil
	case <-h.closed:
		return os.ErrClosed
	}
}

func (h handle) signal(s syscall.Signal) error {
	select {
	case <-h.closed:
		return os.ErrClosed
	default:
	}
	if err := h.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func (h handle) reap(Identity) Exit {
	ws, ok := h.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		return Exit{}
	}
	if ws.Signaled() {
		return Exit{Known: true, Code: 128 + int(ws.Signal()), Signal: ws.Signal()}
	}
	return Exit{Known: true, Code: ws.ExitStatus()}
}

// leader needs to see the environments of other processes.
func leader(string) (Identity, bool) { return Identity{}, false }

// hunt ends all that belongs to a worker, round by round.
type hunt struct {
	id   Identity
	cage Cage
}

// round signals the group. A group that outlives its leader keeps its number from being given to another process.
func (hu *hunt) round() int {
	if hu.id.Pid == 0 || syscall.Kill(-hu.id.Pid, syscall.SIGKILL) != nil {
		return 0
	}
	return 1
}

func memoryFile(name string, data []byte) (*os.File, error) {
	f, err := os.CreateTemp("", name+"-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("unlink %s: %w", name, err)
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.Seek(0, 0); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func spawn(cmd *exec.Cmd, worker string) (Identity, handle, error) {
	if err := cmd.Start(); err != nil {
		return Identity{}, handle{}, err
	}
	h := handle{cmd: cmd, ended: make(chan struct{}), closed: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(h.ended)
	}()
	return Identity{Worker: worker, Pid: cmd.Process.Pid, Start: uint64(time.Now().UnixNano())}, h, nil
}

func (id Identity) usage() Usage { return Usage{} }
