package transport

import (
	"encoding/binary"
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// Bits of a row's first byte.
const (
	rowHead    byte = 1 << iota // stream, source and arity follow; else they are those of the row before
	rowTracked                  // it is part of a tree
)

// dataHeader is the fixed part of a data frame's body.
const dataHeader = numbered + 4 + 3*4

// headNumbers is how many bytes the numbers of all flags take.
const headNumbers = 4 * 8

// rejected is a row that cannot be sent, and why.
type rejected struct {
	row int
	err error
}

// appendData appends one data frame with rows from..next of b, as many as fit a body of maxBody bytes. A row that
// cannot be sent at all is left out and added to bad. wrote tells whether there is a frame: none is written when every
// row was refused and the batch carries neither watermark nor marker.
func appendData(buf []byte, seq uint64, b *gearcore.Batch, from, maxBody int, bad []rejected) (out []byte, next int, wrote bool, _ []rejected) {
	at := len(buf)
	buf = append(buf, zeros[:frameHeader]...)
	var flags byte
	if b.Watermark != 0 {
		flags |= flagWatermark
	}
	if b.Marker != 0 {
		flags |= flagMarker
	}
	if b.Generation != 0 {
		flags |= flagGeneration
	}
	buf = append(buf, frameData, flags)
	buf = binary.LittleEndian.AppendUint64(buf, seq)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(b.Target))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(b.From))
	counts := len(buf)
	buf = append(buf, zeros[:12]...)
	if b.Generation != 0 {
		buf = binary.LittleEndian.AppendUint64(buf, b.Generation)
		buf = binary.LittleEndian.AppendUint64(buf, b.Behind+uint64(from))
	}
	marks := len(buf)
	if b.Watermark != 0 {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(b.Watermark))
	}
	if b.Marker != 0 {
		buf = binary.LittleEndian.AppendUint64(buf, b.Marker)
	}
	first := len(buf)
	var rows, vals, tracked int
	var prev *gearcore.Row
	limit := at + frameHeader + maxBody
	for next = from; next < len(b.Rows); next++ {
		if prev != nil {
			var n, t int
			buf, n, t = appendPlainRows(buf, b, next, prev, limit)
			if next, rows, vals, tracked = next+n, rows+n, vals+n*int(prev.Len), tracked+t; next == len(b.Rows) {
				break
			}
		}
		row, start := &b.Rows[next], len(buf)
		var err error
		buf, err = appendRow(buf, b, row, prev)
		if n := len(buf) - start; err == nil && n > maxBody-dataHeader-headNumbers {
			err = fmt.Errorf("send a tuple of %d bytes: more than %d", n, maxBody-dataHeader-headNumbers)
		}
		if err != nil {
			buf, bad = buf[:start], append(bad, rejected{next, err})
			continue
		}
		if len(buf) > limit {
			buf = buf[:start]
			break
		}
		prev, rows, vals, tracked = row, rows+1, vals+int(row.Len), tracked+int(min(row.RootLen, 1))
	}
	if rows == 0 && marks == first {
		return buf[:at], next, false, bad
	}
	if next < len(b.Rows) {
		clear(buf[marks:first])
	}
	binary.LittleEndian.PutUint32(buf[counts:], uint32(rows))
	binary.LittleEndian.PutUint32(buf[counts+4:], uint32(vals))
	binary.LittleEndian.PutUint32(buf[counts+8:], uint32(tracked))
	seal(buf, at)
	return buf, next, true, bad
}

func appendRow(buf []byte, b *gearcore.Batch, row, prev *gearcore.Row) ([]byte, error) {
	var bits byte
	if prev == nil || prev.Stream != row.Stream || prev.Source != row.Source || prev.Len != row.Len {
		bits |= rowHead
	}
	if row.RootLen > 0 {
		bits |= rowTracked
	}
	buf = append(buf, bits)
	if bits&rowHead != 0 {
		buf = binary.AppendUvarint(buf, uint64(row.Stream))
		buf = binary.AppendVarint(buf, int64(row.Source))
		buf = binary.AppendUvarint(buf, uint64(row.Len))
	}
	return codec.AppendAll(buf, b.Vals[row.Off:row.Off+uint32(row.Len)])
}

func appendPing(buf []byte) []byte {
	at := len(buf)
	buf = append(buf, zeros[:frameHeader]...)
	buf = append(buf, framePing)
	seal(buf, at)
	return buf
}
