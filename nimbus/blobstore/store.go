package blobstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

var (
	// ErrBadKey says that a text may not name a blob.
	ErrBadKey = errors.New("invalid blob key")
	// ErrNotFound says that there is no blob of that key.
	ErrNotFound = errors.New("blob not found")
	// ErrExists says that there is a blob of that key already.
	ErrExists = errors.New("blob exists already")
	// ErrTooLarge says that contents are over a size limit.
	ErrTooLarge = errors.New("larger than allowed")
	// ErrFull says that no more blobs, uploads or sessions are taken.
	ErrFull = errors.New("too many")
	// ErrNoSession says that a session or upload is unknown: never begun, ended, or idle for too long.
	ErrNoSession = errors.New("unknown or expired session")
)

// Config says where blobs are kept and how much of them. Only Dir must be set.
type Config struct {
	// Dir holds everything; it is made if missing. Nothing else may use it.
	Dir string
	// MaxBlobBytes bounds one blob and one uploaded jar. Default 2 GiB.
	MaxBlobBytes int64
	// MaxBlobs bounds the number of blobs. Default 100,000.
	MaxBlobs int
	// MaxSessions bounds uploads and downloads that are open at a time, and finished uploads. Default 1,024.
	MaxSessions int
	// Idle ends a session that nobody used for so long. Default 10 minutes.
	Idle time.Duration
	// Keep is how long a finished upload waits to be submitted. Default 1 hour.
	Keep time.Duration
	// KeepAside is how long damaged blobs, and those that nobody knows, stay on disk. Default 24 hours.
	KeepAside time.Duration
	// Log takes what was set aside. Default slog.Default().
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (c *Config) setDefaults() {
	if c.MaxBlobBytes == 0 {
		c.MaxBlobBytes = 2 << 30
	}
	if c.MaxBlobs == 0 {
		c.MaxBlobs = 100_000
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = 1024
	}
	if c.Idle == 0 {
		c.Idle = 10 * time.Minute
	}
	if c.Keep == 0 {
		c.Keep = time.Hour
	}
	if c.KeepAside == 0 {
		c.KeepAside = 24 * time.Hour
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

func (c *Config) validate() error {
	switch {
	case c.Dir == "":
		return errors.New("blob store: Dir is empty, it must name a directory")
	case c.MaxBlobBytes < 0, c.MaxBlobs < 0, c.MaxSessions < 0, c.Idle < 0, c.Keep < 0, c.KeepAside < 0:
		return errors.New("blob store: a limit is negative, it must be above 0 (0 takes the default)")
	}
	return nil
}

// Info describes a blob. Holders of one may not change its ACL.
type Info struct {
	Key string `json:"key"`
	// Version grows with every change of contents. It is a time in milliseconds, as in Storm, unless that would not grow.
	Version int64  `json:"version"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"` // of the contents, in hex
	// Base is the version that an update replaced; 0 for contents that were created, or came from another master.
	Base        int64 `json:"base,omitempty"`
	ACL         ACL   `json:"acl"`
	Replication int32 `json:"replication"`
}

// record is the metadata file of a blob.
type record struct {
	Info
	Data string `json:"data"` // name of the data file beside it
}

// Store keeps blobs in a directory. Use Open, and Close it.
type Store struct {
	cfg  Config
	root *os.Root

	// change serializes what alters blobs/. It is taken before mu and held over renames and syncs.
	change sync.Mutex

	mu        sync.Mutex // guards what follows; nothing slow is done under it
	blobs     map[string]record
	uploads   map[string]*upload
	downloads map[string]*download
	inbox     map[string]inboxFile
}

// Open reads what is in cfg.Dir and removes what a crash left half-done there.
func Open(cfg Config) (*Store, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make blob directory: %w", err)
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open blob directory: %w", err)
	}
	s := &Store{
		cfg: cfg, root: root,
		blobs:     make(map[string]record),
		uploads:   make(map[string]*upload),
		downloads: make(map[string]*download),
		inbox:     make(map[string]inboxFile),
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

// load sweeps and indexes the directory. Uploads do not survive a restart: nobody could know their tokens were issued
// by the master that is gone, and clients begin again.
func (s *Store) load() error {
	for _, dir := range []string{"tmp", "inbox"} {
		if err := s.root.RemoveAll(dir); err != nil {
			return fmt.Errorf("sweep %s of blob store: %w", dir, err)
		}
	}
	for _, dir := range []string{"tmp", "inbox", "blobs", "aside"} {
		if err := s.root.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make %s of blob store: %w", dir, err)
		}
	}
	dirs, err := s.list("blobs")
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if err := s.loadBlob("blobs/" + d.Name()); err != nil {
			if err := s.moveAside("blobs/"+d.Name(), err, slog.String("dir", d.Name())); err != nil {
				return err
			}
		}
	}
	s.expireAside()
	return errors.Join(s.syncDir("blobs"), s.syncDir("."))
}

func (s *Store) list(dir string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.root.FS(), dir)
	if err != nil {
		return nil, fmt.Errorf("read %s of blob store: %w", dir, err)
	}
	return entries, nil
}

// loadBlob indexes one blob directory and removes data files that its metadata does not name.
func (s *Store) loadBlob(dir string) error {
	raw, err := s.root.ReadFile(dir + "/meta")
	if err != nil {
		return fmt.Errorf("read metadata of a blob: %w", err)
	}
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("decode metadata of blob %s: %w", dir, err)
	}
	if err := CheckKey(r.Key); err != nil || dirOf(r.Key) != dir {
		return fmt.Errorf("metadata in %s of blob store names the key %q", dir, r.Key)
	}
	st, err := s.root.Stat(dir + "/" + r.Data)
	if err != nil {
		return fmt.Errorf("find data of blob %s: %w", r.Key, err)
	}
	if st.Size() != r.Size {
		return fmt.Errorf("blob %s has %d bytes on disk, its metadata says %d", r.Key, st.Size(), r.Size)
	}
	files, err := s.list(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Name() != "meta" && f.Name() != r.Data {
			if err := s.root.RemoveAll(dir + "/" + f.Name()); err != nil {
				return fmt.Errorf("sweep blob %s: %w", r.Key, err)
			}
		}
	}
	s.blobs[r.Key] = r
	return nil
}

// Close ends all sessions. Unfinished uploads are removed.
func (s *Store) Close() error {
	s.expire(func(time.Time) bool { return true })
	return s.root.Close()
}

// Info returns what is known of a blob, or ErrNotFound.
func (s *Store) Info(key string) (Info, error) {
	if err := CheckKey(key); err != nil {
		return Info{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.blobs[key]
	if !ok {
		return Info{}, ErrNotFound
	}
	return r.Info, nil
}

// Keys returns up to max keys that follow after in order; an empty after begins.
func (s *Store) Keys(after string, max int) []string {
	s.mu.Lock()
	keys := make([]string, 0, len(s.blobs))
	for k := range s.blobs {
		if k > after {
			keys = append(keys, k)
		}
	}
	s.mu.Unlock()
	slices.Sort(keys)
	return keys[:min(max, len(keys))]
}

// All returns what is known of all blobs, by key.
func (s *Store) All() map[string]Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]Info, len(s.blobs))
	for key, r := range s.blobs {
		out[key] = r.Info
	}
	return out
}

// OpenFile opens the newest version of a blob for reading. The caller closes the file, which stays readable whatever
// happens to the blob.
func (s *Store) OpenFile(key string) (*os.File, Info, error) { return s.open(key) }

// ReadFile returns the contents of a blob that has at most max bytes, checked against its hash.
func (s *Store) ReadFile(key string, max int64) ([]byte, error) {
	f, info, err := s.open(key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size > max {
		return nil, fmt.Errorf("blob %s of %d bytes: %w", key, info.Size, ErrTooLarge)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", key, err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != info.SHA256 {
		return nil, fmt.Errorf("read blob %s: %w", key, ErrDamaged)
	}
	return data, nil
}

// open opens the newest version. A version that is replaced between the lookup and the opening is looked up again.
func (s *Store) open(key string) (*os.File, Info, error) {
	if err := CheckKey(key); err != nil {
		return nil, Info{}, err
	}
	for {
		s.mu.Lock()
		r, ok := s.blobs[key]
		s.mu.Unlock()
		if !ok {
			return nil, Info{}, ErrNotFound
		}
		f, err := s.root.Open(dirOf(key) + "/" + r.Data)
		if err == nil {
			return f, r.Info, nil
		}
		s.mu.Lock()
		now, ok := s.blobs[key]
		s.mu.Unlock()
		if ok && now.Data == r.Data {
			return nil, Info{}, fmt.Errorf("open blob %s: %w", key, err)
		}
	}
}

// Create stores data under a new key, or returns ErrExists.
func (s *Store) Create(key string, acl ACL, data []byte) (Info, error) {
	return s.put(key, acl, data, true)
}

// Update replaces the contents of a blob, or returns ErrNotFound.
func (s *Store) Update(key string, data []byte) (Info, error) { return s.put(key, nil, data, false) }

func (s *Store) put(key string, acl ACL, data []byte, create bool) (Info, error) {
	u, err := s.begin(key, create, Info{ACL: acl, Replication: 1})
	if err != nil {
		return Info{}, err
	}
	if err := u.write(data, s.cfg.MaxBlobBytes); err != nil {
		u.discard(s)
		return Info{}, err
	}
	return s.finish(u)
}

// SetMeta replaces the ACL and the replication of a blob; its contents and version stay.
func (s *Store) SetMeta(key string, acl ACL, replication int32) error {
	s.change.Lock()
	defer s.change.Unlock()
	s.mu.Lock()
	r, ok := s.blobs[key]
	s.mu.Unlock()
	if !ok {
		return ErrNotFound
	}
	r.ACL, r.Replication = slices.Clone(acl), replication
	if err := s.writeMeta(dirOf(key), r); err != nil {
		return err
	}
	s.remember(r)
	return nil
}

// Delete removes a blob, or returns ErrNotFound. Readers that have begun go on.
func (s *Store) Delete(key string) error {
	s.change.Lock()
	defer s.change.Unlock()
	s.mu.Lock()
	_, ok := s.blobs[key]
	s.mu.Unlock()
	if !ok {
		return ErrNotFound
	}
	grave := "tmp/" + token()
	if err := s.root.Rename(dirOf(key), grave); err != nil {
		return fmt.Errorf("delete blob %s: %w", key, err)
	}
	s.mu.Lock()
	delete(s.blobs, key)
	s.mu.Unlock()
	if err := s.syncDir("blobs"); err != nil {
		return err
	}
	if err := s.root.RemoveAll(grave); err != nil {
		return fmt.Errorf("delete blob %s: %w", key, err)
	}
	return nil
}

func (s *Store) remember(r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[r.Key] = r
}

// commit moves the synced file src into place as the newest version of a blob, above info.Version. The caller holds change.
func (s *Store) commit(src string, create bool, info Info) (Info, error) {
	s.mu.Lock()
	old, exists := s.blobs[info.Key]
	full := create && len(s.blobs) >= s.cfg.MaxBlobs
	s.mu.Unlock()
	switch {
	case create && exists:
		return Info{}, ErrExists
	case full:
		return Info{}, fmt.Errorf("%w blobs, allowed are %d", ErrFull, s.cfg.MaxBlobs)
	case !create && !exists:
		return Info{}, ErrNotFound
	case exists:
		info.ACL, info.Replication, info.Base = old.ACL, old.Replication, old.Version
	}
	info.Version = max(s.cfg.Now().UnixMilli(), old.Version+1, info.Version+1)
	return info, s.place(src, info)
}

// place is commit of contents that have their version. The caller holds change.
func (s *Store) place(src string, info Info) error {
	s.mu.Lock()
	old, exists := s.blobs[info.Key]
	s.mu.Unlock()
	r := record{Info: info, Data: "d" + token()}
	var err error
	if exists {
		err = s.commitNext(src, r)
	} else {
		err = s.commitNew(src, r)
	}
	if err != nil {
		return fmt.Errorf("store blob %s: %w", info.Key, err)
	}
	s.remember(r)
	if exists {
		// Not an error for the caller: the new version stands, and Open removes what is left.
		_ = s.root.Remove(dirOf(info.Key) + "/" + old.Data)
	}
	return nil
}

// commitNew builds the whole directory aside and renames it into place.
func (s *Store) commitNew(src string, r record) error {
	dir := "tmp/" + token()
	if err := s.root.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := s.root.Rename(src, dir+"/"+r.Data); err != nil {
		return err
	}
	if err := s.writeMeta(dir, r); err != nil {
		return err
	}
	if err := s.root.Rename(dir, dirOf(r.Key)); err != nil {
		return err
	}
	return s.syncDir("blobs")
}

// commitNext puts the data beside the old version; the rename of the metadata makes it the current one.
func (s *Store) commitNext(src string, r record) error {
	dir := dirOf(r.Key)
	if err := s.root.Rename(src, dir+"/"+r.Data); err != nil {
		return err
	}
	return s.writeMeta(dir, r)
}

func (s *Store) writeMeta(dir string, r record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	tmp := "tmp/" + token()
	f, err := s.root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, bytes.NewReader(raw))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := s.root.Rename(tmp, dir+"/meta"); err != nil {
		return err
	}
	return s.syncDir(dir)
}

func (s *Store) syncDir(dir string) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory of blob store: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
