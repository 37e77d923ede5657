package stream

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// Pane is a result of a window of a key.
type Pane[K comparable, V any] struct {
	Key K
	// Span is the window, in milliseconds since 1970 or, of windows that count, in records of the key.
	Span window.Span
	// Timing says whether the pane came when the window was complete, before that or after.
	Timing window.Timing
	Value  V
}

// Start is when the window begins, End when it has ended; both without meaning for windows that count.
func (p Pane[K, V]) Start() time.Time { return time.UnixMilli(p.Span.Start) }

// End is the moment before which the window ends.
func (p Pane[K, V]) End() time.Time { return time.UnixMilli(p.Span.End) }

// String is for tests and logs.
func (p Pane[K, V]) String() string {
	s := fmt.Sprintf("%v@[%d,%d)=%v", p.Key, p.Span.Start, p.Span.End, p.Value)
	if p.Timing != window.OnTime {
		s += " " + p.Timing.String()
	}
	return s
}

func (Pane[K, V]) codec() (any, error) {
	k, err := CodecOf[K]()
	if err != nil {
		return nil, err
	}
	v, err := CodecOf[V]()
	if err != nil {
		return nil, err
	}
	return paneCodec[K, V]{k, v, under("key", "key", k.Fields()), under("value", "value", v.Fields())}, nil
}

// under names the fields of a part of something: name if it is one field, else with a prefix.
func under(name, prefix string, fields []string) []string {
	if len(fields) == 1 {
		return []string{name}
	}
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = prefix + "." + f
	}
	return out
}

// paneCodec is the codec of panes: the key, start, end and timing, the value.
type paneCodec[K comparable, V any] struct {
	key          Codec[K]
	value        Codec[V]
	keys, values []string
}

func (c paneCodec[K, V]) Fields() []string {
	out := append([]string{}, c.keys...)
	return append(append(out, "start", "end", "timing"), c.values...)
}

func (c paneCodec[K, V]) Append(dst []gearcore.Value, p Pane[K, V]) ([]gearcore.Value, error) {
	dst, err := c.key.Append(dst, p.Key)
	if err != nil {
		return dst, err
	}
	dst = append(dst, gearcore.Long(p.Span.Start), gearcore.Long(p.Span.End), gearcore.Int(int32(p.Timing)))
	return c.value.Append(dst, p.Value)
}

func (c paneCodec[K, V]) Read(vals []gearcore.Value) (p Pane[K, V], err error) {
	n := len(c.keys)
	if len(vals) < n+3 {
		return p, fmt.Errorf("read a pane: %d fields, want %d", len(vals), n+3+len(c.values))
	}
	if p.Key, err = c.key.Read(vals[:n]); err != nil {
		return p, err
	}
	p.Span, p.Timing = window.Span{Start: vals[n].Int(), End: vals[n+1].Int()}, window.Timing(vals[n+2].Int())
	p.Value, err = c.value.Read(vals[n+3:])
	return p, err
}
