package flux

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// ParseProperties reads a file in the format of java.util.Properties: "key=value", "key: value" or "key value", comments
// with # or !, lines that go on after a backslash, and escapes. Text is UTF-8, or Latin-1 where it is not valid UTF-8.
// Errors begin with "file:line: ".
func ParseProperties(file string, data []byte) (map[string]string, error) {
	if len(data) > conf.MaxFileBytes {
		return nil, fmt.Errorf("%s:1: %d bytes: %w", file, len(data), conf.ErrTooLarge)
	}
	out := map[string]string{}
	lines := strings.Split(strings.ReplaceAll(decodeText(data), "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		first := i
		line := strings.TrimLeft(lines[i], " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for goesOn(line) && i+1 < len(lines) {
			i++
			line = line[:len(line)-1] + strings.TrimLeft(lines[i], " \t\f")
		}
		key, value := splitProperty(line)
		k, err := unescape(key)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, first+1, err)
		}
		if out[k], err = unescape(value); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, first+1, err)
		}
	}
	return out, nil
}

func decodeText(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	runes := make([]rune, len(data))
	for i, c := range data {
		runes[i] = rune(c)
	}
	return string(runes)
}

// goesOn tells whether a line ends in an odd number of backslashes.
func goesOn(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// splitProperty cuts at the first separator that no backslash stands before.
func splitProperty(line string) (key, value string) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if strings.IndexByte("=: \t\f", line[i]) >= 0 {
			end = i
			break
		}
	}
	value = strings.TrimLeft(line[end:], " \t\f")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], " \t\f")
	}
	return line[:end], value
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	units := make([]uint16, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			r, n := utf8.DecodeRuneInString(s[i:])
			units = utf16.AppendRune(units, r)
			i += n
			continue
		}
		if i++; i == len(s) {
			break // a backslash at the very end means nothing
		}
		switch c := s[i]; c {
		case 'u':
			if len(s)-i < 5 {
				return "", fmt.Errorf(`\u needs four hexadecimal digits`)
			}
			n, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
			if err != nil {
				return "", fmt.Errorf(`\u needs four hexadecimal digits`)
			}
			units = append(units, uint16(n))
			i += 5
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if at := strings.IndexByte("tnrf", c); at >= 0 {
				r = rune("\t\n\r\f"[at])
			}
			units = utf16.AppendRune(units, r)
			i += n
		}
	}
	return string(utf16.Decode(units)), nil
}
