package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/pause"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// system runs topologies: gearstorm, or the real Storm.
type system interface {
	// submit starts a topology and returns when it was taken.
	submit(ctx context.Context, name string, s shape, c conf.Conf) error
	// deactivate stops the sources; false if this system cannot.
	deactivate(ctx context.Context, name string) (bool, error)
	// kill ends all topologies and returns when no process of theirs is left.
	kill(ctx context.Context) error
	// parts lists the processes of topologies and those of daemons among all.
	parts(all []process) (workers, daemons []process)
	// said is the end of what workers logged.
	said() string
}

// cluster is what the two systems have in common: a Nimbus, and a daemon whose children are the workers.
type cluster struct {
	nimbus  string // host:port
	parent  *daemon
	daemons []*daemon // with parent, in the order of their start
}

func (c *cluster) parts(all []process) (workers, daemons []process) {
	for _, p := range all {
		for _, d := range c.daemons {
			if p.pid == d.pid() {
				daemons = append(daemons, p)
			}
		}
	}
	return below(all, c.parent.pid()), daemons
}

func (c *cluster) deactivate(ctx context.Context, name string) (bool, error) {
	n, err := gearstorm.Connect(c.nimbus)
	if err != nil {
		return false, err
	}
	defer n.Close()
	return true, n.Nimbus().Deactivate(ctx, name)
}

func (c *cluster) kill(ctx context.Context) error {
	n, err := gearstorm.Connect(c.nimbus)
	if err != nil {
		return err
	}
	defer n.Close()
	if err := killAll(ctx, n); err != nil {
		return err
	}
	return until(ctx, time.Minute, "workers did not end", func() bool { return len(below(processes(), c.parent.pid())) == 0 })
}

// killAll ends all topologies and waits until Nimbus has none.
func killAll(ctx context.Context, c *client.Client) error {
	now := int32(0)
	for killed := map[string]bool{}; ; {
		all, err := c.Nimbus().GetTopologySummaries(ctx)
		if err != nil || len(all) == 0 {
			return err
		}
		for _, t := range all {
			if killed[t.ID] {
				continue
			}
			killed[t.ID] = true
			if err := c.Nimbus().KillTopologyWithOpts(ctx, t.Name, &stormrpc.KillOptions{WaitSecs: &now}); err != nil {
				return err
			}
		}
		if err := pause.For(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// stop ends the daemons, the last one first, and whatever is left of the parent's session.
func (c *cluster) stop() (err error) {
	for i := len(c.daemons) - 1; i >= 0; i-- {
		err = errors.Join(err, c.daemons[i].stop())
	}
	if c.parent == nil {
		return err
	}
	for _, p := range processes() {
		if p.session == c.parent.pid() {
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	return err
}

// daemon is a child process in a session of its own, which ends with this process at the latest.
type daemon struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// spawn starts cmd with its output in the file at log.
func spawn(cmd *exec.Cmd, log string) (*daemon, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	d, started := &daemon{cmd, make(chan struct{})}, make(chan error, 1)
	go func() {
		defer close(d.ended)
		runtime.LockOSThread() // the signal comes when this thread ends
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
		}
	}()
	return d, <-started
}

func (d *daemon) pid() int { return d.cmd.Process.Pid }

// running says whether d has not ended yet.
func (d *daemon) running() bool {
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

// stop asks d to end and, if that takes too long, ends it.
func (d *daemon) stop() error {
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
		return nil
	case <-time.After(20 * time.Second):
	}
	d.cmd.Process.Kill()
	<-d.ended
	return fmt.Errorf("%s did not end within 20 s and was killed", d.cmd.Path)
}

// tail is the end of the file that was written last among those of a pattern.
func tail(pattern string) string {
	var newest string
	var at time.Time
	names, _ := filepath.Glob(pattern)
	for _, name := range names {
		if st, err := os.Stat(name); err == nil && st.Size() > 0 && st.ModTime().After(at) {
			newest, at = name, st.ModTime()
		}
	}
	text, _ := os.ReadFile(newest)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// until waits for a condition.
func until(ctx context.Context, limit time.Duration, what string, ok func() bool) error {
	for end := time.Now().Add(limit); !ok(); {
		if time.Now().After(end) {
			return fmt.Errorf("%s within %v", what, limit)
		}
		if err := pause.For(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
