package blobstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

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
