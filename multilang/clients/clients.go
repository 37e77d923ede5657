// Package clients holds gearstorm's own multilang client modules, for the engine to lay beside users' scripts:
// gearstorm.py (Python 3.8 or newer, standard library only) and gearstorm.js (Node 18 or newer, no dependencies), each with a part about state in a
// file of its own.
//
// Scripts for storm.py, storm.js, pystorm and other clients run as well; these are for those who start anew.
package clients

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
)

// Python and Node are the file names of the two modules, PythonState and NodeState those of their parts about state.
const (
	Python      = "gearstorm.py"
	PythonState = "gearstorm_state.py"
	Node        = "gearstorm.js"
	NodeState   = "gearstorm_state.js"
)

//go:embed python/gearstorm.py python/gearstorm_state.py node/gearstorm.js node/gearstorm_state.js
var files embed.FS

// Names are the names of all files.
func Names() []string { return []string{Python, PythonState, Node, NodeState} }

// Source returns the text of the file called name.
func Source(name string) ([]byte, error) {
	for _, dir := range []string{"python/", "node/"} {
		if b, err := files.ReadFile(dir + name); err == nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("client module %q: there are %v", name, Names())
}

// WriteTo writes the modules into dir, which must exist. A file that is there already is the user's and stays.
func WriteTo(dir string) error {
	for _, name := range Names() {
		b, err := Source(name)
		if err != nil {
			return err
		}
		if err := writeNew(filepath.Join(dir, name), b); err != nil {
			return fmt.Errorf("lay out client module: %w", err)
		}
	}
	return nil
}

// writeNew leaves either the whole file or none: workers of one node may share dir and get here together.
func writeNew(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".client-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err1 := f.Chmod(0o644); err == nil {
		err = err1
	}
	if err1 := f.Close(); err == nil {
		err = err1
	}
	if err != nil {
		return err
	}
	if err = os.Link(f.Name(), path); os.IsExist(err) {
		return nil
	}
	return err
}
