package blobstore

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"
	"time"
)

// token returns a text that nobody can guess, in the form of a random UUID, which is what Storm's clients see.
func token() string {
	var b [16]byte
	rand.Read(b[:]) // never fails; it ends the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// upload is a file being written under tmp/.
type upload struct {
	key    string // empty for an upload into the inbox
	create bool
	info   Info // ACL and replication of a new blob

	mu   sync.Mutex // held over writes to file
	path string
	file *os.File // nil once finished or discarded
	sum  hash.Hash
	size int64
	used time.Time // guarded by Store.mu
}

func (s *Store) begin(key string, create bool, info Info) (*upload, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	s.mu.Lock()
	_, exists := s.blobs[key]
	s.mu.Unlock()
	if create && exists {
		return nil, ErrExists
	}
	if !create && !exists {
		return nil, ErrNotFound
	}
	u, err := s.newUpload()
	if err != nil {
		return nil, err
	}
	u.key, u.create, u.info = key, create, info
	u.info.Key = key
	return u, nil
}

func (s *Store) newUpload() (*upload, error) {
	path := "tmp/" + token()
	f, err := s.root.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("begin upload: %w", err)
	}
	return &upload{path: path, file: f, sum: sha256.New(), used: s.cfg.Now()}, nil
}

func (u *upload) write(chunk []byte, limit int64) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file == nil {
		return ErrNoSession
	}
	if u.size+int64(len(chunk)) > limit {
		return fmt.Errorf("upload of more than %d bytes: %w", limit, ErrTooLarge)
	}
	if _, err := u.file.Write(chunk); err != nil {
		return fmt.Errorf("write upload: %w", err)
	}
	u.sum.Write(chunk)
	u.size += int64(len(chunk))
	return nil
}

// seal syncs the file and closes it; the upload takes no more.
func (u *upload) seal() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file == nil {
		return ErrNoSession
	}
	err := errors.Join(u.file.Sync(), u.file.Close())
	u.file = nil
	if err != nil {
		return fmt.Errorf("finish upload: %w", err)
	}
	return nil
}

func (u *upload) discard(s *Store) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.file != nil {
		u.file.Close() // its contents are dropped, an error has no bearing
		u.file = nil
	}
	_ = s.root.Remove(u.path) // Open removes what is left here
}

// finish makes the uploaded contents the newest version of the blob.
func (s *Store) finish(u *upload) (Info, error) {
	if err := u.seal(); err != nil {
		u.discard(s)
		return Info{}, err
	}
	u.info.Size, u.info.SHA256 = u.size, hex.EncodeToString(u.sum.Sum(nil))
	s.change.Lock()
	defer s.change.Unlock()
	info, err := s.commit(u.path, u.create, u.info)
	if err != nil {
		u.discard(s)
	}
	return info, err
}

// BeginCreate opens a session that writes a new blob; ErrExists and ErrBadKey are possible. acl is kept.
func (s *Store) BeginCreate(key string, acl ACL, replication int32) (session string, err error) {
	return s.beginSession(key, true, Info{ACL: acl, Replication: replication})
}

// BeginUpdate opens a session that writes a new version of a blob; ErrNotFound is possible.
func (s *Store) BeginUpdate(key string) (session string, err error) {
	return s.beginSession(key, false, Info{})
}

func (s *Store) beginSession(key string, create bool, info Info) (string, error) {
	u, err := s.begin(key, create, info)
	if err != nil {
		return "", err
	}
	return s.register(u)
}

// register gives an upload its session id. A full table is first cleared of what is idle.
func (s *Store) register(u *upload) (string, error) {
	s.Expire()
	s.mu.Lock()
	if len(s.uploads)+len(s.inbox) >= s.cfg.MaxSessions {
		s.mu.Unlock()
		u.discard(s)
		return "", fmt.Errorf("%w uploads, allowed are %d", ErrFull, s.cfg.MaxSessions)
	}
	defer s.mu.Unlock()
	id := token()
	s.uploads[id] = u
	return id, nil
}

// use finds an upload of the wanted kind and marks it as used now; remove takes it out of the table as well.
func (s *Store) use(id string, inbox, remove bool) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.uploads[id]
	if !ok || inbox != (u.key == "") {
		return nil, ErrNoSession
	}
	now := s.cfg.Now()
	if now.Sub(u.used) > s.cfg.Idle {
		return nil, ErrNoSession
	}
	u.used = now
	if remove {
		delete(s.uploads, id)
	}
	return u, nil
}

// WriteSession appends to the blob a session writes. A session that went over the limit is gone.
func (s *Store) WriteSession(id string, chunk []byte) error {
	u, err := s.use(id, false, false)
	if err != nil {
		return err
	}
	return s.writeOrDrop(id, u, chunk)
}

func (s *Store) writeOrDrop(id string, u *upload, chunk []byte) error {
	err := u.write(chunk, s.cfg.MaxBlobBytes)
	if err != nil {
		s.mu.Lock()
		delete(s.uploads, id)
		s.mu.Unlock()
		u.discard(s)
	}
	return err
}

// FinishSession makes what the session wrote the newest version of its blob, above the given one, and ends the session, also
// on errors.
func (s *Store) FinishSession(id string, above int64) (Info, error) {
	u, err := s.use(id, false, true)
	if err != nil {
		return Info{}, err
	}
	u.info.Version = above
	return s.finish(u)
}

// CancelSession ends a writing session and drops what it wrote.
func (s *Store) CancelSession(id string) error {
	u, err := s.use(id, false, true)
	if err != nil {
		return err
	}
	u.discard(s)
	return nil
}

// SessionKey returns the key of the blob that a session writes or reads.
func (s *Store) SessionKey(id string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, ok := s.uploads[id]; ok && u.key != "" {
		return u.key, nil
	}
	if d, ok := s.downloads[id]; ok {
		return d.key, nil
	}
	return "", ErrNoSession
}

// download is a blob being read.
type download struct {
	key  string
	mu   sync.Mutex // held over reads of file
	file *os.File
	used time.Time // guarded by Store.mu
}

// BeginDownload opens a session that reads the newest version of a blob.
func (s *Store) BeginDownload(key string) (session string, info Info, err error) {
	s.Expire()
	f, info, err := s.open(key)
	if err != nil {
		return "", Info{}, err
	}
	s.mu.Lock()
	if len(s.downloads) >= s.cfg.MaxSessions {
		s.mu.Unlock()
		return "", Info{}, errors.Join(fmt.Errorf("%w downloads, allowed are %d", ErrFull, s.cfg.MaxSessions), f.Close())
	}
	defer s.mu.Unlock()
	id := token()
	s.downloads[id] = &download{key: key, file: f, used: s.cfg.Now()}
	return id, info, nil
}

// ReadSession returns the next piece of a download, at most max bytes. An empty piece is the end, and ends the session.
func (s *Store) ReadSession(id string, max int) ([]byte, error) {
	s.mu.Lock()
	d, ok := s.downloads[id]
	now := s.cfg.Now()
	if !ok || now.Sub(d.used) > s.cfg.Idle {
		s.mu.Unlock()
		return nil, ErrNoSession
	}
	d.used = now
	s.mu.Unlock()
	piece, err := d.read(max)
	if err == nil && len(piece) > 0 {
		return piece, nil
	}
	s.mu.Lock()
	delete(s.downloads, id)
	s.mu.Unlock()
	d.close()
	return nil, err
}

func (d *download) read(max int) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file == nil {
		return nil, ErrNoSession
	}
	piece := make([]byte, max)
	n, err := io.ReadFull(d.file, piece)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read blob %s: %w", d.key, err)
	}
	return piece[:n], nil
}

func (d *download) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file != nil {
		d.file.Close()
		d.file = nil
	}
}

// Expire ends what was idle for too long: sessions after Config.Idle, finished uploads after Config.Keep. It is called
// when sessions begin; calling it at times as well gives disk space back sooner.
func (s *Store) Expire() {
	now := s.cfg.Now()
	s.expire(func(used time.Time) bool { return now.Sub(used) > s.cfg.Idle })
	s.expireInbox(now)
	s.expireAside()
}

func (s *Store) expire(over func(used time.Time) bool) {
	var ups []*upload
	var downs []*download
	s.mu.Lock()
	for id, u := range s.uploads {
		if over(u.used) {
			ups = append(ups, u)
			delete(s.uploads, id)
		}
	}
	for id, d := range s.downloads {
		if over(d.used) {
			downs = append(downs, d)
			delete(s.downloads, id)
		}
	}
	s.mu.Unlock()
	for _, u := range ups {
		u.discard(s)
	}
	for _, d := range downs {
		d.close()
	}
}
