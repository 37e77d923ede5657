package state

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore"
)

// several is implemented by codecs of keys of which a person may mean several with one text.
type several[K comparable] interface {
	ParseAll(text string) ([]K, error)
}

// parseAll returns the keys that a person may mean, what is most likely first; at least one.
func parseAll[K comparable](c KeyCodec[K], text string) ([]K, error) {
	if s, ok := c.(several[K]); ok {
		return s.ParseAll(text)
	}
	k, err := c.Parse(text)
	return []K{k}, err
}

// numbers make values of the kinds that a number may have: first those of Python, Node and Go's int and float64.
var numbers = []struct {
	whole    func(n int64) gearcore.Value
	fraction func(f float64) gearcore.Value // nil: there is none
}{
	{gearcore.Long, gearcore.Double},
	{func(n int64) gearcore.Value { return gearcore.Int(int32(n)) }, func(f float64) gearcore.Value { return gearcore.Float(float32(f)) }},
	{func(n int64) gearcore.Value { return gearcore.Short(int16(n)) }, nil},
	{func(n int64) gearcore.Value { return gearcore.Byte(int8(n)) }, nil},
}

// Parse returns the first of ParseAll.
func (c keys) Parse(text string) (Key, error) {
	all, err := c.ParseAll(text)
	if err != nil {
		return "", err
	}
	return all[0], nil
}

// ParseAll takes a JSON array for the values of a key, and anything else for a number, if it is one, and for a text. Numbers may be of any kind, all of a
// key of the same.
func (keys) ParseAll(text string) ([]Key, error) {
	list, array := []any{json.Number(text)}, strings.HasPrefix(text, "[")
	if array {
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&list); err != nil {
			return nil, fmt.Errorf("parse key %s: %w", text, err)
		}
	}
	var all []Key
	for kind := range numbers {
		vals, ok, err := valuesOf(list, kind)
		if err != nil {
			return nil, fmt.Errorf("parse key %s: %w", text, err)
		}
		if !ok {
			continue
		}
		k, err := KeyOf(vals...)
		if err != nil {
			return nil, fmt.Errorf("parse key %s: %w", text, err)
		}
		all = append(all, k)
	}
	if !array {
		k, err := KeyOf(gearcore.Str(text))
		return append(all, k), err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("parse key %s: a number in it is too large", text)
	}
	return all, nil
}

// valuesOf makes values of what JSON has, the numbers of that kind. ok is false where one does not fit, or where there is none and the first kind had it.
func valuesOf(list []any, kind int) (vals []gearcore.Value, ok bool, err error) {
	ok = kind == 0
	for _, e := range list {
		var v gearcore.Value
		if n, number := e.(json.Number); number {
			if v, ok = numberOf(n.String(), kind); !ok {
				return nil, false, nil
			}
		} else if v, err = gearcore.FromAny(e); err != nil {
			return nil, false, err
		}
		vals = append(vals, v)
	}
	return vals, ok, nil
}

func numberOf(text string, kind int) (gearcore.Value, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		v := numbers[kind].whole(n)
		return v, v.Int() == n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || numbers[kind].fraction == nil {
		return gearcore.Value{}, false
	}
	return numbers[kind].fraction(f), true
}
