package gearstorm

import (
	"archive/zip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/gearstorm/gearstorm/multilang/clients"
)

// resourcesDir is where the files of shell components stand in the zip file, and may stand in Program.Resources.
const resourcesDir = "resources"

// packResources adds the resources to the zip file, and their entries' names to written. Client modules that a jar has are not
// added.
func packResources(z *zip.Writer, resources fs.FS, inJar, written map[string]bool) error {
	brought := func(name string) bool { return inJar[path.Join(resourcesDir, name)] }
	return eachResource(resources, brought, func(name string, mode fs.FileMode, data []byte) error {
		entry := path.Join(resourcesDir, name)
		written[entry] = true
		w, err := create(z, entry, mode)
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	})
}

// unpackResources puts the resources into dir.
func unpackResources(resources fs.FS, dir string) error {
	none := func(string) bool { return false }
	return eachResource(resources, none, func(name string, mode fs.FileMode, data []byte) error {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, data, mode)
	})
}

// eachResource calls f with the files of resources, which may be nil, and then with the client modules that are not among
// them nor brought in another way.
func eachResource(resources fs.FS, brought func(name string) bool, f func(name string, mode fs.FileMode, data []byte) error) error {
	there := map[string]bool{}
	if resources != nil {
		root, err := rootOf(resources)
		if err != nil {
			return err
		}
		err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			there[name] = true
			return readResource(root, name, d, f)
		})
		if err != nil {
			return err
		}
	}
	for _, name := range clients.Names() {
		if there[name] || brought(name) {
			continue
		}
		data, err := clients.Source(name)
		if err != nil {
			return err
		}
		if err := f(name, 0o644, data); err != nil {
			return err
		}
	}
	return nil
}

// rootOf returns the folder called resources if there is one, else all of resources.
func rootOf(resources fs.FS) (fs.FS, error) {
	info, err := fs.Stat(resources, resourcesDir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir():
		return resources, nil
	case err != nil:
		return nil, err
	}
	return fs.Sub(resources, resourcesDir)
}

func readResource(root fs.FS, name string, d fs.DirEntry, f func(string, fs.FileMode, []byte) error) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("resource %s is not a regular file", name)
	}
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	return f(name, 0o644|info.Mode()&0o111, data)
}
