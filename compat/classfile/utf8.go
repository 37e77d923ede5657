package classfile

import "unicode/utf16"

// ModifiedUTF8 decodes the encoding of texts in class files and of DataInput.readUTF: U+0000 in two bytes, and characters
// above U+FFFF as two surrogates of three bytes each. A surrogate without its other half becomes U+FFFD. The result does
// not share memory with b.
func ModifiedUTF8(b []byte) (string, bool) {
	ascii := true
	for _, c := range b {
		if c == 0 || c >= 0x80 {
			ascii = false
			break
		}
	}
	if ascii {
		return string(b), true
	}
	units := make([]uint16, 0, len(b))
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c < 0x80:
			units = append(units, uint16(c))
			i++
		case c>>5 == 6 && i+1 < len(b) && b[i+1]>>6 == 2:
			units = append(units, uint16(c&0x1F)<<6|uint16(b[i+1]&0x3F))
			i += 2
		case c>>4 == 14 && i+2 < len(b) && b[i+1]>>6 == 2 && b[i+2]>>6 == 2:
			units = append(units, uint16(c&0x0F)<<12|uint16(b[i+1]&0x3F)<<6|uint16(b[i+2]&0x3F))
			i += 3
		default:
			return "", false
		}
	}
	return string(utf16.Decode(units)), true
}
