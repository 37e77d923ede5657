package main

import (
	"archive/zip"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/gearstorm/gearstorm/internal/chaos"
)

//go:embed java/Count.java
var countJava string

// makeJar compiles the bolt in Java, with Storm's jars in lib, and returns its jar.
func makeJar(ctx context.Context, dir, lib string) (string, error) {
	source, classes, jar := filepath.Join(dir, "Count.java"), filepath.Join(dir, "classes"), filepath.Join(dir, "count.jar")
	if err := os.WriteFile(source, []byte(countJava), 0o600); err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, "javac", "--release", "17", "-d", classes, "-cp", filepath.Join(lib, "*"), source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile the bolt in Java: %w\n%s", err, out)
	}
	f, err := os.Create(jar)
	if err != nil {
		return "", err
	}
	defer f.Close()
	z := zip.NewWriter(f)
	if err := z.AddFS(os.DirFS(classes)); err != nil {
		return "", err
	}
	return jar, z.Close()
}

// lenient are timeouts for a machine that has other things to do. What is killed is noticed at once in any case.
var lenient = map[string]any{
	"nimbus.supervisor.timeout.secs": 60, "nimbus.task.timeout.secs": 60, "nimbus.task.launch.secs": 120,
	"supervisor.worker.timeout.secs": 60, "supervisor.worker.start.timeout.secs": 120,
}

// startCluster starts a Nimbus and two supervisors below dir, whose workers run Java.
func startCluster(ctx context.Context, o options, dir string) (*chaos.Cluster, error) {
	conf := map[string]any{"gearstorm.java.dir": filepath.Join(dir, "java"), "gearstorm.java.lib": o.lib}
	args := []string{"setup", "java"}
	for k, v := range conf {
		args = append(args, "-c", fmt.Sprintf("%s=%v", k, v))
	}
	if out, err := exec.CommandContext(ctx, o.gearstorm, args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("setup java: %w\n%s", err, out)
	}
	for k, v := range lenient {
		conf[k] = v
	}
	c, err := chaos.New(chaos.Config{Dir: dir, Binary: o.gearstorm, Conf: conf})
	if err != nil {
		return nil, err
	}
	err = c.StartNimbus(ctx, 1, nil)
	if err == nil {
		err = c.StartSupervisors(ctx, 2)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// lastWords returns the ends of all logs of a cluster.
func lastWords(c *chaos.Cluster) (out string) {
	const most = 3000
	for _, n := range append(c.Nimbuses(), c.Supervisors()...) {
		logs, _ := filepath.Glob(filepath.Join(n.Local, "logs", "workers-artifacts", "*", "*", "worker.log"))
		for _, path := range append(logs, n.LogPath()) {
			b, _ := os.ReadFile(path)
			out += fmt.Sprintf("%s of %s:\n%s\n", filepath.Base(path), n.Name, b[max(0, len(b)-most):])
		}
	}
	return out
}
