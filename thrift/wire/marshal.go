package wire

import (
	"bytes"
	"context"
	"fmt"
)

// Marshal encodes a struct by itself, without a message around it: what Storm stores in blobs and in ZooKeeper, there
// mostly compressed.
func Marshal(v Struct) ([]byte, error) {
	var buf bytes.Buffer
	if err := v.Write(context.Background(), newWriter(&buf, config(1<<30, maxTrustedContainer))); err != nil {
		return nil, fmt.Errorf("marshal %T: %w", v, err)
	}
	return buf.Bytes(), nil
}

// Unmarshal decodes what [Marshal] made into v, which should be new. It keeps no part of data. Unknown fields are skipped,
// bytes after the struct are an error.
func Unmarshal(data []byte, v Struct) error {
	in := newReader(data, config(max(len(data), 1), maxTrustedContainer), nil)
	if err := v.Read(context.Background(), in); err != nil {
		return fmt.Errorf("unmarshal %T: %w", v, err)
	}
	if n := in.buf.Len(); n > 0 {
		return fmt.Errorf("unmarshal %T: %d bytes after the end", v, n)
	}
	return nil
}
