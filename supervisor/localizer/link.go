package localizer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// link is a name in a topology's directory that leads to a blob of the store.
type link struct {
	Key     string `json:"key"`
	Form    string `json:"form,omitempty"` // as source.form
	Blob    string `json:"blob"`
	Version int64  `json:"version"`
	// Fixed says that it stays as it was when the topology was submitted: a dependency.
	Fixed bool `json:"fixed,omitempty"`
	// Restart says that workers have to start again when it changes (workerRestart).
	Restart bool `json:"restart,omitempty"`
}

func (l link) source() source { return source{l.Key, l.Form} }

// target is what the link holds: the way from the topology's directory, so that all of it can be moved together.
func (c *Cache) target(topology, blob string) (string, error) {
	return filepath.Rel(filepath.Join(c.cfg.Dir, topology), c.store.path(blob))
}

// setLink makes a name lead to a blob. Whoever opens it meanwhile finds the old or the new content.
func (c *Cache) setLink(root *os.Root, topology, name, blob string) error {
	target, err := c.target(topology, blob)
	if err != nil {
		return err
	}
	if have, err := root.Readlink(name); err == nil && have == target {
		return nil
	}
	const fresh = ".link.new"
	if err := root.Remove(fresh); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := root.Symlink(target, fresh); err != nil {
		return err
	}
	return root.Rename(fresh, name)
}

// stamp stands for all that workers of the topology have to be started again for when it changes.
func (r *record) stamp() string {
	sum := sha256.New()
	for _, name := range []string{jarName, codeName, confName} {
		fmt.Fprintf(sum, "%s %s\n", name, r.Files[name])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Links)) {
		if l := r.Links[name]; l.Fixed || l.Restart {
			fmt.Fprintf(sum, "%q %s\n", name, l.Blob)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}
