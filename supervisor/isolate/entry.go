package isolate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// EntryCommand is the first argument of the process that becomes a worker; see package shim. The second is the descriptor
// of its Entry, the next descriptor is the pipe for its failure.
const EntryCommand = "__launch"

// Self is the Launch.Shim of a program that runs shim.Main for EntryCommand. It stays the program that runs even when its
// file was replaced.
func Self() []string { return []string{"/proc/self/exe", EntryCommand} }

// maxEntryBytes bounds an encoded Entry: argument list and environment, which the kernel bounds to less.
const maxEntryBytes = 8 << 20

// Entry is what a process does to itself before it becomes the worker, in the order of the fields.
type Entry struct {
	// Join are files that take the process's number.
	Join []string `json:"join,omitempty"`
	// NoFile is the largest number of open files; 0 leaves it.
	NoFile uint64 `json:"nofile,omitempty"`
	// NoCore forbids core dumps.
	NoCore bool `json:"nocore,omitempty"`
	// User is whom it becomes.
	User *User `json:"user,omitempty"`
	// Sandbox is what it gives up.
	Sandbox Sandbox `json:"sandbox"`
	// Path, Args and Env are what it executes.
	Path string   `json:"path"`
	Args []string `json:"args"`
	Env  []string `json:"env"`
}

// Sandbox profiles.
const (
	// SandboxNone gives nothing up.
	SandboxNone = "none"
	// SandboxDefault gives up what no topology needs: gaining privileges, administration of the machine, looking into or
	// signalling processes that are not the worker's.
	SandboxDefault = "default"
	// SandboxStrict gives up all files but those named, too.
	SandboxStrict = "strict"
)

// Sandbox says what a worker and all it starts cannot do. Nothing in it can be taken back by the worker.
type Sandbox struct {
	// Profile is one of the constants; "" is SandboxNone.
	Profile string `json:"profile,omitempty"`
	// Read and Write are files and directories that a strict worker may read and execute, or read, change and make. What
	// does not exist is left out.
	Read  []string `json:"read,omitempty"`
	Write []string `json:"write,omitempty"`
}

// ReadEntry reads an Entry from an inherited descriptor and closes it. next is the descriptor for failures.
func ReadEntry(fd int) (e Entry, failures *os.File, err error) {
	syscall.CloseOnExec(fd)
	syscall.CloseOnExec(fd + 1)
	failures = os.NewFile(uintptr(fd+1), "launch failures")
	f := os.NewFile(uintptr(fd), "launch entry")
	if f == nil || failures == nil {
		return e, nil, fmt.Errorf("no descriptors %d and %d", fd, fd+1)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxEntryBytes+1))
	if err != nil {
		return e, failures, fmt.Errorf("read launch entry: %w", err)
	}
	if len(data) > maxEntryBytes {
		return e, failures, fmt.Errorf("launch entry has over %d bytes", maxEntryBytes)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return e, failures, fmt.Errorf("read launch entry: %w", err)
	}
	if e.Path == "" || len(e.Args) == 0 {
		return e, failures, errors.New("launch entry names no program")
	}
	return e, failures, nil
}

func (e Entry) encode() ([]byte, error) {
	data, err := json.Marshal(e)
	if err == nil && len(data) > maxEntryBytes {
		err = fmt.Errorf("arguments and environment have %d bytes, at most %d", len(data), maxEntryBytes)
	}
	return data, err
}
