package worker

import (
	"bytes"
	"compress/gzip"
	"fmt"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// setup encodes what the process is to know of a version, in the form that its class Setup reads.
func (j *javaSide) setup(code *javaCode) ([]byte, error) {
	g := code.plan.Graph
	system, err := compat.SystemTopology(g.Conf, code.topo)
	if err != nil {
		return nil, err
	}
	own := conf.Conf{}
	for _, p := range g.Processors {
		own[p.Name] = p.Conf
	}
	var fields []gearcore.Pair
	add := func(name string, v gearcore.Value) {
		fields = append(fields, gearcore.Pair{Key: gearcore.Str(name), Val: v})
	}
	for name, text := range map[string]string{
		"topologyId": j.node.topologyID, "assignmentId": j.node.assignmentID, "host": j.node.hostname,
		"codeDir": resources(code.dir, code.version), "pidDir": j.node.pidDir,
	} {
		add(name, gearcore.Str(text))
	}
	for name, t := range map[string]*stormrpc.StormTopology{"system": system, "user": code.topo} {
		b, err := wire.Marshal(t)
		if err != nil {
			return nil, fmt.Errorf("write the topology for Java: %w", err)
		}
		add(name, gearcore.Bytes(b))
	}
	for name, c := range map[string]conf.Conf{"conf": g.Conf, "componentConf": own} {
		b, err := zipped(c)
		if err != nil {
			return nil, fmt.Errorf("write the conf for Java: %w", err)
		}
		add(name, gearcore.Bytes(b))
	}
	add("graph", gearcore.Long(g.Version))
	add("port", gearcore.Int(int32(j.node.port)))
	add("tasks", componentsOf(code.plan))
	add("streams", streamsOf(code.plan.Layout))
	return codec.Append(nil, gearcore.Map(fields))
}

func zipped(c conf.Conf) ([]byte, error) {
	text, err := c.JSON()
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err = z.Write(text); err == nil {
		err = z.Close()
	}
	return buf.Bytes(), err
}

// componentsOf maps tasks to components.
func componentsOf(p *dag.Plan) gearcore.Value {
	var out []gearcore.Pair
	for id, name := range p.Layout.Components {
		if id != gearcore.SystemTask {
			out = append(out, gearcore.Pair{Key: gearcore.Int(int32(id)), Val: gearcore.Str(name)})
		}
	}
	return gearcore.Map(out)
}

func ids(tasks []gearcore.TaskID) gearcore.Value {
	out := make([]gearcore.Value, len(tasks))
	for i, id := range tasks {
		out[i] = gearcore.Int(int32(id))
	}
	return gearcore.List(out)
}

// streamsOf lists component, name, fields and whether it is a direct one of every stream, by its id.
func streamsOf(l *gearcore.Layout) gearcore.Value {
	out := make([]gearcore.Value, len(l.Streams))
	for i, s := range l.Streams {
		fields := make([]gearcore.Value, len(s.Fields))
		for k, name := range s.Fields {
			fields[k] = gearcore.Str(name)
		}
		out[i] = gearcore.List([]gearcore.Value{gearcore.Str(s.Component), gearcore.Str(s.Name), gearcore.List(fields), gearcore.Bool(s.Direct)})
	}
	return gearcore.List(out)
}
