package connectors

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// properties are those of one component, while they are read. Every value has the kind of a configuration's (conf.Conf).
type properties struct {
	rest  map[string]any // which nobody has asked for yet
	known []string
	errs  []error
}

func readProperties(from map[string]any) *properties { return &properties{rest: maps.Clone(from)} }

// take returns a property that is set. Afterwards it counts as read.
func (p *properties) take(name string) (any, bool) {
	p.known = append(p.known, name)
	v, ok := p.rest[name]
	delete(p.rest, name)
	return v, ok && v != nil
}

func (p *properties) wrong(name string, v any, want string) {
	p.errs = append(p.errs, fmt.Errorf("property %s is %v: want %s", name, v, want))
}

// typed sets at to a property of the type T, if it is set.
func typed[T any](p *properties, name, want string, at *T) {
	v, ok := p.take(name)
	if !ok {
		return
	}
	if t, ok := v.(T); ok {
		*at = t
		return
	}
	p.wrong(name, v, want)
}

func (p *properties) text(name string, at *string) { typed(p, name, "a text", at) }
func (p *properties) flag(name string, at *bool)   { typed(p, name, "true or false", at) }
func named[T ~string](p *properties, name string, at *T) {
	text := string(*at)
	p.text(name, &text)
	*at = T(text)
}

// whole takes a whole number from least to most.
func (p *properties) whole(name string, least, most int64, at *int64) {
	n, ok := p.take(name)
	if !ok {
		return
	}
	if whole, ok := n.(int64); ok && whole >= least && whole <= most {
		*at = whole
		return
	}
	p.wrong(name, n, fmt.Sprintf("a whole number from %d on, up to %d", least, most))
}

// number is whole for what is an int.
func (p *properties) number(name string, least int64, at *int) {
	n := int64(*at)
	p.whole(name, least, math.MaxInt32, &n)
	*at = int(n)
}

// mostMillis is a hundred years.
const mostMillis = 100 * 365 * 24 * 3600 * 1000

func (p *properties) millis(name string, least int64, at *time.Duration) {
	ms := int64(0)
	p.whole(name, least, mostMillis, &ms)
	if ms > 0 {
		*at = time.Duration(ms) * time.Millisecond
	}
}

// moment takes a time in milliseconds since 1970.
func (p *properties) moment(name string, at *time.Time) {
	ms, want := int64(0), "a time in milliseconds since 1970"
	typed(p, name, want, &ms)
	switch {
	case ms > 0:
		*at = time.UnixMilli(ms)
	case ms < 0:
		p.wrong(name, ms, want)
	}
}

// texts takes a list of texts, or one text.
func (p *properties) texts(name string, at *[]string) {
	v, ok := p.take(name)
	if !ok {
		return
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []string
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			p.wrong(name, v, "a list of texts")
			return
		}
		out = append(out, s)
	}
	*at = out
}

// others has set take all that is left, as texts.
func (p *properties) others(set func(map[string]string) error) {
	out := map[string]string{}
	for name, v := range p.rest {
		switch v.(type) {
		case string, bool, int64, float64:
			out[name] = fmt.Sprint(v)
		case nil:
		default:
			p.wrong(name, v, "a text, a number or true or false")
		}
	}
	p.rest = nil
	if err := set(out); err != nil {
		p.errs = append(p.errs, err)
	}
}

// end returns what was wrong. more is what the options themselves say, which counts if they could be read.
func (p *properties) end(more func() error) error {
	for _, name := range slices.Sorted(maps.Keys(p.rest)) {
		slices.Sort(p.known)
		p.errs = append(p.errs, fmt.Errorf("property %s is not known; there are %s", name, strings.Join(p.known, ", ")))
	}
	if len(p.errs) > 0 {
		return errors.Join(p.errs...)
	}
	return more()
}
