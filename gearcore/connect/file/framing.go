package file

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Framing says how records lie in a file.
type Framing string

// The framings. The default is Lines.
const (
	// Lines end with \n; a \r before it does not belong to the record.
	Lines Framing = "lines"
	// Frames are four bytes of length, big endian, and as many bytes.
	Frames Framing = "frames"
)

// frameHeader is the length of a frame's length.
const frameHeader = 4

// errTooLong says that the record at the front is longer than it may be.
var errTooLong = errors.New("record too long")

// split returns the first record of b and how many bytes it takes in the file; 0: more bytes are needed.
func (f Framing) split(b []byte, limit int) (record []byte, size int, err error) {
	if f == Frames {
		if len(b) < frameHeader {
			return nil, 0, nil
		}
		n := binary.BigEndian.Uint32(b)
		if uint64(n) > uint64(limit) {
			return nil, 0, errTooLong
		}
		if size = frameHeader + int(n); len(b) < size {
			return nil, 0, nil
		}
		return b[frameHeader:size], size, nil
	}
	end := bytes.IndexByte(b, '\n')
	switch {
	case end < 0 && len(b) > limit+1: // a \r may still be part of the end
		return nil, 0, errTooLong
	case end < 0:
		return nil, 0, nil
	}
	if record = bytes.TrimSuffix(b[:end], []byte{'\r'}); len(record) > limit {
		return nil, 0, errTooLong
	}
	return record, end + 1, nil
}

// append frames record.
func (f Framing) append(dst, record []byte) []byte {
	if f == Frames {
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(record))), record...)
	}
	return append(append(dst, record...), '\n')
}

func (f Framing) known() bool { return f == Lines || f == Frames }
