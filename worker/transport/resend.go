package transport

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
