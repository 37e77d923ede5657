package kafka

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore/connect/outbox"
)

// appendRecord appends a record as an entry of the outbox: partition, time, topic, key, value, headers. A length is one more than it is,
// 0 is none at all.
func appendRecord(dst []byte, r *kgo.Record) []byte {
	dst = binary.AppendVarint(dst, int64(r.Partition))
	at := int64(0)
	if !r.Timestamp.IsZero() {
		at = r.Timestamp.UnixMilli()
	}
	dst = binary.AppendVarint(dst, at)
	dst = appendBytes(dst, []byte(r.Topic))
	dst = appendBytes(dst, r.Key)
	dst = appendBytes(dst, r.Value)
	dst = binary.AppendUvarint(dst, uint64(len(r.Headers)))
	for _, h := range r.Headers {
		dst = appendBytes(dst, []byte(h.Key))
		dst = appendBytes(dst, h.Value)
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 0)
	}
	return append(binary.AppendUvarint(dst, uint64(len(b))+1), b...)
}

// entry is what is left of an entry while it is taken apart.
type entry struct {
	b   []byte
	bad bool
}

// parseRecord returns the record of an entry. It refers to b.
func parseRecord(b []byte) (*kgo.Record, error) {
	e := entry{b: b}
	r := &kgo.Record{}
	partition, at := e.varint(), e.varint()
	if partition < math.MinInt32 || partition > math.MaxInt32 {
		e.bad = true
	}
	r.Partition = int32(partition)
	if at != 0 {
		r.Timestamp = time.UnixMilli(at)
	}
	r.Topic, r.Key, r.Value = string(e.bytes()), e.bytes(), e.bytes()
	n := e.uvarint()
	if n > uint64(len(e.b)) {
		e.bad, n = true, 0
	}
	for range n {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: string(e.bytes()), Value: e.bytes()})
	}
	if e.bad || len(e.b) > 0 {
		return nil, fmt.Errorf("%w: a record of %d bytes", outbox.ErrDamaged, len(b))
	}
	return r, nil
}

func (e *entry) varint() int64 {
	v, n := binary.Varint(e.b)
	e.skip(n)
	return v
}

func (e *entry) uvarint() uint64 {
	v, n := binary.Uvarint(e.b)
	e.skip(n)
	return v
}

// skip goes on behind a number of n bytes.
func (e *entry) skip(n int) {
	if n <= 0 {
		e.bad, e.b = true, nil
		return
	}
	e.b = e.b[n:]
}

func (e *entry) bytes() []byte {
	n := e.uvarint()
	if n == 0 {
		return nil
	}
	if n--; n > uint64(len(e.b)) {
		e.bad, e.b = true, nil
		return nil
	}
	b := e.b[:n:n]
	e.b = e.b[n:]
	return b
}
