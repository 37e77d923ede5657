package jvmhost

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// appendStart appends the frame that begins a channel of a task that works by that version of the graph.
func appendStart(buf []byte, task gearcore.TaskID, graph int64, spec *Spec) []byte {
	at := len(buf)
	buf = beginFrame(buf, frameStart)
	buf = binary.AppendVarint(buf, int64(task))
	buf = binary.LittleEndian.AppendUint64(buf, uint64(graph))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(spec.EmitBytes))
	buf = binary.AppendUvarint(buf, uint64(len(spec.Outputs)))
	for _, o := range spec.Outputs {
		buf = codec.AppendText(buf, o.Stream)
		buf = binary.AppendUvarint(buf, uint64(len(o.Tasks)))
		for _, t := range o.Tasks {
			buf = binary.AppendVarint(buf, int64(t))
		}
	}
	endFrame(buf, at)
	return buf
}

func appendGrant(buf []byte, n int) []byte {
	at := len(buf)
	buf = binary.AppendUvarint(beginFrame(buf, frameGrant), uint64(n))
	endFrame(buf, at)
	return buf
}

// refused is a row that Java cannot have, and why.
type refused struct {
	row int
	err error
}

// appendBatch appends a frame with the rows of b from from on, up to about fullFrame bytes, and adds them to h. It
// returns the row it stopped at. A row that cannot be sent is left out and added to bad; if no row is left, no frame is
// written.
func appendBatch(buf []byte, handle uint64, h *held, b *gearcore.Batch, from int, bad []refused) (_ []byte, next int, _ []refused) {
	at := len(buf)
	buf = beginFrame(buf, frameBatch)
	buf = binary.LittleEndian.AppendUint64(buf, handle)
	counts := len(buf)
	buf = append(buf, 0, 0, 0, 0)
	var prev *gearcore.Row
	for next = from; next < len(b.Rows) && len(buf)-at < fullFrame; next++ {
		row, start := &b.Rows[next], len(buf)
		var err error
		buf, err = appendRow(buf, b, row, prev)
		if n := len(buf) - at - frameHeader; err == nil && n > maxFrame {
			if len(h.b.Rows) > 0 {
				buf = buf[:start]
				break
			}
			err = fmt.Errorf("send a tuple to Java: %d bytes are more than %d", n, maxFrame)
		}
		if err != nil {
			buf, bad = buf[:start], append(bad, refused{next, err})
			continue
		}
		prev = row
		h.add(b.Tuple(next))
	}
	if len(h.b.Rows) == 0 {
		return buf[:at], next, bad
	}
	binary.LittleEndian.PutUint32(buf[counts:], uint32(len(h.b.Rows)))
	endFrame(buf, at)
	h.size = len(buf) - at
	return buf, next, bad
}

func appendRow(buf []byte, b *gearcore.Batch, row, prev *gearcore.Row) ([]byte, error) {
	tracked := byte(0)
	if row.RootLen > 0 {
		tracked = bitTracked
	}
	if prev != nil && prev.Stream == row.Stream && prev.Source == row.Source && prev.Len == row.Len {
		buf = append(buf, tracked)
	} else {
		buf = binary.AppendUvarint(append(buf, tracked|bitHead), uint64(row.Stream))
		buf = binary.AppendVarint(buf, int64(row.Source))
		buf = binary.AppendUvarint(buf, uint64(row.Len))
	}
	return codec.AppendAll(buf, b.Vals[row.Off:row.Off+uint32(row.Len)])
}

// appendNext appends a frame that grants calls of nextTuple.
func appendNext(buf []byte, calls int) []byte {
	at := len(buf)
	buf = binary.AppendUvarint(beginFrame(buf, frameNext), uint64(calls))
	endFrame(buf, at)
	return buf
}

// appendState appends the pieces of a state.
func appendState(buf, state []byte) []byte {
	for piece := range slices.Chunk(state, fullFrame) {
		at := len(buf)
		buf = append(beginFrame(buf, frameState), piece...)
		endFrame(buf, at)
	}
	return buf
}

// appendNumber appends a frame of that kind that says a number: of a checkpoint, or of a version of the graph.
func appendNumber(buf []byte, kind byte, n uint64) []byte {
	at := len(buf)
	buf = binary.LittleEndian.AppendUint64(beginFrame(buf, kind), n)
	endFrame(buf, at)
	return buf
}

// appendStatus appends a frame that tells a spout whether the topology is active.
func appendStatus(buf []byte, active bool) []byte {
	at := len(buf)
	buf = append(beginFrame(buf, frameStatus), 0)
	if active {
		buf[len(buf)-1] = 1
	}
	endFrame(buf, at)
	return buf
}

// endedBytes is the size of a whole ended frame: header, kind, op, first number, count.
const endedBytes = frameHeader + 1 + 1 + 8 + 4

// appendEnded appends a frame about how the tree of one tuple ended.
func appendEnded(buf []byte, kind, op byte, number uint64) []byte {
	at := len(buf)
	buf = binary.LittleEndian.AppendUint64(append(beginFrame(buf, kind), op), number)
	buf = binary.LittleEndian.AppendUint32(buf, 1)
	endFrame(buf, at)
	return buf
}

// extendEnded makes the ended frame at the end of buf hold one more tuple; false if that does not follow what is in it.
func extendEnded(buf []byte, kind, op byte, number uint64) bool {
	if buf[len(buf)-endedBytes+frameHeader] != kind {
		return false
	}
	f := buf[len(buf)-endedBytes+frameHeader+1:]
	first, n := binary.LittleEndian.Uint64(f[1:]), binary.LittleEndian.Uint32(f[9:])
	if f[0] != op || number != first+uint64(n) || n == 1<<31 {
		return false
	}
	binary.LittleEndian.PutUint32(f[9:], n+1)
	return true
}
