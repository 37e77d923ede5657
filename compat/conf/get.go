package conf

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// ValueError says that a key holds something a reader cannot use.
type ValueError struct {
	Key  string
	Want string // what is allowed, for example "a whole number"
	Got  any    // nil when the key is not set
}

func (e *ValueError) Error() string {
	if e.Got == nil {
		return fmt.Sprintf("%s must be %s, but it is not set", e.Key, e.Want)
	}
	return fmt.Sprintf("%s must be %s, not %s (%s)", e.Key, e.Want, short(javaText(e.Got)), kindName(e.Got))
}

// Has tells whether key has a value other than null.
func (c Conf) Has(key string) bool { return c[key] != nil }

// Int reads a whole number that arrived as an integer, as a decimal without a fraction, or as text.
// A missing or null key is a [ValueError].
func (c Conf) Int(key string) (int64, error) {
	n, ok := toInt(c[key])
	if !ok {
		return 0, &ValueError{key, "a whole number", c[key]}
	}
	return n, nil
}

// IntOr is [Conf.Int], with def for a missing or null key.
func (c Conf) IntOr(key string, def int64) (int64, error) {
	if !c.Has(key) {
		return def, nil
	}
	return c.Int(key)
}

// Float reads a number that arrived in any form.
func (c Conf) Float(key string) (float64, error) {
	f, ok := toFloat(c[key])
	if !ok {
		return 0, &ValueError{key, "a number", c[key]}
	}
	return f, nil
}

// FloatOr is [Conf.Float], with def for a missing or null key.
func (c Conf) FloatOr(key string, def float64) (float64, error) {
	if !c.Has(key) {
		return def, nil
	}
	return c.Float(key)
}

// Bool reads a boolean, or the text of one in YAML 1.1 (true, yes, on and their opposites).
func (c Conf) Bool(key string) (bool, error) {
	switch v := c[key].(type) {
	case bool:
		return v, nil
	case string:
		if b, ok := yaml11Bool(v); ok {
			return b, nil
		}
	}
	return false, &ValueError{key, "true or false", c[key]}
}

// BoolOr is [Conf.Bool], with def for a missing or null key.
func (c Conf) BoolOr(key string, def bool) (bool, error) {
	if !c.Has(key) {
		return def, nil
	}
	return c.Bool(key)
}

// String reads text; numbers and booleans are given as text.
func (c Conf) String(key string) (string, error) {
	switch v := c[key].(type) {
	case string:
		return v, nil
	case bool, int, int32, int64, float64, *big.Int:
		return javaText(v), nil
	}
	return "", &ValueError{key, "text", c[key]}
}

// StringOr is [Conf.String], with def for a missing or null key.
func (c Conf) StringOr(key, def string) (string, error) {
	if !c.Has(key) {
		return def, nil
	}
	return c.String(key)
}

// StringList reads a list of texts. A missing or null key is an empty list, a single text a list of one (Storm's
// ObjectReader.getStrings), null elements are left out. The slice is the caller's.
func (c Conf) StringList(key string) ([]string, error) {
	switch v := c[key].(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []string:
		return append([]string(nil), v...), nil
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if e == nil {
				continue
			}
			s, err := (Conf{key: e}).String(key)
			if err != nil {
				return nil, &ValueError{key, "a list of texts", c[key]}
			}
			out = append(out, s)
		}
		return out, nil
	}
	return nil, &ValueError{key, "a text or a list of texts", c[key]}
}

// Ports reads a list of port numbers from 0 to 65535.
func (c Conf) Ports(key string) ([]int, error) {
	list, ok := c[key].([]any)
	if !ok {
		return nil, &ValueError{key, "a list of port numbers", c[key]}
	}
	out := make([]int, len(list))
	for i, e := range list {
		n, ok := toInt(e)
		if !ok || n < 0 || n > math.MaxUint16 {
			return nil, &ValueError{key, "a list of port numbers", c[key]}
		}
		out[i] = int(n)
	}
	return out, nil
}

// Secs reads a number of seconds, which may have a fraction.
func (c Conf) Secs(key string) (time.Duration, error) { return c.duration(key, time.Second) }

// SecsOr is [Conf.Secs], with def for a missing or null key.
func (c Conf) SecsOr(key string, def time.Duration) (time.Duration, error) {
	if !c.Has(key) {
		return def, nil
	}
	return c.Secs(key)
}

// Millis reads a number of milliseconds, which may have a fraction.
func (c Conf) Millis(key string) (time.Duration, error) { return c.duration(key, time.Millisecond) }

// MillisOr is [Conf.Millis], with def for a missing or null key.
func (c Conf) MillisOr(key string, def time.Duration) (time.Duration, error) {
	if !c.Has(key) {
		return def, nil
	}
	return c.Millis(key)
}

func (c Conf) duration(key string, unit time.Duration) (time.Duration, error) {
	f, ok := toFloat(c[key])
	d := f * float64(unit)
	if !ok || math.IsNaN(d) || math.Abs(d) >= math.MaxInt64 {
		return 0, &ValueError{key, "a number of " + unitName(unit), c[key]}
	}
	return time.Duration(d), nil
}

func unitName(unit time.Duration) string {
	if unit == time.Second {
		return "seconds"
	}
	return "milliseconds"
}

func toInt(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case float64:
		// 2^63 itself is out of range, and the comparison is exact for every whole float64 below it.
		if v == math.Trunc(v) && v >= math.MinInt64 && v < -math.MinInt64 {
			return int64(v), true
		}
	case string:
		s := strings.TrimSpace(v)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, true
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(f, 0) {
			return toInt(f)
		}
	}
	return 0, false
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f, true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil
	}
	n, ok := toInt(v)
	return float64(n), ok
}

// yaml11Bool reads the booleans of YAML 1.1 that SnakeYAML, and so Storm, knows; y and n are not among them.
func yaml11Bool(s string) (value, ok bool) {
	switch s {
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON":
		return true, true
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF":
		return false, true
	}
	return false, false
}

func short(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

func kindName(v any) string {
	switch v.(type) {
	case bool:
		return "a boolean"
	case int, int32, int64, *big.Int:
		return "a whole number"
	case float64:
		return "a decimal number"
	case string:
		return "text"
	case []any, []string:
		return "a list"
	case map[string]any, Conf:
		return "a map"
	}
	return fmt.Sprintf("%T", v)
}
