package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gearstorm/gearstorm/internal/budget"
)

// A frame is a 4-byte big-endian length and that many bytes. Length 0 carries no message and is refused, as Storm does.

const (
	frameHeader = 4
	firstRead   = 4 << 10 // bytes reserved for a frame before any of it arrived
)

var (
	errFrameLength = errors.New("frame length is zero or negative")
	errNoBuffer    = errors.New("too many bytes buffered by all connections")
)

// readFrame reads one frame of at most limit bytes. What it returns holds cap(frame) bytes of b until the caller gives
// them back; on error it holds none. b may be nil. Memory grows as the bytes arrive.
func readFrame(r io.Reader, limit int, b *budget.Bytes) (frame []byte, err error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	length := int32(binary.BigEndian.Uint32(header[:]))
	if length <= 0 {
		return nil, fmt.Errorf("%w: %d", errFrameLength, length)
	}
	n := int(length)
	if n > limit {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrFrameTooLarge, n, limit)
	}
	held := 0
	defer func() {
		if err != nil && b != nil {
			b.Give(held)
		}
	}()
	for size := min(n, firstRead); ; size = min(n, 4*size) {
		if b != nil && !b.Take(size) {
			return nil, errNoBuffer
		}
		held += size
		grown := make([]byte, size)
		got := copy(grown, frame)
		if _, err := io.ReadFull(r, grown[got:]); err != nil {
			return nil, noEOF(err)
		}
		if b != nil {
			b.Give(held - size)
		}
		held, frame = size, grown
		if size == n {
			return frame, nil
		}
	}
}

// noEOF tells an end in the middle of a frame from one between frames.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// newFrame empties buf and leaves room in it for the length; sealFrame fills that in and returns the whole frame.
func newFrame(buf *bytes.Buffer) {
	buf.Reset()
	buf.Write(make([]byte, frameHeader))
}

func sealFrame(buf *bytes.Buffer) []byte {
	frame := buf.Bytes()
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-frameHeader))
	return frame
}
