package chaos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SmallDisk puts the storm.local.dir of a supervisor that was not started yet on a disk of that many bytes, which only it and
// its workers see and which ends with them. It needs CAP_SYS_ADMIN. A supervisor on one cannot be started a second time
// while workers of it run.
func (c *Cluster) SmallDisk(n *Node, bytes int64) error {
	if n.proc != nil {
		return fmt.Errorf("%s was started already", n.Name)
	}
	if err := os.MkdirAll(n.Local, 0o700); err != nil {
		return err
	}
	site := n.enter
	n.enter = func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("make a mount namespace: %w", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("keep mounts to oneself: %w", err)
		}
		if err := unix.Mount(linkPrefix+c.mark, n.Local, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", bytes)); err != nil {
			return fmt.Errorf("mount a small disk: %w", err)
		}
		return site()
	}
	n.hidden = true
	return nil
}

// Inside is the path at which this process finds storm.local.dir of the daemon.
func (n *Node) Inside() string {
	if n.hidden && n.Running() {
		return filepath.Join(fmt.Sprintf("/proc/%d/root", n.Pid()), n.Local)
	}
	return n.Local
}

// Fill takes all room on the daemon's disk, and what was given back meanwhile if it is called again; free gives all back.
func (n *Node) Fill() (free func() error, err error) {
	if !n.hidden {
		return nil, fmt.Errorf("%s is on no small disk: nothing of this machine's is filled", n.Name)
	}
	path := filepath.Join(n.Inside(), "filled")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		_, err := f.Write(chunk)
		if errors.Is(err, unix.ENOSPC) {
			chunk = chunk[:len(chunk)/2]
		} else if err != nil {
			return nil, errors.Join(fmt.Errorf("fill a disk: %w", err), os.Remove(path))
		}
	}
	return func() error { return os.Remove(path) }, nil
}

// detach unmounts what is mounted here for a cluster.
func detach(mark string) error {
	mounts, err := mountsOf(linkPrefix + mark)
	for i := len(mounts) - 1; i >= 0; i-- { // the ones mounted last first
		err = errors.Join(err, unix.Unmount(mounts[i], unix.MNT_DETACH))
	}
	return err
}
