package isolate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// memoryFile holds data in memory that has no name in any directory and cannot be changed any more.
func memoryFile(name string, data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make memory file: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, err
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, fmt.Errorf("seal memory file: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// spawn starts the command. The pidfd comes from the kernel with the process, so it cannot mean another one.
func spawn(cmd *exec.Cmd, worker string) (Identity, handle, error) {
	fd := -1
	cmd.SysProcAttr.PidFD = &fd
	if err := cmd.Start(); err != nil {
		return Identity{}, handle{}, err
	}
	pid := cmd.Process.Pid
	cmd.Process.Release() // watched and reaped here
	id, h, err := known(pid, fd, worker)
	if err != nil {
		unix.Kill(pid, unix.SIGKILL) // not reaped yet, so the number is still its own
		unix.Wait4(pid, nil, 0, nil)
	}
	return id, h, err
}

func known(pid, fd int, worker string) (Identity, handle, error) {
	if fd < 0 {
		return Identity{}, handle{}, errors.New("the kernel gives no pidfd, Linux 5.4 is needed")
	}
	h, err := newHandle(fd)
	if err != nil {
		return Identity{}, handle{}, err
	}
	st, err := readStat(pid)
	if err != nil {
		h.close()
		return Identity{}, handle{}, fmt.Errorf("read start time of %d: %w", pid, err)
	}
	return Identity{Worker: worker, Pid: pid, Start: st.start, Boot: bootID()}, h, nil
}
