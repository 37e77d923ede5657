package exact

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Points at which a task can be made to stand still (Halt).
const (
	BeforeEffect = "before-effect" // a sink knows that a checkpoint counts and has made nothing of it visible
	AfterEffect  = "after-effect"  // it has made its records of it visible
)

const haltedFile = "halted"

// Halt has the first task that comes to the point stand still there, for good: what a kill then leaves is what a crash at this point leaves.
func (t Topology) Halt(point string) error {
	return os.WriteFile(filepath.Join(t.Dir, haltFile(point)), nil, 0o600)
}

// Halted is the process that stands still, 0 while there is none. Release has the next one found.
func (t Topology) Halted() (pid int, err error) {
	b, err := os.ReadFile(filepath.Join(t.Dir, haltedFile))
	if os.IsNotExist(err) || err == nil && len(b) == 0 {
		return 0, nil
	}
	if err == nil {
		pid, err = strconv.Atoi(string(b))
	}
	return pid, err
}

// Release forgets who stood still.
func (t Topology) Release() error { return os.Remove(filepath.Join(t.Dir, haltedFile)) }

func haltFile(point string) string { return "halt-" + point }

// halt stands still if it should.
func halt(dir, point string) {
	halted := filepath.Join(dir, haltedFile)
	if os.Rename(filepath.Join(dir, haltFile(point)), halted) != nil {
		return
	}
	os.WriteFile(halted, []byte(strconv.Itoa(os.Getpid())), 0o600) // whoever waits for it gives up some time
	for {
		time.Sleep(time.Hour)
	}
}

// rewound is what files begin with that were taken back.
const rewound = "rewound-"

// rewind takes back a task's files of that kind of epochs after one.
func rewind(dir, kind string, index int, after uint64) error {
	files, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("%s-%d-*", kind, index)))
	if err != nil {
		return err
	}
	for _, path := range files {
		name := filepath.Base(path)
		epoch, err := strconv.ParseUint(name[strings.LastIndexByte(name, '-')+1:], 10, 64)
		if err != nil {
			return err
		}
		if epoch > after {
			if err := os.Rename(path, filepath.Join(dir, rewound+name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Rewound lists the files that were taken back.
func (t Topology) Rewound() (names []string, err error) {
	files, err := filepath.Glob(filepath.Join(t.Dir, rewound+"*"))
	for _, path := range files {
		names = append(names, strings.TrimPrefix(filepath.Base(path), rewound))
	}
	return names, err
}
