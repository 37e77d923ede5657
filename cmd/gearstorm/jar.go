package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

const jarHelp = `A jar: runs the class with Storm's Java client, set up so that StormSubmitter sends this jar to Nimbus. The client's jars are those of
$STORM_HOME; JAVA_HOME, STORM_JAR_JVM_OPTS, STORM_EXT_CLASSPATH and storm_env.ini act as with Storm.
A Go program: has it submit itself, with the arguments. A YAML file: submits it, as "gearstorm submit" does.
Options of ours may stand anywhere; those that we do not know, behind the first argument, go to the class or program.`

func jarFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "jars", Usage: "`LIST` of jars to send along, joined by commas"},
		&cli.StringFlag{Name: "artifacts", Usage: "`LIST` of Maven artifacts to send along: group:artifact:version, ^group:artifact leaves one out"},
		&cli.StringFlag{Name: "artifactRepositories", Usage: "`LIST` of repositories for them: name^url"},
		&cli.StringFlag{Name: "mavenLocalRepositoryDirectory", Usage: "`DIR` to keep artifacts in"},
		&cli.StringFlag{Name: "proxyUrl", Usage: "`URL` of a proxy for the repositories"},
		&cli.StringFlag{Name: "proxyUsername", Usage: "`USER` at the proxy"},
		&cli.StringFlag{Name: "proxyPassword", Usage: "`PASSWORD` at the proxy"},
		&cli.BoolFlag{Name: "storm-server-classpath", Usage: "run the class with the jars of Storm's servers"},
	}
}

func jarCommand() *cli.Command {
	return &cli.Command{
		Name: "jar", Category: catRun, Usage: "start a topology from a jar, a Go program or a YAML file on the cluster",
		ArgsUsage: "JAR CLASS [ARGUMENT]... | PROGRAM [ARGUMENT]... | TOPOLOGY.yaml", Description: jarHelp,
		Flags: jarFlags(),
		Action: func(c *cli.Context) error {
			p, err := mainOf(c)
			if err != nil {
				return err
			}
			at, err := findNimbus(c)
			if err != nil {
				return err
			}
			return p.submit(c.Context, c, at, nil)
		},
	}
}

// program is something that holds a topology.
type program struct {
	file string
	kind programKind
}

type programKind int

const (
	javaJar programKind = iota
	executable
	yamlFile
)

// programOf looks at what the first argument of a command names.
func programOf(c *cli.Context) (program, error) {
	p := program{file: c.Args().First()}
	if p.file == "" {
		return p, usagef("%s takes a jar, a Go program or a YAML file", c.Command.Name)
	}
	f, err := os.Open(p.file)
	if err != nil {
		return p, fmt.Errorf("read topology: %w", err)
	}
	defer f.Close()
	var head [4]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil && n == 0 {
		return p, fmt.Errorf("read topology: %s is empty, or no file: %w", p.file, err)
	}
	switch ext := strings.ToLower(filepath.Ext(p.file)); {
	case string(head[:]) == "PK\x03\x04":
		p.kind = javaJar
	case string(head[:]) == "\x7fELF":
		p.kind = executable
	case ext == ".yaml" || ext == ".yml":
		p.kind = yamlFile
	default:
		return p, fmt.Errorf("%s is no jar, no program of this machine and, by its name, no YAML", p.file)
	}
	return p, nil
}

// mainOf is programOf for commands that run the main class of a jar.
func mainOf(c *cli.Context) (program, error) {
	p, err := programOf(c)
	if err == nil && p.kind == javaJar && c.NArg() < 2 {
		err = usagef("%s takes the main class behind the jar", c.Command.Name)
	}
	return p, err
}

// submit starts the topology on the cluster of a Nimbus. Options of the JVM go to that of a jar.
func (p program) submit(ctx context.Context, c *cli.Context, at, jvm []string) error {
	switch p.kind {
	case yamlFile:
		y, err := loadYAML(c)
		if err != nil {
			return err
		}
		return y.submit(ctx, c, at, false)
	case executable:
		file, err := filepath.Abs(p.file)
		if err != nil {
			return err
		}
		args := []string{"submit"}
		if len(at) == 1 { // else it looks for them as we do
			args = append(args, "-nimbus", at[0])
		}
		for _, o := range c.StringSlice("c") {
			args = append(args, "-c", o)
		}
		return foreground(ctx, c, os.Environ(), file, append(append(args, "--"), c.Args().Tail()...)...)
	}
	return p.runClass(ctx, c, at, jvm)
}

// runClass runs the main class of a jar as Storm's command does (run_client_jar of storm.py).
func (p program) runClass(ctx context.Context, c *cli.Context, at, jvm []string) error {
	env, err := readStormEnv()
	if err != nil {
		return err
	}
	jars, err := stormJarsOf(c, env)
	if err != nil {
		return err
	}
	own, err := env.jvmOptions()
	if err != nil {
		return err
	}
	artifacts, err := resolveArtifacts(ctx, c, jars, env)
	if err != nil {
		return err
	}
	named, err := json.Marshal(artifacts)
	if err != nil {
		return err
	}
	var along []string
	for jar := range strings.SplitSeq(c.String("jars"), ",") {
		if jar == "" {
			continue
		}
		if _, err := os.Stat(jar); err != nil {
			return fmt.Errorf("--jars: %w", err)
		}
		along = append(along, jar)
	}
	cp, err := jars.classpath(env, c.Bool("storm-server-classpath"), false)
	if err != nil {
		return err
	}
	cp = append(append(cp, p.file), along...)
	for _, file := range artifacts {
		cp = append(cp, file)
	}
	return javaProgram{
		jars: jars, env: env, class: c.Args().Get(1), args: c.Args().Slice()[2:], classpath: cp, nimbus: at,
		options: slices.Concat(own, jvm, []string{"-Dstorm.jar=" + p.file, "-Dstorm.dependency.jars=" + strings.Join(along, ","),
			"-Dstorm.dependency.artifacts=" + string(named)}),
	}.run(ctx, c)
}

// resolveArtifacts has Storm's own resolver fetch Maven artifacts, and returns their files by coordinates.
func resolveArtifacts(ctx context.Context, c *cli.Context, jars stormJars, env stormEnv) (map[string]string, error) {
	files := map[string]string{}
	if c.String("artifacts") == "" {
		return files, nil
	}
	tools := filepath.Join(jars.home, "lib-tools", "submit-tools", "*")
	if found, err := filepath.Glob(tools + ".jar"); err != nil || len(found) == 0 {
		return nil, fmt.Errorf("--artifacts needs Storm's resolver, which is not in %s; give the files with --jars, or set STORM_HOME to a full release", filepath.Dir(tools))
	}
	java, err := env.java()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c.App.Writer, "Resolving dependencies on demand: artifacts (%s) with repositories (%s)\n", c.String("artifacts"), c.String("artifactRepositories"))
	args := []string{"-client", "-cp", tools, "org.apache.storm.submit.command.DependencyResolverMain"}
	for _, name := range []string{"artifacts", "artifactRepositories", "mavenLocalRepositoryDirectory", "proxyUrl", "proxyUsername", "proxyPassword"} {
		if v := c.String(name); v != "" || name == "artifactRepositories" {
			args = append(args, "--"+name, v)
		}
	}
	cmd := exec.CommandContext(ctx, java, args...)
	cmd.Env, cmd.Stderr = env.list(), c.App.ErrWriter
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("resolve artifacts: %w", err)
	}
	if err := json.Unmarshal(out, &files); err != nil {
		return nil, fmt.Errorf("resolve artifacts: the resolver wrote no JSON: %w", err)
	}
	return files, nil
}
