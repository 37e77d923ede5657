package localizer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
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
func openStore(dir string, from Source, limits Limits, tries tries) (*store, error) {
	s := &store{dir: dir, from: from, limits: limits, tries: tries, blobs: map[string]*stored{}, newest: map[source]version{},
		loading: map[source]chan struct{}{}}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		rec, err := s.record(e.Name())
		if err != nil {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
			continue
		}
		s.blobs[e.Name()] = &stored{size: rec.Size, users: map[string]struct{}{}}
	}
	return s, nil
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

// release ends the use of all blobs by a topology but of those that keep names. They stay until room is needed.
func (s *store) release(topology string, keep map[string]link) {
	kept := map[string]bool{}
	for _, l := range keep {
		kept[l.Blob] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, b := range s.blobs {
		if _, uses := b.users[topology]; uses && !kept[name] {
			delete(b.users, topology)
			now := time.Now()
			os.Chtimes(filepath.Join(s.dir, name), now, now) // else it goes a little early
		}
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

// get brings the newest content of a source here, unless it is, and gives its name and version. The topology uses it from
// then on.
func (s *store) get(ctx context.Context, topology string, from source) (version, error) {
	for {
		var number int64
		err := s.tries.do(ctx, func() (err error) {
			number, err = s.from.BlobVersion(ctx, from.key)
			return err
		})
		if err != nil {
			return version{}, fmt.Errorf("ask for blob %s: %w", clip(from.key), err)
		}
		s.mu.Lock()
		if v, known := s.newest[from]; known && v.number == number && s.blobs[v.blob] != nil && s.blobs[v.blob].sound {
			s.blobs[v.blob].users[topology] = struct{}{}
			s.mu.Unlock()
			return v, nil
		}
		if other := s.loading[from]; other != nil {
			s.mu.Unlock()
			select {
			case <-other:
				continue
			case <-ctx.Done():
				return version{}, ctx.Err()
			}
		}
		done := make(chan struct{})
		s.loading[from] = done
		s.mu.Unlock()
		v, err := s.load(ctx, topology, from)
		s.mu.Lock()
		delete(s.loading, from)
		if err == nil {
			s.newest[from] = v
		}
		s.mu.Unlock()
		close(done)
		return v, err
	}
}

// load downloads a source beside the others and puts it in its place. A disk that is full gets a second try after all that
// nobody uses was removed.
func (s *store) load(ctx context.Context, topology string, from source) (version, error) {
	v, err := s.loadOnce(ctx, topology, from)
	if noRoom(err) && s.clean(0) > 0 {
		v, err = s.loadOnce(ctx, topology, from)
	}
	if err != nil {
		return version{}, fmt.Errorf("fetch blob %s: %w", clip(from.key), err)
	}
	return v, nil
}

func noRoom(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

func (s *store) loadOnce(ctx context.Context, topology string, from source) (version, error) {
	tmp := s.tmpName()
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return version{}, err
	}
	defer os.RemoveAll(tmp) // what was not finished, or the damaged one that had the place
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return version{}, err
	}
	defer root.Close()
	var v version
	err = s.tries.do(ctx, func() error {
		sum, number, err := s.download(ctx, from.key, root, packedName, s.limits.JarBytes)
		v = version{number, sum + from.form}
		return err
	})
	if err != nil {
		return version{}, err
	}
	if s.check(v.blob) == nil { // known under another key or version
		s.hold(topology, v.blob)
		return v, nil
	}
	if from.form == "" {
		err = root.Rename(packedName, dataName)
	} else if err = unpackBlob(root, from.form, s.limits); err == nil {
		err = root.Remove(packedName)
	}
	if err != nil {
		return version{}, err
	}
	return v, s.place(tmp, root, topology, v.blob)
}

// place gives a complete directory its name.
func (s *store) place(tmp string, root *os.Root, topology, blob string) error {
	files, size, err := hashTree(root)
	if err != nil {
		return err
	}
	if err := writeJSON(root, blobRecord{Format: recordFormat, Size: size, Files: files}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := swap(tmp, filepath.Join(s.dir, blob)); err != nil {
		return err
	}
	b := s.blobs[blob]
	if b == nil {
		b = &stored{users: map[string]struct{}{}}
		s.blobs[blob] = b
	}
	b.size, b.sound = size, true
	b.users[topology] = struct{}{}
	return nil
}

// download writes a blob into a file of a directory and gives its SHA-256 and version.
func (s *store) download(ctx context.Context, key string, root *os.Root, name string, most int64) (string, int64, error) {
	out, err := root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, err
	}
	hash := sha256.New()
	number, err := s.from.ReadBlob(ctx, key, io.MultiWriter(out, hash), most)
	if e := out.Close(); err == nil {
		err = e
	}
	return hex.EncodeToString(hash.Sum(nil)), number, err
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
	type idle struct {
		name string
		used time.Time
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	total := int64(0)
	var unused []idle
	for name, b := range s.blobs {
		total += b.size
		if st, err := os.Stat(filepath.Join(s.dir, name)); len(b.users) == 0 && err == nil {
			unused = append(unused, idle{name, st.ModTime()})
		}
	}
	slices.SortFunc(unused, func(a, b idle) int { return a.used.Compare(b.used) })
	removed := 0
	for _, u := range unused {
		if total <= target {
			break
		}
		s.names++
		tmp := filepath.Join(s.dir, fmt.Sprintf("%d.tmp", s.names))
		if os.Rename(filepath.Join(s.dir, u.name), tmp) != nil {
			continue
		}
		total -= s.blobs[u.name].size
		delete(s.blobs, u.name)
		removed++
		os.RemoveAll(tmp) // else openStore does
	}
	return removed
}

// formOf is how an archive of that name is unpacked, by its suffix as Storm does (ServerUtils.unpack).
func formOf(key string) (string, error) {
	for suffix, form := range map[string]string{".zip": ".zip", ".jar": ".zip", ".tar": ".tar", ".tar.gz": ".tgz", ".tgz": ".tgz"} {
		if strings.HasSuffix(key, suffix) {
			return form, nil
		}
	}
	return "", fmt.Errorf("%w: %q is none of .jar, .zip, .tar, .tar.gz, .tgz", ErrArchive, clip(key))
}

func unpackBlob(root *os.Root, form string, l Limits) error {
	if err := root.Mkdir(dataName, 0o700); err != nil {
		return err
	}
	below, err := root.OpenRoot(dataName)
	if err != nil {
		return err
	}
	defer below.Close()
	in, err := root.Open(packedName)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := unpackArchive(in, form, newUnpacker(below, l)); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return nil
}

// hashTree hashes all regular files below root but the record.
func hashTree(root *os.Root) (files map[string]string, size int64, err error) {
	files = map[string]string{}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || name == recordName {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size += info.Size()
		files[name], err = hashFile(root, name)
		return err
	})
	return files, size, err
}
