package conf

import (
	"fmt"
	"strings"
)

// Problem is one key whose value breaks a rule of that key.
type Problem struct {
	Key   string
	Value any
	Text  string // as Storm words it: it names the Java constant, not the key
}

// InvalidError lists every problem of a configuration, in order of the keys.
type InvalidError struct{ Problems []Problem }

func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		parts[i] = fmt.Sprintf("%s (%s: %s)", p.Text, p.Key, short(javaText(p.Value)))
	}
	return strings.Join(parts, "; ")
}

// ValidateTopology holds a submitted conf to the rules of Storm's Config (ConfigValidation.validateTopoConf): keys of
// the daemons and unknown keys may hold anything, but for the unknown ones that [Conf.CheckOwn] refuses. Nil, or an
// [*InvalidError] with all problems.
func (c Conf) ValidateTopology() error {
	return c.validate(func(k Key) bool { return k.Scope != DaemonScope })
}

// ValidateDaemon holds a daemon's conf to the rules of all declared keys (ConfigValidation.validateFields) and to
// [Conf.CheckOwn].
func (c Conf) ValidateDaemon() error { return c.validate(func(Key) bool { return true }) }

func (c Conf) validate(applies func(Key) bool) error {
	problems := c.unknownOwn()
	for _, name := range sortedKeys(c) {
		k, ok := Lookup(name)
		if !ok || !applies(k) {
			continue
		}
		for _, r := range k.rules {
			if text := r.check(k.fieldName(), c[name], r.accepted); text != "" {
				v := c[name]
				if k.Secret {
					v = "*****"
					text, _, _ = strings.Cut(text, ". Object:")
				}
				problems = append(problems, Problem{name, v, text})
				break
			}
		}
	}
	return asInvalid(problems)
}

func asInvalid(problems []Problem) error {
	if problems == nil {
		return nil
	}
	return &InvalidError{problems}
}

func (k Key) fieldName() string {
	if k.Scope == OwnScope {
		return k.Name
	}
	return k.Constant
}
