package blobstore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// PutReplica stores what another master holds, read from r: size, hash and version are those of info, and replace what
// stands under the key. Contents that do not match are an error (ErrDamaged) and change nothing. So do those that wanted, which
// is asked once they are complete, does not want any more (ErrNotFound).
func (s *Store) PutReplica(info Info, r io.Reader, wanted func() bool) error {
	if err := CheckKey(info.Key); err != nil {
		return err
	}
	if info.Size < 0 || info.Size > s.cfg.MaxBlobBytes {
		return fmt.Errorf("replica of %d bytes: %w", info.Size, ErrTooLarge)
	}
	u, err := s.newUpload()
	if err != nil {
		return err
	}
	if err := s.fillReplica(u, info, r, wanted); err != nil {
		u.discard(s)
		return fmt.Errorf("replica of blob %s: %w", info.Key, err)
	}
	return nil
}

func (s *Store) fillReplica(u *upload, info Info, r io.Reader, wanted func() bool) error {
	piece := make([]byte, 64<<10)
	for {
		n, err := r.Read(piece)
		if err := u.write(piece[:n], info.Size); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := u.seal(); err != nil {
		return err
	}
	if got := hex.EncodeToString(u.sum.Sum(nil)); u.size != info.Size || got != info.SHA256 {
		return fmt.Errorf("%w: %d bytes with hash %s, wanted %d with %s", ErrDamaged, u.size, got, info.Size, info.SHA256)
	}
	s.change.Lock()
	defer s.change.Unlock()
	if !wanted() {
		return fmt.Errorf("not wanted any more: %w", ErrNotFound)
	}
	return s.place(u.path, info)
}

// ReadPart returns up to most bytes of a blob from offset on. sha256 must be that of the newest contents, else the answer
// is ErrNotFound. No bytes are the end.
func (s *Store) ReadPart(key, sha256 string, offset int64, most int) ([]byte, error) {
	f, info, err := s.open(key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.SHA256 != sha256 {
		return nil, ErrNotFound
	}
	if offset < 0 || offset >= info.Size {
		return []byte{}, nil
	}
	piece := make([]byte, min(int64(most), info.Size-offset))
	if _, err := io.ReadFull(io.NewSectionReader(f, offset, info.Size-offset), piece); err != nil {
		return nil, fmt.Errorf("read blob %s: %w", key, err)
	}
	return piece, nil
}

// EndUploads drops all that is being uploaded and all that waits in the inbox. Later chunks get ErrNoSession.
func (s *Store) EndUploads() {
	s.mu.Lock()
	ups := s.uploads
	s.uploads = make(map[string]*upload)
	s.mu.Unlock()
	for _, u := range ups {
		u.discard(s)
	}
	s.expireInbox(s.cfg.Now().Add(s.cfg.Keep + time.Second))
}
