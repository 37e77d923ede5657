package worker

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// maxCodeBytes bounds a stored topology or conf, unpacked.
const maxCodeBytes = 256 << 20

// readCode reads what a supervisor has localized of the code that a plan names. Other code may take its place at any time: then that of before is
// beside it (compat.FormerCode), and was so before.
func readCode(dir string, version int64) (*stormrpc.StormTopology, conf.Conf, error) {
	topo, c, err := readCodeIn(dir)
	former := filepath.Join(dir, compat.FormerName(compat.FormerCode, version))
	if _, there := os.Stat(former); there == nil {
		return readCodeIn(former)
	}
	return topo, c, err
}

// readCodeIn reads stormcode.ser, a gzipped StormTopology in Thrift's binary protocol, and stormconf.ser, gzipped JSON.
func readCodeIn(dir string) (*stormrpc.StormTopology, conf.Conf, error) {
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

// expand compiles a topology and gives its tasks Storm's numbers.
func expand(topo *stormrpc.StormTopology, c conf.Conf) (*dag.Plan, error) {
	g, err := compat.Compile(topo, c)
	if err != nil {
		return nil, fmt.Errorf("compile topology: %w", err)
	}
	return dag.Expand(g, nil, nil)
}

// expandAs compiles a topology and gives its tasks and streams the numbers that a plan says.
func expandAs(topo *stormrpc.StormTopology, c conf.Conf, as *stormrpc.TopologyPlan) (*dag.Plan, error) {
	g, err := compat.Compile(topo, c)
	if err != nil {
		return nil, fmt.Errorf("compile topology: %w", err)
	}
	g.Version = as.DagVersion
	n := make(dag.Numbering, len(as.TaskComponents))
	for id, name := range as.TaskComponents {
		n[gearcore.TaskID(id)] = name
	}
	return dag.ExpandAfter(g, n, former(as), nil)
}

// former is what a plan says of the versions before.
func former(as *stormrpc.TopologyPlan) dag.Former {
	var out dag.Former
	for _, s := range as.Streams {
		out.Streams = append(out.Streams, gearcore.Stream{Component: s.Component, Name: s.Name, Fields: s.Fields, Direct: s.Direct})
	}
	if len(as.GoneTasks) > 0 {
		out.Gone = make(map[gearcore.TaskID]string, len(as.GoneTasks))
		for id, name := range as.GoneTasks {
			out.Gone[gearcore.TaskID(id)] = name
		}
	}
	return out
}

// resources is the working directory of multilang children by a version of the code: resources/ of it, or the code's directory where a
// topology brings none. The supervisor moves resources aside when those of another version come (compat.FormerResources), and tasks go on for a
// while that are not in that one, and start their children again if need be. Anything else that comes in their place is meant for them, too: a
// script that was edited.
func resources(codeDir string, version int64) string {
	if codeDir == "" {
		return ""
	}
	entries, _ := os.ReadDir(codeDir) // sorted; what is wrong with it is said when it is used
	for _, e := range entries {
		number, former := strings.CutPrefix(e.Name(), compat.FormerResources)
		if last, err := strconv.ParseInt(number, 10, 64); former && err == nil && last >= version && e.IsDir() {
			return filepath.Join(codeDir, e.Name())
		}
	}
	dir := filepath.Join(codeDir, "resources")
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return dir
	}
	return codeDir
}
