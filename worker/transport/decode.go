package transport

import (
	"encoding/binary"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// dataTarget returns the task that a data frame is for, 0 if it is none.
func dataTarget(body []byte) gearcore.TaskID {
	if len(body) < dataHeader || body[0] != frameData {
		return 0
	}
	return gearcore.TaskID(binary.LittleEndian.Uint32(body[10:]))
}

// decodeData fills b, which is empty, with what is in a data frame's body. The slabs that b has are used; its texts are
// views of body. A tracked row has one root, which is the caller's to fill in. The counts are checked against the
// length of the body before anything is allocated.
func decodeData(b *gearcore.Batch, body []byte, l *gearcore.Layout) error {
	return decodeStreams(b, body, l, len(l.Streams))
}

// decodeStreams is decodeData for rows of so many streams, which may be more than l has.
func decodeStreams(b *gearcore.Batch, body []byte, l *gearcore.Layout, streams int) error {
	if len(body) < dataHeader || body[0] != frameData {
		return badFrame("%d bytes is no data frame", len(body))
	}
	le := binary.LittleEndian
	b.Layout, b.Seq, b.Target, b.From = l, le.Uint64(body[2:]), gearcore.TaskID(le.Uint32(body[10:])), gearcore.TaskID(le.Uint32(body[14:]))
	rows, vals, tracked := uint64(le.Uint32(body[18:])), uint64(le.Uint32(body[22:])), uint64(le.Uint32(body[26:]))
	r := codec.NewReader(body[dataHeader:], ErrFrame)
	if body[1]&flagGeneration != 0 {
		b.Generation, b.Behind = r.Uint64(), r.Uint64()
	}
	if body[1]&flagWatermark != 0 {
		b.Watermark = gearcore.Watermark(r.Uint64())
	}
	if body[1]&flagMarker != 0 {
		b.Marker = r.Uint64()
	}
	if n := uint64(len(r.Rest)); rows+vals > n || tracked > rows {
		return badFrame("%d rows, %d of them tracked, and %d values do not fit %d bytes", rows, tracked, vals, n)
	}
	b.Rows, b.Vals, b.Roots = slab(b.Rows, rows), slab(b.Vals, vals), slab(b.Roots, tracked)
	var row gearcore.Row
	for {
		if plainRows(&r, b, &row, int(rows)); len(b.Rows) == int(rows) {
			break
		}
		if readRow(&r, b, &row, streams); r.Err != nil {
			return r.Err
		}
	}
	if len(r.Rest) != 0 || len(b.Vals) != int(vals) || len(b.Roots) != int(tracked) {
		return badFrame("rows do not add up: %d bytes left, %d of %d values, %d of %d tracked rows", len(r.Rest), len(b.Vals), vals, len(b.Roots), tracked)
	}
	b.Size = 32*len(b.Rows) + 24*len(b.Vals) + 16*len(b.Roots) + len(body) // as Batch.Bytes counts, or a little more
	return nil
}

// slab returns s empty and with room for n.
func slab[T any](s []T, n uint64) []T {
	if uint64(cap(s)) >= n {
		return s[:0]
	}
	return make([]T, 0, n)
}

// readRow reads one row into b. row holds the head of the row before and is updated.
func readRow(r *codec.Reader, b *gearcore.Batch, row *gearcore.Row, streams int) {
	bits := r.Byte()
	if bits&rowHead != 0 {
		stream, source, n := r.Uvarint(), r.Varint(), r.Uvarint()
		if stream >= uint64(streams) || source != int64(int32(source)) || n > 0xFFFF {
			r.Fail("row of stream %d from task %d with %d values", stream, source, n)
			return
		}
		row.Stream, row.Source, row.Len = gearcore.StreamID(stream), gearcore.TaskID(source), uint16(n)
	} else if len(b.Rows) == 0 {
		r.Fail("first row has no head")
		return
	}
	row.Off, row.RootOff, row.RootLen = uint32(len(b.Vals)), uint32(len(b.Roots)), 0
	if bits&rowTracked != 0 {
		if len(b.Roots) == cap(b.Roots) {
			r.Fail("more tracked rows than announced")
			return
		}
		row.RootLen = 1
		b.Roots = append(b.Roots, gearcore.RootEdge{})
	}
	if int(row.Len) > len(r.Rest) {
		r.Fail("row with %d values in %d bytes", row.Len, len(r.Rest))
		return
	}
	b.Vals = r.Values(b.Vals, int(row.Len))
	b.Rows = append(b.Rows, *row)
}
