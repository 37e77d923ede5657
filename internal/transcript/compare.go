package transcript

import (
	"fmt"
	"regexp"
	"strings"
)

// Differences says in what an answer is worse for a client than the recorded one. names are those of this run by those of
// the recorded one.
func Differences(recorded, answer []byte, names map[string]string) []string {
	want, err := decode(recorded)
	if err != nil {
		return []string{fmt.Sprintf("the recorded answer cannot be read: %v", err)}
	}
	got, err := decode(answer)
	if err != nil {
		return []string{fmt.Sprintf("the answer cannot be read: %v", err)}
	}
	if got.method != want.method || got.kind != want.kind || got.seq != want.seq {
		return []string{fmt.Sprintf("it answers %q, type %d, sequence id %d; recorded is %q, %d, %d", got.method, got.kind, got.seq, want.method, want.kind, want.seq)}
	}
	c := comparison{names: names}
	if want.kind == kindException {
		c.value("type", field2(want.body), field2(got.body), false)
		return c.found
	}
	for _, f := range got.body.fields { // the result or one of the exceptions: another one is another answer
		if _, ok := want.body.field(f.id); !ok {
			c.differ("result", "has field %d instead", f.id)
		}
	}
	for _, f := range want.body.fields {
		v, ok := got.body.field(f.id)
		if !ok {
			c.differ("result", "lacks field %d", f.id)
			continue
		}
		c.value(fmt.Sprint(f.id), f.value, v, f.id != 0)
	}
	return c.found
}

// field2 is the type of a TApplicationException.
func field2(v value) value {
	f, _ := v.field(2)
	return f
}

// comparison collects differences.
type comparison struct {
	names map[string]string
	found []string
}

func (c *comparison) differ(at, format string, args ...any) {
	c.found = append(c.found, at+" "+fmt.Sprintf(format, args...))
}

// value compares two values. Texts have to be equal if exact is set, else to be there.
func (c *comparison) value(at string, want, got value, exact bool) {
	if want.kind != got.kind {
		c.differ(at, "is of type %d, recorded is %d", got.kind, want.kind)
		return
	}
	switch want.kind {
	case kindBool:
		if want.number != got.number {
			c.differ(at, "is %d, recorded is %d", got.number, want.number)
		}
	case kindString:
		c.text(at, want.text, got.text, exact)
	case kindStruct:
		for _, f := range want.fields {
			v, ok := got.field(f.id)
			if !ok {
				c.differ(at, "lacks field %d", f.id)
				continue
			}
			c.value(fmt.Sprintf("%s.%d", at, f.id), f.value, v, exact)
		}
	case kindMap:
		c.entries(at, want, got, exact)
	case kindSet, kindList:
		for i, w := range want.items {
			c.oneOf(fmt.Sprintf("%s[%d]", at, i), w, got.items, exact)
		}
	}
}

func (c *comparison) text(at, want, got string, exact bool) {
	switch {
	case exact && got != c.rename(want):
		c.differ(at, "is %q, recorded is %q", got, want)
	case want != "" && got == "":
		c.differ(at, "is empty, recorded is %q", want)
	}
}

// entries compares maps. Every key that is a text has to be there but those of streams of the acker, which has no traffic here.
func (c *comparison) entries(at string, want, got value, exact bool) {
	for i, key := range want.keys {
		here := fmt.Sprintf("%s{%d}", at, i)
		if key.kind != kindString {
			c.oneOf(here, want.items[i], got.items, exact)
			continue
		}
		name := c.rename(key.text)
		if strings.HasPrefix(name, "__") {
			continue
		}
		here = fmt.Sprintf("%s{%s}", at, name)
		found := false
		for j, k := range got.keys {
			if k.text == name {
				c.value(here, want.items[i], got.items[j], exact)
				found = true
			}
		}
		if !found {
			c.differ(here, "is not there")
		}
	}
}

// oneOf compares with the most similar one of several.
func (c *comparison) oneOf(at string, want value, got []value, exact bool) {
	if len(got) == 0 {
		c.differ(at, "is not there")
		return
	}
	var least []string
	for i, g := range got {
		one := comparison{names: c.names}
		one.value(at, want, g, exact)
		if i == 0 || len(one.found) < len(least) {
			least = one.found
		}
	}
	c.found = append(c.found, least...)
}

// rename puts this run's names in place of the recorded ones.
func (c *comparison) rename(text string) string {
	for old, name := range c.names {
		text = strings.ReplaceAll(text, old, name)
	}
	return text
}

// id finds texts that are others in each run: UUIDs alone or in a path, ids of topologies.
var id = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|^[\w.]+-\d+-\d{10}$`)

// learn adds to names the ids that two answers have at the same places.
func learn(want, got value, names map[string]string) {
	if want.kind != got.kind {
		return
	}
	if want.kind == kindString && want.text != got.text && got.text != "" && id.MatchString(want.text) {
		names[want.text] = got.text
	}
	for _, f := range want.fields {
		if g, ok := got.field(f.id); ok {
			learn(f.value, g, names)
		}
	}
	if len(want.items) == len(got.items) { // else nobody knows which is which
		for i := range want.items {
			learn(want.items[i], got.items[i], names)
		}
	}
}
