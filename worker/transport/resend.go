package transport

import (
	"encoding/binary"
	"slices"
)

const (
	blockBytes = 256 << 10
	blockStart = 16 << 10
	// blockSlack is the room a block must have left for another frame; a frame that is larger makes its block grow.
	blockSlack = 72 << 10
	// maxBlocks bounds what is written and not known to be received; the writer then waits for grants.
	maxBlocks = 8
	maxSpare  = 3
)

// resend holds the frames that were written, or are about to be, until the receiver has them. The link's writing
// goroutine owns it.
type resend struct {
	blocks  []*block
	spare   []*block // at most maxSpare
	written int      // how much of the last block has been written to this connection
	seq     uint64
}

type block struct {
	buf  []byte
	last uint64 // number of its last frame
}

// open returns the block to append frames to, nil when the receiver must catch up first.
func (r *resend) open() *block {
	if n := len(r.blocks); n > 0 {
		if b := r.blocks[n-1]; len(b.buf) < blockBytes-blockSlack {
			return b
		}
		if len(r.pending()) > 0 || n >= maxBlocks {
			return nil
		}
	}
	var b *block
	if n := len(r.spare); n > 0 {
		b, r.spare = r.spare[n-1], r.spare[:n-1]
	} else {
		b = &block{buf: make([]byte, 0, blockStart)}
	}
	r.blocks, r.written = append(r.blocks, b), 0
	return b
}

// pending returns what of the last block is not written yet.
func (r *resend) pending() []byte {
	if len(r.blocks) == 0 {
		return nil
	}
	return r.blocks[len(r.blocks)-1].buf[r.written:]
}

// received frees the blocks whose frames the receiver has all, up to number seq.
func (r *resend) received(seq uint64) {
	n := 0
	for n < len(r.blocks) && r.blocks[n].last <= seq && (n < len(r.blocks)-1 || len(r.pending()) == 0) {
		n++
	}
	if n == 0 {
		return
	}
	for _, b := range r.blocks[:n] {
		if len(r.spare) < maxSpare && cap(b.buf) <= 2*blockBytes {
			b.buf = b.buf[:0]
			r.spare = append(r.spare, b)
		}
	}
	r.blocks = append(r.blocks[:0], r.blocks[n:]...)
	if len(r.blocks) == 0 {
		r.written = 0
	}
}

// skip puts a skip in the place of the frame numbered seq and returns a copy of its body; nil if there is none or it is a
// skip already.
func (r *resend) skip(seq uint64) []byte {
	for _, b := range r.blocks {
		if b.last < seq {
			continue
		}
		for at := 0; at < len(b.buf); {
			end := at + frameHeader + int(binary.LittleEndian.Uint32(b.buf[at:]))
			body := b.buf[at+frameHeader : end]
			if binary.LittleEndian.Uint64(body[2:]) != seq {
				at = end
				continue
			}
			if body[0] == frameSkip {
				return nil
			}
			lost := slices.Clone(body)
			b.buf = slices.Replace(b.buf, at, end, appendSkip(nil, seq, body)...)
			if b == r.blocks[len(r.blocks)-1] {
				r.written = min(r.written, len(b.buf)) // of a connection that is gone
			}
			return lost
		}
	}
	return nil
}

// appendSkip appends a skip for the frame with that body, with a flag if it took credit.
func appendSkip(buf []byte, seq uint64, body []byte) []byte {
	at := len(buf)
	var credit byte
	if body[0] == frameData {
		credit = 1
	}
	buf = append(append(buf, zeros[:frameHeader]...), frameSkip, credit)
	buf = binary.LittleEndian.AppendUint64(buf, seq)
	buf = append(buf, body[10:numbered]...)
	seal(buf, at)
	return buf
}
