package main

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/connectors"
	"github.com/gearstorm/gearstorm/compat/flux"
	"github.com/gearstorm/gearstorm/compat/storm"
)

func yamlFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "name", Usage: "run as `NAME` instead of the name in the file"},
		&cli.StringFlag{Name: "filter", Aliases: []string{"f"}, Usage: "replace ${key} by the values of this properties `FILE`"},
		&cli.BoolFlag{Name: "env-filter", Aliases: []string{"e"}, Usage: "replace ${ENV-NAME} by environment variables"},
		&cli.StringFlag{Name: "resources", Usage: "`DIR` with the scripts (default: resources/ beside the file, else the file's own folder unless there is a jar)"},
		&cli.StringFlag{Name: "jar", Usage: "the `JAR` with the Java classes that the file names; it goes along"},
		&cli.BoolFlag{Name: "resource", Aliases: []string{"R"}, Usage: "the YAML and the properties are resources in the jar"},
	}
}

func submitCommand() *cli.Command {
	return &cli.Command{
		Name: "submit", Category: catRun, Usage: "start a topology from Flux YAML on the cluster", ArgsUsage: "TOPOLOGY.yaml",
		Flags: append(yamlFlags(),
			&cli.BoolFlag{Name: "inactive", Aliases: []string{"i"}, Usage: "start it deactivated"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"d"}, Usage: "check the file and stop"}),
		Action: func(c *cli.Context) error {
			y, err := loadYAML(c)
			if err != nil {
				return err
			}
			if c.Bool("dry-run") {
				if err := y.check(); err != nil {
					return err
				}
				fmt.Fprintf(c.App.Writer, "%s: %d spouts, %d bolts, fine\n", y.name, len(y.topology.Thrift.Spouts), len(y.topology.Thrift.Bolts))
				return nil
			}
			at, err := findNimbus(c)
			if err != nil {
				return err
			}
			return y.submit(c.Context, c, at, c.Bool("inactive"))
		},
	}
}

// fluxTopology is a topology read from YAML with the folder of its scripts.
type fluxTopology struct {
	name      string
	topology  *storm.Topology
	resources fs.FS
	dir       string // of resources, absolute; "" if there are none
	jar       string // with its Java classes
}

// submit starts the topology on the cluster of a Nimbus.
func (y *fluxTopology) submit(ctx context.Context, c *cli.Context, at []string, inactive bool) error {
	y.note(at)
	bar := newUploadBar(c.App.ErrWriter, "upload "+y.name, 0)
	defer bar.end()
	id, err := gearstorm.SubmitTopology(ctx, y.name, y.topology, y.resources, gearstorm.Options{Nimbus: at, Inactive: inactive, Jar: y.jar, Progress: bar.of})
	if err != nil {
		return nobody(at, err)
	}
	bar.end()
	fmt.Fprintf(c.App.Writer, "Finished submitting topology: %s\n%s runs; `info %s` shows what it does, `kill %s` ends it\n", y.name, id, y.name, y.name)
	return nil
}

// note has a Nimbus on this machine know where the scripts are.
func (y *fluxTopology) note(at []string) {
	if onThisMachine(at) && y.dir != "" {
		y.topology.Conf[keySource] = y.dir
	}
}

// check checks what Nimbus would check of the topology itself.
func (y *fluxTopology) check() error {
	t, cf, err := compat.Normalize(conf.Defaults(), y.topology.Conf, y.topology.Thrift, compat.Submission{ID: y.name + "-1-1", Name: y.name})
	if err == nil {
		_, err = compat.Compile(t, cf)
	}
	return err
}

// loadYAML reads the file that is the command's argument; -c options go over its config.
func loadYAML(c *cli.Context) (*fluxTopology, error) {
	if c.NArg() != 1 {
		return nil, usagef("%s takes one YAML file, got %d", c.Command.Name, c.NArg())
	}
	file := c.Args().First()
	if c.Bool("resource") {
		if c.String("jar") == "" {
			return nil, usageError("--resource: name the jar with --jar")
		}
	} else if info, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("read topology: %w", err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read topology: %s is not a file; name the YAML file", file)
	}
	opts, err := fluxOptions(c, c.String("jar"))
	if err != nil {
		return nil, err
	}
	t, err := flux.Load(file, opts)
	if err != nil {
		return nil, err
	}
	for _, w := range t.Warnings {
		fmt.Fprintln(c.App.ErrWriter, "warning:", w)
	}
	set, err := conf.ParseOptions(c.StringSlice("c"))
	if err != nil {
		return nil, usageError(err.Error())
	}
	out := &fluxTopology{name: t.Name, jar: c.String("jar"), topology: &storm.Topology{Thrift: t.Topology, Conf: conf.Merge(t.Conf, set)}}
	if err := out.topology.Conf.ValidateTopology(); err != nil {
		return nil, fmt.Errorf("%s: its configuration: %w", file, err)
	}
	if n := c.String("name"); n != "" {
		out.name = n
	}
	if out.name == "" {
		return nil, fmt.Errorf("%s: the topology has no name; write one (name: wordcount) or give --name", file)
	}
	if out.dir, err = resourcesDir(file, c.String("resources"), out.jar != ""); err != nil || out.dir == "" {
		return out, err
	}
	out.resources, err = openResources(out.dir)
	return out, err
}

// fluxOptions are the options of a command that reads YAML, with the jars of its Java classes.
func fluxOptions(c *cli.Context, jars ...string) (flux.Options, error) {
	j := yamlJava{c, slices.DeleteFunc(jars, func(jar string) bool { return jar == "" })}
	for _, jar := range j.jars {
		if _, err := os.Stat(jar); err != nil {
			return flux.Options{}, fmt.Errorf("read the jar: %w", err)
		}
	}
	o := flux.Options{Read: j.read, Java: j.make, Classes: connectors.Classes}
	if f := c.String("filter"); f != "" {
		data, err := j.read(f, c.Bool("resource"))
		if err != nil {
			return o, fmt.Errorf("read properties: %w", err)
		}
		if o.Properties, err = flux.ParseProperties(f, data); err != nil {
			return o, err
		}
	}
	o.Resource = c.Bool("resource")
	if c.Bool("env-filter") {
		o.Env = os.LookupEnv
	}
	return o, nil
}

// onThisMachine reports whether all addresses are loopback.
func onThisMachine(at []string) bool {
	for _, a := range at {
		host, _, err := net.SplitHostPort(a)
		if err != nil {
			host = a
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

// maxResources bounds what goes along with a topology: a home folder taken by mistake should not be uploaded.
const (
	maxResourceFiles = 10_000
	maxResourceBytes = 256 << 20
)

// resourcesDir returns the folder of the scripts of a YAML file; "" is none. Scripts may also be in a jar.
func resourcesDir(file, dir string, jar bool) (string, error) {
	if dir == "" {
		dir = filepath.Dir(file)
		if info, err := os.Stat(filepath.Join(dir, "resources")); err == nil && info.IsDir() {
			dir = filepath.Join(dir, "resources")
		} else if jar {
			return "", nil
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("read resources: %w", err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("read resources: %s is not a folder", dir)
	}
	return filepath.Abs(dir)
}

// openResources returns the scripts' folder and checks its size.
func openResources(dir string) (fs.FS, error) {
	files, bytes := 0, int64(0)
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if skipped(dir, p, d) {
			return filepath.SkipDir
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			files++
			bytes += info.Size()
		}
		if files > maxResourceFiles || bytes > maxResourceBytes {
			return fmt.Errorf("the folder %s has more than %d files or %d MiB to send along; put the scripts into a folder resources/ beside the YAML, or name one with --resources", dir, maxResourceFiles, maxResourceBytes>>20)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return scripts{os.DirFS(dir)}, nil
}

// skipped are folders that are no scripts: hidden ones (our own state among them) and installed modules of Python.
func skipped(root, p string, d fs.DirEntry) bool {
	return d.IsDir() && p != root && (d.Name()[0] == '.' || d.Name() == "__pycache__")
}

// scripts is a folder without what skipped names and without what is no regular file (sockets, links to elsewhere).
type scripts struct{ fs.FS }

// ReadDir implements fs.ReadDirFS.
func (s scripts) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(s.FS, name)
	if err != nil {
		return nil, err
	}
	kept := all[:0]
	for _, d := range all {
		if d.IsDir() && !skipped("", d.Name(), d) || d.Type().IsRegular() {
			kept = append(kept, d)
		}
	}
	return kept, nil
}
