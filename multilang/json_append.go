package multilang

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/gearcore"
)

// appendJSON appends v as JSON that Python, Node and Ruby read back. Bytes become base64 text, a char a one-character
// string, NaN and the infinities null (what JSON.stringify writes; bare words would end a Node child), other Doubles keep a
// point or an exponent so that they stay decimals. Opaque values and Go objects are errors. On an error dst may have grown.
func appendJSON(dst []byte, v gearcore.Value, depth int) ([]byte, error) {
	switch v.Kind() {
	case gearcore.KindString:
		return appendString(dst, v.Str()), nil
	case gearcore.KindNull:
		return append(dst, "null"...), nil
	case gearcore.KindBool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case gearcore.KindByte, gearcore.KindShort, gearcore.KindInt, gearcore.KindLong:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case gearcore.KindFloat:
		return appendFloat(dst, v.Float(), 32), nil
	case gearcore.KindDouble:
		return appendFloat(dst, v.Float(), 64), nil
	case gearcore.KindChar:
		return appendChar(dst, uint16(v.Int())), nil
	case gearcore.KindBigInt:
		return v.BigInt().Append(dst, 10), nil
	case gearcore.KindBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		return append(dst, '"'), nil
	case gearcore.KindList, gearcore.KindMap:
		if d := v.Deferred(); d != nil && d.Form == formJSON {
			return append(dst, d.Text...), nil
		}
		if v.Kind() == gearcore.KindList {
			return appendList(dst, v.List(), depth+1)
		}
		return appendMap(dst, v.Map(), depth+1)
	}
	return dst, unsupported(v)
}

func unsupported(v gearcore.Value) error {
	if o := v.Opaque(); o != nil {
		return fmt.Errorf("send a value of Java class %s to a multilang component: only plain values can cross", o.Class)
	}
	return fmt.Errorf("send a %s (%T) to a multilang component: only plain values can cross", v.Kind(), v.Any())
}

// maxEncodeDepth bounds recursion on values that Go code built.
const maxEncodeDepth = 256

var errTooDeep = fmt.Errorf("send a value nested deeper than %d to a multilang component", maxEncodeDepth)

func appendList(dst []byte, vs []gearcore.Value, depth int) ([]byte, error) {
	if depth > maxEncodeDepth {
		return dst, errTooDeep
	}
	var err error
	dst = append(dst, '[')
	for i := range vs {
		if i > 0 {
			dst = append(dst, ',')
		}
		if vs[i].Kind() == gearcore.KindString {
			dst = appendString(dst, vs[i].Str())
			continue
		}
		if dst, err = appendJSON(dst, vs[i], depth); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendMap(dst []byte, ps []gearcore.Pair, depth int) ([]byte, error) {
	if depth > maxEncodeDepth {
		return dst, errTooDeep
	}
	var err error
	dst = append(dst, '{')
	for i := range ps {
		if i > 0 {
			dst = append(dst, ',')
		}
		key, err1 := keyText(ps[i].Key)
		if err1 != nil {
			return dst, err1
		}
		dst = append(appendString(dst, key), ':')
		if dst, err = appendJSON(dst, ps[i].Val, depth); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// keyText returns a map key as text: every child language has string keys only.
func keyText(k gearcore.Value) (string, error) {
	switch k.Kind() {
	case gearcore.KindNull:
		return "null", nil
	case gearcore.KindChar:
		return string(rune(k.Int())), nil
	case gearcore.KindBytes, gearcore.KindList, gearcore.KindMap, gearcore.KindOpaque, gearcore.KindObject:
		return "", fmt.Errorf("send a map with a %s as key to a multilang component: keys are strings there", k.Kind())
	}
	return k.Text(), nil
}

func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, bits)
	}
	at := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, bits)
	for _, c := range dst[at:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

func appendChar(dst []byte, c uint16) []byte {
	if c >= 0xD800 && c < 0xE000 {
		return append(appendEscape(append(dst, '"'), c), '"')
	}
	return appendString(dst, string(rune(c)))
}

const hexDigits = "0123456789abcdef"

func appendEscape(dst []byte, c uint16) []byte {
	return append(dst, '\\', 'u', hexDigits[c>>12], hexDigits[c>>8&15], hexDigits[c>>4&15], hexDigits[c&15])
}

// appendString appends s as a JSON string. Text beyond ASCII is written as it is, invalid UTF-8 as U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0 // what is before from has been written
	i := 0
	b := bytesOf(s)
	for i < len(b) {
		if i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			m := (stops(w) | w) & highBits
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) / 8
		}
		c := b[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[from:i]...), "\uFFFD"...)
				from = i + 1
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[from:i]...)
		dst = appendControl(dst, c)
		i++
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}

func appendControl(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return appendEscape(dst, uint16(c))
}
