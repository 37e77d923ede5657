package transport

import (
	"encoding/binary"

	"github.com/gearstorm/gearstorm/gearcore"
)

// decodeData makes a batch of a data frame's body. Its slabs are new and its texts are copied out of body, so
// everything in it may be kept. The counts are checked against the length of the body before anything is allocated.
func decodeData(body []byte, l *gearcore.Layout, c *chunk) (*gearcore.Batch, error) {
	if len(body) < dataHeader || body[0] != frameData {
		return nil, badFrame("%d bytes is no data frame", len(body))
	}
	le := binary.LittleEndian
	b := &gearcore.Batch{Layout: l, Seq: le.Uint64(body[2:]), Target: gearcore.TaskID(le.Uint32(body[10:])), From: gearcore.TaskID(le.Uint32(body[14:]))}
	rows, vals, roots := uint64(le.Uint32(body[18:])), uint64(le.Uint32(body[22:])), uint64(le.Uint32(body[26:]))
	r := reader{p: body[dataHeader:], chunk: c, budget: len(body)}
	if body[1]&flagWatermark != 0 {
		b.Watermark = gearcore.Watermark(le.Uint64(r.fixed(8)))
	}
	if body[1]&flagMarker != 0 {
		b.Marker = le.Uint64(r.fixed(8))
	}
	if n := uint64(len(r.p)); rows+vals+16*roots > n {
		return nil, badFrame("%d rows, %d values and %d anchors do not fit %d bytes", rows, vals, roots, n)
	}
	b.Rows = make([]gearcore.Row, 0, rows)
	b.Vals = make([]gearcore.Value, 0, vals)
	if roots > 0 {
		b.Roots = make([]gearcore.RootEdge, 0, roots)
	}
	var row gearcore.Row
	for range rows {
		if r.row(b, &row, len(l.Streams)); r.err != nil {
			return nil, r.err
		}
	}
	if len(r.p) != 0 || len(b.Vals) != int(vals) || len(b.Roots) != int(roots) {
		return nil, badFrame("rows do not add up: %d bytes left, %d of %d values, %d of %d anchors", len(r.p), len(b.Vals), vals, len(b.Roots), roots)
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
	if bits&rowRoots != 0 {
		n := r.uvarint()
		if n == 0 || n > uint64(cap(b.Roots)-len(b.Roots)) || n > uint64(len(r.p))/16 {
			r.fail("row with %d anchors", n)
			return
		}
		row.RootLen = uint32(n)
		for range n {
			e := r.fixed(16)
			b.Roots = append(b.Roots, gearcore.RootEdge{Root: binary.LittleEndian.Uint64(e), Edge: binary.LittleEndian.Uint64(e[8:])})
		}
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

// decodeAcks makes a batch of an ack frame's body.
func decodeAcks(body []byte, l *gearcore.Layout) (*gearcore.Batch, error) {
	if len(body) < numbered+4 || body[0] != frameAcks {
		return nil, badFrame("%d bytes is no ack frame", len(body))
	}
	le := binary.LittleEndian
	b := &gearcore.Batch{Layout: l, Seq: le.Uint64(body[2:]), Target: gearcore.TaskID(le.Uint32(body[10:]))}
	n := le.Uint32(body[14:])
	r := reader{p: body[18:]}
	if uint64(n)*17 > uint64(len(r.p)) {
		return nil, badFrame("%d acks do not fit %d bytes", n, len(r.p))
	}
	b.Acks = make([]gearcore.Ack, n)
	for i := range b.Acks {
		e := r.fixed(17)
		a := gearcore.Ack{Op: gearcore.AckOp(e[0]), Root: le.Uint64(e[1:]), Val: le.Uint64(e[9:])}
		if a.Op < gearcore.AckInit || a.Op > gearcore.AckDone {
			r.fail("ack of kind %d", a.Op)
		}
		if a.Op == gearcore.AckInit {
			a.Spout = gearcore.TaskID(le.Uint32(r.fixed(4)))
		}
		b.Acks[i] = a
	}
	if r.err == nil && len(r.p) != 0 {
		r.fail("%d bytes after the last ack", len(r.p))
	}
	return b, r.err
}
