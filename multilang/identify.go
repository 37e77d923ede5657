package multilang

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// client is a module on the other side whose habits are known.
type client uint8

const (
	clientUnknown client = iota
	clientStormPy        // Storm's storm.py: waits for the ids of every emit, keeps lists that come early, does one thing at a time
	clientStormRb        // Storm's storm.rb: likewise
)

// Bounds of the search for a client module.
const (
	maxScriptBytes = 1 << 20
	maxScripts     = 64 // files of the component that are looked at
)

// language is how components of one interpreter name what they import.
type language struct {
	client  client
	program *regexp.Regexp // the interpreter's file name
	flags   string         // options of it that change nothing here, between spaces
	module  string         // file name of the client module
	imports *regexp.Regexp // names what a script imports: its groups
	doubt   *regexp.Regexp // a script that has this may import from elsewhere
	pathEnv string         // variable with more directories to import from
	askance string         // variable that, if set, may change where imports come from
	digest  string         // of the functions below, the same in every release of Storm from 0.9.2 to 2.8
	parts   []*regexp.Regexp
}

var languages = []language{
	{
		client: clientStormPy, program: regexp.MustCompile(`^python[0-9.]*$`), flags: " -u -B -O -OO ", module: "storm.py",
		imports: regexp.MustCompile(`(?m)^[ \t]*(?:import[ \t]+(\w+)((?:[ \t]*,[ \t]*\w+)*)|from[ \t]+(\w+)[ \t]+import)\b`),
		doubt:   regexp.MustCompile(`\b(pystorm|streamparse|sys\.path|importlib|__import__|PYTHONPATH)\b`), pathEnv: "PYTHONPATH", askance: "PYTHONSAFEPATH",
		digest: "d350c02091434ad8d7afa1093273e16ea3f962fac209abd6655544af13db7bd0",
		parts:  functions("readTaskIds", "readCommand", "emit"),
	},
	{
		client: clientStormRb, program: regexp.MustCompile(`^ruby[0-9.]*$`), flags: " -w -W0 ", module: "storm.rb",
		imports: regexp.MustCompile(`(?m)^[ \t]*(?:require|require_relative|load)[ \t(]+["'](?:\./)?(\w+)(?:\.rb)?["']`),
		doubt:   regexp.MustCompile(`\$(?:LOAD_PATH|:|0)|\bautoload\b`), pathEnv: "RUBYLIB", askance: "RUBYOPT",
		digest: "22ce30f39cbd462bb6f6a7c8a1f46eed424ca6a052e313a012af09718edd4c83",
		parts:  functions("read_task_ids", "read_command", "emit_bolt", "emit_spout"),
	},
}

// functions makes expressions that match whole definitions: the line and those indented deeper.
func functions(names ...string) []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, n := range names {
		// Methods of storm.rb are indented by four.
		out = append(out, regexp.MustCompile(`(?m)^(?:    )?def `+n+`\b.*\n(?:(?:[ ]{4,}.*|[ ]*)\n)*`))
	}
	return out
}

// identify says which client module the program of argv, run in dir with env, uses. It looks for certainty: the module
// that the script imports must be where the interpreter finds it first, and its functions that handle task ids must be
// those of Storm's releases, to the letter. Everything else is unknown.
func identify(argv []string, dir string, env []string) client {
	if len(argv) > 0 && filepath.Base(argv[0]) == "env" {
		argv = argv[1:]
	}
	if len(argv) == 0 {
		return clientUnknown
	}
	for i := range languages {
		if l := &languages[i]; l.program.MatchString(filepath.Base(argv[0])) {
			return l.identify(argv[1:], dir, env)
		}
	}
	return clientUnknown
}

func (l *language) identify(args []string, dir string, env []string) client {
	for len(args) > 0 && strings.Contains(l.flags, " "+args[0]+" ") {
		args = args[1:]
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") || getenv(env, l.askance) != "" {
		return clientUnknown
	}
	script := args[0]
	if !filepath.IsAbs(script) {
		script = filepath.Join(dir, script)
	}
	script, err := filepath.EvalSymlinks(script) // as the interpreter does before it takes the folder
	if err != nil {
		return clientUnknown
	}
	dirs := []string{filepath.Dir(script)}
	if more := getenv(env, l.pathEnv); more != "" {
		dirs = append(dirs, filepath.SplitList(more)...)
	}
	module, ok := l.reaches(script, dirs)
	if !ok || l.sum(module) != l.digest {
		return clientUnknown
	}
	return l.client
}

// reaches follows the imports of script through the files in dirs and returns the client module, if they get there
// without a doubt.
func (l *language) reaches(script string, dirs []string) (module string, ok bool) {
	todo, seen := []string{script}, map[string]bool{script: true}
	for len(todo) > 0 {
		if len(seen) > maxScripts {
			return "", false
		}
		text := readScript(todo[0])
		todo = todo[1:]
		if text == "" || l.doubt.MatchString(text) {
			return "", false
		}
		for _, name := range l.imported(text) {
			file := find(dirs, name+filepath.Ext(l.module))
			switch {
			case file == "" || seen[file]:
			case filepath.Base(file) == l.module:
				module, seen[file] = file, true
			default:
				todo, seen[file] = append(todo, file), true
			}
		}
	}
	return module, module != ""
}

func (l *language) imported(text string) (names []string) {
	for _, m := range l.imports.FindAllStringSubmatch(text, -1) {
		for _, group := range m[1:] {
			names = append(names, strings.FieldsFunc(group, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })...)
		}
	}
	return names
}

// find returns the first file called name in dirs. A package of that name in a folder before it hides it: "".
func find(dirs []string, name string) string {
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, strings.TrimSuffix(name, filepath.Ext(name)))); err == nil {
			return ""
		}
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// readScript returns a source file, "" if it cannot be read or is larger than scripts are.
func readScript(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxScriptBytes {
		return ""
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

var comments = regexp.MustCompile(`#.*|\s+`)

// sum returns the digest of the functions of module that handle task ids, "" unless each is there once.
func (l *language) sum(module string) string {
	text := readScript(module)
	h := sha256.New()
	for _, part := range l.parts {
		found := part.FindAllString(text, 2)
		if len(found) != 1 {
			return ""
		}
		h.Write([]byte(comments.ReplaceAllString(found[0], "")))
	}
	return hex.EncodeToString(h.Sum(nil))
}
