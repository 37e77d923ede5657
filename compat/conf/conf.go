package conf

import (
	"maps"
	"math/big"
)

// Conf is one configuration, or one layer of it. A nil Conf is an empty one for every reader. It is not safe for use by
// a writer and others at once.
type Conf map[string]any

// Merge gives a new Conf in which later layers replace the keys of earlier ones. Values are shared with the layers, not
// copied. A key set to nil in a later layer is nil in the result: in Storm null is a value that hides a default.
func Merge(layers ...Conf) Conf {
	out := Conf{}
	for _, l := range layers {
		maps.Copy(out, l)
	}
	return out
}

// Clone copies c and all lists and maps in it.
func (c Conf) Clone() Conf {
	out := make(Conf, len(c))
	for k, v := range c {
		out[k] = cloneValue(v)
	}
	return out
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = cloneValue(e)
		}
		return out
	case map[string]any:
		return map[string]any(Conf(v).Clone())
	case Conf:
		return v.Clone()
	case *big.Int:
		return new(big.Int).Set(v)
	default:
		return v
	}
}

// Masked is c with the values of keys that hold passwords replaced by "*****", for logs and pages. Values are shared.
func (c Conf) Masked() Conf {
	out := maps.Clone(c)
	for k := range out {
		if key, ok := Lookup(k); ok && key.Secret {
			out[k] = "*****"
		}
	}
	return out
}
