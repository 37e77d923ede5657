package localizer

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// untar unpacks a whole tar stream. Names are often written with a leading "./", which is taken off.
func untar(r io.Reader, to *unpacker) error {
	// Headers alone may go on for ever in a compressed stream.
	const headerBytes = 4 << 10
	t := tar.NewReader(&boundedReader{from: r, left: to.limits.UnpackedBytes + int64(to.limits.Entries)*headerBytes})
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrArchive, err)
		}
		name := strings.TrimPrefix(h.Name, "./")
		switch h.Typeflag {
		case tar.TypeDir:
			if name != "" {
				err = to.dir(name)
			}
		case tar.TypeReg:
			err = to.file(name, fs.FileMode(h.Mode).Perm(), t)
		case tar.TypeXGlobalHeader: // a comment, as git archive writes
		default:
			err = fmt.Errorf("%w: %q is neither file nor directory (type %q)", ErrArchive, clip(name), h.Typeflag)
		}
		if err != nil {
			return err
		}
	}
}

// boundedReader fails, unlike io.LimitedReader, which ends as if the archive did.
type boundedReader struct {
	from io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("%w: stream is too long", ErrArchive)
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// unpackArchive unpacks a user's archive of a form that formOf gave.
func unpackArchive(f *os.File, form string, to *unpacker) error {
	switch form {
	case ".zip":
		z, err := openZip(f, to.limits)
		if err != nil {
			return err
		}
		return unzip(z, "", to)
	case ".tgz":
		z, err := gzip.NewReader(f)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrArchive, err)
		}
		return untar(z, to)
	}
	return untar(f, to)
}
