package jvmhost

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// The Java side travels as source in the binary and is compiled once on a machine, against the Storm jars that are there.
//
//go:embed java
var sources embed.FS

// MainClass runs Storm's components.
const MainClass = "gearstorm.jvmhost.storm.Main"

// StormVersion is the release of Storm's client that Setup fetches.
const StormVersion = "2.8.3"

// SetupCommand is what errors tell to run.
const SetupCommand = "gearstorm setup java"

// Install says where on this machine the Java side is, or is to be.
type Install struct {
	// Dir holds compiled classes, and Storm's jars if they were fetched. Default: gearstorm/java in the user's cache.
	Dir string
	// Lib is the folder of Storm's worker jars. Default: lib-worker in Home, else what was fetched into Dir.
	Lib string
	// Home is a release of Storm. Default: $STORM_HOME.
	Home string
}

// Ready is what it takes to start the Java side.
type Ready struct {
	Java    string   // the program
	Classes string   // folder of the compiled Java side
	Jars    []string // Storm's, in the order of their names
}

// LogConfig is the file that log4j is to read.
func (r Ready) LogConfig() string { return filepath.Join(r.Classes, "log4j2.xml") }

// ClassPath returns the entries of the class path, with those of a topology at its end.
func (r Ready) ClassPath(topology ...string) []string {
	return slices.Concat([]string{r.Classes}, r.Jars, topology)
}

// MissingError says what has to be there before Java components can run.
type MissingError struct{ What string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("Java components cannot run here: %s; `%s` on this machine helps", e.What, SetupCommand)
}

// Find looks for all that Setup provides. Errors are *MissingError, or that a file cannot be read.
func (i Install) Find() (Ready, error) {
	i, err := i.withDefaults()
	if err != nil {
		return Ready{}, err
	}
	r := Ready{}
	if r.Java, err = program("java"); err != nil {
		return r, &MissingError{err.Error()}
	}
	if r.Jars, err = jars(i.lib()); err != nil {
		return r, err
	}
	if len(r.Jars) == 0 {
		return r, &MissingError{fmt.Sprintf("there is no storm-client jar in %s", i.lib())}
	}
	key, err := fingerprint(r.Jars)
	if err != nil {
		return r, err
	}
	r.Classes = filepath.Join(i.Dir, "host-"+key)
	if _, err := os.Stat(r.LogConfig()); err != nil {
		return r, &MissingError{"the Java side of this release is not compiled in " + i.Dir}
	}
	return r, nil
}

func (i Install) withDefaults() (Install, error) {
	if i.Dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return i, &MissingError{"gearstorm.java.dir is not set, and this user has no cache folder: " + err.Error()}
		}
		i.Dir = filepath.Join(cache, "gearstorm", "java")
	}
	return i, nil
}

// Client returns the folder of Storm's jars and those in it; none if there is no storm-client among them.
func (i Install) Client() (dir string, list []string, err error) {
	if i, err = i.withDefaults(); err != nil {
		return "", nil, err
	}
	list, err = jars(i.lib())
	return i.lib(), list, err
}

// lib is the folder of Storm's jars.
func (i Install) lib() string {
	if i.Lib != "" {
		return i.Lib
	}
	if home := cmp.Or(i.Home, os.Getenv("STORM_HOME")); home != "" {
		if dir := filepath.Join(home, "lib-worker"); hasClient(dir) {
			return dir
		}
	}
	return i.fetched()
}

func (i Install) fetched() string { return filepath.Join(i.Dir, "storm-"+StormVersion) }

func hasClient(dir string) bool {
	found, err := filepath.Glob(filepath.Join(dir, "storm-client-*.jar"))
	return err == nil && len(found) > 0
}

// jars lists the jars of a folder; none if there is no storm-client among them.
func jars(dir string) ([]string, error) {
	if !hasClient(dir) {
		return nil, nil
	}
	list, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil {
		return nil, fmt.Errorf("list Storm's jars: %w", err)
	}
	slices.Sort(list)
	return list, nil
}

// fingerprint tells apart what the Java side is compiled from: its sources, and Storm's jars by name and size.
func fingerprint(jars []string) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(sources, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := sources.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(text), text)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the Java sources: %w", err)
	}
	for _, jar := range jars {
		info, err := os.Stat(jar)
		if err != nil {
			return "", fmt.Errorf("look at Storm's jars: %w", err)
		}
		fmt.Fprintf(h, "%s %d\n", filepath.Base(jar), info.Size())
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// program finds a program of the JDK: in $JAVA_HOME, in PATH, or beside the java that PATH leads to.
func program(name string) (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		if path, err := exec.LookPath(filepath.Join(home, "bin", name)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	if java, lookErr := exec.LookPath("java"); lookErr == nil {
		if real, lookErr := filepath.EvalSymlinks(java); lookErr == nil {
			if path, lookErr := exec.LookPath(filepath.Join(filepath.Dir(real), name)); lookErr == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%s is neither in $JAVA_HOME/bin nor in PATH (a JDK of 17 or later; Debian: apt-get install openjdk-17-jdk-headless)", strings.TrimSpace(name))
}
