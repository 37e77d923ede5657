package transport

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Graph is a version of the topology's graph.
type Graph struct {
	Version int64
	// From is the oldest version that goes with it: tasks and streams have the same numbers in both, as far as both have them. 0: no
	// other does.
	From   int64
	Layout *gearcore.Layout
}

// graph is the one that a worker runs.
type graph struct {
	Graph
	print uint64 // of the layout
	plan  uint64 // version of the plan that told of it
}

func newGraph(g Graph, plan uint64) *graph {
	if g.From == 0 {
		g.From = g.Version
	}
	return &graph{Graph: g, print: fingerprint(g.Layout), plan: plan}
}

// fingerprint sums up what gives the numbers of streams their meaning.
func fingerprint(l *gearcore.Layout) uint64 {
	h := sha256.New()
	for i := range l.Streams {
		fmt.Fprintf(h, "%q %q %q\n", l.Streams[i].Component, l.Streams[i].Name, l.Streams[i].Fields)
	}
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// understands reports whether what two workers say to each other means the same to both.
func (id *identity) understands(other *identity) bool {
	switch {
	case id.graph < other.graph:
		return id.graph >= other.from
	case id.graph > other.graph:
		return other.graph >= id.from
	}
	return id.layout == other.layout
}

// SetGraph tells of a later version of the graph, which goes with the one before, by the plan that SetAssignment told last. It
// is called once the engine has it: what came early for it is delivered.
func (t *Transport) SetGraph(g Graph) {
	t.graph.Store(newGraph(g, t.plan.Load()))
	t.early.land()
}
