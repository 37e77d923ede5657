package state

import (
	"encoding/json"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// Key is the key of records that are routed by one or more tuple values, for state of components that know no Go types.
type Key string

// KeyOf returns the key of these values. Objects and values nested too deep have none.
func KeyOf(vals ...gearcore.Value) (Key, error) {
	buf, err := codec.AppendAll(nil, vals)
	return Key(buf), err
}

// Values returns what KeyOf was given, nil for a Key that it did not make.
func (k Key) Values() []gearcore.Value {
	r := codec.NewReader([]byte(k), ErrCorrupt)
	var vals []gearcore.Value
	for len(r.Rest) > 0 {
		vals = append(vals, r.Value())
	}
	if r.Err != nil {
		return nil
	}
	return vals
}

// Keys is the codec of Key. As text a key is its value if that is a text or a number, else a JSON array of its values.
func Keys() KeyCodec[Key] { return keys{} }

type keys struct{ texts[Key] }

func (keys) Group(k *Key, mode gearcore.HashMode) int { return GroupOf(mode, k.Values()...) }

// Pair is a key with something below it: an entry of a Map, a window of a key. It belongs to the group of Key.
type Pair[K, S comparable] struct {
	Key K
	Sub S
}

// Pairs is the codec of Pair.
func Pairs[K, S comparable](key KeyCodec[K], sub Codec[S]) KeyCodec[Pair[K, S]] {
	return pairs[K, S]{key, sub}
}

type pairs[K, S comparable] struct {
	key KeyCodec[K]
	sub Codec[S]
}

func (p pairs[K, S]) Schema() string { return "(" + p.key.Schema() + "|" + p.sub.Schema() + ")" }

func (p pairs[K, S]) Append(buf []byte, v *Pair[K, S]) ([]byte, error) {
	buf, err := p.key.Append(buf, &v.Key)
	if err != nil {
		return buf, err
	}
	return p.sub.Append(buf, &v.Sub)
}

func (p pairs[K, S]) Reader(schema string) (Read[Pair[K, S]], error) {
	k, s, ok := cutSchema(schema)
	if !ok {
		return nil, schemaError[Pair[K, S]](schema, p.Schema())
	}
	key, err := p.key.Reader(k)
	if err != nil {
		return nil, err
	}
	sub, err := p.sub.Reader(s)
	if err != nil {
		return nil, err
	}
	return func(r *codec.Reader, v *Pair[K, S]) {
		key(r, &v.Key)
		sub(r, &v.Sub)
	}, nil
}

// cutSchema cuts the schema of a pair, "(key|sub)", at the bar that is in no inner pair.
func cutSchema(schema string) (key, sub string, ok bool) {
	depth := 0
	for i, c := range []byte(schema) {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case '|':
			if depth == 1 && schema[len(schema)-1] == ')' {
				return schema[1:i], schema[i+1 : len(schema)-1], true
			}
		}
	}
	return "", "", false
}

func (p pairs[K, S]) Group(v *Pair[K, S], mode gearcore.HashMode) int {
	return p.key.Group(&v.Key, mode)
}

// Own makes both halves independent.
func (p pairs[K, S]) Own(v Pair[K, S]) Pair[K, S] {
	if c, ok := p.key.(interface{ Own(K) K }); ok {
		v.Key = c.Own(v.Key)
	}
	if c, ok := p.sub.(interface{ Own(S) S }); ok {
		v.Sub = c.Own(v.Sub)
	}
	return v
}

func (p pairs[K, S]) Parse(text string) (Pair[K, S], error) {
	k, err := p.key.Parse(text)
	return Pair[K, S]{Key: k}, err
}

// ParseAll makes keys without anything below them.
func (p pairs[K, S]) ParseAll(text string) (all []Pair[K, S], err error) {
	above, err := parseAll(p.key, text)
	for _, k := range above {
		all = append(all, Pair[K, S]{Key: k})
	}
	return all, err
}

// KeyFunc is the codec of a key that is written by c, belongs to the group that group says, and is parsed by parse (nil: as JSON).
// It is for keys of types of one's own; group has to agree with how their records are routed.
func KeyFunc[K comparable](c Codec[K], group func(k *K, mode gearcore.HashMode) int, parse func(text string) (K, error)) KeyCodec[K] {
	if parse == nil {
		parse = func(text string) (k K, err error) {
			err = json.Unmarshal([]byte(text), &k)
			return k, err
		}
	}
	return keyFunc[K]{c, group, parse}
}

type keyFunc[K comparable] struct {
	Codec[K]
	group func(*K, gearcore.HashMode) int
	parse func(string) (K, error)
}

func (f keyFunc[K]) Group(k *K, mode gearcore.HashMode) int { return f.group(k, mode) }

// Own copies k, by writing and reading it.
func (f keyFunc[K]) Own(k K) K {
	buf, err := f.Append(nil, &k)
	read, rerr := f.Reader(f.Schema())
	if err != nil || rerr != nil {
		return k // the next checkpoint says so
	}
	var own K
	r := codec.NewReader(buf, ErrCorrupt)
	if read(&r, &own); r.Err != nil {
		return k
	}
	return own
}

func (f keyFunc[K]) Parse(text string) (K, error) { return f.parse(text) }
