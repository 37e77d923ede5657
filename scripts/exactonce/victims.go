package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/pause"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// kinds are those of processes that are killed, and how many of 20 kills hit each about.
var kinds = []struct {
	name   string
	weight int
}{{"worker", 5}, {"supervisor", 3}, {"nimbus", 3}, {"python", 5}, {"jvm", 4}}

// How long a daemon that was killed is away at most, and how long one waits for a process to kill: all of a kind may just have ended.
const (
	awayMost    = 1500 * time.Millisecond
	victimLimit = 2 * time.Minute
)

// killer kills processes of a cluster.
type killer struct {
	cluster *chaos.Cluster
	random  *rand.Rand
	order   []int          // in which the first kills go through all kinds
	killed  map[string]int // by kind
}

func newKiller(c *chaos.Cluster, seed uint64) *killer {
	random := rand.New(rand.NewPCG(seed, 12))
	return &killer{cluster: c, random: random, order: random.Perm(len(kinds)), killed: map[string]int{}}
}

// draw chooses a kind: each of them once, then by weight.
func (k *killer) draw() string {
	if len(k.order) > 0 {
		next := k.order[0]
		k.order = k.order[1:]
		return kinds[next].name
	}
	sum := 0
	for _, kind := range kinds {
		sum += kind.weight
	}
	n := k.random.IntN(sum)
	for _, kind := range kinds {
		if n -= kind.weight; n < 0 {
			return kind.name
		}
	}
	panic("unreachable")
}

// kill kills a process of that kind. A daemon has been started again when it returns.
func (k *killer) kill(ctx context.Context, kind string) (victim string, err error) {
	switch kind {
	case "worker":
		victim, err = k.await(ctx, kind, k.worker)
	case "supervisor":
		victim, err = k.daemon(ctx, k.cluster.Supervisors())
	case "nimbus":
		victim, err = k.daemon(ctx, k.cluster.Nimbuses())
	case "python":
		victim, err = k.await(ctx, kind, func() (string, error) { return k.child(script) })
	case "jvm":
		victim, err = k.await(ctx, kind, func() (string, error) { return k.child(javaMain) })
	}
	if err != nil {
		return "", fmt.Errorf("kill a %s: %w", kind, err)
	}
	k.killed[kind]++
	return victim, nil
}

// await tries until there was somebody to kill.
func (k *killer) await(ctx context.Context, kind string, try func() (string, error)) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, victimLimit)
	defer cancel()
	for {
		victim, err := try()
		if victim != "" || err != nil {
			return victim, err
		}
		if err := pause.For(ctx, 20*time.Millisecond); err != nil {
			return "", fmt.Errorf("none runs: %w", err)
		}
	}
}

func (k *killer) worker() (string, error) {
	all, err := k.cluster.Workers()
	if err != nil || len(all) == 0 {
		return "", err
	}
	w := all[k.random.IntN(len(all))]
	switch err := w.Signal(syscall.SIGKILL); {
	case errors.Is(err, isolate.ErrGone):
		return "", nil
	case err != nil:
		return "", err
	}
	return w.String(), nil
}

func (k *killer) child(name string) (string, error) {
	all := k.cluster.Children(name)
	if len(all) == 0 {
		return "", nil
	}
	pid := all[k.random.IntN(len(all))]
	if !k.cluster.KillChild(pid) {
		return "", nil
	}
	return fmt.Sprintf("pid %d", pid), nil
}

// daemon kills one of them and starts it again a little later.
func (k *killer) daemon(ctx context.Context, all []*chaos.Node) (string, error) {
	n := all[k.random.IntN(len(all))]
	away := time.Duration(k.random.Int64N(int64(awayMost)))
	if err := n.Signal(syscall.SIGKILL); err != nil {
		return "", err
	}
	if err := pause.For(ctx, away); err != nil {
		return "", err
	}
	return n.Name, k.cluster.Start(n)
}

// String is how many of each kind were killed.
func (k *killer) String() string {
	var out []string
	for _, kind := range kinds {
		out = append(out, fmt.Sprintf("%s=%d", kind.name, k.killed[kind.name]))
	}
	return strings.Join(out, " ")
}
