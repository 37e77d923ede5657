package transport

import (
	"encoding/binary"

	"github.com/gearstorm/gearstorm/gearcore"
)

// decodeData makes a batch of a data frame's body. Its slabs are new and its texts are copied out of body, so
// everything in it may be kept. A tracked row has one root, which is the caller's to fill in. The counts are checked against the length of the body before anything is allocated.
func decodeData(body []byte, l *gearcore.Layout, c *chunk) (*gearcore.Batch, error) {
	if len(body) < dataHeader || body[0] != frameData {
		return nil, badFrame("%d bytes is no data frame", len(body))
	}
	le := binary.LittleEndian
	b := &gearcore.Batch{Layout: l, Seq: le.Uint64(body[2:]), Target: gearcore.TaskID(le.Uint32(body[10:])), From: gearcore.TaskID(le.Uint32(body[14:]))}
	rows, vals, tracked := uint64(le.Uint32(body[18:])), uint64(le.Uint32(body[22:])), uint64(le.Uint32(body[26:]))
	r := reader{p: body[dataHeader:], chunk: c, budget: len(body)}
	if body[1]&flagWatermark != 0 {
		b.Watermark = gearcore.Watermark(le.Uint64(r.fixed(8)))
	}
	if body[1]&flagMarker != 0 {
		b.Marker = le.Uint64(r.fixed(8))
	}
	if n := uint64(len(r.p)); rows+vals > n || tracked > rows {
		return nil, badFrame("%d rows, %d of them tracked, and %d values do not fit %d bytes", rows, tracked, vals, n)
	}
	b.Rows = make([]gearcore.Row, 0, rows)
	b.Vals = make([]gearcore.Value, 0, vals)
	if tracked > 0 {
		b.Roots = make([]gearcore.RootEdge, 0, tracked)
	}
	var row gearcore.Row
	for range rows {
		if r.row(b, &row, len(l.Streams)); r.err != nil {
			return nil, r.err
		}
	}
	if len(r.p) != 0 || len(b.Vals) != int(vals) || len(b.Roots) != int(tracked) {
		return nil, badFrame("rows do not add up: %d bytes left, %d of %d values, %d of %d tracked rows", len(r.p), len(b.Vals), vals, len(b.Roots), tracked)
	}
	return b, nil
}

// row reads one row into b. row holds the head of the row before and is updated.
func (r *reader) row(b *gearcore.Batch, row *gearcore.Row, streams int) {
	bits := r.byte()
	if bits&rowHead != 0 {
		stream, source, n := r.uvarint(), r.varint(), r.uvarint()
		if stream >= uint64(streams) || source != int64(int32(source)) || n > 0xFFFF {
			r.fail("row of stream %d from task %d with %d values", stream, source, n)
			return
		}
		row.Stream, row.Source, row.Len = gearcore.StreamID(stream), gearcore.TaskID(source), uint16(n)
	} else if len(b.Rows) == 0 {
		r.fail("first row has no head")
		return
	}
	row.Off, row.RootOff, row.RootLen = uint32(len(b.Vals)), uint32(len(b.Roots)), 0
	if bits&rowTracked != 0 {
		if len(b.Roots) == cap(b.Roots) {
			r.fail("more tracked rows than announced")
			return
		}
		row.RootLen = 1
		b.Roots = b.Roots[:len(b.Roots)+1]
	}
	if int(row.Len) > cap(b.Vals)-len(b.Vals) {
		r.fail("row with %d values, more than announced", row.Len)
		return
	}
	for range row.Len {
		if len(r.p) > 1 && gearcore.Kind(r.p[0]) == gearcore.KindString {
			r.p = r.p[1:]
			b.Vals = append(b.Vals, gearcore.Str(r.chunk.str(r.text())))
			continue
		}
		b.Vals = append(b.Vals, r.value(0))
	}
	b.Rows = append(b.Rows, *row)
}
