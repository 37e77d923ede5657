package worker

import (
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// goneFor is how long something may be under way to a task that a version of the graph has no more.
const goneFor = time.Minute

// goneTask is where the worker of such a task is, and until when that matters.
type goneTask struct {
	at        slot
	component string
	until     time.Time
}

// noteGone notes where those tasks are, by the plan in force, that local executors send to and that next has no more.
func (w *worker) noteGone(next *dag.Plan) {
	now := time.Now()
	for id, g := range w.gone {
		if now.After(g.until) {
			delete(w.gone, id)
		}
	}
	was, err := place(w.plan)
	if err != nil {
		return // it was read before
	}
	sent := targets(w.host.plan(), w.host.local)
	for x, at := range was.spans {
		for id := x.first; id <= x.last; id++ {
			if _, stays := next.Task(id); !stays && sent[id] {
				w.gone[id] = goneTask{at, w.host.plan().Layout.Components[id], now.Add(goneFor)}
			}
		}
	}
}

// whereGone returns where what is under way to tasks that are gone should go: to the worker that has had them, or to one that
// has a task of the same component, which sends it on. tasks is where p has tasks elsewhere.
func (w *worker) whereGone(p placement, components map[int32]string, tasks map[gearcore.TaskID]string) map[gearcore.TaskID]string {
	slots, of := map[slot]bool{}, map[string]string{}
	for x, at := range p.spans {
		slots[at] = true
		if addr := tasks[x.first]; addr != "" {
			of[components[int32(x.first)]] = addr
		}
	}
	out := map[gearcore.TaskID]string{}
	for id, g := range w.gone {
		switch addr := p.addr(g.at); {
		case g.at != w.self && slots[g.at] && addr != "":
			out[id] = addr
		case !slots[g.at] && of[g.component] != "":
			out[id] = of[g.component]
		}
	}
	return out
}
