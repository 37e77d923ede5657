package seeds

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	portsFile = "ports.json"
	// maxPortsBytes is more than the file ever has.
	maxPortsBytes = 4 << 10
)

// Ports is where the daemons of a gearstorm dev listen, and its process.
type Ports struct {
	Nimbus     int `json:"nimbus"`
	Supervisor int `json:"supervisor"`
	// Those of its DRPC server; 0 without one.
	DRPC        int `json:"drpc,omitempty"`
	Invocations int `json:"drpc_invocations,omitempty"`
	DRPCHTTP    int `json:"drpc_http,omitempty"`
	PID         int `json:"pid"`
}

// Write puts the file into dir, whole or not at all, and returns what removes it.
func (p Ports) Write(dir string) (remove func(), err error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, portsFile)
	if err := os.WriteFile(file+".tmp", append(b, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("write ports: %w", err)
	}
	if err := os.Rename(file+".tmp", file); err != nil {
		return nil, fmt.Errorf("write ports: %w", err)
	}
	return func() { os.Remove(file) }, nil
}

// ReadPorts reads the file in dir. ok is false if there is none, if it makes no sense, or if its process is gone: a dev
// that was killed leaves the file behind.
func ReadPorts(dir string) (p Ports, ok bool) {
	file := filepath.Join(dir, portsFile)
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxPortsBytes {
		return Ports{}, false
	}
	b, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(b, &p) != nil || p.Nimbus <= 0 || p.Nimbus >= 1<<16 || p.PID <= 0 {
		return Ports{}, false
	}
	return p, alive(p.PID)
}

// alive reports whether a process of that id exists.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
