package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/freeport"
)

// ErrMissing says that java or the jars are not there.
var ErrMissing = errors.New("the server cannot be started here")

// Find returns the java program and the folder of jars that scripts/get-<name>.sh puts under .tools of the repository that
// holds the working directory.
func Find(name string) (java, jars string, err error) {
	if java, err = exec.LookPath("java"); err != nil {
		return "", "", fmt.Errorf("%w: java is not installed", ErrMissing)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		jars = filepath.Join(dir, ".tools", name, "lib")
		if _, err := os.Stat(jars); err == nil {
			return java, jars, nil
		}
		if dir == filepath.Dir(dir) {
			return "", "", fmt.Errorf("%w: .tools/%s is not there, run scripts/get-%s.sh", ErrMissing, name, name)
		}
	}
}

// Need skips a test whose server cannot be started here, as err says, or fails it when CI=true. Other errors fail it.
func Need(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
}

// JVM is a command that runs a class, small and soon there, with the jars of a folder and with files of other folders, which come first.
func JVM(java, jars, heap string, files []string, args ...string) *exec.Cmd {
	classes := strings.Join(append(files, filepath.Join(jars, "*")), string(os.PathListSeparator))
	return exec.Command(java, append([]string{"-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto",
		"-cp", classes}, args...)...)
}

// Start calls start until it gets through, three times at most and for limit in all: a free port may be taken by another process before the
// server has it.
func Start[S any](ctx context.Context, limit time.Duration, start func(context.Context) (S, error)) (S, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for tries := 3; ; tries-- {
		s, err := start(ctx)
		if err == nil || tries == 1 || ctx.Err() != nil {
			return s, err
		}
	}
}

// FreePorts finds loopback ports that were free a moment ago.
func FreePorts(n int) ([]int, error) { return freeport.Find("127.0.0.1", n) }

// Launcher starts processes from one thread that lives as long as they should: the kernel ends a child with the thread that
// started it, and Go ends threads as it likes.
type Launcher struct {
	work chan func()
	once sync.Once
}

// NewLauncher starts the thread. Stop it.
func NewLauncher() *Launcher {
	l := &Launcher{work: make(chan func())}
	go lockedLoop(l.work)
	return l
}

// Start starts cmd. The channel is closed when it has ended.
func (l *Launcher) Start(cmd *exec.Cmd) (ended <-chan struct{}, err error) {
	cmd.SysProcAttr = ownChild()
	result := make(chan error)
	l.work <- func() { result <- cmd.Start() }
	if err := <-result; err != nil {
		return nil, err
	}
	over := make(chan struct{})
	go func() {
		cmd.Wait()
		close(over)
	}()
	return over, nil
}

// Stop ends the thread, and with it what it started. It may be called twice.
func (l *Launcher) Stop() { l.once.Do(func() { close(l.work) }) }
