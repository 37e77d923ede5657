package transcript

import "encoding/binary"

// encode is the opposite of decode.
func (m message) encode() []byte {
	var b []byte
	if m.old {
		b = append(text(m.method), m.kind)
	} else {
		b = binary.BigEndian.AppendUint32(b, 0x80010000|uint32(m.kind))
		b = append(b, text(m.method)...)
	}
	return m.body.append(binary.BigEndian.AppendUint32(b, m.seq))
}

func text(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }

func (f field) append(b []byte) []byte {
	return f.value.append(binary.BigEndian.AppendUint16(append(b, f.kind), uint16(f.id)))
}

func (v value) append(b []byte) []byte {
	switch v.kind {
	case kindBool, kindByte:
		b = append(b, byte(v.number))
	case kindI16:
		b = binary.BigEndian.AppendUint16(b, uint16(v.number))
	case kindI32:
		b = binary.BigEndian.AppendUint32(b, uint32(v.number))
	case kindI64, kindDouble:
		b = binary.BigEndian.AppendUint64(b, v.number)
	case kindString:
		b = append(b, text(v.text)...)
	case kindStruct:
		for _, f := range v.fields {
			b = f.append(b)
		}
		b = append(b, kindStop)
	case kindMap:
		b = append(b, v.of[0], v.of[1])
		b = binary.BigEndian.AppendUint32(b, uint32(len(v.items)))
		for i := range v.items {
			b = v.items[i].append(v.keys[i].append(b))
		}
	case kindSet, kindList:
		b = append(b, v.of[1])
		b = binary.BigEndian.AppendUint32(b, uint32(len(v.items)))
		for _, item := range v.items {
			b = item.append(b)
		}
	}
	return b
}

// eachText changes every text in a value.
func (v *value) eachText(change func(string) string) {
	if v.kind == kindString {
		v.text = change(v.text)
	}
	for i := range v.fields {
		v.fields[i].eachText(change)
	}
	for i := range v.keys {
		v.keys[i].eachText(change)
	}
	for i := range v.items {
		v.items[i].eachText(change)
	}
}
