package flux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gearstorm/gearstorm/multilang/jvmhost"
)

// JVM makes the topologies of definitions with Java components, in a process of its own for each; its Jars have the classes.
type JVM struct{ jvmhost.Once }

// mainClass makes a topology.
const mainClass = "gearstorm.jvmhost.flux.Main"

// Bounds of what comes back.
const (
	maxTopology = 64 << 20
	maxMistake  = 4 << 10
	maxWarnings = 32 << 10
)

// Make is what Options.Java wants; user code ends with ctx. What it prints goes to Output. Errors about the definition are a
// Mistake.
func (j JVM) Make(ctx context.Context, definition []byte) (Made, error) {
	dir, err := os.MkdirTemp("", ".gearstorm-flux-")
	if err != nil {
		return Made{}, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "definition"), definition, 0o600); err != nil {
		return Made{}, err
	}
	if err := j.Run(ctx, mainClass, dir); err != nil {
		return Made{}, err
	}
	return readMade(dir)
}

// readMade reads what the process left in its folder.
func readMade(dir string) (Made, error) {
	if text, err := bounded(dir, "mistake", maxMistake); err == nil {
		return Made{}, Mistake(text)
	}
	data, err := bounded(dir, "topology", maxTopology)
	if errors.Is(err, os.ErrNotExist) {
		return Made{}, errors.New("the JVM ended with exit status 0 before its end, as it does when user code calls System.exit")
	}
	if err != nil {
		return Made{}, fmt.Errorf("read the topology that Java made: %w", err)
	}
	made := Made{Topology: data}
	if text, err := bounded(dir, "warnings", maxWarnings); err == nil && len(text) > 0 {
		made.Warnings = strings.Split(string(text), "\n")
	}
	return made, nil
}

// bounded reads a file. A text longer than most is cut.
func bounded(dir, name string, most int64) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil || int64(len(data)) <= most {
		return data, err
	}
	if name == "topology" {
		return nil, fmt.Errorf("it is larger than %d MiB", most>>20)
	}
	return bytes.ToValidUTF8(data[:most], nil), nil
}
