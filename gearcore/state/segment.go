package state

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/gearstorm/gearstorm/gearcore"
)

// A segment is what a checkpoint store holds of a Store: magic, version, length of the header, the header as JSON and its checksum; then
// blocks of records in order of their groups; then an empty block. A block is the length of its records, their number,
// the first and last group, and a checksum of these and the records. Numbers are little endian, checksums CRC-32C.
//
// A sorted segment, of a Store on disk, has version 2, and behind its header a sorted file instead of blocks (sortedsegment.go).
const (
	segmentMagic   = "GSST"
	segmentVersion = 1
	sortedVersion  = 2
	segmentHead    = 4 + 2 + 4 // magic, version, length
	blockHead      = 4 + 4 + 2 + 2 + 4
	blockBytes     = 64 << 10 // a block ends when it has as many
	maxBlock       = maxRecord + blockBytes
	maxHeader      = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segmentHeader says of what a segment is.
type segmentHeader struct {
	Seq    uint32      `json:"seq"`
	First  int         `json:"first"`
	Last   int         `json:"last"`
	Tables []tableInfo `json:"tables"`
	Sorted *sortedFile `json:"sorted,omitempty"` // what follows; nil: blocks
}

func (h *segmentHeader) version() uint16 {
	if h.Sorted != nil {
		return sortedVersion
	}
	return segmentVersion
}

// tableInfo says how the records of one table are written.
type tableInfo struct {
	ID    uint16 `json:"id"`
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Key   string `json:"key"`
	Value string `json:"value"`
}

// segmentWriter makes segments of the records that next gives, one after the other. It is the io.Reader of one segment at a time.
type segmentWriter struct {
	header segmentHeader
	limit  int64         // about where a segment ends
	next   func() []byte // nil at the end; valid until the next call

	ahead       []byte // the record that next gave last and nobody took
	buf         []byte // of the segment, not read yet
	rest        []byte
	size        int64
	count       uint32
	first, last uint16
	done        bool
}

func newSegmentWriter(h segmentHeader, limit int64, next func() []byte) *segmentWriter {
	w := &segmentWriter{header: h, limit: limit, next: next}
	w.ahead = next()
	return w
}

// more begins another segment, if there are records left.
func (w *segmentWriter) more() bool {
	if w.ahead == nil {
		return false
	}
	w.buf = appendHeader(w.buf[:0], w.header)
	w.rest, w.size, w.count, w.done = w.buf, 0, 0, false
	w.first = recGroup(w.ahead)
	return true
}

func appendHeader(buf []byte, h segmentHeader) []byte {
	text, _ := json.Marshal(h) // strings and numbers
	buf = binary.LittleEndian.AppendUint16(append(buf, segmentMagic...), h.version())
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(text)))
	buf = append(buf, text...)
	return binary.LittleEndian.AppendUint32(buf, crc32.Checksum(buf, castagnoli))
}

// Read implements io.Reader.
func (w *segmentWriter) Read(p []byte) (int, error) {
	if len(w.rest) == 0 {
		if w.done {
			return 0, io.EOF
		}
		w.block()
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

// block makes the next block, the empty one at the end of the segment.
func (w *segmentWriter) block() {
	buf := append(w.buf[:0], make([]byte, blockHead)...)
	count := uint32(0)
	first := w.last
	for w.ahead != nil && len(buf) < blockBytes {
		g := recGroup(w.ahead)
		if w.size+int64(len(buf)) >= w.limit && g != w.last && w.size > 0 {
			break
		}
		if count == 0 {
			first = g
		}
		buf = append(buf, w.ahead...)
		w.last = g
		count++
		w.ahead = w.next()
	}
	if count == 0 {
		w.done = true
		count = w.count
	}
	w.count += count
	w.size += int64(len(buf))
	binary.LittleEndian.PutUint16(buf[8:], first)
	binary.LittleEndian.PutUint16(buf[10:], w.last)
	w.buf = sealed(buf, count)
	w.rest = w.buf
}

// sealed writes length, number and checksum into the head of a block.
func sealed(buf []byte, count uint32) []byte {
	binary.LittleEndian.PutUint32(buf, uint32(len(buf)-blockHead))
	binary.LittleEndian.PutUint32(buf[4:], count)
	sum := crc32.Update(crc32.Checksum(buf[:12], castagnoli), castagnoli, buf[blockHead:])
	binary.LittleEndian.PutUint32(buf[12:], sum)
	return buf
}

// segmentReader reads one segment.
type segmentReader struct {
	header segmentHeader
	in     io.Reader
	head   [blockHead]byte
	count  uint32
}

// isSegment says whether a segment begins like that.
func isSegment(b []byte) bool {
	return len(b) >= len(segmentMagic) && string(b[:len(segmentMagic)]) == segmentMagic
}

// openSegment reads the header.
func openSegment(in io.Reader) (*segmentReader, error) {
	r := &segmentReader{in: in}
	head := make([]byte, segmentHead)
	if err := readFull(in, head); err != nil {
		return nil, err
	}
	if string(head[:4]) != segmentMagic {
		return nil, fmt.Errorf("%w: it begins with %q", ErrCorrupt, head[:4])
	}
	version := binary.LittleEndian.Uint16(head[4:])
	if version < segmentVersion || version > sortedVersion {
		return nil, fmt.Errorf("it has version %d of the form of state, this program reads %d to %d", version, segmentVersion, sortedVersion)
	}
	n := binary.LittleEndian.Uint32(head[6:])
	if n > maxHeader {
		return nil, fmt.Errorf("%w: a header of %d bytes", ErrCorrupt, n)
	}
	body := make([]byte, n+4)
	if err := readFull(in, body); err != nil {
		return nil, err
	}
	text := body[:n]
	if crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, text) != binary.LittleEndian.Uint32(body[n:]) {
		return nil, fmt.Errorf("%w: the checksum of its header is wrong", ErrCorrupt)
	}
	if err := json.Unmarshal(text, &r.header); err != nil {
		return nil, fmt.Errorf("%w: its header: %w", ErrCorrupt, err)
	}
	if h := r.header; h.First < 0 || h.Last < h.First || h.Last >= gearcore.KeyGroups {
		return nil, fmt.Errorf("%w: key groups %d to %d", ErrCorrupt, h.First, h.Last)
	}
	if version != r.header.version() {
		return nil, fmt.Errorf("%w: its header says something else than its version %d", ErrCorrupt, version)
	}
	return r, nil
}

// next returns the records of the next block that has some of groups first to last, and io.EOF behind the last block. They may be
// kept; buf is used if it is large enough.
func (r *segmentReader) next(first, last int, buf []byte) ([]byte, error) {
	for {
		if err := readFull(r.in, r.head[:]); err != nil {
			return nil, err
		}
		n := binary.LittleEndian.Uint32(r.head[:])
		count := binary.LittleEndian.Uint32(r.head[4:])
		lo, hi := binary.LittleEndian.Uint16(r.head[8:]), binary.LittleEndian.Uint16(r.head[10:])
		if n > maxBlock {
			return nil, fmt.Errorf("%w: a block of %d bytes", ErrCorrupt, n)
		}
		if n > 0 && (int(hi) < first || int(lo) > last) {
			if _, err := io.CopyN(io.Discard, r.in, int64(n)); err != nil {
				return nil, cut(err)
			}
			r.count += count
			continue
		}
		body, err := readBody(r.in, buf, int(n))
		if err != nil {
			return nil, err
		}
		sum := crc32.Update(crc32.Checksum(r.head[:12], castagnoli), castagnoli, body)
		if sum != binary.LittleEndian.Uint32(r.head[12:]) {
			return nil, fmt.Errorf("%w: the checksum of a block is wrong", ErrCorrupt)
		}
		if n == 0 {
			if count != r.count {
				return nil, fmt.Errorf("%w: it has %d of %d records", ErrCorrupt, r.count, count)
			}
			return nil, io.EOF
		}
		r.count += count
		return body, nil
	}
}

// readBody reads n bytes into buf, or into memory that grows with what comes: the length alone is not believed.
func readBody(in io.Reader, buf []byte, n int) ([]byte, error) {
	if n <= cap(buf) {
		buf = buf[:n]
		return buf, readFull(in, buf)
	}
	buf = make([]byte, 0, min(n, 2*blockBytes))
	for len(buf) < n {
		step := min(n-len(buf), max(len(buf), 2*blockBytes))
		at := len(buf)
		buf = append(buf, make([]byte, step)...)
		if err := readFull(in, buf[at:]); err != nil {
			return nil, err
		}
	}
	return buf, nil
}

func readFull(in io.Reader, p []byte) error {
	_, err := io.ReadFull(in, p)
	return cut(err)
}

// cut makes an end in the middle an error of its own, and leaves others as they are.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it ends too early", ErrCorrupt)
	}
	return err
}
