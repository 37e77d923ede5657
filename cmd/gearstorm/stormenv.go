package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// stormEnv is the environment with what storm_env.ini adds to it.
type stormEnv map[string]string

// readStormEnv reads storm_env.ini in $STORM_CONF_DIR, else in $STORM_HOME/conf: "NAME: VALUE" or "NAME=VALUE" in its section
// [environment]. A missing file is none.
func readStormEnv() (stormEnv, error) {
	dir := os.Getenv("STORM_CONF_DIR")
	if dir == "" && os.Getenv("STORM_HOME") != "" {
		dir = filepath.Join(os.Getenv("STORM_HOME"), "conf")
	}
	if dir == "" {
		return nil, nil
	}
	f, err := os.Open(filepath.Join(dir, "storm_env.ini"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseStormEnv(io.LimitReader(f, 1<<20))
}

func parseStormEnv(r io.Reader) (stormEnv, error) {
	env, inside := stormEnv{}, false
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			inside = line == "[environment]"
		case inside:
			at := strings.IndexAny(line, ":=")
			if at <= 0 {
				return nil, fmt.Errorf("storm_env.ini: %q is no NAME=VALUE", line)
			}
			env[strings.TrimSpace(line[:at])] = strings.TrimSpace(line[at+1:])
		}
	}
	return env, lines.Err()
}

// get is a variable's value.
func (e stormEnv) get(name string) string {
	if v, ok := e[name]; ok {
		return v
	}
	return os.Getenv(name)
}

// list is the environment of a program that is started.
func (e stormEnv) list() []string {
	out := os.Environ()
	for name, v := range e {
		out = append(out, name+"="+v)
	}
	return out
}

// java is the program that runs classes.
func (e stormEnv) java() (string, error) {
	if home := e.get("JAVA_HOME"); home != "" {
		java := filepath.Join(home, "bin", "java")
		if _, err := os.Stat(java); err != nil {
			return "", fmt.Errorf("JAVA_HOME is invalid: there is no %s", java)
		}
		return java, nil
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", errors.New("java is not on the PATH and JAVA_HOME is not set; install a JRE of version 17 or newer")
	}
	return java, nil
}

// jvmOptions are those of JVMs that run code of a topology's jar.
func (e stormEnv) jvmOptions() ([]string, error) {
	options, err := words(e.get("STORM_JAR_JVM_OPTS"))
	if err != nil {
		return nil, fmt.Errorf("STORM_JAR_JVM_OPTS: %w", err)
	}
	return options, nil
}

// words splits a text at blanks; quotes, single or double, and backslashes keep blanks, as in a shell.
func words(text string) ([]string, error) {
	var out []string
	var word strings.Builder
	started, quote, escaped := false, rune(0), false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, started = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, started = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if started {
				out = append(out, word.String())
				word.Reset()
				started = false
			}
		default:
			word.WriteRune(r)
			started = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("%q ends within quotes", text)
	}
	if started {
		out = append(out, word.String())
	}
	return out, nil
}
