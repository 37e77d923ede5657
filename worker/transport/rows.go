package transport

import (
	"encoding/binary"
	"unsafe"

	"github.com/gearstorm/gearstorm/gearcore"
)

// plainRows is the short way through the commonest rows: it reads rows into b for as long as they have the head of the
// row before (held in row), no anchors, and hold only texts below 16 KiB and longs, and leaves the first other one to
// row. There is room for rows rows; a row that does not fit the frame is left to row too, which says what is wrong.
func (r *reader) plainRows(b *gearcore.Batch, row *gearcore.Row, rows int) {
	p, at, arity := r.p, 0, int(row.Len)
	n, vals := len(b.Rows), b.Vals
	if n == 0 {
		return
	}
	head := b.Rows[:rows]
next:
	for ; n < rows; n++ {
		i, off := at, len(vals)
		if i >= len(p) || p[i] != 0 || cap(vals)-off < arity {
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
		h.AckVal, h.Off, h.RootOff, h.RootLen, h.Flags = 0, uint32(off), uint32(len(b.Roots)), 0, 0
		h.Stream, h.Source, h.Len = row.Stream, row.Source, row.Len
	}
	r.p = p[at:]
	b.Rows, b.Vals = b.Rows[:n], vals
}
