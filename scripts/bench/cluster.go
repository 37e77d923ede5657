package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// settle is how long the daemons are left alone before their memory is read.
const settle = 2 * time.Second

// dev is a `gearstorm dev`, that is Nimbus and supervisor in one process.
type dev struct {
	cmd    *exec.Cmd
	nimbus string // host:port
}

// cluster measures what needs the daemons: their memory, the way to the first tuple, rates between two workers.
func (b *bench) cluster(ctx context.Context) error {
	waits := []scenario{{"submit-to-first-tuple-go", shapeAcked}, {"submit-to-first-tuple-shell", shapePython}}
	pairs := []scenario{{"two-workers-noack", shapeLine}, {"two-workers-ack", shapeAcked}}
	all := append(append([]scenario{{name: "daemons-rss"}}, waits...), pairs...)
	if !b.wantsAny(all) {
		return nil
	}
	d, err := startDev(ctx, b.gearstorm, b.probes.dir)
	if err != nil {
		return err
	}
	err = b.onCluster(ctx, d, waits, pairs)
	d.cmd.Process.Signal(syscall.SIGTERM)
	return errors.Join(err, d.cmd.Wait())
}

func (b *bench) wantsAny(all []scenario) bool {
	for _, s := range all {
		if b.wants(s.name) {
			return true
		}
	}
	return false
}

func (b *bench) onCluster(ctx context.Context, d *dev, waits, pairs []scenario) error {
	if b.wants("daemons-rss") {
		if err := b.resident(ctx, d); err != nil {
			return fmt.Errorf("daemons-rss: %w", err)
		}
	}
	for _, s := range waits {
		if !b.wants(s.name) {
			continue
		}
		if err := b.wait(ctx, d, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for _, s := range pairs {
		if !b.wants(s.name) {
			continue
		}
		if _, err := b.submit(ctx, d, s, 2); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := errors.Join(b.rate(ctx, s.name, 2), b.kill(ctx, d)); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	after, err := residentMiB(d.cmd.Process.Pid)
	if err == nil {
		fmt.Printf("# daemons-rss after all of that: %.1f\n", after)
	}
	return err
}

// resident prints the memory of the daemons without and with a topology of two workers.
func (b *bench) resident(ctx context.Context, d *dev) error {
	idle, err := d.resident(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("bench daemons-rss %.1f\n", idle)
	if _, err := b.submit(ctx, d, scenario{"daemons-rss", shapePython}, 2); err != nil {
		return err
	}
	err = b.running(ctx, 1)
	var busy float64
	if err == nil {
		busy, err = d.resident(ctx)
	}
	if err := errors.Join(err, b.kill(ctx, d)); err != nil {
		return err
	}
	fmt.Printf("bench daemons-rss-running %.1f\n", busy)
	return nil
}

func (d *dev) resident(ctx context.Context) (float64, error) {
	if err := pause(ctx, settle); err != nil {
		return 0, err
	}
	return residentMiB(d.cmd.Process.Pid)
}

// wait prints how long it takes from the beginning of Submit until a tuple has gone through the whole topology.
func (b *bench) wait(ctx context.Context, d *dev, s scenario) error {
	var seconds, taken []float64
	for range b.rounds {
		start := time.Now()
		accepted, err := b.submit(ctx, d, s, 1)
		if err != nil {
			return err
		}
		err = b.running(ctx, 1)
		var all []reading
		if err == nil {
			all, err = b.probes.read()
		}
		if err := errors.Join(err, b.kill(ctx, d)); err != nil {
			return err
		}
		seconds = append(seconds, float64(total(all).First-start.UnixNano())/1e9)
		taken = append(taken, accepted.Sub(start).Seconds())
	}
	fmt.Printf("bench %s %.3f\n", s.name, median(seconds))
	fmt.Printf("# %s rounds=%.3f of which until Nimbus had taken it=%.3f\n", s.name, seconds, taken)
	return nil
}

// submit submits this program and says when Nimbus had taken it.
func (b *bench) submit(ctx context.Context, d *dev, s scenario, workers int) (accepted time.Time, err error) {
	_, err = gearstorm.Submit(ctx, program, gearstorm.Options{
		Name: s.name, Args: b.args(s.shape), Conf: conf.Conf{"topology.workers": workers}, Nimbus: []string{d.nimbus},
	})
	return time.Now(), err
}

// kill ends all topologies and waits until none is left.
func (b *bench) kill(ctx context.Context, d *dev) error {
	b.probes.forget()
	c, err := gearstorm.Connect(d.nimbus)
	if err != nil {
		return err
	}
	defer c.Close()
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
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// startDev starts a dev with its state below dir and waits until it says where it listens.
func startDev(ctx context.Context, binary, dir string) (*dev, error) {
	dir = filepath.Join(dir, "dev")
	cmd := exec.CommandContext(ctx, binary, "dev", "--dir", dir)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		var ports struct{ Nimbus int }
		data, err := os.ReadFile(filepath.Join(dir, "ports.json"))
		if err == nil && json.Unmarshal(data, &ports) == nil && ports.Nimbus != 0 {
			return &dev{cmd, fmt.Sprintf("127.0.0.1:%d", ports.Nimbus)}, nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			break
		}
	}
	cmd.Process.Kill()
	return nil, errors.Join(fmt.Errorf("%s dev did not say where it listens", binary), cmd.Wait())
}
