package blobstore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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
