package gearstorm

import (
	"archive/zip"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/gearstorm/gearstorm/supervisor/localizer"
)

// binDir is where the program stands in the zip file that takes the place of Storm's jar.
const binDir = "bin"

// platform is the key of this program in localizer.Manifest.Binaries.
const platform = runtime.GOOS + "-" + runtime.GOARCH

// pack writes the zip file of the program at exe, of the resources and of the entries of a jar; exe and jar may be "". A
// resource takes the place of a jar's entry of its name. The same input gives the same bytes.
func pack(w io.Writer, exe, jar string, resources fs.FS) error {
	z := zip.NewWriter(w)
	// The fastest level: it halves a Go program in the time in which the next one would gain a few percent.
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	var err error
	if exe != "" {
		err = addProgram(z, exe)
	}
	if err == nil {
		err = packBoth(z, jar, resources)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return fmt.Errorf("pack the program: %w", err)
	}
	return nil
}

// addProgram adds the program and the manifest that describes it.
func addProgram(z *zip.Writer, exe string) error {
	f, err := os.Open(exe)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := create(z, path.Join(binDir, platform), 0o755)
	if err != nil {
		return err
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(w, sum), f)
	if err != nil {
		return err
	}
	m, err := json.Marshal(localizer.Manifest{
		Format:   localizer.ManifestFormat,
		Binaries: map[string]localizer.ManifestBinary{platform: {SHA256: hex.EncodeToString(sum.Sum(nil)), Size: size}},
	})
	if err != nil {
		return err
	}
	w, err = create(z, localizer.ManifestName, 0o644)
	if err == nil {
		_, err = w.Write(m)
	}
	return err
}

// packBoth adds the resources and the entries of a jar.
func packBoth(z *zip.Writer, jar string, resources fs.FS) error {
	written := map[string]bool{}
	if jar == "" {
		return packResources(z, resources, nil, written)
	}
	in, err := zip.OpenReader(jar)
	if err != nil {
		return fmt.Errorf("read %s: %w", jar, err)
	}
	defer in.Close()
	inJar := map[string]bool{}
	for _, f := range in.File {
		inJar[f.Name] = true
	}
	if err := packResources(z, resources, inJar, written); err != nil {
		return err
	}
	for _, f := range in.File {
		if written[f.Name] {
			continue
		}
		written[f.Name] = true
		if err := copyEntry(z, f); err != nil {
			return fmt.Errorf("copy %s of %s: %w", f.Name, jar, err)
		}
	}
	return nil
}

// copyEntry copies an entry without unpacking it. The library takes no content of a folder, not even none that is compressed.
func copyEntry(z *zip.Writer, f *zip.File) error {
	if strings.HasSuffix(f.Name, "/") {
		_, err := z.Create(f.Name)
		return err
	}
	return z.Copy(f)
}

func create(z *zip.Writer, name string, mode fs.FileMode) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(mode)
	return z.CreateHeader(h)
}
