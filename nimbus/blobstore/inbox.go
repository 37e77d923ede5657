package blobstore

import (
	"encoding/hex"
	"fmt"
	"os"
	"time"
)

// inboxFile is a finished upload.
type inboxFile struct {
	size     int64
	sha256   string
	finished time.Time
}

// BeginUpload opens an upload into the inbox. The location it returns is a token without further meaning.
func (s *Store) BeginUpload() (location string, err error) {
	u, err := s.newUpload()
	if err != nil {
		return "", err
	}
	return s.register(u)
}

// WriteUpload appends to an upload. An upload that went over the limit is gone.
func (s *Store) WriteUpload(location string, chunk []byte) error {
	u, err := s.use(location, true, false)
	if err != nil {
		return err
	}
	return s.writeOrDrop(location, u, chunk)
}

// FinishUpload puts an upload into the inbox, where it stays for Config.Keep.
func (s *Store) FinishUpload(location string) error {
	u, err := s.use(location, true, true)
	if err != nil {
		return err
	}
	if err := u.seal(); err != nil {
		u.discard(s)
		return err
	}
	if err := s.root.Rename(u.path, "inbox/"+location); err != nil {
		u.discard(s)
		return fmt.Errorf("finish upload: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inbox[location] = inboxFile{size: u.size, sha256: hex.EncodeToString(u.sum.Sum(nil)), finished: s.cfg.Now()}
	return nil
}

// OpenUpload opens a finished upload for reading. The location must be a token of this store: nothing else is looked
// for on disk. The caller closes the file.
func (s *Store) OpenUpload(location string) (*os.File, int64, error) {
	s.mu.Lock()
	in, ok := s.inbox[location]
	s.mu.Unlock()
	if !ok {
		return nil, 0, ErrNoSession
	}
	f, err := s.root.Open("inbox/" + location)
	if err != nil {
		return nil, 0, fmt.Errorf("open upload: %w", err)
	}
	return f, in.size, nil
}

// CreateFromUpload makes a blob of a finished upload without copying it; the upload stays in the inbox.
func (s *Store) CreateFromUpload(key string, acl ACL, location string) (Info, error) {
	if err := CheckKey(key); err != nil {
		return Info{}, err
	}
	s.mu.Lock()
	in, ok := s.inbox[location]
	s.mu.Unlock()
	if !ok {
		return Info{}, ErrNoSession
	}
	tmp := "tmp/" + token()
	if err := s.root.Link("inbox/"+location, tmp); err != nil {
		return Info{}, fmt.Errorf("take upload for blob %s: %w", key, err)
	}
	s.change.Lock()
	defer s.change.Unlock()
	info, err := s.commit(tmp, true, Info{Key: key, Size: in.size, SHA256: in.sha256, ACL: acl, Replication: 1})
	if err != nil {
		_ = s.root.Remove(tmp) // Open removes what is left here
	}
	return info, err
}

func (s *Store) expireInbox(now time.Time) {
	var gone []string
	s.mu.Lock()
	for location, in := range s.inbox {
		if now.Sub(in.finished) > s.cfg.Keep {
			gone = append(gone, location)
			delete(s.inbox, location)
		}
	}
	s.mu.Unlock()
	for _, location := range gone {
		_ = s.root.Remove("inbox/" + location) // Open removes what is left here
	}
}

// UploadHash gives the SHA-256 of a finished upload in hex, "" if there is none at that location.
func (s *Store) UploadHash(location string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inbox[location].sha256
}
