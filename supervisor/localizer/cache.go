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
	// Log gets what went wrong and was repaired. Default slog.Default().
	Log *slog.Logger
}

// Code is a topology on disk. It stays while its user holds it.
type Code struct {
	// Dir is absolute if Config.Dir is.
	Dir string
	// Binary is the worker of a Go topology, "" for every other.
	Binary string
	// Conf is the topology's configuration. It belongs to the caller.
	Conf conf.Conf
}

// Cache holds the topologies of one node.
type Cache struct {
	cfg Config

	mu      sync.Mutex
	entries map[string]*entry
	names   uint64 // makes names of temporary directories
}

// entry is one topology with users. Nobody uses or removes its directory without holding turn.
type entry struct {
	turn  chan struct{}       // one token
	users map[string]struct{} // guarded by Cache.mu
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
	return c, nil
}

// Hold counts user as one that uses the topology, without looking at the disk: for a worker that runs already.
func (c *Cache) Hold(topology, user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entryLocked(topology).users[user] = struct{}{}
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
// over. When the master does not answer, what is on disk will do. After an error the user still counts until Release.
func (c *Cache) Acquire(ctx context.Context, topology, user string) (Code, error) {
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
	code, err := c.localize(ctx, topology)
	if err != nil {
		return Code{}, fmt.Errorf("localize topology %s: %w", topology, err)
	}
	return code, nil
}

func (c *Cache) localize(ctx context.Context, topology string) (Code, error) {
	code, rec, err := c.load(topology)
	if err == nil && c.newest(ctx, rec) {
		return code, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.cfg.Log.Warn("localized topology is damaged, fetching it again", "topology", topology, "err", err)
	}
	if err := c.fetch(ctx, topology); err != nil {
		return Code{}, err
	}
	code, _, err = c.load(topology)
	return code, err
}

// newest asks for the versions of all blobs; it says true also when the master cannot tell.
func (c *Cache) newest(ctx context.Context, rec *record) bool {
	ctx, cancel := context.WithTimeout(ctx, versionPatience)
	defer cancel()
	for key, have := range rec.Versions {
		version, err := c.cfg.From.BlobVersion(ctx, key)
		if err != nil {
			return true
		}
		if version != have {
			return false
		}
	}
	return true
}

// load checks what is on disk.
func (c *Cache) load(topology string) (Code, *record, error) {
	dir := filepath.Join(c.cfg.Dir, topology)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Code{}, nil, err
	}
	defer root.Close()
	rec, err := readRecord(root)
	if err != nil {
		return Code{}, nil, err
	}
	if rec.Platform != c.cfg.Platform {
		return Code{}, nil, fmt.Errorf("localized for %s", clip(rec.Platform))
	}
	if err := rec.check(root); err != nil {
		return Code{}, nil, err
	}
	code := Code{Dir: dir}
	if code.Conf, err = readConf(root); err != nil {
		return Code{}, nil, err
	}
	if rec.Binary != "" {
		code.Binary = filepath.Join(dir, filepath.FromSlash(rec.Binary))
	}
	return code, rec, nil
}

func (c *Cache) fetch(ctx context.Context, topology string) error {
	tmp := c.tmpName(topology)
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // the incomplete new or the old content
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return err
	}
	defer root.Close()
	f := fetcher{from: c.cfg.From, limits: c.cfg.Limits, topology: topology, platform: c.cfg.Platform, root: root}
	if err := f.run(ctx); err != nil {
		return err
	}
	return swap(tmp, filepath.Join(c.cfg.Dir, topology))
}

func (c *Cache) tmpName(topology string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names++
	return filepath.Join(c.cfg.Dir, fmt.Sprintf("%s.%d.tmp", topology, c.names))
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

// Sweep removes the topologies on disk that nobody uses and keep does not name. Call it when those who go on from an
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
