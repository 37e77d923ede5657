package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// envCluster is in the environment of everything that runs for a cluster; its value is the cluster's mark.
const envCluster = "GEARSTORM_CHAOS"

// ReapCommand is the argument with which the gearstorm binary becomes the reaper of a cluster; its mark follows.
const ReapCommand = "chaos-reap"

// reapLimit is how long a reaper tries to end what does not want to end.
const reapLimit = 30 * time.Second

// reaper is a process that outlives this one and cleans up after the cluster once this one has let go of it, in order or not.
type reaper struct {
	cmd  *exec.Cmd
	hold io.Closer
}

func startReaper(binary, mark string) (*reaper, error) {
	cmd := exec.Command(binary, ReapCommand, mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is not for it
	cmd.Stderr = os.Stderr
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the cluster's reaper: %w", err)
	}
	return &reaper{cmd, hold}, nil
}

// finish lets go and waits until everything is cleaned up.
func (r *reaper) finish() error {
	r.hold.Close()
	if err := r.cmd.Wait(); err != nil {
		return fmt.Errorf("clean up after the cluster: %w", err)
	}
	return nil
}

// Reap is the reaper's main: it waits until hold ends, which is when nobody holds the other end any more, then kills
// everything that carries the cluster's mark and removes its links and mounts.
func Reap(mark string, hold io.Reader) error {
	if mark == "" || len(mark) > 8 || strings.Trim(mark, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return fmt.Errorf("%q is no mark of a cluster", mark)
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if _, err := io.Copy(io.Discard, hold); err != nil {
		return err
	}
	var left []int
	for end := time.Now().Add(reapLimit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if left = marked(mark); len(left) == 0 {
			return errors.Join(detach(mark), removeLinks(linkPrefix+mark))
		}
		for _, pid := range left {
			kill(pid, mark)
		}
	}
	return errors.Join(fmt.Errorf("processes %v do not end", left), detach(mark), removeLinks(linkPrefix+mark))
}

// marked lists the processes of a cluster.
func marked(mark string) (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err == nil && pid != os.Getpid() && hasMark(pid, mark) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func hasMark(pid int, mark string) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	entry := []byte(envCluster + "=" + mark + "\x00")
	return err == nil && (bytes.HasPrefix(env, entry) || bytes.Contains(env, append([]byte{0}, entry...)))
}

// kill ends a process of a cluster, and says whether it was there. The process is opened before its mark is looked at, so its number cannot have
// gone to another one in between.
func kill(pid int, mark string) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release()
	return hasMark(pid, mark) && p.Kill() == nil
}
