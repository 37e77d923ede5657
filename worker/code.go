package worker

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// maxCodeBytes bounds a stored topology or conf, unpacked.
const maxCodeBytes = 256 << 20

// readCode reads what a supervisor has localized: stormcode.ser, a gzipped StormTopology in Thrift's binary protocol,
// and stormconf.ser, gzipped JSON.
func readCode(dir string) (*stormrpc.StormTopology, conf.Conf, error) {
	code, err := readGzip(filepath.Join(dir, "stormcode.ser"))
	if err != nil {
		return nil, nil, err
	}
	topo := stormrpc.NewStormTopology()
	if err := wire.Unmarshal(code, topo); err != nil {
		return nil, nil, fmt.Errorf("read stormcode.ser: %w", err)
	}
	text, err := readGzip(filepath.Join(dir, "stormconf.ser"))
	if err != nil {
		return nil, nil, err
	}
	c, err := conf.ParseJSON(text)
	if err != nil {
		return nil, nil, fmt.Errorf("read stormconf.ser: %w", err)
	}
	return topo, c, nil
}

func readGzip(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read stored topology: %w", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", filepath.Base(path), err)
	}
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(z, maxCodeBytes+1))
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", filepath.Base(path), err)
	}
	if n > maxCodeBytes {
		return nil, fmt.Errorf("unpack %s: more than %d bytes", filepath.Base(path), maxCodeBytes)
	}
	return buf.Bytes(), nil
}

// expand compiles a topology and gives its tasks their stored numbers; a nil numbering makes Storm's.
func expand(topo *stormrpc.StormTopology, c conf.Conf, numbering map[int32]string) (*dag.Plan, error) {
	g, err := compat.Compile(topo, c)
	if err != nil {
		return nil, fmt.Errorf("compile topology: %w", err)
	}
	var n dag.Numbering
	if numbering != nil {
		n = make(dag.Numbering, len(numbering))
		for id, name := range numbering {
			n[gearcore.TaskID(id)] = name
		}
	}
	return dag.Expand(g, n, nil)
}

// resources is the working directory of multilang children: resources/ of the code, or the code's directory where a
// topology brings none.
func resources(codeDir string) string {
	if codeDir == "" {
		return ""
	}
	dir := filepath.Join(codeDir, "resources")
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return dir
	}
	return codeDir
}
