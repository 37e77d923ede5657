package localizer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Update brings a topology that somebody uses up to date: all of it if the version that its plan names is newer than what
// is here, else those blobs of topology.blobstore.map that changed. Downloads hold nobody up. A file that changed takes the
// place of the old one at once; whoever has the old one open keeps it. Call Stamp to see whether workers have to start again.
func (c *Cache) Update(ctx context.Context, topology string, version Version) error {
	c.mu.Lock()
	e := c.entries[topology]
	used := e != nil && len(e.users) > 0
	unasked := used && e.unasked
	c.mu.Unlock()
	if !used {
		return nil
	}
	rec, err := c.readTopology(topology)
	if err != nil {
		return nil // not localized yet, or damaged: the next Acquire sees to it
	}
	if version.Number > rec.CodeVersion || version.Number == 0 && unasked && !c.newest(ctx, rec) {
		err = c.renew(ctx, topology, e, version)
	} else {
		err = c.updateLinks(ctx, topology, e, rec)
	}
	if err != nil {
		return fmt.Errorf("update topology %s: %w", topology, err)
	}
	return nil
}

func (c *Cache) readTopology(topology string) (*record, error) {
	return recordIn(filepath.Join(c.cfg.Dir, topology))
}

// renew fetches all of a topology and then waits for its turn to put it in its place.
func (c *Cache) renew(ctx context.Context, topology string, e *entry, version Version) error {
	tmp, rec, err := c.gather(ctx, topology, version)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	return c.inTurn(ctx, topology, e, func() error {
		if now, err := c.readTopology(topology); err == nil && now.CodeVersion > version.Number {
			c.store.release(topology, now.Links)
			return nil // another one was faster
		}
		return c.place(tmp, topology, e, rec)
	})
}

// inTurn runs f while nobody else changes the topology's directory, unless it lost its last user.
func (c *Cache) inTurn(ctx context.Context, topology string, e *entry, f func() error) error {
	select {
	case <-e.turn:
		defer func() { e.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c.mu.Lock()
	current := c.entries[topology] == e && len(e.users) > 0
	other := c.entries[topology] != nil
	c.mu.Unlock()
	if !current {
		if !other {
			c.store.release(topology, nil)
		}
		return nil
	}
	return f()
}

// updateLinks looks for new versions of the blobs that may change.
func (c *Cache) updateLinks(ctx context.Context, topology string, e *entry, rec *record) error {
	changed := map[string]version{}
	var errs []error
	for name, l := range rec.Links {
		if l.Fixed {
			continue
		}
		v, err := c.store.get(ctx, topology, l.source())
		if err != nil {
			errs = append(errs, err)
		} else if v.number != l.Version || v.blob != l.Blob {
			changed[name] = v
		}
	}
	if len(changed) > 0 {
		errs = append(errs, c.inTurn(ctx, topology, e, func() error { return c.relink(topology, rec.Links, changed) }))
	}
	return errors.Join(errs...)
}

// relink has names lead to other blobs if they still are what was. The record goes first: load makes links as it says.
func (c *Cache) relink(topology string, was map[string]link, changed map[string]version) error {
	root, err := os.OpenRoot(filepath.Join(c.cfg.Dir, topology))
	if err != nil {
		return err
	}
	defer root.Close()
	rec, err := readRecord(root)
	if err != nil {
		return err
	}
	for name, v := range changed {
		if l := rec.Links[name]; l == was[name] {
			l.Version, l.Blob = v.number, v.blob
			rec.Links[name] = l
		}
	}
	if err := writeJSON(root, rec); err != nil {
		return err
	}
	for name, l := range rec.Links {
		if err := c.setLink(root, topology, name, l.Blob); err != nil {
			return err
		}
	}
	c.store.release(topology, rec.Links)
	c.setStamp(topology, rec)
	return nil
}

// Stamp says what workers of a topology that is used here would be started with now: it differs when they have to start
// again to follow. It is "" for a topology that is not localized.
func (c *Cache) Stamp(topology string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[topology]; e != nil {
		return e.stamp
	}
	return ""
}

func (c *Cache) setStamp(topology string, rec *record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[topology]; e != nil {
		e.stamp, e.here = rec.stamp(), Version{rec.CodeVersion, rec.CodeID}
	}
}

// Has says whether the code of a version that a plan names, or newer code of the same id, is on disk for a topology that is used here.
func (c *Cache) Has(topology string, v Version) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[topology]
	return e != nil && e.stamp != "" && e.here.Code == v.Code && e.here.Number >= v.Number
}

// Dir is where the code of a topology is once it is here. It is the same for all versions.
func (c *Cache) Dir(topology string) string { return filepath.Join(c.cfg.Dir, topology) }

// Clean removes blobs that no topology here uses, those first that were not used for the longest time, until the blobs take
// no more than Config.CacheBytes.
func (c *Cache) Clean() {
	if n := c.store.clean(c.cfg.CacheBytes); n > 0 {
		c.cfg.Log.Info("removed blobs that nobody uses", "blobs", n)
	}
}
