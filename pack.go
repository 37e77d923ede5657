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

	"github.com/gearstorm/gearstorm/supervisor/localizer"
)

// binDir is where the program stands in the zip file that takes the place of Storm's jar.
const binDir = "bin"

// platform is the key of this program in localizer.Manifest.Binaries.
const platform = runtime.GOOS + "-" + runtime.GOARCH

// pack writes the zip file of the program at exe. The same input gives the same bytes.
func pack(w io.Writer, exe string, resources fs.FS) error {
	z := zip.NewWriter(w)
	// The fastest level: it halves a Go program in the time in which the next one would gain a few percent.
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	var err error
	if exe != "" {
		err = addProgram(z, exe)
	}
	if err == nil {
		err = packResources(z, resources)
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

func create(z *zip.Writer, name string, mode fs.FileMode) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(mode)
	return z.CreateHeader(h)
}
