package localizer

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

const (
	// ManifestName is the entry that makes a topology's jar that of a Go topology.
	ManifestName = "gearstorm/manifest.json"
	// ManifestFormat is the layout of Manifest.
	ManifestFormat = 1

	maxManifestBytes = 64 << 10
)

// ErrNoBinary says that a Go topology was not built for this platform.
var ErrNoBinary = errors.New("topology has no binary for this platform")

// Manifest stands in the jar of a Go topology. Fields that are not known are ignored.
type Manifest struct {
	// Format is ManifestFormat.
	Format int `json:"format"`
	// Binaries gives for "<os>-<arch>" (GOOS and GOARCH) the file bin/<os>-<arch>.
	Binaries map[string]ManifestBinary `json:"binaries"`
}

// ManifestBinary is one executable.
type ManifestBinary struct {
	SHA256 string `json:"sha256"` // of its content, lower-case hex
	Size   int64  `json:"size"`
}

// goBinary unpacks the executable of a Go topology and gives its path below root, "" for a jar of another kind.
func goBinary(z *zip.Reader, platform string, root *os.Root, l Limits) (string, error) {
	entry := find(z, ManifestName)
	if entry == nil {
		return "", nil
	}
	m, err := readManifest(entry)
	if err != nil {
		return "", fmt.Errorf("%s: %w", ManifestName, err)
	}
	want, ok := m.Binaries[platform]
	if !ok {
		return "", fmt.Errorf("%w: %s; it has %s", ErrNoBinary, platform, platforms(m))
	}
	name := "bin/" + platform
	file := find(z, name)
	if file == nil {
		return "", fmt.Errorf("%w: manifest names %s, which is not there", ErrArchive, name)
	}
	if err := unpackBinary(file, want, newUnpacker(root, l)); err != nil {
		return "", err
	}
	return name, nil
}

func platforms(m Manifest) string {
	var names []string
	for n := range m.Binaries {
		names = append(names, clip(n))
	}
	slices.Sort(names)
	return strings.Join(names[:min(len(names), 20)], ", ")
}

func find(z *zip.Reader, name string) *zip.File {
	i := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return z.File[i]
}

func readManifest(e *zip.File) (Manifest, error) {
	var m Manifest
	r, err := e.Open()
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxManifestBytes+1))
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	if len(data) > maxManifestBytes {
		return m, fmt.Errorf("%w: more than %d bytes", ErrArchive, maxManifestBytes)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	if m.Format != ManifestFormat {
		return m, fmt.Errorf("%w: format %d, known is %d", ErrArchive, m.Format, ManifestFormat)
	}
	return m, nil
}

func unpackBinary(e *zip.File, want ManifestBinary, to *unpacker) error {
	if e.Mode().Type() != 0 {
		return to.file(e.Name, e.Mode(), nil)
	}
	r, err := e.Open()
	if err != nil {
		return fmt.Errorf("%w: %q: %w", ErrArchive, e.Name, err)
	}
	defer r.Close()
	sum := sha256.New()
	if err := to.file(e.Name, 0o700, io.TeeReader(r, sum)); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want.SHA256 || to.bytes != want.Size {
		return fmt.Errorf("%w: %s has %d bytes with sha256 %s, manifest says %d and %s",
			ErrArchive, e.Name, to.bytes, got, want.Size, clip(want.SHA256))
	}
	return nil
}
