package nimbus

import (
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Workers that take a version over while they run have to agree with those that start with it on the numbers of tasks and streams.
// So a record keeps what the versions since the last restart had, and plans tell it.

// maxGone bounds the runs of tasks that are gone, beside those that went last: what was sent to others has long arrived.
const maxGone = 256

// takenOverFrom is the oldest version whose workers take over the one after rec.
func takenOverFrom(rec *cluster.Topology) int64 {
	if rec.InPlaceFrom > 0 {
		return rec.InPlaceFrom
	}
	return rec.GraphVersion
}

// goneSince are the tasks that are gone when plan follows rec.
func goneSince(rec *cluster.Topology, plan *dag.Plan) []cluster.TaskRun {
	gone := dag.Numbering{}
	for id, name := range numbering(rec.Numbering) {
		if plan.Numbering[id] == "" {
			gone[id] = name
		}
	}
	return append(slices.Clone(rec.Gone[max(0, len(rec.Gone)-maxGone):]), runs(gone)...)
}

func storedStreams(p *dag.Plan) (out []cluster.Stream) {
	for _, s := range p.Layout.Streams {
		out = append(out, cluster.Stream{Component: s.Component, Name: s.Name, Fields: s.Fields, Direct: s.Direct})
	}
	return out
}

// former is what a record keeps of the versions before it.
func former(rec *cluster.Topology) dag.Former {
	f := dag.Former{Gone: numbering(rec.Gone)}
	for _, s := range rec.Streams {
		f.Streams = append(f.Streams, gearcore.Stream{Component: s.Component, Name: s.Name, Fields: s.Fields, Direct: s.Direct})
	}
	return f
}

func thriftStreams(streams []cluster.Stream) (out []*stormrpc.PlanStream) {
	for _, s := range streams {
		fields := s.Fields
		if fields == nil {
			fields = []string{}
		}
		out = append(out, &stormrpc.PlanStream{Component: s.Component, Name: s.Name, Fields: fields, Direct: s.Direct})
	}
	return out
}

// taskComponents are runs as plans tell them.
func taskComponents(runs []cluster.TaskRun) map[int32]string {
	if len(runs) == 0 {
		return nil
	}
	out := make(map[int32]string)
	for _, r := range runs {
		for id := r.First; id <= r.Last; id++ {
			out[id] = r.Component
		}
	}
	return out
}
