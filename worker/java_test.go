package worker

import (
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/multilang/jvmhost"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// javaTopology has one component in Java.
func javaTopology() *stormrpc.StormTopology {
	hint, own := int32(2), `{"topology.tasks": 2, "mine": "x"}`
	object := &stormrpc.ComponentObject{JavaObject: &stormrpc.JavaObject{FullClassName: "com.x.Spout", ArgsList: []*stormrpc.JavaObjectArg{}}}
	common := &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{"default": {OutputFields: []string{"a"}}}, ParallelismHint: &hint, JSONConf: &own}
	return &stormrpc.StormTopology{
		Spouts: map[string]*stormrpc.SpoutSpec{"src": {SpoutObject: object, Common: common}}, Bolts: map[string]*stormrpc.Bolt{},
		StateSpouts: map[string]*stormrpc.StateSpoutSpec{}, DependencyJars: []string{"dep.jar"},
	}
}

func newTestJava(t *testing.T, c conf.Conf, heapMB int64) *javaSide {
	t.Helper()
	topo := javaTopology()
	plan, err := expand(topo, c)
	if err != nil {
		t.Fatal(err)
	}
	j, err := newJavaSide(&javaCode{topo: topo, plan: plan, dir: "/code"}, javaNode{topologyID: "t-1", workerID: "w", assignmentID: "1-2", pidDir: "/pids", port: 6700, heapMB: heapMB})
	if err != nil || j == nil {
		t.Fatalf("%v, %v", j, err)
	}
	return j
}

func TestJavaArguments(t *testing.T) {
	ready := jvmhost.Ready{Java: "java", Classes: "/host", Jars: []string{"/lib/storm-client-2.8.3.jar"}}
	for _, tc := range []struct {
		name string
		conf conf.Conf
		heap int64
		want []string // in that order
		not  string
	}{
		{"defaults", conf.Conf{}, 512, []string{"-Xmx768m", "-Dstorm.id=t-1", "-cp", "/host:/lib/storm-client-2.8.3.jar:/code/stormjar.jar:/code/dep.jar"}, "PrintGC"},
		{"resource-aware", conf.Conf{"storm.scheduler": "org.apache.storm.scheduler.resource.ResourceAwareScheduler"}, 512, []string{"-Xmx512m"}, "768"},
		{"options", conf.Conf{"topology.worker.childopts": "-Xmx2g -Da=%TOPOLOGY-ID%:%ID%"}, 0, []string{"-Xmx768m", "-Xmx2g", "-Da=t-1:6700"}, "%"},
		{"list of options", conf.Conf{"topology.worker.childopts": []any{"-Da=1", "-Db=%HEAP-MEM%"}, "worker.childopts": "-Dnode=1"}, 0, []string{"-Dnode=1", "-Da=1", "-Db=768"}, "%"},
		{"class path", conf.Conf{"topology.classpath": []any{"/a", "/b/*"}, "topology.classpath.beginning": "/first"}, 0,
			[]string{"/first:/host:/lib/storm-client-2.8.3.jar:/code/stormjar.jar:/code/dep.jar:/a:/b/*"}, "%"},
		{"logging", conf.Conf{"topology.logging.sensitivity": "S1"}, 0, []string{"-Dlogging.sensitivity=S1", "-Dlog4j2.configurationFile=/host/log4j2.xml"}, "%"},
		{"more logging", conf.Conf{"topology.logging.config": "/more.xml"}, 0, []string{"-Dlogging.sensitivity=S3", "-Dlog4j2.configurationFile=/host/log4j2.xml,/more.xml"}, "%"},
		{"logging of the node", conf.Conf{"topology.logging.config": "more.xml", "storm.log4j2.conf.dir": "/node"}, 0, []string{"-Dlog4j2.configurationFile=/node/worker.xml,more.xml"}, "/host/log4j2.xml"},
		{"own logging", conf.Conf{"topology.logging.config": "/more.xml", "topology.worker.childopts": "-Dlog4j.configurationFile=own.xml"}, 0,
			[]string{"-Dlogging.sensitivity=S3", "-Dlog4j.configurationFile=own.xml"}, "log4j2.configurationFile"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			j := newTestJava(t, tc.conf, tc.heap)
			got, err := j.args(j.code.Load().plan.Graph.Conf, ready)
			if err != nil {
				t.Fatal(err)
			}
			at := -1
			for _, w := range tc.want {
				i := slices.Index(got, w)
				if i < 0 || i < at {
					t.Errorf("%q is not where it belongs in %q", w, got)
				}
				at = i
			}
			if strings.Contains(strings.Join(got, " "), tc.not) || got[len(got)-1] != jvmhost.MainClass {
				t.Errorf("arguments are %q", got)
			}
		})
	}
	j := newTestJava(t, conf.Conf{}, 0)
	if _, err := j.args(conf.Conf{"worker.heap.memory.mb": int64(-1)}, ready); err == nil || !strings.Contains(err.Error(), "worker.heap.memory.mb") {
		t.Errorf("a heap below zero: %v", err)
	}
}

// TestJavaSetup has all that the Java side reads.
func TestJavaSetup(t *testing.T) {
	j := newTestJava(t, conf.Conf{}, 0)
	b, err := j.setup(j.code.Load())
	if err != nil {
		t.Fatal(err)
	}
	r := codec.NewReader(b, jvmhost.ErrFrame)
	got := map[string]gearcore.Value{}
	for _, p := range r.Value().Map() {
		got[p.Key.Str()] = p.Val
	}
	if r.Err != nil || len(r.Rest) > 0 {
		t.Fatalf("%v, %d bytes left", r.Err, len(r.Rest))
	}
	for _, name := range []string{"system", "user", "conf", "componentConf"} {
		if len(got[name].Bytes()) == 0 {
			t.Errorf("%s is missing", name)
		}
	}
	if got["topologyId"].Str() != "t-1" || got["port"].Int() != 6700 || got["graph"].Int() != j.code.Load().plan.Graph.Version || len(got["tasks"].Map()) != 3 {
		t.Errorf("setup is %v", got)
	}
	streams := j.code.Load().plan.Layout.Streams
	if n := len(streams); len(got["streams"].List()) != n {
		t.Fatalf("%d streams, want %d", len(got["streams"].List()), n)
	}
	for i, v := range got["streams"].List() {
		of := v.List()
		if len(of) != 4 || of[0].Str() != streams[i].Component || of[1].Str() != streams[i].Name || len(of[2].List()) != len(streams[i].Fields) || of[3].Bool() != streams[i].Direct {
			t.Errorf("stream %d is %v, want %v", i, v, streams[i])
		}
	}
}

func TestJavaExplanations(t *testing.T) {
	j := newTestJava(t, conf.Conf{}, 0)
	j.heapLimit = heapLimit([]string{"-Xmx768m", "-Da=b", "-Xmx64m", "-cp"})
	for want, lost := range map[string]*jvmhost.LostError{
		"under -Xmx64m; its heap is set by topology.worker.childopts": {Exit: "exit status 3", Output: "Terminating due to java.lang.OutOfMemoryError: Java heap space"},
		"one more thread":             {Exit: "exit status 1", Output: "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process/resource limits reached"},
		"no room for more classes":    {Exit: "exit status 3", Output: "Terminating due to java.lang.OutOfMemoryError: Metaspace"},
		"System.exit":                 {Exit: "exit status 3"},
		"its child ended":             {Exit: "exit status 11"},
		"memory of the node":          {Exit: "signal: killed"},
		"an option of it is wrong":    {Exit: "exit status 1", Output: "Error: Could not create the Java Virtual Machine."},
		"has not the memory for -Xmx": {Exit: "exit status 1", Output: "Could not reserve enough space for object heap\nError: Could not create the Java Virtual Machine."},
		"":                            {Cause: jvmhost.ErrSilent, Exit: "signal: killed"},
	} {
		if got := j.explain(lost); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%+v: %q, want %q", lost, got, want)
		}
	}
}

// TestNoJavaWithoutNeed: a topology that has nothing to do with Java has no Java side.
func TestNoJavaWithoutNeed(t *testing.T) {
	plan := &dag.Plan{Graph: &dag.Graph{Processors: []*dag.Processor{{Name: "a", Impl: dag.Impl{Kind: dag.ImplShell}}}}}
	if j, err := newJavaSide(&javaCode{topo: stormrpc.NewStormTopology(), plan: plan}, javaNode{}); j != nil || err != nil {
		t.Errorf("%v, %v", j, err)
	}
}
