package transport

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// Most rows have the head of the row before and hold only texts below maxPlainText and longs. These two functions are a
// short way through them; whatever else a row is, appendRow and readRow take it.
const maxPlainText = 1 << 14

// appendPlainRows appends the rows of b from next on that are plain, the one before being prev, while buf stays within
// limit. It returns how many there were and how many of them are tracked.
func appendPlainRows(buf []byte, b *gearcore.Batch, next int, prev *gearcore.Row, limit int) (out []byte, n, tracked int) {
	stream, source, arity := prev.Stream, prev.Source, prev.Len
	for i := next; i < len(b.Rows); i++ {
		row := &b.Rows[i]
		if row.Stream != stream || row.Source != source || row.Len != arity {
			break
		}
		vals, need := b.Vals[row.Off:row.Off+uint32(arity)], 1
		for j := range vals {
			switch k := vals[j].Kind(); {
			case k == gearcore.KindString && vals[j].Weight() < maxPlainText:
				need += 3 + vals[j].Weight()
			case k == gearcore.KindLong:
				need += 1 + binary.MaxVarintLen64
			default:
				return buf, n, tracked
			}
		}
		at := len(buf)
		if at+need > limit {
			break
		}
		if cap(buf)-at < need {
			buf = slices.Grow(buf, need)
		}
		w := buf[at : at+need]
		w[0] = 0
		if row.RootLen > 0 {
			w[0] = rowTracked
			tracked++
		}
		o := 1
		for j := range vals {
			if vals[j].Kind() == gearcore.KindLong {
				w[o] = byte(gearcore.KindLong)
				o += 1 + binary.PutVarint(w[o+1:], vals[j].Int())
				continue
			}
			s := vals[j].Str()
			w[o], w[o+1] = byte(gearcore.KindString), byte(len(s))
			o += 2
			if len(s) >= 0x80 {
				w[o-1], w[o] = byte(len(s))|0x80, byte(len(s)>>7)
				o++
			}
			o += copy(w[o:], s)
		}
		buf = buf[:at+o]
		n++
	}
	return buf, n, tracked
}

// plainRows reads plain rows into b, the head of the row before being in row, and leaves the first other one, and one
// that does not fit the frame, to readRow. There is room for rows rows.
func plainRows(r *codec.Reader, b *gearcore.Batch, row *gearcore.Row, rows int) {
	p, at, arity := r.Rest, 0, int(row.Len)
	n, vals, roots, maxRoots := len(b.Rows), b.Vals, uint32(len(b.Roots)), uint32(cap(b.Roots))
	if n == 0 {
		return
	}
	head := b.Rows[:rows]
next:
	for ; n < rows; n++ {
		i, off := at, len(vals)
		if i >= len(p) || p[i]&^rowTracked != 0 || cap(vals)-off < arity {
			break
		}
		tracked := uint32(p[i] / rowTracked)
		if roots+tracked > maxRoots {
			break
		}
		i++
		for range arity {
			if i+1 >= len(p) {
				vals = vals[:off]
				break next
			}
			switch gearcore.Kind(p[i]) {
			case gearcore.KindString:
				size := int(p[i+1])
				i += 2
				if size >= 0x80 {
					if i >= len(p) || p[i] >= 0x80 {
						vals = vals[:off]
						break next
					}
					size = size&0x7F | int(p[i])<<7
					i++
				}
				if size > len(p)-i {
					vals = vals[:off]
					break next
				}
				vals = append(vals, gearcore.Str(unsafe.String(unsafe.SliceData(p[i:]), size)))
				i += size
			case gearcore.KindLong:
				u, w := uint64(p[i+1]), 1
				if u >= 0x80 {
					if u, w = binary.Uvarint(p[i+1:]); w <= 0 {
						vals = vals[:off]
						break next
					}
				}
				vals = append(vals, gearcore.Long(int64(u>>1)^-int64(u&1)))
				i += 1 + w
			default:
				vals = vals[:off]
				break next
			}
		}
		at = i
		h := &head[n] // in place: a row that is put together elsewhere and copied costs more
		h.AckVal, h.Off, h.RootOff, h.RootLen, h.Flags = 0, uint32(off), roots, tracked, 0
		h.Stream, h.Source, h.Len = row.Stream, row.Source, row.Len
		roots += tracked
	}
	r.Rest = p[at:]
	clear(b.Roots[len(b.Roots):roots])
	b.Rows, b.Vals, b.Roots = b.Rows[:n], vals, b.Roots[:roots]
}
