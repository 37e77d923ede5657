package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sources says where a daemon or a command gets its configuration from. The zero value reads the usual places.
type Sources struct {
	// File is the value of --config: a path, or the name of a file in one of the directories below. Empty looks for
	// storm.yaml; then it is no error when there is none.
	File string
	// Overrides are the -c options, each "key=value", later ones win.
	Overrides []string
	// Getenv reads the environment; nil is os.Getenv. STORM_CONF_DIR and HOME are asked for.
	Getenv func(string) string
}

// Loaded is a configuration and where it came from.
type Loaded struct {
	Conf
	Set      Conf     // what files and options say, without the defaults
	Files    []string // read, in order
	Warnings []string // one line each: unknown keys
}

// Load layers the defaults, storm.yaml, the gearstorm.yaml beside it, and the overrides, and holds the result to the
// rules of all declared keys. storm.yaml is the first one found in $STORM_CONF_DIR, ~/.storm and ./conf.
func Load(s Sources) (*Loaded, error) {
	getenv := s.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	l := &Loaded{}
	dirs := confDirs(getenv)
	file, err := findFile(s.File, dirs)
	if err != nil {
		return nil, err
	}
	var layers []Conf
	if file != "" {
		c, err := l.readFile(file)
		if err != nil {
			return nil, err
		}
		layers = append(layers, c)
		dirs = []string{filepath.Dir(file)}
	}
	own, err := l.readOwn(dirs)
	if err != nil {
		return nil, err
	}
	given, err := ParseOptions(s.Overrides)
	if err != nil {
		return nil, err
	}
	l.Set = Merge(append(layers, own, given)...)
	l.Conf = Merge(Defaults(), l.Set)
	if err := l.ValidateDaemon(); err != nil {
		from := l.Files
		if len(s.Overrides) > 0 {
			from = append(slices.Clip(from), "-c")
		}
		return nil, fmt.Errorf("configuration of %s: %w", strings.Join(from, ", "), err)
	}
	for _, k := range l.Unknown() {
		l.Warnings = append(l.Warnings, "unknown configuration key "+k)
	}
	return l, nil
}

func confDirs(getenv func(string) string) []string {
	var dirs []string
	if d := getenv("STORM_CONF_DIR"); d != "" {
		dirs = append(dirs, d)
	}
	if h := getenv("HOME"); h != "" {
		dirs = append(dirs, filepath.Join(h, ".storm"))
	}
	return append(dirs, "conf")
}

// findFile gives the path of the file to read, "" when none was asked for and none is there.
func findFile(name string, dirs []string) (string, error) {
	var tried []string
	asked := name != ""
	if !asked {
		name = "storm.yaml"
	} else {
		tried = append(tried, name)
	}
	if !asked || filepath.Base(name) == name {
		for _, d := range dirs {
			tried = append(tried, filepath.Join(d, name))
		}
	}
	for _, path := range tried {
		if found, err := statFile(path); found != "" || err != nil {
			return found, err
		}
	}
	if asked {
		return "", fmt.Errorf("find configuration: %s is not there (looked at %s)", name, strings.Join(tried, ", "))
	}
	return "", nil
}

func (l *Loaded) readFile(path string) (Conf, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	l.Files = append(l.Files, path)
	return ParseYAML(path, data)
}

// statFile gives path, or "" when nothing is there.
func statFile(path string) (string, error) {
	switch _, err := os.Stat(path); {
	case err == nil:
		return path, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	default:
		return "", fmt.Errorf("find configuration: %w", err)
	}
}

// readOwn reads the first gearstorm.yaml of dirs, if any.
func (l *Loaded) readOwn(dirs []string) (Conf, error) {
	var path string
	for _, d := range dirs {
		var err error
		if path, err = statFile(filepath.Join(d, "gearstorm.yaml")); err != nil {
			return nil, err
		}
		if path != "" {
			break
		}
	}
	if path == "" {
		return nil, nil
	}
	c, err := l.readFile(path)
	if err != nil {
		return nil, err
	}
	for _, k := range sortedKeys(c) {
		if !strings.HasPrefix(k, ownPrefix) {
			return nil, fmt.Errorf("%s: key %s belongs into storm.yaml: only keys that start with gearstorm. stand here", path, k)
		}
	}
	return c, nil
}

// ParseOptions reads "key=value" options. A value is JSON when it parses as JSON, else text.
func ParseOptions(options []string) (Conf, error) {
	out := Conf{}
	for _, o := range options {
		k, v, ok := strings.Cut(o, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("option %q must have the form key=value", short(o))
		}
		if x, err := parseJSONValue([]byte(v)); err == nil {
			out[k] = x
		} else if errors.Is(err, ErrTooLarge) {
			return nil, fmt.Errorf("option %s: %w", short(k), err)
		} else {
			out[k] = v
		}
	}
	return out, nil
}

// ParseStormOptions reads the storm.options form in which Storm's commands hand -c options on: URL-encoded options,
// joined by commas. A comma inside brackets does not separate; options without "=" are skipped, as Storm does.
func ParseStormOptions(text string) (Conf, error) {
	if len(text) > MaxJSONBytes {
		return nil, fmt.Errorf("storm.options of %d bytes: %w", len(text), ErrTooLarge)
	}
	var options []string
	for _, part := range splitOptions(text) {
		o, err := url.QueryUnescape(part)
		if err != nil {
			return nil, fmt.Errorf("storm.options: %q is not URL-encoded", short(part))
		}
		if k, _, ok := strings.Cut(o, "="); ok && k != "" {
			options = append(options, o)
		}
	}
	return ParseOptions(options)
}

func splitOptions(text string) []string {
	var out []string
	depth, start := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth <= 0 {
				out = append(out, text[start:i])
				start = i + 1
			}
		}
	}
	return append(out, text[start:])
}
