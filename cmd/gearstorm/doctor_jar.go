package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm/compat/doctor"
)

func examineJar(c *cli.Context, jar doctor.File) (*doctor.Report, error) {
	var files []string
	if list := c.String("jars"); list != "" {
		files = strings.Split(list, ",")
	}
	with, closeWith, err := openJars(files)
	defer closeWith()
	if err != nil {
		return nil, err
	}
	lib, err := stormLib(c, c.String("storm-lib"))
	if err != nil {
		return nil, err
	}
	storm, closeStorm, err := openJars(lib)
	defer closeStorm()
	if err != nil {
		return nil, err
	}
	java := c.Int("java")
	if java == 0 {
		java = javaHere()
	}
	r, err := doctor.Jar(jar, doctor.JarOptions{Main: c.String("main"), Dependencies: with, Storm: storm, Java: java})
	if errors.Is(err, doctor.ErrNoMain) {
		return nil, usageError(err.Error())
	}
	return r, err
}

// openJars opens jars; the function closes those that were opened, also after an error.
func openJars(names []string) (jars []doctor.File, closeAll func(), err error) {
	var open []*os.File
	closeAll = func() {
		for _, f := range open {
			f.Close()
		}
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, closeAll, fmt.Errorf("open jar: %w", err)
		}
		open = append(open, f)
		info, err := f.Stat()
		if err != nil {
			return nil, closeAll, fmt.Errorf("open jar: %w", err)
		}
		jars = append(jars, doctor.File{Name: name, ReaderAt: f, Size: info.Size()})
	}
	return jars, closeAll, nil
}

// stormLib lists the jars of Storm's client: in dir if it is named, else where workers and `storm jar` find it. Without a dir
// there may be none.
func stormLib(c *cli.Context, dir string) ([]string, error) {
	if dir == "" {
		env, err := readStormEnv()
		if err != nil {
			return nil, err
		}
		jars, err := stormJarsOf(c, env)
		if err != nil {
			return nil, nil // what Storm's classes are is known by name as well
		}
		return stormJarsIn(jars.client), nil
	}
	if _, err := os.ReadDir(dir); err != nil {
		return nil, fmt.Errorf("look for Storm's jars: %w", err)
	}
	jars := stormJarsIn(dir)
	if len(jars) == 0 {
		return nil, fmt.Errorf("look for Storm's jars: there is no storm-client-*.jar in %s", dir)
	}
	return jars, nil
}

// stormJarsIn lists the jars in which Storm's client is; none if the client itself is not there.
func stormJarsIn(dir string) []string {
	var out []string
	for _, part := range []string{"storm-client-*.jar", "storm-shaded-deps-*.jar"} {
		found, err := filepath.Glob(filepath.Join(dir, part))
		if err != nil || len(found) == 0 && out == nil {
			return nil
		}
		out = append(out, found...)
	}
	return out
}

// javaHere is the release of the Java of this machine, of $JAVA_HOME or on the path; 0 if there is none. No JVM is started
// for it: the file release tells.
func javaHere() int {
	homes := []string{os.Getenv("JAVA_HOME")}
	if java, err := exec.LookPath("java"); err == nil {
		if java, err = filepath.EvalSymlinks(java); err == nil {
			homes = append(homes, filepath.Dir(filepath.Dir(java)))
		}
	}
	for _, home := range homes {
		if home == "" {
			continue
		}
		if data, err := os.ReadFile(filepath.Join(home, "release")); err == nil {
			if n := javaRelease(string(data)); n > 0 {
				return n
			}
		}
	}
	return 0
}

// javaRelease reads JAVA_VERSION="17.0.15" or "1.8.0_412" out of the file release.
func javaRelease(text string) int {
	for line := range strings.Lines(text) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), "JAVA_VERSION=")
		if !ok {
			continue
		}
		value = strings.TrimPrefix(strings.Trim(value, `"`), "1.")
		n := 0
		fmt.Sscanf(value, "%d", &n) // what is no number stays 0
		return n
	}
	return 0
}
