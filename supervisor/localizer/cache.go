package localizer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// versionPatience bounds asking the master whether a topology on disk is the newest: a worker that can be started from
// disk does not wait for a master that does not answer.
const versionPatience = 2 * time.Second

// Config is what a Cache is made from.
type Config struct {
	// Dir is made if missing, for this user only (Storm's <storm.local.dir>/supervisor/stormdist).
	Dir string
	// From is the master.
	From Source
	// Platform chooses the binary of Go topologies, "<os>-<arch>". Default: this one.
	Platform string
	Limits   Limits
	// BlobDir holds what topology.blobstore.map and dependencies name, each content once. Default: usercache beside Dir.
	BlobDir string
	// CacheBytes is what blobs that nobody uses may fill BlobDir up to (supervisor.localizer.cache.target.size.mb). Default
	// 10 GiB.
	CacheBytes int64
	// OpenToAll lets every user of the machine read blobs whose name, the SHA-256, it knows, and list none: for workers that
	// run as the owners of their topologies. Otherwise only this user may.
	OpenToAll bool
	// Retries is how often a transfer is tried again that failed for a reason that may pass. Default 3, negative for never.
	Retries int
	// Threads bounds the transfers at one time. Default 5.
	Threads int
	// Admit lets those read a topology's newer code who are to, in a directory that is about to take the place of the one before, which workers that
	// run then look into. Default: nobody else.
	Admit func(topology, dir string) error
	// Reachable says whether the master answered lately. While it says no, what is on disk is used without asking for newer
	// versions; Update makes up for that. Default: always yes.
	Reachable func() bool
	// Log gets what went wrong and was repaired. Default slog.Default().
	Log *slog.Logger
}

// Version is the code that the plan of a topology names.
type Version struct {
	// Number grows with every change of it; 0: the plan names none.
	Number int64
	// Code is its code id, which stands in the keys of its blobs; "" is the topology's id.
	Code string
}

// Code is a topology on disk. It stays while its user holds it.
type Code struct {
	// Dir is absolute if Config.Dir is.
	Dir string
	// Binary is the worker of a Go topology, "" for every other.
	Binary string
	// Conf is the topology's configuration. It belongs to the caller.
	Conf conf.Conf
	// Links are the names in Dir that workers find in their own directory as well: local names of blobs, and resources.
	Links []string
	// BlobDir is where all links lead.
	BlobDir string
	// Stamp is that of Cache.Stamp.
	Stamp string
	// ID is its code id, "" for the topology's id.
	ID string
}

// Cache holds the topologies of one node.
type Cache struct {
	cfg   Config
	store *store

	mu      sync.Mutex
	entries map[string]*entry
	names   uint64 // makes names of temporary directories
}

// entry is one topology with users. Nobody uses or removes its directory without holding turn.
type entry struct {
	turn  chan struct{}       // one token
	users map[string]struct{} // guarded by Cache.mu, as what follows
	stamp string
	here  Version // of what is on disk
	// unasked says that the master was not asked whether what is on disk is the newest.
	unasked bool
}

// Open makes a cache over a directory and removes what an earlier one left half done. Topologies that are there stay.
func Open(cfg Config) (*Cache, error) {
	limits, err := cfg.Limits.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg.Limits = limits
	if cfg.Platform == "" {
		cfg.Platform = runtime.GOOS + "-" + runtime.GOARCH
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.BlobDir == "" {
		cfg.BlobDir = filepath.Join(filepath.Dir(filepath.Clean(cfg.Dir)), "usercache")
	}
	if cfg.CacheBytes <= 0 {
		cfg.CacheBytes = 10 << 30
	}
	if cfg.Retries == 0 {
		cfg.Retries = 3
	}
	if cfg.Threads <= 0 {
		cfg.Threads = 5
	}
	if cfg.Admit == nil {
		cfg.Admit = func(string, string) error { return nil }
	}
	if cfg.Reachable == nil {
		cfg.Reachable = func() bool { return true }
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open code cache: %w", err)
	}
	c := &Cache{cfg: cfg, entries: map[string]*entry{}}
	left, err := filepath.Glob(filepath.Join(cfg.Dir, "*.tmp"))
	if err != nil {
		return nil, fmt.Errorf("open code cache: %w", err)
	}
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("open code cache: %w", err)
		}
	}
	if c.store, err = openStore(cfg.BlobDir, cfg.From, cfg.Limits, newTries(cfg.Retries, cfg.Threads), cfg.OpenToAll); err != nil {
		return nil, fmt.Errorf("open code cache: %w", err)
	}
	return c, c.countUsers()
}

// countUsers has the blobs that topologies on disk link to stay.
func (c *Cache) countUsers() error {
	dirs, err := os.ReadDir(c.cfg.Dir)
	if err != nil {
		return fmt.Errorf("open code cache: %w", err)
	}
	for _, d := range dirs {
		if rec, err := c.readTopology(d.Name()); err == nil { // else it is fetched again
			for _, l := range rec.Links {
				c.store.hold(d.Name(), l.Blob)
			}
		}
	}
	return nil
}

// Hold counts user as one that uses the topology, without looking at the disk: for a worker that runs already.
func (c *Cache) Hold(topology, user string) {
	c.mu.Lock()
	c.entryLocked(topology).users[user] = struct{}{}
	c.mu.Unlock()
	if rec, err := c.readTopology(topology); err == nil {
		c.setStamp(topology, rec)
	}
}

func (c *Cache) entryLocked(topology string) *entry {
	e := c.entries[topology]
	if e == nil {
		e = &entry{turn: make(chan struct{}, 1), users: map[string]struct{}{}}
		e.turn <- struct{}{}
		c.entries[topology] = e
	}
	return e
}

// Acquire counts user as one that uses the topology and blocks until its newest content is on disk and sound, or ctx is
// over. What is on disk for that version, or for a newer one, is used without asking; for number 0 the master is asked. When the master does not answer, what is on disk will do. After an error the user still counts until
// Release.
func (c *Cache) Acquire(ctx context.Context, topology, user string, version Version) (Code, error) {
	if !plainElement(topology) || strings.HasPrefix(topology, ".") || strings.HasSuffix(topology, ".tmp") {
		return Code{}, fmt.Errorf("localize topology: id %q is no file name", clip(topology))
	}
	c.mu.Lock()
	e := c.entryLocked(topology)
	e.users[user] = struct{}{}
	c.mu.Unlock()
	select {
	case <-e.turn:
		defer func() { e.turn <- struct{}{} }()
	case <-ctx.Done():
		return Code{}, ctx.Err()
	}
	code, err := c.localize(ctx, topology, e, version)
	if err != nil {
		return Code{}, fmt.Errorf("localize topology %s: %w", topology, err)
	}
	return code, nil
}

// Release ends the use of a topology by user. The last one takes the directory with it; Release then blocks until it is
// gone and says why it is not. To release what one does not use is no error.
func (c *Cache) Release(topology, user string) error {
	c.mu.Lock()
	e := c.entries[topology]
	if e == nil {
		c.mu.Unlock()
		return nil
	}
	delete(e.users, user)
	last := len(e.users) == 0
	c.mu.Unlock()
	if !last {
		return nil
	}
	<-e.turn
	defer func() { e.turn <- struct{}{} }()
	c.mu.Lock()
	if len(e.users) > 0 || c.entries[topology] != e {
		c.mu.Unlock()
		return nil
	}
	// A new user from here on makes an entry of its own, so the directory has to leave its name under the lock.
	delete(c.entries, topology)
	c.names++
	tmp := filepath.Join(c.cfg.Dir, fmt.Sprintf("%s.%d.tmp", topology, c.names))
	err := os.Rename(filepath.Join(c.cfg.Dir, topology), tmp)
	c.store.release(topology, nil)
	c.mu.Unlock()
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.RemoveAll(tmp)
	}
	if err != nil {
		return fmt.Errorf("remove topology %s from code cache: %w", topology, err)
	}
	return nil
}

// Leave ends the use of a topology by user like Release, but its content stays until Sweep: for somebody who will be back.
func (c *Cache) Leave(topology, user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[topology]; e != nil {
		delete(e.users, user)
	}
}

// Sweep removes the topologies on disk that nobody uses and keep does not name. Call it only after those who go on from an
// earlier life have said so with Hold.
func (c *Cache) Sweep(keep func(topology string) bool) error {
	dirs, err := os.ReadDir(c.cfg.Dir)
	if err != nil {
		return fmt.Errorf("sweep code cache: %w", err)
	}
	var errs []error
	for _, d := range dirs {
		if strings.HasSuffix(d.Name(), ".tmp") || keep(d.Name()) {
			continue
		}
		c.mu.Lock()
		e := c.entryLocked(d.Name())
		used := len(e.users) > 0
		c.mu.Unlock()
		if !used {
			errs = append(errs, c.Release(d.Name(), ""))
		}
	}
	return errors.Join(errs...)
}
