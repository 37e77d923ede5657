package conf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
)

const (
	// MaxJSONBytes bounds a configuration that arrives as JSON.
	MaxJSONBytes = 16 << 20
	// MaxDepth bounds how deep lists and maps may nest.
	MaxDepth = 64
	// MaxNodes bounds the values of one document, counted after aliases were followed.
	MaxNodes = 1 << 18
)

// ErrTooLarge is wrapped by errors about a document that is over one of the bounds.
var ErrTooLarge = errors.New("configuration too large")

// ParseJSON reads a JSON object and keeps the kinds of its numbers: digits alone are an int64 or *big.Int, anything with
// a point or an exponent is a float64. Of a key that stands there twice the last value counts, as in Storm's parser.
func ParseJSON(data []byte) (Conf, error) {
	v, err := parseJSONValue(data)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("parse JSON: want an object, not %s", kindName(v))
	}
	return m, nil
}

func parseJSONValue(data []byte) (any, error) {
	if len(data) > MaxJSONBytes {
		return nil, fmt.Errorf("parse JSON of %d bytes: %w", len(data), ErrTooLarge)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("parse JSON: something follows the value")
	}
	b := budget{nodes: MaxNodes}
	return b.fromJSON(v, 0)
}

// budget counts down the values of a document.
type budget struct{ nodes int }

func (b *budget) take(depth int) error {
	b.nodes--
	if b.nodes < 0 {
		return fmt.Errorf("more than %d values: %w", MaxNodes, ErrTooLarge)
	}
	if depth > MaxDepth {
		return fmt.Errorf("nested deeper than %d: %w", MaxDepth, ErrTooLarge)
	}
	return nil
}

func (b *budget) fromJSON(v any, depth int) (any, error) {
	if err := b.take(depth); err != nil {
		return nil, fmt.Errorf("parse JSON: %w", err)
	}
	var err error
	switch v := v.(type) {
	case json.Number:
		return jsonNumber(v.String())
	case []any:
		for i := range v {
			if v[i], err = b.fromJSON(v[i], depth+1); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = b.fromJSON(v[k], depth+1); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func jsonNumber(s string) (any, error) {
	if strings.ContainsAny(s, ".eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, fmt.Errorf("parse JSON: number %s does not fit a double", short(s))
		}
		return f, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	const mostDigits = 1000 // reading a big.Int takes time that grows faster than its length
	n, ok := new(big.Int), len(s) <= mostDigits
	if ok {
		n, ok = n.SetString(s, 10)
	}
	if !ok {
		return nil, fmt.Errorf("parse JSON: number %s has too many digits", short(s))
	}
	return n, nil
}

// JSON writes c with its keys sorted and its numbers as Java would: 4096.0 and 1.0E7 stay decimals. It fails on kinds a
// Conf does not hold, on NaN and infinities, and on what is nested deeper than [MaxDepth].
func (c Conf) JSON() ([]byte, error) { return appendJSON(nil, map[string]any(c), 0) }

func appendJSON(out []byte, v any, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("write JSON: nested deeper than %d", MaxDepth)
	}
	switch v := v.(type) {
	case nil:
		return append(out, "null"...), nil
	case bool:
		return strconv.AppendBool(out, v), nil
	case int:
		return strconv.AppendInt(out, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(out, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(out, v, 10), nil
	case *big.Int:
		return v.Append(out, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("write JSON: %v is no JSON number", v)
		}
		return append(out, javaDouble(v)...), nil
	case string:
		return appendJSONString(out, v)
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return appendJSONList(out, list, depth)
	case []any:
		return appendJSONList(out, v, depth)
	case Conf:
		return appendJSONMap(out, v, depth)
	case map[string]any:
		return appendJSONMap(out, v, depth)
	}
	return nil, fmt.Errorf("write JSON: a configuration cannot hold a %T", v)
}

func appendJSONString(out []byte, s string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return append(out, bytes.TrimRight(b.Bytes(), "\n")...), nil
}

func appendJSONList(out []byte, list []any, depth int) ([]byte, error) {
	out = append(out, '[')
	for i, e := range list {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendJSON(out, e, depth+1); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func appendJSONMap(out []byte, m map[string]any, depth int) ([]byte, error) {
	out = append(out, '{')
	for i, k := range sortedKeys(m) {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendJSONString(out, k); err != nil {
			return nil, err
		}
		out = append(out, ':')
		if out, err = appendJSON(out, m[k], depth+1); err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
	}
	return append(out, '}'), nil
}
