package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/flux"
	"github.com/gearstorm/gearstorm/multilang/jvmhost"
)

// yamlJava is what a command does with the Java side of YAML: jars hold classes and resources.
type yamlJava struct {
	c    *cli.Context
	jars []string
}

// read reads a file, or a resource out of the first jar that has it.
func (j yamlJava) read(name string, resource bool) ([]byte, error) {
	if !resource {
		return flux.ReadFile(name, false)
	}
	for _, jar := range j.jars {
		data, err := readEntry(jar, strings.TrimPrefix(name, "/"))
		if !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	if len(j.jars) == 0 {
		return nil, fmt.Errorf("%s is a resource: name the jar with --jar", name)
	}
	return nil, fmt.Errorf("%s is in none of %s", name, strings.Join(j.jars, ", "))
}

// readEntry reads a small file in a jar. It is one byte longer than allowed if it is too long, so that whoever parses it tells.
func readEntry(jar, name string) ([]byte, error) {
	z, err := zip.OpenReader(jar)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", jar, err)
	}
	defer z.Close()
	f, err := z.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, conf.MaxFileBytes+1))
}

// make makes the objects of Java classes in a JVM with Storm's client.
func (j yamlJava) make(definition []byte) (flux.Made, error) {
	env, err := readStormEnv()
	if err != nil {
		return flux.Made{}, err
	}
	install, err := javaInstallOf(j.c, env)
	if err != nil {
		return flux.Made{}, err
	}
	args, err := env.jvmOptions()
	if err != nil {
		return flux.Made{}, err
	}
	jars := j.jars
	if more := env.get("STORM_EXT_CLASSPATH"); more != "" {
		jars = append(jars[:len(jars):len(jars)], more)
	}
	jvm := flux.JVM{Once: jvmhost.Once{Install: install, Jars: jars, Args: args, Env: env.list(), Output: j.c.App.ErrWriter}}
	return jvm.Make(j.c.Context, definition)
}
