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
	"strings"
	"syscall"
)

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
	if s.use(topology, v.blob) == nil { // known under another key or version
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
	if err := s.letAllIn(root); err != nil {
		return err
	}
	s.mu.Lock() // so that clean does not find one that nobody uses yet
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

// letAllIn opens a blob to other users, if the store is open to them.
func (s *store) letAllIn(root *os.Root) error {
	if !s.open {
		return nil
	}
	if err := os.Chmod(s.dir, 0o711); err != nil {
		return err
	}
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() && !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		perm := info.Mode().Perm()
		return root.Chmod(name, perm|perm>>3&0o055|perm>>6&0o005)
	})
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
