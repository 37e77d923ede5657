package isolate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

const (
	// SpecFD is the descriptor a worker reads its WorkerSpec from.
	SpecFD = 3
	// LifelineFD is the descriptor of the lifeline, open only if WorkerSpec.Lifeline is set.
	LifelineFD = 4
	// EnvWorker names the environment variable that holds the worker id, in the worker and in all it starts.
	EnvWorker = "GEARSTORM_WORKER_ID"

	// MaxSpecBytes bounds an encoded WorkerSpec.
	MaxSpecBytes = 64 << 20

	specVersion = 1
	maxIDBytes  = 512
)

// ErrSpec is wrapped by every error about the content of a WorkerSpec.
var ErrSpec = errors.New("bad worker spec")

// WorkerSpec is all a worker is told at its start. All paths are absolute. Plan and Conf are not copied by this package.
type WorkerSpec struct {
	// Topology is the topology id, "<name>-<n>-<seconds>".
	Topology string `json:"topology"`
	// Worker is new with every launch.
	Worker string `json:"worker"`
	// Node is the supervisor's id, Hostname the name under which other nodes reach it.
	Node     string `json:"node"`
	Hostname string `json:"hostname"`
	// Port is the slot, on which the worker listens for its peers.
	Port int `json:"port"`
	// Supervisor is host:port of the supervisor's Thrift service (Gearstorm.syncWorker).
	Supervisor string `json:"supervisor"`
	// CodeDir is the localized topology: stormjar.jar, stormcode.ser, stormconf.ser, resources. Read only for the worker.
	CodeDir string `json:"code_dir"`
	// WorkerDir is the worker's own, its working directory, removed when the worker is gone.
	WorkerDir string `json:"worker_dir"`
	// PidDir is where multilang children put their pid files (Storm's pidDir). The supervisor does not believe them.
	PidDir string `json:"pid_dir"`
	// LogPath is worker.log. Standard output and error go to LogPath + ".out" and ".err".
	LogPath string `json:"log_path"`
	// Lifeline says that the worker has to end when LifelineFD reads as ended.
	Lifeline bool `json:"lifeline"`
	// Token goes with every report (WorkerReport.token): it tells the supervisor that it is this process which reports.
	Token string `json:"token,omitempty"`
	// Plan is the stormrpc.TopologyPlan of the start in Thrift's binary protocol, the secret of the topology included.
	Plan []byte `json:"plan"`
	// Conf is the node's configuration as JSON (conf.ParseJSON) with secrets masked; the topology's goes over it.
	Conf []byte `json:"conf,omitempty"`
}

// Validate names the first field that is missing or out of range. The error wraps ErrSpec.
func (s *WorkerSpec) Validate() error {
	for _, f := range []struct{ name, value string }{
		{"topology", s.Topology}, {"worker", s.Worker}, {"node", s.Node}, {"hostname", s.Hostname}, {"supervisor", s.Supervisor},
	} {
		if f.value == "" || len(f.value) > maxIDBytes {
			return fmt.Errorf("%w: %s has %d bytes, want 1 to %d", ErrSpec, f.name, len(f.value), maxIDBytes)
		}
	}
	for _, f := range []struct{ name, value string }{
		{"code_dir", s.CodeDir}, {"worker_dir", s.WorkerDir}, {"pid_dir", s.PidDir}, {"log_path", s.LogPath},
	} {
		if !filepath.IsAbs(f.value) {
			return fmt.Errorf("%w: %s %q is not absolute", ErrSpec, f.name, f.value)
		}
	}
	if s.Port < 1 || s.Port > 65535 {
		return fmt.Errorf("%w: port %d", ErrSpec, s.Port)
	}
	if len(s.Plan) == 0 {
		return fmt.Errorf("%w: no plan", ErrSpec)
	}
	return nil
}

// Args is the command line that launches the worker from the given binary.
func (s *WorkerSpec) Args(binary string) []string {
	return []string{binary, "worker", "--topology", s.Topology, "--port", strconv.Itoa(s.Port),
		"--worker", s.Worker, "--supervisor", s.Supervisor}
}

// envelope carries the version of the layout beside the fields. Fields a reader does not know are ignored, so a worker
// binary older than its supervisor still starts; a layout it cannot read gets a new version.
type envelope struct {
	Version int        `json:"version"`
	Spec    WorkerSpec `json:"spec"`
}

// Encode gives the bytes that ReadSpec reads.
func (s *WorkerSpec) Encode() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(envelope{Version: specVersion, Spec: *s})
	if err != nil {
		return nil, fmt.Errorf("encode worker spec: %w", err)
	}
	if len(data) > MaxSpecBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrSpec, len(data), MaxSpecBytes)
	}
	return data, nil
}

// ReadSpec reads the spec from an inherited descriptor, SpecFD in a worker, to its end, at most MaxSpecBytes, and closes
// the descriptor. Call it once and before any child process is started: until then children would inherit the spec.
func ReadSpec(fd int) (WorkerSpec, error) {
	syscall.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "worker spec")
	if f == nil {
		return WorkerSpec{}, fmt.Errorf("%w: no descriptor %d", ErrSpec, fd)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSpecBytes+1))
	if err != nil {
		return WorkerSpec{}, fmt.Errorf("read worker spec from descriptor %d: %w", fd, err)
	}
	return decodeSpec(data)
}

func decodeSpec(data []byte) (WorkerSpec, error) {
	if len(data) > MaxSpecBytes {
		return WorkerSpec{}, fmt.Errorf("%w: over %d bytes", ErrSpec, MaxSpecBytes)
	}
	var e envelope
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&e); err != nil {
		return WorkerSpec{}, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	if e.Version != specVersion {
		return WorkerSpec{}, fmt.Errorf("%w: layout %d, this binary reads %d", ErrSpec, e.Version, specVersion)
	}
	if err := e.Spec.Validate(); err != nil {
		return WorkerSpec{}, err
	}
	return e.Spec, nil
}
