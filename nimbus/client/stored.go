package client

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// MaxStoredBytes bounds a stored topology or configuration after it was unpacked.
const MaxStoredBytes = 256 << 20

// Keys of the three blobs of a topology, as Storm names them (ConfigUtils.java).
const (
	jarSuffix  = "-stormjar.jar"
	codeSuffix = "-stormcode.ser"
	confSuffix = "-stormconf.ser"
)

// JarKey is the key of the blob with the jar of a topology.
func JarKey(topology string) string { return topology + jarSuffix }

// CodeKey is the key of the blob with the serialized StormTopology: see DecodeTopology.
func CodeKey(topology string) string { return topology + codeSuffix }

// ConfKey is the key of the blob with the topology's whole configuration: see DecodeConf.
func ConfKey(topology string) string { return topology + confSuffix }

// EncodeTopology makes what the code blob holds: the compressed binary Thrift struct, as Storm writes it
// (GzipThriftSerializationDelegate.java).
func EncodeTopology(t *stormrpc.StormTopology) ([]byte, error) {
	raw, err := wire.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encode topology: %w", err)
	}
	return pack(raw)
}

// DecodeTopology reads what EncodeTopology made.
func DecodeTopology(data []byte) (*stormrpc.StormTopology, error) {
	raw, err := unpack(data)
	if err != nil {
		return nil, fmt.Errorf("decode topology: %w", err)
	}
	t := stormrpc.NewStormTopology()
	if err := wire.Unmarshal(raw, t); err != nil {
		return nil, fmt.Errorf("decode topology: %w", err)
	}
	return t, nil
}

// EncodeConf makes what the configuration blob holds: compressed JSON, as Storm writes it (Utils.toCompressedJsonConf).
func EncodeConf(c conf.Conf) ([]byte, error) {
	raw, err := c.JSON()
	if err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	return pack(raw)
}

// DecodeConf reads what EncodeConf made.
func DecodeConf(data []byte) (conf.Conf, error) {
	raw, err := unpack(data)
	if err != nil {
		return nil, fmt.Errorf("decode configuration: %w", err)
	}
	c, err := conf.ParseJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("decode configuration: %w", err)
	}
	return c, nil
}

func pack(raw []byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(raw)
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func unpack(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(z, MaxStoredBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxStoredBytes {
		return nil, fmt.Errorf("more than %d bytes after unpacking", MaxStoredBytes)
	}
	return raw, nil
}
