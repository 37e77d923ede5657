package multilang

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/gearcore"
)

// The forms of deferred values. Lists and maps of a child's tuple that pass on to a child of the same form are copied as they
// came; who looks inside, or writes another form, has them parsed then.
const (
	formJSON uint8 = iota + 1
	formMarshal
)

// deferBytes is the size from which keeping the text is cheaper than parsing it.
const deferBytes = 64

// settled are the limits for text that was checked before.
var settled = Limits{MessageBytes: math.MaxInt, Depth: math.MaxInt, Values: math.MaxInt, Digits: math.MaxInt}

// deferred reads a list or map whole without parsing it. It says no, and consumes nothing, for what is small or has to be
// parsed: because it is wrong, or because not every JSON reader takes it as it is.
func (s *scanner) deferred(depth int) (v gearcore.Value, ok bool) {
	start, left := s.i, s.left
	if !s.skip(depth) || s.i-start < deferBytes {
		s.i, s.left = start, left
		return v, false
	}
	kind := gearcore.KindMap
	if s.b[start] == '[' {
		kind = gearcore.KindList
	}
	return gearcore.Defer(kind, formJSON, s.text.String(s.b[start:s.i]), parseJSON), true
}

func parseJSON(text string) gearcore.Value {
	s := newScanner(bytesOf(text), &settled, nil)
	v, err := s.value(0, false)
	if err != nil {
		panic("multilang: text that was checked cannot be parsed: " + err.Error())
	}
	return v
}

// skip passes over one value that any JSON reader takes: no bare NaN or Infinity, no line breaks, UTF-8. Its depth is that of
// the value itself.
func (s *scanner) skip(depth int) bool {
	if s.left--; s.left < 0 || s.i >= len(s.b) {
		return false
	}
	switch c := s.b[s.i]; c {
	case '"':
		return s.skipString()
	case '[', '{':
		return depth <= s.limits.Depth && s.skipContainer(depth, c+2) // the closing bracket
	case 't':
		return s.word("true") == nil
	case 'f':
		return s.word("false") == nil
	case 'n':
		return s.word("null") == nil
	case 'N', 'I':
		return false
	default:
		if c-'0' > 9 && (c != '-' || s.i+1 >= len(s.b) || s.b[s.i+1] == 'I') {
			return false
		}
		return s.skipNumber()
	}
}

// skipNumber spares the making of large integers.
func (s *scanner) skipNumber() bool {
	j := s.i
	if s.b[j] == '-' {
		j++
	}
	digits := j
	for j < len(s.b) && s.b[j]-'0' < 10 {
		j++
	}
	if n := j - digits; n > 18 && n < s.limits.Digits && s.b[digits] != '0' && (j == len(s.b) || s.b[j] != '.' && s.b[j]|0x20 != 'e') {
		s.i = j
		return true
	}
	_, err := s.number()
	return err == nil
}

func (s *scanner) skipContainer(depth int, end byte) bool {
	s.i++
	if s.blanks(); s.pass(end) {
		return true
	}
	for {
		if end == '}' {
			if s.i >= len(s.b) || s.b[s.i] != '"' || !s.skipString() {
				return false
			}
			if s.blanks(); !s.pass(':') {
				return false
			}
			s.blanks()
		}
		if !s.skip(depth + 1) {
			return false
		}
		if s.blanks(); s.pass(end) {
			return true
		}
		if !s.pass(',') {
			return false
		}
		s.blanks()
	}
}

func (s *scanner) blanks() {
	for s.i < len(s.b) && s.b[s.i] == ' ' {
		s.i++
	}
}

// skipString passes over a string literal.
func (s *scanner) skipString() bool {
	b, start := s.b, s.i+1
	j := start
	var seen uint64
	for {
		for j+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[j:])
			m := stops(w)
			if m != 0 {
				n := bits.TrailingZeros64(m) &^ 7
				seen |= w & (1<<n - 1)
				j += n / 8
				break
			}
			seen |= w
			j += 8
		}
		if j >= len(b) || b[j] < 0x20 {
			return false
		}
		switch b[j] {
		case '"':
			s.i = j + 1
			return seen&highBits == 0 || utf8.Valid(b[start:j])
		case '\\':
			if j = escapeEnd(b, j); j < 0 {
				return false
			}
		default: // in the last bytes
			seen |= uint64(b[j])
			j++
		}
	}
}

// escapeEnd returns where the escape at b[j] ends, -1 if it is wrong.
func escapeEnd(b []byte, j int) int {
	if j+1 >= len(b) {
		return -1
	}
	switch b[j+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return j + 2
	case 'u':
		s := scanner{b: b, i: j + 2}
		if _, err := s.hex4(); err == nil {
			return j + 6
		}
	}
	return -1
}

// deferred is scanner's for marshal: sets and text that is not UTF-8 have to be parsed.
func (u *unmarshaler) deferred(depth int) (v gearcore.Value, ok bool) {
	start, left := u.i, u.left
	if !u.skip(depth) || u.i-start < deferBytes {
		u.i, u.left = start, left
		return v, false
	}
	kind := gearcore.KindList
	if u.b[start] == '{' {
		kind = gearcore.KindMap
	}
	return gearcore.Defer(kind, formMarshal, u.text.String(u.b[start:u.i]), parseMarshal), true
}

func parseMarshal(text string) gearcore.Value {
	u := unmarshaler{b: bytesOf(text), limits: &settled, left: math.MaxInt}
	v, err := u.value(0)
	if err != nil {
		panic("multilang: values that were checked cannot be parsed: " + err.Error())
	}
	return v
}

// skip passes over one value. depth is that of the value itself.
func (u *unmarshaler) skip(depth int) bool {
	if u.left--; u.left < 0 || u.i >= len(u.b) {
		return false
	}
	c := u.b[u.i]
	switch c {
	case '(', '[', ')':
		if depth > u.limits.Depth {
			return false
		}
		n, err := u.open()
		for ; err == nil && n > 0; n-- {
			if !u.skip(depth + 1) {
				return false
			}
		}
		return err == nil
	case '{':
		return depth <= u.limits.Depth && u.skipDict(depth)
	case '<', '>':
		return false
	case 'u', 't', 'a', 'A', 'z', 'Z':
		width := 4
		if c|0x20 == 'z' {
			width = 1
		}
		u.i++
		raw, err := u.raw(width)
		return err == nil && (isASCII(view(raw)) || utf8.Valid(raw))
	}
	_, err := u.scalar()
	return err == nil
}

func (u *unmarshaler) skipDict(depth int) bool {
	for u.i++; u.next() != '0'; {
		switch u.next() {
		case '(', '[', ')', '{':
			return false // no key
		}
		if !u.skip(depth+1) || !u.skip(depth+1) {
			return false
		}
	}
	u.i++
	return true
}
