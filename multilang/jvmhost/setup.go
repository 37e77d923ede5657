package jvmhost

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// leastJava is the oldest Java that the Java side runs on.
const leastJava = 17

// Setup provides what Find looks for: Storm's jars, fetched with Maven unless they are there, and the compiled Java side.
// say is told what takes time. It may run again, and twice at once. Errors say what is missing on this machine.
func (i Install) Setup(ctx context.Context, say func(string)) (Ready, error) {
	i, err := i.withDefaults()
	if err != nil {
		return Ready{}, err
	}
	java, err := program("java")
	if err != nil {
		return Ready{}, err
	}
	if err := checkJava(ctx, java); err != nil {
		return Ready{}, err
	}
	if err := os.MkdirAll(i.Dir, 0o755); err != nil {
		return Ready{}, fmt.Errorf("make the folder for the Java side: %w", err)
	}
	if !hasClient(i.lib()) {
		if i.Lib != "" {
			return Ready{}, fmt.Errorf("there is no storm-client jar in %s, which gearstorm.java.lib names", i.Lib)
		}
		say("fetching Storm " + StormVersion + "'s client jars with Maven")
		if err := i.fetch(ctx); err != nil {
			return Ready{}, err
		}
	}
	r, err := i.Find()
	if missing := (*MissingError)(nil); !errors.As(err, &missing) {
		return r, err
	}
	say("compiling the Java side")
	if err := i.compile(ctx, r); err != nil {
		return Ready{}, err
	}
	return i.Find()
}

var quotedVersion = regexp.MustCompile(`version "(\d+)(?:\.(\d+))?`)

// checkJava refuses a Java that is too old.
func checkJava(ctx context.Context, java string) error {
	out, err := exec.CommandContext(ctx, java, "-version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %s -version: %w: %s", java, err, brief(out))
	}
	m := quotedVersion.FindSubmatch(out)
	if m == nil {
		return nil // an unusual one: the compiler will tell
	}
	if n, _ := strconv.Atoi(string(m[1])); n < leastJava {
		return fmt.Errorf("%s is of version %s: Java components need %d or later", java, m[1], leastJava)
	}
	return nil
}

// brief is the end of what a program printed.
func brief(out []byte) string {
	return strings.TrimSpace(string(out[max(0, len(out)-maxTail):]))
}

const clientPOM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dev.gearstorm</groupId><artifactId>lib-worker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.storm</groupId><artifactId>storm-client</artifactId><version>%s</version></dependency>
  </dependencies>
</project>
`

// fetch puts Storm's client jars into Dir.
func (i Install) fetch(ctx context.Context) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("mvn is not in PATH, and there are no Storm jars: install Maven (Debian: apt-get install maven), " +
			"or set STORM_HOME or gearstorm.java.lib to where the jars of Storm's lib-worker are")
	}
	return i.place(i.fetched(), func(tmp string) error {
		pom := filepath.Join(tmp, "pom.xml")
		if err := os.WriteFile(pom, fmt.Appendf(nil, clientPOM, StormVersion), 0o644); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, mvn, "-q", "-B", "-f", pom, "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
			"-DincludeScope=runtime", "-DoutputDirectory="+tmp)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("fetch Storm's jars with %s: %w: %s", mvn, err, brief(out))
		}
		return os.Remove(pom)
	})
}

// compile puts the classes of the Java side where r wants them.
func (i Install) compile(ctx context.Context, r Ready) error {
	javac, err := program("javac")
	if err != nil {
		return err
	}
	return i.place(r.Classes, func(tmp string) error {
		src := filepath.Join(tmp, "src")
		if err := os.CopyFS(src, sources); err != nil {
			return err
		}
		args := []string{"--release", strconv.Itoa(leastJava), "-nowarn", "-d", tmp, "-cp", strings.Join(r.Jars, string(filepath.ListSeparator))}
		err := filepath.WalkDir(src, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".java") {
				args = append(args, path)
			}
			return err
		})
		if err != nil {
			return err
		}
		if out, err := exec.CommandContext(ctx, javac, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("compile the Java side with %s: %w: %s", javac, err, brief(out))
		}
		if err := os.Rename(filepath.Join(src, "java", "log4j2.xml"), filepath.Join(tmp, "log4j2.xml")); err != nil {
			return err
		}
		return os.RemoveAll(src)
	})
}

// place makes a folder with what fill puts into it, whole or not at all. Who comes second takes what is there.
func (i Install) place(dir string, fill func(tmp string) error) error {
	tmp, err := os.MkdirTemp(i.Dir, "new-")
	if err != nil {
		return fmt.Errorf("make a folder in %s: %w", i.Dir, err)
	}
	defer os.RemoveAll(tmp)
	if err := fill(tmp); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, there := os.Stat(dir); there == nil {
			return nil
		}
		return fmt.Errorf("put what was made into %s: %w", i.Dir, err)
	}
	return nil
}
