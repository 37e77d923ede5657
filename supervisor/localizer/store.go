package localizer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	// dataName is the blob in its directory: a file, or a directory if it is unpacked.
	dataName = "data"
	// packedName is an archive before it is unpacked.
	packedName = "packed"
)

// store keeps the blobs that topologies name, each content once:
//
//	<dir>/<SHA-256><form>/data        the file, or what the archive unpacked to (form is then ".zip", ".tar" or ".tgz")
//	<dir>/<SHA-256><form>/.localized  hashes and size; the time of its directory is that of the last use
//	<dir>/<n>.tmp                     being filled or removed
//
// A blob is complete or absent, and it is not changed while it is there, so many topologies link to one.
type store struct {
	dir    string
	from   Source
	limits Limits
	tries  tries
	open   bool // to all users

	mu      sync.Mutex
	blobs   map[string]*stored // by name of the directory
	newest  map[source]version
	loading map[source]chan struct{} // closed when the download ends
	names   uint64
}

// stored is one blob on disk.
type stored struct {
	size  int64
	users map[string]struct{} // topologies that link to it
	used  time.Time           // when the last of them went
	sound bool                // hashes were compared in this life
}

// source is what a blob is made from: a key, and the form it is unpacked in.
type source struct{ key, form string }

// version is what a source was when it was last loaded.
type version struct {
	number int64
	blob   string
}

// blobRecord is the record of a blob.
type blobRecord struct {
	Format int               `json:"format"`
	Size   int64             `json:"size"`
	Files  map[string]string `json:"files"` // path below the directory -> SHA-256 in hex
}

// openStore takes over what an earlier life left. A blob without a record that can be read is removed.
func openStore(dir string, from Source, limits Limits, tries tries, open bool) (*store, error) {
	s := &store{dir: dir, from: from, limits: limits, tries: tries, open: open, blobs: map[string]*stored{}, newest: map[source]version{},
		loading: map[source]chan struct{}{}}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		rec, used, err := s.reopen(e.Name())
		if err != nil {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
			continue
		}
		s.blobs[e.Name()] = &stored{size: rec.Size, used: used, users: map[string]struct{}{}}
	}
	return s, nil
}

// reopen reads the record of a blob of an earlier life and when it was used.
func (s *store) reopen(blob string) (*blobRecord, time.Time, error) {
	root, err := os.OpenRoot(filepath.Join(s.dir, blob))
	if err != nil {
		return nil, time.Time{}, err
	}
	defer root.Close()
	st, err := root.Stat(".")
	if err != nil {
		return nil, time.Time{}, err
	}
	r := &blobRecord{}
	return r, st.ModTime(), errors.Join(readJSON(root, r, &r.Format), s.letAllIn(root))
}

func (s *store) record(blob string) (*blobRecord, error) {
	root, err := os.OpenRoot(filepath.Join(s.dir, blob))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	r := &blobRecord{}
	return r, readJSON(root, r, &r.Format)
}

// path is where the content of a blob is.
func (s *store) path(blob string) string { return filepath.Join(s.dir, blob, dataName) }

// hold counts a topology as a user of a blob.
func (s *store) hold(topology, blob string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.blobs[blob]; b != nil {
		b.users[topology] = struct{}{}
	}
}

// use holds a blob and checks it, in this order, so that clean does not take it between. After an error it is held until release.
func (s *store) use(topology, blob string) error {
	s.hold(topology, blob)
	return s.check(blob)
}

// release ends the use of all blobs by a topology but of those that keep names. They stay until room is needed.
func (s *store) release(topology string, keep map[string]link) {
	kept := map[string]bool{}
	for _, l := range keep {
		kept[l.Blob] = true
	}
	now := time.Now()
	var idle []string
	s.mu.Lock()
	for name, b := range s.blobs {
		if _, uses := b.users[topology]; uses && !kept[name] {
			delete(b.users, topology)
			b.used, idle = now, append(idle, name)
		}
	}
	s.mu.Unlock()
	for _, name := range idle {
		os.Chtimes(filepath.Join(s.dir, name), now, now) // for the next life, where it else goes a little early
	}
}

// check compares a blob with its hashes, once in a life.
func (s *store) check(blob string) error {
	s.mu.Lock()
	b := s.blobs[blob]
	sound := b != nil && b.sound
	s.mu.Unlock()
	if b == nil {
		return fmt.Errorf("blob %s is missing: %w", clip(blob), os.ErrNotExist)
	}
	if sound {
		return nil
	}
	rec, err := s.record(blob)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(filepath.Join(s.dir, blob))
	if err != nil {
		return err
	}
	defer root.Close()
	if err := checkFiles(root, rec.Files); err != nil {
		return fmt.Errorf("blob %s: %w", blob, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.sound = true
	return nil
}

func (s *store) tmpName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names++
	return filepath.Join(s.dir, fmt.Sprintf("%d.tmp", s.names))
}

// clean removes blobs without users, those first that were not used for the longest time, until all together take at most
// target bytes. It says how many went.
func (s *store) clean(target int64) int {
	gone := s.putAway(target)
	for _, tmp := range gone {
		os.RemoveAll(tmp) // else openStore does
	}
	return len(gone)
}

// putAway takes what clean removes out of its place, which has to happen under the lock: somebody may come to use it.
func (s *store) putAway(target int64) (gone []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := int64(0)
	var unused []string
	for name, b := range s.blobs {
		total += b.size
		if len(b.users) == 0 {
			unused = append(unused, name)
		}
	}
	slices.SortFunc(unused, func(a, b string) int { return s.blobs[a].used.Compare(s.blobs[b].used) })
	for _, name := range unused {
		if total <= target {
			break
		}
		s.names++
		tmp := filepath.Join(s.dir, fmt.Sprintf("%d.tmp", s.names))
		if os.Rename(filepath.Join(s.dir, name), tmp) != nil {
			continue
		}
		total -= s.blobs[name].size
		delete(s.blobs, name)
		gone = append(gone, tmp)
	}
	return gone
}
