package flux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/multilang/jvmhost"
)

// JVM makes the topologies of definitions with Java components, in a process of its own for each. The fields but Jars may be
// zero.
type JVM struct {
	Install jvmhost.Install
	Jars    []string // with the classes, behind Storm's own
	Args    []string // for the JVM
	Env     []string // nil: this process's
	Output  io.Writer
}

// mainClass makes a topology.
const mainClass = "gearstorm.jvmhost.flux.Main"

// Bounds of what comes back.
const (
	maxTopology = 64 << 20
	maxMistake  = 4 << 10
	maxWarnings = 32 << 10
)

// Make is what Options.Java wants; user code ends with ctx. What it prints goes to Output. Errors about the
// definition are a Mistake.
func (j JVM) Make(ctx context.Context, definition []byte) (Made, error) {
	ready, err := j.Install.Find()
	if err != nil {
		return Made{}, err
	}
	dir, err := os.MkdirTemp("", ".gearstorm-flux-")
	if err != nil {
		return Made{}, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "definition"), definition, 0o600); err != nil {
		return Made{}, err
	}
	said := &tail{to: j.Output}
	args := append([]string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dlog4j2.level=WARN", "-Dlog4j2.disableJmx=true"}, j.Args...)
	args = append(args, "-cp", strings.Join(ready.ClassPath(j.Jars...), string(os.PathListSeparator)), mainClass, dir)
	cmd := exec.CommandContext(ctx, ready.Java, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = j.Env, said, said, 5*time.Second
	if err := cmd.Run(); ctx.Err() != nil {
		return Made{}, ctx.Err()
	} else if err != nil {
		return Made{}, fmt.Errorf("the JVM that makes the Java components ended: %w%s", err, said.last())
	}
	return readMade(dir, said)
}

// readMade reads what the process left in its folder.
func readMade(dir string, said *tail) (Made, error) {
	if text, err := bounded(dir, "mistake", maxMistake); err == nil {
		return Made{}, Mistake(text)
	}
	data, err := bounded(dir, "topology", maxTopology)
	if errors.Is(err, os.ErrNotExist) {
		return Made{}, fmt.Errorf("the JVM that makes the Java components ended by itself, as it does when user code calls System.exit%s", said.last())
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

// bounded reads a file; one of text may be longer than most, and is cut then.
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

// tail passes on what is written and keeps the last of it.
type tail struct {
	to  io.Writer
	end []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const most = 1 << 10
	t.end = append(t.end, p...)
	t.end = t.end[max(0, len(t.end)-most):]
	if t.to != nil {
		return t.to.Write(p)
	}
	return len(p), nil
}

// last is the last line for the end of an error.
func (t *tail) last() string {
	lines := strings.Split(strings.TrimSpace(string(bytes.ToValidUTF8(t.end, nil))), "\n")
	if l := strings.TrimSpace(lines[len(lines)-1]); l != "" {
		return ": " + l
	}
	return ""
}
