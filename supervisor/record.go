package supervisor

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// maxStateBytes bounds every file of state that is read back.
const maxStateBytes = 64 << 20

// disk is what a supervisor keeps across restarts, below <storm.local.dir>/supervisor:
//
//	lock               held while a supervisor runs here
//	id                 the node's id
//	ports.json         the ports that were chosen for it
//	plan               the last plan, a stormrpc.NodePlan, with the secrets of the topologies
//	slots/<port>.json  the worker of a slot
//	reserve            room for plans on a disk that is full otherwise
//	stormdist/         see package localizer, as usercache/
//
// Files are replaced whole and are on the disk when a method returns. Only this user may read them.
type disk struct {
	dir  string
	lock *os.File
}

func openDisk(local string) (*disk, error) {
	d := &disk{dir: filepath.Join(local, "supervisor")}
	if err := os.MkdirAll(filepath.Join(d.dir, "slots"), 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(d.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("another supervisor uses %s: %w", local, err)
	}
	d.lock = lock
	for _, dir := range []string{d.dir, d.path("slots")} {
		left, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
		for _, path := range left {
			err = errors.Join(err, os.Remove(path))
		}
		if err != nil {
			d.close()
			return nil, err
		}
	}
	return d, nil
}

func (d *disk) close() error { return d.lock.Close() }

func (d *disk) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

func (d *disk) write(name string, data []byte) error {
	path := d.path(name)
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("keep %s: %w", name, err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// read gives nil for a file that does not exist.
func (d *disk) read(name string) ([]byte, error) {
	f, err := os.Open(d.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxStateBytes+1))
	if err == nil && len(data) > maxStateBytes {
		err = fmt.Errorf("more than %d bytes", maxStateBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// nodeID is made at the first start and stays.
func (d *disk) nodeID() (string, error) {
	data, err := d.read("id")
	if err != nil {
		return "", err
	}
	if id := strings.TrimSpace(string(data)); id != "" {
		return id, nil
	}
	id := newID()
	return id, d.write("id", []byte(id+"\n"))
}

// newID is a random UUID.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// chosenPorts are ports that were free when they were first needed.
type chosenPorts struct {
	Thrift int   `json:"thrift"`
	Slots  []int `json:"slots"`
}

func (d *disk) ports() (chosenPorts, error) {
	var p chosenPorts
	data, err := d.read("ports.json")
	if err != nil || data == nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("read ports.json: %w", err)
	}
	return p, nil
}

func (d *disk) keepPorts(p chosenPorts) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return d.write("ports.json", data)
}

// plan gives nil if there is none.
func (d *disk) plan() (*stormrpc.NodePlan, error) {
	data, err := d.read("plan")
	if err != nil || data == nil {
		return nil, err
	}
	p := stormrpc.NewNodePlan()
	if err := wire.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return p, nil
}

func (d *disk) writePlan(p *stormrpc.NodePlan) error {
	data, err := wire.Marshal(p)
	if err != nil {
		return err
	}
	return d.write("plan", data)
}

// workerRecord is the worker of a slot. It is written before the launch, without Process, and again after it, so that a
// worker whose supervisor was killed in between can be found by its id.
type workerRecord struct {
	Topology string            `json:"topology"`
	Worker   string            `json:"worker"`
	Process  *isolate.Identity `json:"process,omitempty"`
	Launched time.Time         `json:"launched"`
	// Silence is how long it may go without a report.
	Silence time.Duration `json:"silence"`
	// LogPath is worker.log. LogStart and ErrStart are how long it and its .err were before the launch.
	LogPath  string `json:"log_path"`
	LogStart int64  `json:"log_start"`
	ErrStart int64  `json:"err_start"`
	// Token is what the worker proves by that it is the one: see service.SyncWorker.
	Token string `json:"token,omitempty"`
	// Stamp is that of the code it was started with.
	Stamp string `json:"stamp,omitempty"`
	// Graph is the version of the topology's graph that it runs, as far as this supervisor has heard; 0: not known.
	Graph int64 `json:"graph,omitempty"`
	// Strict says that it is in a strict sandbox, where it can read no code that comes later.
	Strict bool `json:"strict,omitempty"`
	// Restarts and LastExit are those of its slot.
	Restarts int    `json:"restarts,omitempty"`
	LastExit string `json:"last_exit,omitempty"`
	// Limits is what the topology's configuration says of them, as JSON.
	Limits string `json:"limits,omitempty"`
}

func slotFile(port int) string { return "slots/" + strconv.Itoa(port) + ".json" }

func (d *disk) keepWorker(port int, r workerRecord) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return d.write(slotFile(port), data)
}

func (d *disk) forgetWorker(port int) error {
	if err := os.Remove(d.path(slotFile(port))); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// workers gives the records by port. One that cannot be read is empty, and an error beside the others.
func (d *disk) workers() (map[int]workerRecord, error) {
	entries, err := os.ReadDir(d.path("slots"))
	if err != nil {
		return nil, err
	}
	out := map[int]workerRecord{}
	var errs []error
	for _, e := range entries {
		port, err := strconv.Atoi(strings.TrimSuffix(e.Name(), ".json"))
		if err != nil {
			continue // not ours
		}
		data, err := d.read("slots/" + e.Name())
		var r workerRecord
		if err == nil {
			err = json.Unmarshal(data, &r)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("read worker of slot %d: %w", port, err))
			r = workerRecord{}
		}
		out[port] = r
	}
	return out, errors.Join(errs...)
}
