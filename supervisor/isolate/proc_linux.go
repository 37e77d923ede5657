package isolate

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// stat is what is needed of /proc/<pid>/stat.
type stat struct {
	ended                 bool // a zombie: ended, not waited for
	parent, pgrp, session int
	start                 uint64
}

func readStat(pid int) (stat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(data)
}

// parseStat reads the fields behind the name, which is in parentheses and may itself hold parentheses and spaces.
func parseStat(data []byte) (stat, error) {
	end := bytes.LastIndexByte(data, ')')
	if end < 0 {
		return stat{}, errors.New("no process name in stat")
	}
	f := strings.Fields(string(data[end+1:]))
	if len(f) < 20 {
		return stat{}, fmt.Errorf("%d fields behind the name in stat", len(f))
	}
	s := stat{ended: f[0] == "Z" || f[0] == "X"}
	for i, to := range []*int{&s.parent, &s.pgrp, &s.session} {
		n, err := strconv.Atoi(f[1+i])
		if err != nil {
			return stat{}, fmt.Errorf("field %d of stat: %w", 4+i, err)
		}
		*to = n
	}
	start, err := strconv.ParseUint(f[19], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("start time in stat: %w", err)
	}
	s.start = start
	return s, nil
}

var bootID = sync.OnceValue(func() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
})

// handle is a pidfd: it means one process and never another one that gets the same number.
type handle struct{ f *os.File }

func newHandle(fd int) (handle, error) {
	// Non-blocking puts it into the runtime's poller, so that waiting holds no thread and close ends a wait.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return handle{}, fmt.Errorf("set up pidfd: %w", err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	if err := f.SetReadDeadline(time.Time{}); err != nil {
		f.Close()
		return handle{}, fmt.Errorf("poll pidfd: %w", err)
	}
	return handle{f}, nil
}

// openHandle finds the process. The start time is compared after the pidfd is open: had the number changed hands before
// that, the comparison would see the new owner's time.
func openHandle(id Identity) (handle, error) {
	fd, err := unix.PidfdOpen(id.Pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return handle{}, ErrGone
	}
	if err != nil {
		return handle{}, fmt.Errorf("open pidfd of %d: %w", id.Pid, err)
	}
	h, err := newHandle(fd)
	if err != nil {
		return handle{}, err
	}
	if !id.Alive() {
		h.close()
		return handle{}, ErrGone
	}
	return h, nil
}

func (h handle) close() error { return h.f.Close() }

// wait blocks until the process ended; os.ErrClosed after close.
func (h handle) wait() error {
	c, err := h.f.SyscallConn()
	if err != nil {
		return err
	}
	err = c.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		return err == nil && n == 1 && p[0].Revents&unix.POLLIN != 0
	})
	if err != nil {
		return os.ErrClosed // the only way a wait on a pollable descriptor fails
	}
	return nil
}

// signal does nothing to an ended process; os.ErrClosed after close.
func (h handle) signal(s unix.Signal) error {
	c, err := h.f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := c.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), s, nil, 0) }); err != nil {
		return os.ErrClosed
	}
	if errors.Is(sent, unix.ESRCH) {
		return nil
	}
	return sent
}

// reap takes the exit status of an ended process if it is a child of this process. As a zombie child it still holds its
// number, so the wait cannot take another's status.
func (h handle) reap(id Identity) Exit {
	st, err := readStat(id.Pid)
	if err != nil || st.start != id.Start || st.parent != os.Getpid() {
		return Exit{}
	}
	var ws unix.WaitStatus
	pid, err := unix.Wait4(id.Pid, &ws, 0, nil)
	for errors.Is(err, unix.EINTR) {
		pid, err = unix.Wait4(id.Pid, &ws, 0, nil)
	}
	if err != nil || pid != id.Pid {
		return Exit{}
	}
	if ws.Signaled() {
		return Exit{Known: true, Code: 128 + int(ws.Signal()), Signal: ws.Signal()}
	}
	return Exit{Known: true, Code: ws.ExitStatus()}
}

// members lists what provably belongs to a worker and has not ended, its leader included. See the package comment.
func (id Identity) members() []Identity {
	pids, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	marker := []byte(EnvWorker + "=" + id.Worker + "\x00")
	pinned := id.Pid != 0 && id.pinned()
	var found []Identity
	for _, e := range pids {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		st, err := readStat(pid)
		if err != nil || st.ended || st.start < id.Start {
			continue
		}
		if pinned && (st.pgrp == id.Pid || st.session == id.Pid) || hasEnv(pid, marker) {
			found = append(found, Identity{Worker: id.Worker, Pid: pid, Start: st.start, Boot: bootID()})
		}
	}
	return found
}

// leader finds the process of a worker of which only the id is known: it leads a session, and what it started is younger.
func leader(worker string) (found Identity, ok bool) {
	for _, m := range (Identity{Worker: worker}).members() {
		st, err := readStat(m.Pid)
		if err == nil && st.session == m.Pid && st.start == m.Start && (!ok || m.Start < found.Start) {
			found, ok = m, true
		}
	}
	return found, ok
}

// hasEnv says whether a process was started with an environment entry; false for what this user may not look into.
func hasEnv(pid int, entry []byte) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && (bytes.HasPrefix(env, entry) || bytes.Contains(env, append([]byte{0}, entry...)))
}

// hunt ends all that belongs to a worker, round by round.
type hunt struct {
	id     Identity
	cage   Cage
	killed map[Identity]struct{} // and perhaps still ending
}

// round sends SIGKILL to all members and says how many it found or have not ended yet: after 0 none is left. A process
// that is ending has lost its environment before it counts as ended and is no member then, so those that got the signal are
// remembered. The cage comes first: it ends all at once, also what forks faster than a list of processes can be read.
func (hu *hunt) round() int {
	if hu.killed == nil {
		hu.killed = make(map[Identity]struct{})
	}
	caged := hu.cage.Kill()
	found := hu.id.members()
	for _, m := range found {
		h, err := openHandle(m)
		if err != nil {
			continue // ended meanwhile, or the next round finds it again
		}
		h.signal(unix.SIGKILL)
		h.close()
		hu.killed[m] = struct{}{}
	}
	for m := range hu.killed {
		if !m.Alive() {
			delete(hu.killed, m)
		}
	}
	return max(caged, len(found), len(hu.killed))
}

// usage adds up what the members use, from /proc: shared memory is counted for each of them.
func (id Identity) usage() Usage {
	var u Usage
	for _, m := range id.members() {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.Pid))
		if err != nil {
			continue
		}
		f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if len(f) < 22 {
			continue
		}
		n := func(field int) int64 {
			v, _ := strconv.ParseInt(f[field-3], 10, 64) // the fields begin with the third
			return v
		}
		const tick = time.Second / 100 // USER_HZ, the same on every machine that Go runs on
		u.CPUUser += time.Duration(n(14)) * tick
		u.CPUSystem += time.Duration(n(15)) * tick
		u.Pids += n(20)
		u.MemoryBytes += n(24) * int64(os.Getpagesize())
	}
	return u
}
