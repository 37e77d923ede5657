package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// scenario is a topology whose rate is measured.
type scenario struct {
	name  string
	shape string
}

// inProcess measures what runs without a cluster: a child with the topology and nothing else, on the SDK's RunLocal.
func (b *bench) inProcess(ctx context.Context) error {
	scenarios := []scenario{
		{"in-process-noack", shapeLine}, {"in-process-ack", shapeAcked}, {"fields-4", shapeFields}, {"python-shell", shapePython},
	}
	if b.stormPy != "" {
		scenarios = append(scenarios, scenario{"storm-py-shell", shapeStorm})
	}
	for _, s := range scenarios {
		if !b.wants(s.name) {
			continue
		}
		if err := b.local(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// local runs s in a child of its own and measures it.
func (b *bench) local(ctx context.Context, s scenario) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.CommandContext(ctx, self, append([]string{"run", "--"}, b.args(s.shape)...)...)
	child.Stderr = os.Stderr
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = 20 * time.Second
	if err := child.Start(); err != nil {
		return err
	}
	err = b.rate(ctx, s.name, 1)
	child.Process.Signal(syscall.SIGTERM)
	ended := child.Wait()
	b.probes.forget()
	return errors.Join(err, ended)
}

// args are the arguments of the program for one shape.
func (b *bench) args(shape string) []string { return []string{shape, b.probes.address(), b.stormPy} }

// rate warms up the topology that was just started in that many processes, measures its rounds and prints the figures.
func (b *bench) rate(ctx context.Context, name string, processes int) error {
	if err := b.running(ctx, processes); err != nil {
		return err
	}
	if err := pause(ctx, b.round); err != nil { // pools fill, batches grow, scripts warm up
		return err
	}
	last, err := b.probes.read()
	if err != nil {
		return err
	}
	var rates, allocs, cpu, children []float64
	for range b.rounds {
		if err := pause(ctx, b.round); err != nil {
			return err
		}
		now, err := b.probes.read()
		if err != nil {
			return err
		}
		from, to := total(last), total(now)
		n := float64(to.Tuples - from.Tuples)
		if n <= 0 {
			return errors.New("no tuple arrived in a whole round")
		}
		rates = append(rates, n/(float64(to.At-from.At)/1e9))
		allocs = append(allocs, float64(to.Mallocs-from.Mallocs)/n)
		cpu = append(cpu, float64(to.CPU-from.CPU)/n)
		children = append(children, float64(to.Children-from.Children)/n)
		last = now
	}
	fmt.Printf("bench %s %.0f allocs/tuple=%.3f\n", name, median(rates), median(allocs))
	fmt.Printf("# %s rounds=%.0f cpu_ns/tuple=%.0f", name, rates, median(cpu))
	if c := median(children); c > 0 {
		fmt.Printf(" children_cpu_ns/tuple=%.0f", c)
	}
	if processes > 1 {
		fmt.Printf(" processes: %s", strings.Join(total(last).Components, ", "))
	}
	fmt.Println()
	return nil
}

// running waits until that many processes have reported and a tuple reached the sink.
func (b *bench) running(ctx context.Context, processes int) error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		all, err := b.probes.read()
		if err != nil {
			return err
		}
		if len(all) >= processes && total(all).First != 0 {
			return nil
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return errors.New("no tuple arrived within 30 s")
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
