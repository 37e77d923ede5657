package blobstore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
)

// ErrDamaged says that what is on disk is not what was stored.
var ErrDamaged = errors.New("contents do not match their hash")

// SetAside takes a blob out of the store without deleting it: its files stay under aside/ for Config.KeepAside. why goes to
// the log. ErrNotFound is possible.
func (s *Store) SetAside(key string, why error) error {
	s.change.Lock()
	defer s.change.Unlock()
	s.mu.Lock()
	_, ok := s.blobs[key]
	s.mu.Unlock()
	if !ok {
		return ErrNotFound
	}
	if err := s.moveAside(dirOf(key), why, slog.String("blob", key)); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.blobs, key)
	s.mu.Unlock()
	return s.syncDir("blobs")
}

// moveAside renames a directory of blobs/ and says so.
func (s *Store) moveAside(dir string, why error, what slog.Attr) error {
	to := "aside/" + token()
	if err := s.root.Rename(dir, to); err != nil {
		return fmt.Errorf("set %s aside: %w", dir, err)
	}
	// The age under aside/ is that of the directory.
	now := s.cfg.Now()
	_ = s.root.Chtimes(to, now, now)
	s.cfg.Log.Warn("blob set aside", what, slog.String("moved_to", filepath.Join(s.root.Name(), to)), slog.Any("err", why))
	return nil
}

// expireAside deletes what was set aside long ago.
func (s *Store) expireAside() {
	old, err := s.list("aside")
	if err != nil {
		return
	}
	for _, d := range old {
		if info, err := d.Info(); err == nil && s.cfg.Now().Sub(info.ModTime()) > s.cfg.KeepAside {
			_ = s.root.RemoveAll("aside/" + d.Name()) // the next time will do
		}
	}
}

// Verify reads a whole blob and returns ErrDamaged when it is not what was stored; the blob was set aside then.
func (s *Store) Verify(key string) error {
	f, info, err := s.open(key)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err != nil {
		return fmt.Errorf("read blob %s: %w", key, err)
	}
	if n == info.Size && hex.EncodeToString(sum.Sum(nil)) == info.SHA256 {
		return nil
	}
	if now, err := s.Info(key); err != nil || now.Version != info.Version {
		return nil // replaced while it was read
	}
	return errors.Join(fmt.Errorf("blob %s: %w", key, ErrDamaged), s.SetAside(key, ErrDamaged))
}
