package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/chaos"
	"github.com/gearstorm/gearstorm/internal/dynamic"
	"github.com/gearstorm/gearstorm/internal/testserver"
)

// startEdited makes a cluster of a Nimbus and two supervisors. They share this machine with each other and with the commands, so unless WEIGHTS is
// set the kernel does not weigh them against each other (docs/isolation.md has what that costs).
func startEdited(t *testing.T) *chaos.Cluster {
	t.Helper()
	program(t, "python3")
	c := newChaos(t, chaos.Config{Dir: t.TempDir(), Binary: binary, Conf: map[string]any{"gearstorm.isolation.cpu": os.Getenv("WEIGHTS") != ""}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.StartNimbus(ctx, 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.StartSupervisors(ctx, 2); err != nil {
		t.Fatal(err)
	}
	return c
}

// inMemory is a folder in memory where the system has one, which is removed at the end.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := testserver.MkdirMemory("gearstorm-dynamic-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// number is what a variable of the environment says, else a default.
func number(t *testing.T, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number above 0", name, text)
	}
	return n
}

// A running topology is edited at random, and every record is counted once. `make dynamic` says how many edits and holds them to
// their goals in time; here only what is counted matters.
func TestDynamic(t *testing.T) {
	t.Parallel()
	edits := number(t, "EDITS", 10)
	r := dynamic.Run{Tasks: inMemory(t), Cluster: startEdited(t), Binary: binary, Dir: t.TempDir(), Seed: faultSeed(t), Edits: edits, Wait: os.Getenv("WAIT") != "",
		Rate: number(t, "RATE", 2000), Base: time.Duration(number(t, "BASE", 2)) * time.Second,
		Told: func(s string) { t.Log(s) },
		Done: func(o dynamic.Outcome) { t.Logf("%d %s %s: %v", o.N, o.Kind, o.What, o.Longest) },
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Duration(edits)*time.Minute/4)
	defer cancel()
	shown(ctx, t, r)
}

// The counters of a topology with large state get another number of tasks and other code. SIZE is in MiB.
func TestDynamicState(t *testing.T) {
	t.Parallel()
	size, base := 16, 2
	if os.Getenv("GEARSTORM_DYNAMIC") != "" {
		size, base = number(t, "SIZE", 1024), 10
	}
	r := dynamic.Run{Tasks: inMemory(t), Cluster: startEdited(t), Binary: binary, Dir: t.TempDir(), Seed: faultSeed(t), StateBytes: int64(size) << 20,
		Rate: number(t, "STATERATE", 20_000), Base: time.Duration(base) * time.Second,
		Told: func(s string) { t.Log(s) },
		Done: func(o dynamic.Outcome) { t.Logf("%d %s %s: %v", o.N, o.Kind, o.What, o.Longest) },
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	shown(ctx, t, r)
}

// shown does a run and prints its lines.
func shown(ctx context.Context, t *testing.T, r dynamic.Run) {
	t.Helper()
	res, err := r.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range res.Lines() {
		fmt.Println(line)
	}
	told(t, r.Cluster)
	if len(res.Wrong()) > 0 || len(res.Missed()) > 0 && os.Getenv("GEARSTORM_DYNAMIC") != "" {
		t.Errorf("%v %v", res.Wrong(), res.Missed())
	}
}

// told logs what workers said of generations that ended and of versions that they could not take over.
func told(t *testing.T, c *chaos.Cluster) {
	t.Helper()
	for _, n := range c.Supervisors() {
		logs, _ := filepath.Glob(filepath.Join(n.Inside(), "logs", "workers-artifacts", "*", "*", "worker.log*"))
		for _, path := range logs {
			text, _ := os.ReadFile(path)
			for line := range strings.Lines(string(text)) {
				if strings.Contains(line, "began generation") || strings.Contains(line, "worker leaves") {
					t.Logf("%s: %s", n.Name, strings.TrimSpace(line))
				}
			}
		}
	}
}
