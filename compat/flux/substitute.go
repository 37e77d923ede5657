package flux

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// substitute replaces the variables of a file line by line, as Flux does before it parses: ${ENV-X} from the
// environment, ${list[0]} and ${name} from the properties. One that has no value stays, with a warning.
func (l *loader) substitute(file string, data []byte) ([]byte, error) {
	if !bytes.Contains(data, []byte("${")) {
		return data, nil
	}
	var out bytes.Buffer
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		if err := l.line(&out, pos{file, line}, text); err != nil {
			return nil, err
		}
		if out.Len() > maxSubstituted {
			return nil, fmt.Errorf("%s:%d: the variables make the file too large", file, line)
		}
	}
	return out.Bytes(), nil
}

const maxSubstituted = 4 << 20 // more than a parser takes; stops growth early

func (l *loader) line(out *bytes.Buffer, at pos, text string) error {
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			out.WriteString("${" + rest)
			return nil
		}
		value, ok, err := l.variable(name)
		switch {
		case err != nil:
			return fmt.Errorf("%s: ${%s}: %w", at, name, err)
		case !ok:
			l.warn(at, "there is no value for ${%s}", name)
			value = "${" + name + "}"
		case strings.ContainsAny(value, "\r\n"):
			return fmt.Errorf("%s: the value of ${%s} has a line break", at, name)
		}
		out.WriteString(value)
		text = after
	}
}

func (l *loader) variable(name string) (value string, ok bool, err error) {
	if list, index, isElement := element(name); isElement && !strings.HasPrefix(name, "ENV-") {
		text, ok := l.options.Properties[list]
		if !ok {
			return "", false, nil
		}
		value, err := listElement(text, index)
		return value, err == nil, err
	}
	if env, isEnv := strings.CutPrefix(name, "ENV-"); isEnv && l.options.Env != nil {
		value, ok := l.options.Env(env)
		return value, ok, nil
	}
	value, ok = l.options.Properties[name]
	return value, ok, nil
}

// element reads "list[3]".
func element(name string) (list string, index int, ok bool) {
	list, rest, found := strings.Cut(name, "[")
	digits, closed := strings.CutSuffix(rest, "]")
	if !found || !closed || list == "" {
		return "", 0, false
	}
	index, err := strconv.Atoi(digits)
	return list, index, err == nil && index >= 0
}

// listElement takes one element of a property like ["a", "b"].
func listElement(text string, index int) (string, error) {
	inner, opened := strings.CutPrefix(strings.TrimSpace(text), "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !opened || !closed {
		return "", fmt.Errorf("the property is no list in brackets")
	}
	parts := strings.Split(inner, ",")
	if index >= len(parts) {
		return "", fmt.Errorf("the list has %d elements", len(parts))
	}
	e := strings.TrimSpace(parts[index])
	if len(e) >= 2 && (e[0] == '"' || e[0] == '\'') && e[len(e)-1] == e[0] {
		e = e[1 : len(e)-1]
	}
	return e, nil
}
