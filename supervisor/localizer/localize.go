package localizer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// localize runs in the topology's turn.
func (c *Cache) localize(ctx context.Context, topology string, e *entry, version Version) (Code, error) {
	code, rec, err := c.load(topology)
	sound := err == nil
	if sound && c.current(ctx, e, rec, version.Number) {
		return code, nil
	}
	if !sound && !errors.Is(err, os.ErrNotExist) {
		c.cfg.Log.Warn("localized topology is damaged, fetching it again", "topology", topology, "err", err)
	}
	err = c.fetch(ctx, topology, e, version)
	switch {
	case err != nil && sound && passing(err):
		c.cfg.Log.Warn("newer code cannot be fetched, going on with what is on disk", "topology", topology, "err", err)
		c.setUnasked(e, true)
		return code, nil
	case err != nil:
		return Code{}, err
	}
	code, _, err = c.load(topology)
	return code, err
}

// current tells whether what is on disk is as new as it has to be.
func (c *Cache) current(ctx context.Context, e *entry, rec *record, version int64) bool {
	if version > 0 {
		return rec.CodeVersion >= version
	}
	reachable := c.cfg.Reachable()
	c.setUnasked(e, !reachable)
	return !reachable || c.newest(ctx, rec)
}

func (c *Cache) setUnasked(e *entry, unasked bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.unasked = unasked
}

// newest asks for the versions of the blobs in the topology's directory; it says true also when the master cannot tell.
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
	if err := checkFiles(root, rec.Files); err != nil {
		return Code{}, nil, err
	}
	code := Code{Dir: dir, BlobDir: c.cfg.BlobDir, Stamp: rec.stamp(), ID: rec.CodeID}
	if code.Links, err = c.checkLinks(root, topology, rec); err != nil {
		return Code{}, nil, err
	}
	if code.Conf, err = readConf(root); err != nil {
		return Code{}, nil, err
	}
	if rec.Binary != "" {
		code.Binary = filepath.Join(dir, filepath.FromSlash(rec.Binary))
	}
	c.setStamp(topology, rec)
	return code, rec, nil
}

// checkLinks checks the blobs that a topology links to, makes links as the record says and gives what workers are to find in
// their directory.
func (c *Cache) checkLinks(root *os.Root, topology string, rec *record) ([]string, error) {
	var names []string
	for name, l := range rec.Links {
		if !plainElement(name) {
			return nil, fmt.Errorf("link %q is not a single path element", clip(name))
		}
		if err := c.store.use(topology, l.Blob); err != nil {
			return nil, err
		}
		if err := c.setLink(root, topology, name, l.Blob); err != nil {
			return nil, err
		}
		if !l.Fixed {
			names = append(names, name)
		}
	}
	if st, err := root.Stat(resourcesDir); err == nil && st.IsDir() {
		names = append(names, resourcesDir)
	}
	slices.Sort(names)
	return names, nil
}

// fetch runs in the topology's turn.
func (c *Cache) fetch(ctx context.Context, topology string, e *entry, version Version) error {
	tmp, rec, err := c.gather(ctx, topology, version)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // the old content
	return c.place(tmp, topology, e, rec)
}

// gather fetches a topology into a directory of its own. A disk that is full gets a second try after blobs that nobody uses
// were removed. After an error nothing is left.
func (c *Cache) gather(ctx context.Context, topology string, version Version) (string, *record, error) {
	tmp, rec, err := c.gatherOnce(ctx, topology, version)
	if noRoom(err) && c.store.clean(0) > 0 {
		tmp, rec, err = c.gatherOnce(ctx, topology, version)
	}
	return tmp, rec, err
}

func (c *Cache) gatherOnce(ctx context.Context, topology string, version Version) (string, *record, error) {
	tmp := c.tmpName(topology)
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return "", nil, err
	}
	rec, err := c.fill(ctx, tmp, topology, version)
	if err != nil {
		os.RemoveAll(tmp)
		c.dropUnplaced(topology)
		return "", nil, err
	}
	return tmp, rec, nil
}

func (c *Cache) fill(ctx context.Context, tmp, topology string, version Version) (*record, error) {
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f := fetcher{cache: c, topology: topology, code: cmp.Or(version.Code, topology), root: root}
	f.record.CodeVersion, f.record.CodeID = version.Number, version.Code
	return &f.record, f.run(ctx)
}

// dropUnplaced gives up blobs that a fetch which failed brought, but not those that are linked.
func (c *Cache) dropUnplaced(topology string) {
	var links map[string]link
	if rec, err := c.readTopology(topology); err == nil {
		links = rec.Links
	}
	c.store.release(topology, links)
}

// place gives what was gathered the topology's name. The directory tmp has the old content afterwards, if there was any.
func (c *Cache) place(tmp, topology string, e *entry, rec *record) error {
	dir := filepath.Join(c.cfg.Dir, topology)
	if err := keepCode(tmp, dir, rec.CodeVersion); err != nil {
		c.cfg.Log.Warn("workers that start just now may not find their code", "topology", topology, "err", err)
	}
	if err := c.cfg.Admit(topology, tmp); err != nil {
		c.cfg.Log.Warn("workers that run may not read newer code", "topology", topology, "err", err)
	}
	if err := swap(tmp, dir); err != nil {
		return err
	}
	if err := carryResources(tmp, dir, rec); err != nil {
		c.cfg.Log.Warn("processes that go on lose their working directory", "topology", topology, "err", err)
	}
	c.store.release(topology, rec.Links)
	c.setStamp(topology, rec)
	c.setUnasked(e, false)
	return nil
}

func (c *Cache) tmpName(topology string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names++
	return filepath.Join(c.cfg.Dir, fmt.Sprintf("%s.%d.tmp", topology, c.names))
}
