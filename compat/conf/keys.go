package conf

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Scope says who declares a key.
type Scope int

const (
	// TopologyScope keys are constants of Storm's Config: Nimbus validates them in a submitted conf.
	TopologyScope Scope = iota
	// DaemonScope keys are constants of Storm's DaemonConfig: only the daemons' own files are held to their rules.
	DaemonScope
	// OwnScope keys are ours and start with "gearstorm.".
	OwnScope
)

// Key is what is known of one configuration key.
type Key struct {
	Name     string
	Constant string // the name of the Java constant, which Storm's error texts use
	Scope    Scope
	Secret   bool // holds a password: see [Conf.Masked]
	rules    []rule
}

//go:embed keys.txt
var keysText string

var keyTable = sync.OnceValue(func() map[string]Key {
	table, err := parseKeys(keysText)
	if err != nil {
		panic(err) // the table is part of the program, and a test reads it
	}
	return table
})

// Lookup finds a declared key.
func Lookup(name string) (Key, bool) {
	k, ok := keyTable()[name]
	return k, ok
}

// Keys lists all declared keys by name.
func Keys() []Key {
	table := keyTable()
	out := make([]Key, 0, len(table))
	for _, name := range sortedKeys(table) {
		out = append(out, table[name])
	}
	return out
}

// Unknown lists the keys of c, sorted, that are neither declared nor have a default. They are legal (streamparse sends
// a dozen) unless [Conf.CheckOwn] refuses them, but in a daemon's file they are mostly spelling mistakes.
func (c Conf) Unknown() []string {
	var out []string
	for _, k := range sortedKeys(c) {
		if _, declared := keyTable()[k]; declared {
			continue
		}
		if _, hasDefault := defaultTable()[k]; !hasDefault {
			out = append(out, k)
		}
	}
	return out
}

func parseKeys(text string) (map[string]Key, error) {
	table := map[string]Key{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) < 3 {
			return nil, fmt.Errorf("read key table: %q has %d columns", line, len(f))
		}
		k := Key{Name: f[0], Constant: f[1]}
		scope := slices.Index([]string{"topology", "daemon", "gearstorm"}, f[2])
		if scope < 0 {
			return nil, fmt.Errorf("read key table: %s has the unknown scope %q", k.Name, f[2])
		}
		k.Scope = Scope(scope)
		if len(f) > 3 {
			for _, name := range strings.Fields(f[3]) {
				if err := k.addRule(name); err != nil {
					return nil, err
				}
			}
		}
		if _, twice := table[k.Name]; twice {
			return nil, fmt.Errorf("read key table: %s stands there twice", k.Name)
		}
		table[k.Name] = k
	}
	return table, nil
}

func (k *Key) addRule(name string) error {
	switch name {
	case "secret":
		k.Secret = true
		return nil
	case "deprecated":
		return nil
	}
	base, arg, _ := strings.Cut(name, ":")
	r, ok := rules[base]
	if !ok {
		return fmt.Errorf("read key table: %s has the unknown rule %q", k.Name, name)
	}
	r.name = base
	if arg != "" {
		r.accepted = strings.Split(arg, "/")
	}
	k.rules = append(k.rules, r)
	return nil
}

// is tells whether the key has one of the named rules.
func (k Key) is(names ...string) bool {
	for _, r := range k.rules {
		if slices.Contains(names, r.name) {
			return true
		}
	}
	return false
}
