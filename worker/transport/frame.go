package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A frame is a 32-bit length of the body, a CRC-32C of the body (0 over a local stream), and the body, whose first byte
// is its type. Numbers are little endian. Data frames go from sender to receiver and are numbered, result frames the
// other way with numbers of their own.
const (
	frameData    byte = 1 // the rows of one batch
	framePing    byte = 3 // asks for a grant frame
	frameGrant   byte = 4 // receiver to sender
	frameResults byte = 5 // receiver to sender: what became of tracked rows
	frameConfirm byte = 6 // which results the sender has
	// frameSkip is a numbered frame with nothing after its head: it stands for one that the receiver could not read.
	frameSkip byte = 7
	framePlan byte = 8 // sender to receiver: the version of the plan by which what follows was sent
	frameNote byte = 9 // sender to receiver: a piece of a note (notes.go)

	frameHeader = 8
	// numbered is how a data frame begins: type, flags, number, target.
	numbered = 1 + 1 + 8 + 4
)

// Flags of a data frame: which 64-bit numbers follow its head. A generation comes with the rows that the sender has sent to
// the target before in it. Of a batch in several frames the last one has watermark and marker; in the others they are 0.
const (
	flagWatermark byte = 1 << iota
	flagMarker
	flagGeneration
)

var (
	// ErrFrame is wrapped by every error about a malformed frame; the connection it came on is closed.
	ErrFrame = errors.New("bad frame")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	// zeros stand where a number is filled in later.
	zeros [12]byte
)

func badFrame(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFrame, fmt.Sprintf(format, args...))
}

// seal fills in the length of the frame that starts at buf[at:].
func seal(buf []byte, at int) {
	binary.LittleEndian.PutUint32(buf[at:], uint32(len(buf)-at-frameHeader))
}

// sum fills in the checksums of the frames in buf, which are our own and whole.
func sum(buf []byte) {
	for len(buf) > 0 {
		end := frameHeader + int(binary.LittleEndian.Uint32(buf))
		binary.LittleEndian.PutUint32(buf[4:], crc32.Checksum(buf[frameHeader:end], castagnoli))
		buf = buf[end:]
	}
}

// next cuts the first frame off buf. It returns a nil body while buf does not hold all of it; need is then how many
// bytes a whole frame takes (0: not known yet). Checksums are looked at if summed is set.
func nextFrame(buf []byte, maxBody int, summed bool) (body, rest []byte, need int, err error) {
	if len(buf) < frameHeader {
		return nil, buf, 0, nil
	}
	n := binary.LittleEndian.Uint32(buf)
	if n == 0 || uint64(n) > uint64(maxBody) {
		return nil, buf, 0, badFrame("length %d, allowed are 1 to %d", n, maxBody)
	}
	end := frameHeader + int(n)
	if len(buf) < end {
		return nil, buf, end, nil
	}
	body = buf[frameHeader:end]
	if summed && crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(buf[4:]) {
		return nil, buf, 0, badFrame("checksum does not match")
	}
	return body, buf[end:], end, nil
}

// frameSeq returns the number of a data frame.
func frameSeq(body []byte) (uint64, error) {
	if len(body) < numbered {
		return 0, badFrame("%d bytes is too short", len(body))
	}
	return binary.LittleEndian.Uint64(body[2:]), nil
}
