package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
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
	return submitBench(ctx, o.client(), o.at(c), name, s)
}

func (o *ownJar) client() javaClient { return javaClient{jars: o.jars} }

// at is c with where Nimbus is.
func (o *ownJar) at(c conf.Conf) conf.Conf {
	c = maps.Clone(c)
	host, port, _ := strings.Cut(o.nimbus, ":")
	c["nimbus.seeds"], c["nimbus.thrift.port"] = []string{host}, json.Number(port)
	return c
}

// javaClient does what `storm jar` does once its Python part has found Java.
type javaClient struct {
	jars     string   // the folder that get-storm.sh made
	settings string   // the folder with the configuration; ""
	options  []string // of the JVM
}

// submitBench submits the topology of a shape.
func submitBench(ctx context.Context, j javaClient, c conf.Conf, name string, s shape) error {
	c = maps.Clone(c)
	var m map[string]any
	if err := json.Unmarshal([]byte(s.args()[0]), &m); err != nil {
		return err
	}
	c[shapeKey] = m
	return j.submit(ctx, filepath.Join(j.jars, "build", "bench.jar"), "bench.Main", name, c)
}

// submit runs the main class of a jar with a topology's name as its argument.
func (j javaClient) submit(ctx context.Context, jar, main, name string, c conf.Conf) error {
	given, err := stormOptions(c)
	if err != nil {
		return err
	}
	class := []string{filepath.Join(j.jars, "lib-worker", "*"), jar}
	if j.settings != "" {
		class = append(class, j.settings)
	}
	args := append(slices.Clone(j.options), "-XX:+UseSerialGC", "-Dstorm.options="+given, "-Dstorm.jar="+jar, "-Dstorm.conf.file=", "-Dstorm.dependency.jars=",
		"-Dstorm.dependency.artifacts={}", "-cp", strings.Join(class, ":"), main, name)
	if out, err := exec.CommandContext(ctx, "java", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("submit by the Java client: %w\n%s", err, out)
	}
	return nil
}
