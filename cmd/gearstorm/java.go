package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/multilang/jvmhost"
	"github.com/gearstorm/gearstorm/worker"
)

// stormJars is where Storm's jars are.
type stormJars struct {
	home   string // a release of Storm, or the folder of client jars alone
	client string // folder of the jars of clients and workers
}

// findStormJars finds the jars of Storm's client as workers with Java components do: where gearstorm.java.lib says, else in a
// release in $STORM_HOME, else where `gearstorm setup java` puts them.
func findStormJars(i jvmhost.Install) (stormJars, error) {
	j := stormJars{home: i.Home}
	var jars []string
	var err error
	if j.client, jars, err = i.Client(); err != nil {
		return j, err
	}
	if len(jars) == 0 {
		if i.Lib == "" && j.home != "" {
			j.client = filepath.Join(j.home, "lib-worker")
		}
		return j, fmt.Errorf("Storm's Java client is needed, and there is no storm-client jar in %s; set STORM_HOME to a Storm 2 release, or run `%s`", j.client, jvmhost.SetupCommand)
	}
	if j.home == "" {
		j.home = j.client
	}
	return j, nil
}

func hasJar(dir, name string) bool {
	found, err := filepath.Glob(filepath.Join(dir, name+".jar"))
	return dir != "" && err == nil && len(found) > 0
}

// servers is the folder of the jars of Storm's daemons and commands.
func (j stormJars) servers() (string, error) {
	if dir := filepath.Join(j.home, "lib"); hasJar(dir, "*") {
		return dir, nil
	}
	return "", fmt.Errorf("the jars of Storm's servers are needed, and %s has none in lib; set STORM_HOME to a Storm 2 release", j.home)
}

// classpath is that of Storm's own commands (get_classpath of storm.py): jars of the release, extlib, $STORM_EXT_CLASSPATH.
func (j stormJars) classpath(env stormEnv, server, daemon bool) ([]string, error) {
	dir := j.client
	if server {
		var err error
		if dir, err = j.servers(); err != nil {
			return nil, err
		}
	}
	cp := []string{filepath.Join(j.home, "*"), filepath.Join(dir, "*"), filepath.Join(j.home, "extlib", "*")}
	if daemon {
		cp = append(cp, filepath.Join(j.home, "extlib-daemon", "*"))
	}
	for _, name := range []string{"STORM_EXT_CLASSPATH", "STORM_EXT_CLASSPATH_DAEMON"} {
		if more := env.get(name); more != "" && (daemon || name == "STORM_EXT_CLASSPATH") {
			cp = append(cp, more)
		}
	}
	return cp, nil
}

// stormJarsOf is findStormJars for the configuration of a command.
func stormJarsOf(c *cli.Context, env stormEnv) (stormJars, error) {
	i, err := javaInstallOf(c, env)
	if err != nil {
		return stormJars{}, err
	}
	return findStormJars(i)
}

// javaInstallOf says where a command finds Java's side: by its configuration and $STORM_HOME.
func javaInstallOf(c *cli.Context, env stormEnv) (jvmhost.Install, error) {
	loaded, err := conf.Load(conf.Sources{File: c.String("config"), Overrides: c.StringSlice("c")})
	if err != nil {
		return jvmhost.Install{}, err
	}
	i, err := worker.JavaInstall(loaded.Conf)
	i.Home = env.get("STORM_HOME")
	return i, err
}

// javaProgram is a main class to run with Storm's client.
type javaProgram struct {
	jars      stormJars
	env       stormEnv
	class     string
	args      []string
	classpath []string // all of it
	options   []string // of the JVM
	nimbus    []string // where its client finds Nimbus; none: as the configuration says
}

// run runs the program with the terminal as its own until it ends. Its exit status is that of the command.
func (p javaProgram) run(ctx context.Context, c *cli.Context) error {
	java, err := p.env.java()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", ".gearstorm-java-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "storm.yaml")
	if err := p.writeConf(c, file); err != nil {
		return err
	}
	logs := p.env.get("STORM_LOG_DIR")
	if logs == "" {
		logs = filepath.Join(p.jars.home, "logs")
	}
	argv := []string{"-client", "-XX:TieredStopAtLevel=1", "-Ddaemon.name=", "-Dstorm.options=" + stormOptions(c.StringSlice("c")),
		"-Dstorm.home=" + p.jars.home, "-Dstorm.log.dir=" + logs, "-Dstorm.conf.file=" + file,
		"-cp", strings.Join(p.classpath, string(os.PathListSeparator))}
	argv = append(append(argv, p.options...), p.class)
	argv = append(argv, p.args...)
	if asStorm(c) {
		fmt.Fprintf(c.App.Writer, "Running: %s %s\n", java, strings.Join(argv, " "))
	}
	return foreground(ctx, c, p.env.list(), java, argv...)
}

// writeConf writes the configuration of the Java side: what our files say and the Nimbus that we would ask. Options stay
// options, since Storm puts those, and nothing else, into the configuration of a topology.
func (p javaProgram) writeConf(c *cli.Context, file string) error {
	loaded, err := conf.Load(conf.Sources{File: c.String("config")})
	if err != nil {
		return err
	}
	set := conf.Merge(loaded.Set)
	at := p.nimbus
	if len(at) == 0 {
		if at, err = findNimbus(c); err != nil {
			return err
		}
	}
	var hosts []any
	for _, a := range at {
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(port, 10, 32)
		if err != nil {
			return err
		}
		hosts = append(hosts, host)
		set["nimbus.thrift.port"] = n
	}
	set["nimbus.seeds"] = hosts
	text, err := set.JSON() // JSON is YAML
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// stormOptions hands -c options on as Storm's command does.
func stormOptions(set []string) string {
	var out []string
	for _, o := range set {
		out = append(out, url.QueryEscape(o))
	}
	return strings.Join(out, ",")
}

// foreground runs a program with the terminal as its own. SIGTERM, and a context that ends otherwise, go on to it.
func foreground(ctx context.Context, c *cli.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, os.Stdin, c.App.Writer, c.App.ErrWriter
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	ended, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case ok && ended.ExitCode() > 0:
		return exitError{code: ended.ExitCode()}
	case ok: // by a signal, as shells tell it
		if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return exitError{code: 128 + int(status.Signal())}
		}
		return errTold
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, exec.ErrNotFound):
		return exitError{code: 127, why: fmt.Sprintf("run %s: there is no such program", name)}
	}
	return err
}
