// Command drpc is a topology that answers calls: whoever executes its function shout gets his text back in upper case, from a
// bolt in Go, with an exclamation mark, from a bolt in Python.
//
//	go run ./examples/drpc run -c drpc.http.port=3774
//	curl http://127.0.0.1:3774/drpc/shout/hello
//
// Beside a gearstorm dev:
//
//	go run ./examples/drpc submit
//	gearstorm drpc-client shout hello
package main

import (
	"embed"
	"strings"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/storm"
)

//go:embed resources
var files embed.FS

func main() {
	gearstorm.Main(gearstorm.Program{Name: "drpc", Define: define, Resources: files})
}

// define declares the way of a request. return-info says who waits for the answer; each bolt passes it on.
func define(b *storm.TopologyBuilder, _ []string) error {
	b.SetSpout("requests", storm.DRPCSpout("shout"), 1)
	b.SetBolt("upper", storm.BoltFunc(func(t storm.Tuple, out storm.Emitter) error {
		out.Emit(strings.ToUpper(t.String(0)), t.Value(1))
		return nil
	}), 1).ShuffleGrouping("requests").Fields("text", "return-info")
	b.SetBolt("mark", storm.ShellBolt("python3", "mark.py"), 1).ShuffleGrouping("upper").Fields("result", "return-info")
	b.SetBolt("answers", storm.ReturnResults(), 1).ShuffleGrouping("mark")
	return nil
}
