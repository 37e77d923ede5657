package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// ownJar is gearstorm running the same jar as Storm: the topologies are submitted by the Java client and run in a JVM.
type ownJar struct {
	*ours
	jars string // the folder that get-storm.sh made
}

// setUpJava compiles gearstorm's Java side into dir and returns what a cluster is told of it.
func setUpJava(ctx context.Context, binary, jars, dir string) ([]string, error) {
	lib, err := filepath.Abs(filepath.Join(jars, "lib-worker"))
	if err != nil {
		return nil, err
	}
	opts := []string{"-c", "gearstorm.java.dir=" + filepath.Join(dir, "java"), "-c", "gearstorm.java.lib=" + lib}
	if out, err := exec.CommandContext(ctx, binary, append([]string{"setup", "java"}, opts...)...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("setup java: %w\n%s", err, out)
	}
	return opts, nil
}

func (o *ownJar) submit(ctx context.Context, name string, s shape, c conf.Conf) error {
	c = maps.Clone(c)
	host, port, _ := strings.Cut(o.nimbus, ":")
	c["nimbus.seeds"], c["nimbus.thrift.port"] = []string{host}, json.Number(port)
	return submitJar(ctx, o.jars, "", nil, name, s, c)
}

// submitJar does what `storm jar` does once its Python part has found Java. The configuration is in the folder settings, if that is
// not "".
func submitJar(ctx context.Context, jars, settings string, options []string, name string, s shape, c conf.Conf) error {
	c = maps.Clone(c)
	var m map[string]any
	if err := json.Unmarshal([]byte(s.args()[0]), &m); err != nil {
		return err
	}
	c[shapeKey] = m
	given, err := stormOptions(c)
	if err != nil {
		return err
	}
	jar := filepath.Join(jars, "build", "bench.jar")
	class := []string{filepath.Join(jars, "lib-worker", "*"), jar}
	if settings != "" {
		class = append(class, settings)
	}
	args := append(options, "-XX:+UseSerialGC", "-Dstorm.options="+given, "-Dstorm.jar="+jar, "-Dstorm.conf.file=", "-Dstorm.dependency.jars=",
		"-Dstorm.dependency.artifacts={}", "-cp", strings.Join(class, ":"), "bench.Main", name)
	if out, err := exec.CommandContext(ctx, "java", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("submit by the Java client: %w\n%s", err, out)
	}
	return nil
}
