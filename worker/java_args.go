package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/multilang/jvmhost"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	childOptsKey           = "topology.worker.childopts"
	nodeChildOptsKey       = "worker.childopts"
	gcChildOptsKey         = "topology.worker.gc.childopts"
	heapKey                = "worker.heap.memory.mb"
	usualHeapMB      int64 = 768
)

// args are the arguments of the Java process. Options of the topology come last, so that they win.
func (j *javaSide) args(c conf.Conf, ready jvmhost.Ready) ([]string, error) {
	heap, err := j.heap(c)
	if err != nil {
		return nil, err
	}
	args := []string{
		fmt.Sprintf("-Xmx%dm", heap), "-XX:+ExitOnOutOfMemoryError",
		"-Dlog4j2.disableJmx=true",
		"-Dstorm.id=" + j.node.topologyID, "-Dworker.id=" + j.node.workerID, "-Dworker.port=" + strconv.Itoa(j.node.port),
		"-Djava.library.path=" + j.libraryPath(c),
	}
	own, err := j.ownOptions(c, heap)
	if err != nil {
		return nil, err
	}
	logging, err := j.logging(c, ready, own)
	if err != nil {
		return nil, err
	}
	args = append(args, logging...)
	path, err := j.classPath(c)
	if err != nil {
		return nil, err
	}
	first, err := c.StringList("topology.classpath.beginning")
	if err != nil {
		return nil, err
	}
	path = append(first, ready.ClassPath(path...)...)
	return append(append(args, own...), "-cp", strings.Join(path, string(os.PathListSeparator)), jvmhost.MainClass), nil
}

// logConfigs are the options by which somebody may name a configuration of log4j of his own.
var logConfigs = []string{"-Dlog4j2.configurationFile=", "-Dlog4j.configurationFile="}

// logging returns the options that log4j reads, with what Storm's worker.xml asks for. The configuration is that of the options
// own, else worker.xml of storm.log4j2.conf.dir where that is a path, else ours, by which all goes to the worker's log. To one that
// own does not name, topology.logging.config adds, as in Storm.
func (j *javaSide) logging(c conf.Conf, ready jvmhost.Ready, own []string) ([]string, error) {
	sensitivity, err := c.StringOr("topology.logging.sensitivity", "S3")
	if err != nil {
		return nil, err
	}
	dir, err := c.StringOr("storm.log4j2.conf.dir", "")
	if err != nil {
		return nil, err
	}
	added, err := c.StringOr("topology.logging.config", "")
	if err != nil {
		return nil, err
	}
	artifacts := filepath.Dir(filepath.Dir(j.node.logDir))
	out := []string{
		"-Dlogging.sensitivity=" + sensitivity, "-Dlogfile.name=" + javaLog,
		"-Dworkers.artifacts=" + artifacts, "-Dstorm.log.dir=" + filepath.Dir(artifacts),
	}
	named := slices.ContainsFunc(own, func(o string) bool {
		return slices.ContainsFunc(logConfigs, func(c string) bool { return strings.HasPrefix(o, c) })
	})
	if named {
		return out, nil
	}
	config := ready.LogConfig()
	if filepath.IsAbs(dir) { // Storm's default is a folder of its release
		config = filepath.Join(dir, "worker.xml")
	}
	if added != "" {
		config += "," + added
	}
	return append(out, logConfigs[0]+config), nil
}

// javaLog is where a configuration of Storm's writes to, beside worker.log, which has another writer.
const javaLog = "worker-java.log"

// heap returns the heap of the process in MB: what a scheduler that knows of memory gave the worker, else as the conf says.
func (j *javaSide) heap(c conf.Conf) (int64, error) {
	scheduler, err := c.StringOr("storm.scheduler", "")
	if err != nil {
		return 0, err
	}
	if j.node.heapMB > 0 && strings.HasSuffix(scheduler, ".ResourceAwareScheduler") {
		return j.node.heapMB, nil
	}
	n, err := c.IntOr(heapKey, usualHeapMB)
	if err == nil && n <= 0 {
		err = fmt.Errorf("%s is %d, want at least 1", heapKey, n)
	}
	return n, err
}

// ownOptions returns the options that the node and the topology ask for, with Storm's placeholders filled in. Storm's own
// default, which writes logs and dumps of the garbage collector, is none.
func (j *javaSide) ownOptions(c conf.Conf, heap int64) (out []string, err error) {
	fill := strings.NewReplacer("%ID%", strconv.Itoa(j.node.port), "%WORKER-ID%", j.node.workerID, "%TOPOLOGY-ID%", j.node.topologyID,
		"%WORKER-PORT%", strconv.Itoa(j.node.port), "%HEAP-MEM%", strconv.FormatInt(heap, 10))
	usual, err := conf.Defaults().StringList(nodeChildOptsKey)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{nodeChildOptsKey, gcChildOptsKey, childOptsKey} {
		list, err := c.StringList(key)
		if err != nil {
			return nil, err
		}
		if key == nodeChildOptsKey && strings.Join(list, " ") == strings.Join(usual, " ") {
			continue
		}
		for _, o := range list {
			out = append(out, strings.Fields(fill.Replace(o))...)
		}
	}
	return out, nil
}

func (j *javaSide) libraryPath(c conf.Conf) string {
	path, err := c.StringOr("java.library.path", "")
	if err != nil {
		path = ""
	}
	dir := filepath.Join(j.code.Load().dir, "resources")
	return strings.TrimSuffix(dir+string(os.PathListSeparator)+path, string(os.PathListSeparator))
}

// heapOf returns the heap in MB that a plan gives the worker of a slot, 0 if none.
func heapOf(p *stormrpc.TopologyPlan, s slot) int64 {
	if p.Assignment == nil {
		return 0
	}
	for _, e := range p.Assignment.GetWorkerResources() {
		if e.Key != nil && e.Value != nil && e.Key.Node == s.node && len(e.Key.Port) == 1 && int(e.Key.Port[0]) == s.port {
			return int64(e.Value.GetMemOnHeap())
		}
	}
	return 0
}
