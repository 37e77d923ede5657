package storm

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// named is a component that goes by the name of a class: one of Storm's that every worker has in Go (compat has the same names), or one of
// the jar that comes with the program.
type named struct {
	class   string
	args    []string
	streams []stream
	problem string // of the arguments
}

const (
	drpcSpoutClass     = "org.apache.storm.drpc.DRPCSpout"
	returnResultsClass = "org.apache.storm.drpc.ReturnResults"
)

// DRPCSpout returns the spout that serves a function to callers of the DRPC servers: each request is a tuple of the fields
// args, a string, and return-info. They need not be declared. Bolts make a result of args and pass return-info on as it
// is, up to ReturnResults:
//
//	b.SetSpout("drpc", storm.DRPCSpout("exclaim"), 1)
//	b.SetBolt("exclaim", storm.BoltFunc(func(t storm.Tuple, out storm.Emitter) error {
//		out.Emit(t.String(0)+"!", t.Value(1))
//		return nil
//	}), 2).ShuffleGrouping("drpc").Fields("result", "return-info")
//	b.SetBolt("return", storm.ReturnResults(), 1).ShuffleGrouping("exclaim")
//
// A request whose tuple fails, or is not acked within topology.message.timeout.secs, fails. The servers are those of
// drpc.servers; a program that runs in this process brings one along.
func DRPCSpout(function string) SpoutSpec {
	s := namedSpout{named{class: drpcSpoutClass, args: []string{function}, streams: []stream{{name: defaultStream, fields: []string{"args", "return-info"}}}}}
	if function == "" {
		s.problem = "a DRPC spout needs the name of its function"
	}
	return s
}

// ReturnResults returns the bolt that ends a DRPC topology: its input is (result, return-info), where the result is a
// string. It acks a tuple when the server that the request came from has the result.
func ReturnResults() BoltSpec { return namedBolt{named{class: returnResultsClass}} }

type (
	namedSpout struct{ named }
	namedBolt  struct{ named }
)

func (n namedSpout) newSpout() (gearcore.Source, error) { return nil, n.elsewhere() }

func (n namedBolt) newBolt() (gearcore.Task, error) { return nil, n.elsewhere() }

func (n named) elsewhere() error { return fmt.Errorf("class %s is made by the worker", n.class) }

func (n named) object() *stormrpc.ComponentObject { return javaObject(n.class, n.args...) }

// named returns the class that the component is, if it is one.
func (d *Declarer) named() (named, bool) {
	if s, ok := d.spout.(namedSpout); ok {
		return s.named, true
	}
	s, ok := d.bolt.(namedBolt)
	return s.named, ok
}
