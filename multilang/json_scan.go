package multilang

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/gearcore"
)

// scanner reads JSON values out of one message. Integers become Java's Integer if they fit 32 bits, else Long, else
// BigInteger, decimals Double, as Storm's parser makes them; the bare words NaN, Infinity and -Infinity, which Python
// writes, are Doubles. Bytes that are not UTF-8 become U+FFFD.
type scanner struct {
	b      []byte
	i      int
	limits *Limits
	left   int // values that may still come
	text   *gearcore.Chunk
	whole  bool // lists and maps that are kept need not be parsed now
}

func newScanner(b []byte, limits *Limits, text *gearcore.Chunk) scanner {
	return scanner{b: b, limits: limits, left: limits.Values, text: text}
}

var errTruncated = errors.New("the text ends in the middle of a value")

func (s *scanner) unexpected(want string) error {
	if s.i >= len(s.b) {
		return errTruncated
	}
	r, _ := utf8.DecodeRune(s.b[s.i:])
	return fmt.Errorf("%q at byte %d where %s should be", r, s.i, want)
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\n', '\t', '\r':
			s.i++
		default:
			return
		}
	}
}

// next skips space and returns the byte there without consuming it; 0 at the end.
func (s *scanner) next() byte {
	if s.i < len(s.b) && s.b[s.i] > ' ' {
		return s.b[s.i]
	}
	s.space()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) expect(c byte) error {
	if s.next() != c {
		return s.unexpected(strconv.QuoteRune(rune(c)))
	}
	s.i++
	return nil
}

// pass consumes c if it is the very next byte.
func (s *scanner) pass(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// more is called after an element of a list or map: it consumes a comma (true) or the closing byte (false).
func (s *scanner) more(end byte) (bool, error) {
	switch s.next() {
	case ',':
		s.i++
		return true, nil
	case end:
		s.i++
		return false, nil
	}
	return false, s.unexpected(fmt.Sprintf("',' or %q", end))
}

// empty consumes the closing byte of an empty list or map.
func (s *scanner) empty(end byte) bool {
	if s.next() != end {
		return false
	}
	s.i++
	return true
}

// value reads any value. With keep its strings are copied; else simple ones are views of the message.
func (s *scanner) value(depth int, keep bool) (gearcore.Value, error) {
	if s.left--; s.left < 0 {
		return gearcore.Value{}, tooLarge("a number of values", s.limits.Values)
	}
	switch c := s.next(); c {
	case '"':
		raw, owned, err := s.rawString()
		if err != nil {
			return gearcore.Value{}, err
		}
		if owned || !keep {
			return gearcore.Str(view(raw)), nil
		}
		return gearcore.Str(s.text.String(raw)), nil
	case '[', '{':
		if keep && s.whole {
			if v, ok := s.deferred(depth + 1); ok {
				return v, nil
			}
		}
		if c == '[' {
			return s.list(depth+1, keep)
		}
		return s.object(depth+1, keep)
	case 't':
		return gearcore.Bool(true), s.word("true")
	case 'f':
		return gearcore.Bool(false), s.word("false")
	case 'n':
		return gearcore.Null(), s.word("null")
	case 'N':
		return gearcore.Double(math.NaN()), s.word("NaN")
	case 'I':
		return gearcore.Double(math.Inf(1)), s.word("Infinity")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return s.number()
		}
		return gearcore.Value{}, s.unexpected("a value")
	}
}

func (s *scanner) word(w string) error {
	if !strings.HasPrefix(view(s.b[s.i:]), w) {
		return s.unexpected(w)
	}
	s.i += len(w)
	return nil
}

func (s *scanner) list(depth int, keep bool) (gearcore.Value, error) {
	if depth > s.limits.Depth {
		return gearcore.Value{}, tooLarge("a nesting depth", s.limits.Depth)
	}
	s.i++
	var out []gearcore.Value
	if s.empty(']') {
		return gearcore.List(out), nil
	}
	for {
		v, err := s.value(depth, keep)
		if err != nil {
			return gearcore.Value{}, err
		}
		out = append(out, v)
		more, err := s.more(']')
		if err != nil {
			return gearcore.Value{}, err
		}
		if !more {
			return gearcore.List(slices.Clip(out)), nil
		}
	}
}

func (s *scanner) object(depth int, keep bool) (gearcore.Value, error) {
	if depth > s.limits.Depth {
		return gearcore.Value{}, tooLarge("a nesting depth", s.limits.Depth)
	}
	s.i++
	var m mapBuilder
	if s.empty('}') {
		return m.value(), nil
	}
	for {
		raw, owned, err := s.key()
		if err != nil {
			return gearcore.Value{}, err
		}
		key := view(raw)
		if !owned && keep {
			key = s.text.String(raw)
		}
		v, err := s.value(depth, keep)
		if err != nil {
			return gearcore.Value{}, err
		}
		m.put(gearcore.Str(key), v)
		more, err := s.more('}')
		if err != nil {
			return gearcore.Value{}, err
		}
		if !more {
			return m.value(), nil
		}
	}
}

// key reads a map key and its colon; owned says that raw is not a view of the message.
func (s *scanner) key() (raw []byte, owned bool, err error) {
	if s.next() != '"' {
		return nil, false, s.unexpected("a key")
	}
	raw, owned, err = s.rawString()
	if err != nil || s.pass(':') {
		return raw, owned, err
	}
	return raw, owned, s.expect(':')
}

// mapBuilder collects pairs; the last value of a key that comes twice wins. Past a few pairs it looks keys up in a Go
// map, so that a hostile message is not quadratic.
type mapBuilder struct {
	pairs []gearcore.Pair
	index map[string]int
}

const linearKeys = 16

func (m *mapBuilder) put(key, val gearcore.Value) {
	if at := m.find(key); at >= 0 {
		m.pairs[at].Val = val
		return
	}
	m.pairs = append(m.pairs, gearcore.Pair{Key: key, Val: val})
	if m.index != nil {
		m.index[mapKey(key)] = len(m.pairs) - 1
	} else if len(m.pairs) > linearKeys {
		m.index = make(map[string]int, 4*linearKeys)
		for i := range m.pairs {
			m.index[mapKey(m.pairs[i].Key)] = i
		}
	}
}

func (m *mapBuilder) find(key gearcore.Value) int {
	if m.index != nil {
		if at, ok := m.index[mapKey(key)]; ok {
			return at
		}
		return -1
	}
	for i := range m.pairs {
		if m.pairs[i].Key.Equal(key) {
			return i
		}
	}
	return -1
}

// mapKey tells keys of different kinds apart.
func mapKey(v gearcore.Value) string {
	if v.Kind() == gearcore.KindString {
		return v.Str()
	}
	return "\x00" + v.Kind().String() + v.Text()
}

func (m *mapBuilder) value() gearcore.Value { return gearcore.Map(slices.Clip(m.pairs)) }

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// stops returns a word whose lowest set bit marks the first quote, backslash or control byte of w.
func stops(w uint64) uint64 {
	quote := w ^ lowBits*'"'
	slash := w ^ lowBits*'\\'
	return ((quote-lowBits)&^quote | (slash-lowBits)&^slash | (w-lowBits*0x20)&^w) & highBits
}

// rawString reads a string literal. The result is a view of the message unless owned.
func (s *scanner) rawString() (raw []byte, owned bool, err error) {
	b, start := s.b, s.i+1
	j := start
	var seen uint64
	for {
		if j+8 > len(b) {
			for j < len(b) && b[j] != '"' && b[j] != '\\' && b[j] >= 0x20 {
				seen |= uint64(b[j])
				j++
			}
			break
		}
		w := binary.LittleEndian.Uint64(b[j:])
		if m := stops(w); m != 0 {
			n := bits.TrailingZeros64(m) &^ 7
			seen |= w & (1<<n - 1)
			j += n / 8
			break
		}
		seen |= w
		j += 8
	}
	if j >= len(b) {
		s.i = j
		return nil, false, errTruncated
	}
	if b[j] != '"' {
		return s.escapedString(start, j)
	}
	s.i = j + 1
	raw = b[start:j]
	if seen&highBits != 0 && !utf8.Valid(raw) {
		return []byte(strings.ToValidUTF8(string(raw), "\uFFFD")), true, nil
	}
	return raw, false, nil
}

// escapedString goes on where the first escape was found.
func (s *scanner) escapedString(start, j int) ([]byte, bool, error) {
	b := s.b
	out := append(make([]byte, 0, j-start+32), b[start:j]...)
	for j < len(b) {
		switch c := b[j]; {
		case c == '"':
			s.i = j + 1
			if !utf8.Valid(out) {
				out = []byte(strings.ToValidUTF8(string(out), "\uFFFD"))
			}
			return out, true, nil
		case c < 0x20:
			s.i = j
			return nil, false, s.unexpected("the rest of a string (control characters must be escaped)")
		case c != '\\':
			out = append(out, c)
			j++
		default:
			var err error
			s.i = j
			if out, err = s.escape(out); err != nil {
				return nil, false, err
			}
			j = s.i
		}
	}
	s.i = j
	return nil, false, errTruncated
}

// escape reads one escape sequence at s.i and appends what it means.
func (s *scanner) escape(out []byte) ([]byte, error) {
	if s.i+1 >= len(s.b) {
		return out, errTruncated
	}
	c := s.b[s.i+1]
	s.i += 2
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'u':
		r, err := s.hex4()
		if err != nil {
			return out, err
		}
		if utf16.IsSurrogate(r) && strings.HasPrefix(view(s.b[s.i:]), `\u`) {
			at := s.i
			s.i += 2
			low, err := s.hex4()
			if err != nil {
				return out, err
			}
			if p := utf16.DecodeRune(r, low); p != utf8.RuneError {
				return utf8.AppendRune(out, p), nil
			}
			s.i = at
		}
		return utf8.AppendRune(out, r), nil // a lone surrogate becomes U+FFFD
	}
	s.i--
	return out, s.unexpected("an escape")
}

func (s *scanner) hex4() (rune, error) {
	if s.i+4 > len(s.b) {
		return 0, errTruncated
	}
	n, err := strconv.ParseUint(view(s.b[s.i:s.i+4]), 16, 16)
	if err != nil {
		return 0, s.unexpected("four hexadecimal digits")
	}
	s.i += 4
	return rune(n), nil
}

// number reads a JSON number, or -Infinity.
func (s *scanner) number() (gearcore.Value, error) {
	b, start := s.b, s.i
	j := start
	if b[j] == '-' {
		j++
		if j < len(b) && b[j] == 'I' {
			s.i = j
			return gearcore.Double(math.Inf(-1)), s.word("Infinity")
		}
	}
	digits := j
	var n int64
	for j < len(b) && b[j]-'0' < 10 {
		n = n*10 + int64(b[j]-'0') // wraps past 18 digits and is then not used
		j++
	}
	if j == digits || b[digits] == '0' && j > digits+1 {
		s.i = j
		return gearcore.Value{}, s.unexpected("a number without leading zeros")
	}
	if j < len(b) && (b[j] == '.' || b[j]|0x20 == 'e') {
		return s.decimal(start, j)
	}
	s.i = j
	if j-digits > 18 {
		return s.bigInteger(b[start:j])
	}
	if digits > start {
		n = -n
	}
	return integer(n), nil
}

// integer returns n as Storm's JSON parser would: an Integer if it fits.
func integer(n int64) gearcore.Value {
	if n == int64(int32(n)) {
		return gearcore.Int(int32(n))
	}
	return gearcore.Long(n)
}

func (s *scanner) bigInteger(text []byte) (gearcore.Value, error) {
	if len(text) > s.limits.Digits {
		return gearcore.Value{}, tooLarge("a number of digits", s.limits.Digits)
	}
	if n, err := strconv.ParseInt(view(text), 10, 64); err == nil {
		return integer(n), nil
	}
	n, ok := new(big.Int).SetString(string(text), 10)
	if !ok {
		return gearcore.Value{}, s.unexpected("a number")
	}
	return gearcore.BigInt(n), nil
}

func (s *scanner) decimal(start, j int) (gearcore.Value, error) {
	b := s.b
	if b[j] == '.' {
		j++
		from := j
		for j < len(b) && b[j]-'0' < 10 {
			j++
		}
		if j == from {
			s.i = j
			return gearcore.Value{}, s.unexpected("a digit")
		}
	}
	if j < len(b) && b[j]|0x20 == 'e' {
		j++
		if j < len(b) && (b[j] == '+' || b[j] == '-') {
			j++
		}
		from := j
		for j < len(b) && b[j]-'0' < 10 {
			j++
		}
		if j == from {
			s.i = j
			return gearcore.Value{}, s.unexpected("a digit")
		}
	}
	s.i = j
	if j-start > s.limits.Digits {
		return gearcore.Value{}, tooLarge("a number of digits", s.limits.Digits)
	}
	f, err := strconv.ParseFloat(view(b[start:j]), 64)
	if err != nil {
		return gearcore.Value{}, fmt.Errorf("number %s: out of range", b[start:j])
	}
	return gearcore.Double(f), nil
}
