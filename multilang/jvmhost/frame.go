package jvmhost

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Kinds of frames.
const (
	frameStart    byte = 1
	frameBatch    byte = 2
	frameGrant    byte = 3
	frameEmit     byte = 4
	frameSettle   byte = 5
	frameConsumed byte = 6
	frameNext     byte = 7
	frameEnded    byte = 8
	frameStatus   byte = 9
	frameError    byte = 10
	frameGone     byte = 11
	frameReturned byte = 13
	frameStats    byte = 14
	frameLeft     byte = 15
	frameReady    byte = 16
	frameFreeze   byte = 17
	frameState    byte = 18
	frameFrozen   byte = 19
	frameCommit   byte = 20
	frameGraph    byte = 21
)

const (
	frameHeader = 4       // the length
	maxFrame    = 4 << 20 // kind and body
	maxRows     = 1 << 16 // of a frame to Go, where a row of a byte takes 48
	// fullFrame is where a frame to Java is ended and another one begun. A single tuple may go beyond it, up to maxFrame.
	fullFrame = 256 << 10
	// maxErrorText bounds the text of one error from Java.
	maxErrorText = 64 << 10
)

// Bits of a row.
const (
	bitHead     byte = 1
	anchorShift      = 1
	anchorNone  byte = 0
	anchorNext  byte = 1
	anchorSame  byte = 2
	anchorList  byte = 3
	numbered    byte = 1 // of a spout: the tuple has the next number
	bitExport   byte = 8 // Java keeps trees of the tuple
	bitTracked  byte = 2 // of a row to Java: it belongs to a tree
	knownBits        = bitHead | 3<<anchorShift | bitExport
)

// ErrFrame is wrapped by every error about bytes that do not follow the contract; the process they came from is killed.
var ErrFrame = errors.New("bad frame from the JVM")

func badFrame(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFrame, fmt.Sprintf(format, args...))
}

// nextFrame cuts the first frame off buf; body is nil while buf does not hold all of it. need is how many bytes the
// whole frame takes, 0 while that is not known.
func nextFrame(buf []byte) (kind byte, body, rest []byte, need int, err error) {
	if len(buf) < frameHeader {
		return 0, nil, buf, 0, nil
	}
	n := binary.LittleEndian.Uint32(buf)
	if n == 0 || n > maxFrame {
		return 0, nil, buf, 0, badFrame("length %d, allowed are 1 to %d", n, maxFrame)
	}
	need = frameHeader + int(n)
	if len(buf) < need {
		return 0, nil, buf, need, nil
	}
	return buf[frameHeader], buf[frameHeader+1 : need : need], buf[need:], need, nil
}

// beginFrame appends the head of a frame of unknown length.
func beginFrame(buf []byte, kind byte) []byte { return append(buf, 0, 0, 0, 0, kind) }

// endFrame fills in the length of the frame that starts at buf[at:] and is the last one.
func endFrame(buf []byte, at int) {
	binary.LittleEndian.PutUint32(buf[at:], uint32(len(buf)-at-frameHeader))
}
