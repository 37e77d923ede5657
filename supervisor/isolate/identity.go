package isolate

import "errors"

// ErrGone says that no process has the identity any more.
var ErrGone = errors.New("process is gone")

// Identity names one process for as long as the machine's disks live: a pid alone comes back for another process, a start
// time in clock ticks since boot comes back after a reboot. Keep it on disk to Adopt the process later.
type Identity struct {
	// Worker is the value of EnvWorker in the process and in what it starts.
	Worker string `json:"worker"`
	Pid    int    `json:"pid"`
	// Start is the start time in the kernel's ticks since boot (field 22 of /proc/<pid>/stat).
	Start uint64 `json:"start"`
	Boot  string `json:"boot"`
}

// Alive says whether the process still runs. A process that ended and was not waited for yet is not alive.
func (id Identity) Alive() bool {
	st, err := readStat(id.Pid)
	return err == nil && st.start == id.Start && !st.ended && id.Boot == bootID()
}

// pinned says whether the process, running or ended and not waited for, still holds its number. While it does, its
// process group and session are its own.
func (id Identity) pinned() bool {
	st, err := readStat(id.Pid)
	return err == nil && st.start == id.Start && id.Boot == bootID()
}
