package localizer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// ErrArchive is wrapped by every refusal of an archive's content.
var ErrArchive = errors.New("archive refused")

const (
	maxNameBytes    = 4096
	maxElementBytes = 255
	maxNameDepth    = 64
)

// checkPath tells whether name is a relative path of plain elements: what is left when everything that could mean another
// place is refused instead of cleaned.
func checkPath(name string) error {
	if name == "" || len(name) > maxNameBytes {
		return fmt.Errorf("%w: name of %d bytes", ErrArchive, len(name))
	}
	elements := strings.Split(name, "/")
	if len(elements) > maxNameDepth {
		return fmt.Errorf("%w: name with %d elements", ErrArchive, len(elements))
	}
	for _, e := range elements {
		if !plainElement(e) {
			return fmt.Errorf("%w: name %q", ErrArchive, clip(name))
		}
	}
	return nil
}

// plainElement tells whether s can be one path element and mean nothing else on any system.
func plainElement(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= maxElementBytes && !strings.ContainsAny(s, "/\\\x00")
}

func clip(s string) string { return s[:min(len(s), 120)] }

// unpacker writes the entries of one archive below a directory and counts what they take.
type unpacker struct {
	root    *os.Root
	limits  Limits
	entries int
	bytes   int64
	isDir   map[string]bool // every path made so far
}

func newUnpacker(root *os.Root, l Limits) *unpacker {
	return &unpacker{root: root, limits: l, isDir: map[string]bool{}}
}

// dir makes a directory and those above it. Archives name directories more than once and out of order; that is fine.
func (u *unpacker) dir(name string) error {
	name = strings.TrimSuffix(name, "/")
	if err := checkPath(name); err != nil {
		return err
	}
	return u.makeDirs(name)
}

func (u *unpacker) makeDirs(name string) error {
	if isDir, known := u.isDir[name]; known {
		if !isDir {
			return fmt.Errorf("%w: %q is a file and a directory", ErrArchive, clip(name))
		}
		return nil
	}
	if up := path.Dir(name); up != "." {
		if err := u.makeDirs(up); err != nil {
			return err
		}
	}
	if err := u.count(name, true); err != nil {
		return err
	}
	return u.root.Mkdir(name, 0o700)
}

func (u *unpacker) count(name string, isDir bool) error {
	if u.entries++; u.entries > u.limits.Entries {
		return fmt.Errorf("%w: more than %d entries", ErrArchive, u.limits.Entries)
	}
	u.isDir[name] = isDir
	return nil
}

// file writes one file. Of its mode only "executable" is kept. Size in a header is not believed: what r gives counts.
func (u *unpacker) file(name string, mode fs.FileMode, r io.Reader) error {
	if mode.Type() != 0 {
		return fmt.Errorf("%w: %q is neither file nor directory (%v)", ErrArchive, clip(name), mode.Type())
	}
	if err := checkPath(name); err != nil {
		return err
	}
	if _, known := u.isDir[name]; known {
		return fmt.Errorf("%w: %q is there twice", ErrArchive, clip(name))
	}
	if up := path.Dir(name); up != "." {
		if err := u.makeDirs(up); err != nil {
			return err
		}
	}
	if err := u.count(name, false); err != nil {
		return err
	}
	perm := fs.FileMode(0o600)
	if mode&0o111 != 0 {
		perm = 0o700
	}
	f, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
	if err != nil {
		return err
	}
	err = u.copy(f, name, r)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

func (u *unpacker) copy(w io.Writer, name string, r io.Reader) error {
	most := min(u.limits.FileBytes, u.limits.UnpackedBytes-u.bytes)
	n, err := io.Copy(w, io.LimitReader(r, most+1))
	u.bytes += n
	if err != nil {
		return fmt.Errorf("unpack %q: %w", clip(name), err)
	}
	if n > most {
		return fmt.Errorf("%w: %q takes more than %d bytes, or all together more than %d",
			ErrArchive, clip(name), u.limits.FileBytes, u.limits.UnpackedBytes)
	}
	return nil
}
