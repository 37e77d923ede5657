package multilang

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

const (
	readChunk   = 64 << 10
	keepBuffer  = 1 << 20 // a larger buffer is given up once it is empty
	jsonEnd     = "\nend\n"
	jsonEndLine = "end\n"
	// gatherBytes is how long a frame of several operations may be, whatever one of them may: our clients gather nearly as much.
	gatherBytes = 256 << 10
)

// frameReader cuts a child's output into messages. JSON messages end with a line "end", msgpack values end by themselves.
type frameReader struct {
	r       io.Reader
	limits  *Limits
	msgpack bool

	buf        []byte
	start, end int // buf[start:end] was read and not yet consumed
	scanned    int // JSON: no end mark begins before buf[scanned]
	pack       packFramer
	left       int // of the batch that is being consumed
}

func newFrameReader(r io.Reader, limits *Limits, msgpack bool) *frameReader {
	return &frameReader{r: r, limits: limits, msgpack: msgpack, buf: make([]byte, readChunk)}
}

// next returns the next message that is already here, a view valid until fill; ok is false if there is none.
func (f *frameReader) next() (frame []byte, ok bool, err error) {
	if f.msgpack {
		n, err := f.pack.end(f.buf[f.start:f.end], f.limits)
		if err != nil {
			return nil, false, f.broken("msgpack message of the child", err)
		}
		if n == 0 {
			return nil, false, f.tooLong()
		}
		return f.take(n, 0)
	}
	rest := f.buf[f.start:f.end]
	if bytes.HasPrefix(rest, []byte(jsonEndLine)) {
		f.start += len(jsonEndLine)
		return rest[:0], true, nil
	}
	from := max(f.scanned-f.start, 0)
	i := bytes.Index(rest[from:], []byte(jsonEnd))
	if i < 0 {
		f.scanned = max(f.start, f.end-len(jsonEnd)+1)
		return nil, false, f.tooLong()
	}
	return f.take(from+i, len(jsonEnd))
}

// batch returns what is left of the first frame of a batched framing, a view valid until fill; ok is false if it is not all
// here. consume takes from it.
func (f *frameReader) batch() (rest []byte, ok bool, err error) {
	for f.left == 0 {
		here := f.buf[f.start:f.end]
		if len(here) < frameHeader {
			return nil, false, nil
		}
		n := binary.LittleEndian.Uint32(here)
		if limit := max(f.limits.MessageBytes, gatherBytes); uint64(n) > uint64(limit) {
			return nil, false, f.broken("frame of the child", tooLarge("a number of bytes", limit))
		}
		if len(here)-frameHeader < int(n) {
			return nil, false, nil
		}
		f.start += frameHeader
		f.left = int(n)
	}
	return f.buf[f.start : f.start+f.left], true, nil
}

func (f *frameReader) consume(n int) {
	f.start += n
	f.left -= n
}

// take consumes a message of n bytes and the mark after it.
func (f *frameReader) take(n, mark int) (frame []byte, ok bool, err error) {
	if n > f.limits.MessageBytes {
		return nil, false, f.tooLong()
	}
	frame = f.buf[f.start : f.start+n]
	f.start += n + mark
	f.scanned = f.start
	return frame, true, nil
}

// tooLong is an error if what is here is more than one message may have.
func (f *frameReader) tooLong() error {
	if f.end-f.start <= f.limits.MessageBytes {
		return nil
	}
	return f.broken("message of the child", tooLarge("a number of bytes", f.limits.MessageBytes))
}

func (f *frameReader) broken(what string, err error) error {
	return &ProtocolError{What: what, Err: err, Excerpt: excerpt(f.buf[f.start:f.end])}
}

// fill reads more, blocking until something came. At the end it returns io.EOF, or a *ProtocolError if the child ended in
// the middle of a message.
func (f *frameReader) fill() error {
	f.makeRoom()
	n, err := f.r.Read(f.buf[f.end:])
	f.end += n
	if n > 0 {
		return nil
	}
	if errors.Is(err, io.EOF) && len(bytes.TrimSpace(f.buf[f.start:f.end])) > 0 {
		return f.broken("child ended in the middle of a message", nil)
	}
	return err
}

func (f *frameReader) makeRoom() {
	if f.start == f.end {
		f.start, f.end, f.scanned = 0, 0, 0
		if len(f.buf) > keepBuffer {
			f.buf = make([]byte, readChunk)
		}
	}
	if len(f.buf)-f.end >= readChunk/2 {
		return
	}
	to := f.buf
	if f.end-f.start > len(f.buf)/2 {
		to = make([]byte, 2*len(f.buf))
	}
	n := copy(to, f.buf[f.start:f.end])
	f.scanned = max(f.scanned-f.start, 0)
	f.buf, f.start, f.end = to, 0, n
}
