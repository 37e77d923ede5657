package engine

import (
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

var _ gearcore.Reserver = (*sink)(nil)

// Reserve implements gearcore.Reserver: the partitioners move on as for an emit.
func (s *sink) Reserve(stream int, dst []gearcore.TaskID) ([]gearcore.TaskID, bool) {
	if uint(stream) >= uint(len(s.outs)) {
		return dst, false
	}
	o := &s.outs[stream]
	for i := range o.routes {
		if !blind(o.routes[i].plan) {
			return dst, false
		}
	}
	for i := range o.routes {
		from, to := o.routes[i].reserve()
		dst = append(dst, o.routes[i].tasks[from:to]...)
	}
	return dst, true
}

// blind reports whether r chooses without a look at the tuple. A grouping that is not known here does not.
func blind(r *dag.Route) bool {
	switch k := r.Grouping.Kind; k {
	case dag.Fields:
		return len(r.Tasks) <= 1 || len(r.Fields) == 0
	case dag.PartialKey, dag.KeyGroups:
		return len(r.Tasks) <= 1
	default:
		return k.IgnoresContent()
	}
}
