package blobstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
)

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
