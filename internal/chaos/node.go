package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

const kill9 = syscall.SIGKILL

// start runs the daemon at its site. What it says is appended to <name>.log.
func (n *Node) start(binary, mark string, args ...string) error {
	if n.Running() {
		return fmt.Errorf("%s runs already", n.Name)
	}
	log, err := os.OpenFile(n.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.Dir, log, log
	cmd.Env = append(append(os.Environ(), n.env...), envCluster+"="+mark)
	if n.proc, err = launch(cmd, n.enter); err != nil {
		n.proc = nil
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	return nil
}

// LogPath is the file of what the daemon says.
func (n *Node) LogPath() string { return filepath.Join(n.Dir, n.Name+".log") }

// Running says whether the daemon runs; a stopped one (SIGSTOP) does.
func (n *Node) Running() bool { return n.proc != nil && n.proc.running() }

// Pid is the daemon's, 0 if it was never started.
func (n *Node) Pid() int {
	if n.proc == nil {
		return 0
	}
	return n.proc.pid()
}

// alive is an error if the daemon has ended, with its last words.
func (n *Node) alive() error {
	if n.Running() {
		return nil
	}
	b, _ := os.ReadFile(n.LogPath())
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return fmt.Errorf("%s has ended: %s", n.Name, lines[len(lines)-1])
}

// Signal sends a signal to the daemon. After SIGKILL and SIGTERM it waits for its end.
func (n *Node) Signal(sig syscall.Signal) error {
	if err := n.alive(); err != nil {
		return err
	}
	if err := n.proc.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("send %v to %s: %w", sig, n.Name, err)
	}
	if sig == syscall.SIGKILL || sig == syscall.SIGTERM {
		<-n.proc.done
	}
	return nil
}

// Worker is a worker's process, as its supervisor wrote it down.
type Worker struct {
	Node     string `json:"node"` // its supervisor's name
	Port     int    `json:"port"`
	Topology string `json:"topology"`
	isolate.Identity
}

func (w Worker) String() string { return fmt.Sprintf("%s:%d (pid %d)", w.Node, w.Port, w.Pid) }

// Signal sends a signal to the worker, if it still runs.
func (w Worker) Signal(sig syscall.Signal) error {
	p, err := os.FindProcess(w.Pid) // holds the process, so that the number means it or nobody
	if err != nil {
		return err
	}
	defer p.Release()
	if !w.Alive() {
		return fmt.Errorf("worker %v: %w", w, isolate.ErrGone)
	}
	return p.Signal(sig)
}

// Workers lists the workers of the daemon that run.
func (n *Node) Workers() ([]Worker, error) { return WorkersOf(n.Name, n.Inside()) }

// WorkersOf lists the workers that run of the supervisor with that storm.local.dir, by port. name is what the result calls it.
func WorkersOf(name, local string) (workers []Worker, err error) {
	files, err := filepath.Glob(filepath.Join(local, "supervisor", "supervisor", "slots", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		port, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(file), ".json"))
		if err != nil {
			continue
		}
		b, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		var rec struct {
			Topology string
			Process  *isolate.Identity
		}
		if err == nil {
			err = json.Unmarshal(b, &rec)
		}
		if err != nil {
			return nil, fmt.Errorf("read the record of a worker: %w", err)
		}
		if rec.Process != nil && rec.Process.Alive() {
			workers = append(workers, Worker{name, port, rec.Topology, *rec.Process})
		}
	}
	return workers, nil
}

// Workers lists the workers of all supervisors.
func (c *Cluster) Workers() (all []Worker, err error) {
	for _, n := range c.supervisors {
		workers, err := n.Workers()
		if err != nil {
			return nil, err
		}
		all = append(all, workers...)
	}
	return all, nil
}
