package localizer

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"strings"
)

// openZip reads the list of entries of a zip file, at most l.DirectoryBytes of it.
func openZip(f *os.File, l Limits) (*zip.Reader, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	in := &meteredReader{from: f, left: l.DirectoryBytes}
	z, err := zip.NewReader(in, st.Size())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	in.left = -1
	return z, nil
}

// meteredReader fails after left bytes; a negative left is no bound. A zip reader takes in the whole list of entries at
// once and as long as it looks like one, whatever count the file states, so the bytes have to be bounded.
type meteredReader struct {
	from io.ReaderAt
	left int64
}

func (m *meteredReader) ReadAt(p []byte, off int64) (int, error) {
	if m.left >= 0 {
		if m.left -= int64(len(p)); m.left < 0 {
			return 0, fmt.Errorf("%w: list of entries is too long", ErrArchive)
		}
	}
	return m.from.ReadAt(p, off)
}

// unzip unpacks the entries below prefix, which ends in a slash or is empty, under their full names.
func unzip(z *zip.Reader, prefix string, to *unpacker) error {
	for _, e := range z.File {
		if !strings.HasPrefix(e.Name, prefix) {
			continue
		}
		if err := unzipEntry(e, to); err != nil {
			return err
		}
	}
	return nil
}

func unzipEntry(e *zip.File, to *unpacker) error {
	mode := e.Mode()
	if mode.IsDir() {
		return to.dir(e.Name)
	}
	if mode.Type() != 0 {
		return to.file(e.Name, mode, nil) // refused before anything is read
	}
	r, err := e.Open()
	if err != nil {
		return fmt.Errorf("%w: %q: %w", ErrArchive, clip(e.Name), err)
	}
	defer r.Close()
	return to.file(e.Name, mode, r)
}
