package nimbus

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/javaser"
	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// jarLimits bound what a jar may hold. The sizes are those the jar declares: whoever unpacks it counts again.
type jarLimits struct {
	entries       int
	unpackedBytes int64
}

// directoryBytes is how much of a jar may be read per allowed entry to list its files: it bounds the memory that a jar
// made of nothing but a list can claim.
const directoryBytes = 256

// checkJars refuses a location that is no finished upload and jars that must not reach a node. It returns code, which was
// compiled before, with what the classes in the jars say of where shell components run.
func (n *Nimbus) checkJars(ctx context.Context, location string, code *stormrpc.StormTopology) (*stormrpc.StormTopology, error) {
	var jars []*javaser.Jar
	add := func(what string, f *os.File, size int64) error {
		if err := checkJar(f, size, jarLimits{n.cfg.MaxJarEntries, n.cfg.MaxUnpackedBytes}); err != nil {
			return invalid("%s: %s", what, err)
		}
		jar, err := javaser.OpenJar(f, size)
		if err != nil {
			return invalid("%s: %s", what, err)
		}
		jars = append(jars, jar)
		return nil
	}
	f, size, err := n.blobs.OpenUpload(location)
	if err != nil {
		return nil, invalid("topology jar %q is not a finished upload of this nimbus", location)
	}
	defer f.Close()
	if err := add("topology jar", f, size); err != nil {
		return nil, err
	}
	for _, key := range slices.Concat(code.DependencyJars, code.DependencyArtifacts) {
		f, info, err := n.blobs.OpenFile(key)
		if err != nil {
			return nil, invalid("Key not found: %s", key)
		}
		defer f.Close()
		if err := n.mayBlob(ctx, info, blobstore.Read); err != nil {
			return nil, err
		}
		if err := add("dependency "+key, f, info.Size); err != nil {
			return nil, err
		}
	}
	placed, err := compat.PlaceShells(code, jars...)
	return placed, asInvalid(err)
}

// checkJar tells whether a zip file is safe to unpack: every name stays below the directory it is unpacked to, there
// are only files and directories, and not too much of them.
func checkJar(r io.ReaderAt, size int64, limits jarLimits) error {
	budget := int64(limits.entries)*directoryBytes + 128<<10
	z, err := zip.NewReader(&meteredReader{r: r, left: budget}, size)
	if errors.Is(err, errDirectoryTooLarge) {
		return err
	}
	// An insecure path is not an error here: what is refused, and why, is decided below.
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return fmt.Errorf("not a zip file: %w", err)
	}
	if len(z.File) > limits.entries {
		return fmt.Errorf("%d entries, allowed are %d", len(z.File), limits.entries)
	}
	left := uint64(limits.unpackedBytes)
	for _, f := range z.File {
		if err := checkEntry(f); err != nil {
			return err
		}
		if f.UncompressedSize64 > left {
			return fmt.Errorf("more than %d bytes when unpacked", limits.unpackedBytes)
		}
		left -= f.UncompressedSize64
	}
	return nil
}

func checkEntry(f *zip.File) error {
	name := strings.ReplaceAll(f.Name, `\`, "/")
	switch {
	case name == "" || strings.ContainsRune(name, 0):
		return fmt.Errorf("entry with the name %q", f.Name)
	case strings.HasPrefix(name, "/"):
		return fmt.Errorf("entry %q has an absolute path", f.Name)
	case len(name) > 1 && name[1] == ':':
		return fmt.Errorf("entry %q names a drive", f.Name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return fmt.Errorf("entry %q leaves its directory", f.Name)
		}
	}
	// A jar made on Windows has no Unix mode; archive/zip then gives a plain file or a directory.
	if kind := f.Mode() & (fs.ModeType &^ fs.ModeDir); kind != 0 {
		return fmt.Errorf("entry %q is neither a file nor a directory (%s)", f.Name, f.Mode())
	}
	return nil
}

var errDirectoryTooLarge = errors.New("list of files is longer than allowed")

// meteredReader ends with an error once more than left bytes were read.
type meteredReader struct {
	r    io.ReaderAt
	left int64
}

func (m *meteredReader) ReadAt(p []byte, off int64) (int, error) {
	m.left -= int64(len(p))
	if m.left < 0 {
		return 0, errDirectoryTooLarge
	}
	return m.r.ReadAt(p, off)
}
