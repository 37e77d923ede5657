package jvmhost

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Bind gives the host the engine that its tasks run in, and the hooks that are told what happens between tasks of one
// process. Without an engine every tuple passes Go. It is called before a task is opened.
func (h *Host) Bind(e Engine, hooks gearcore.Hooks) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.engine, h.hooks = e, hooks
}

// Local says which tasks of the topology run in this process: tuples from one to another stay there from now on. What is
// on its way to a task that is not among them any more is executed; the task holds something (gearcore.Holder) until then.
func (h *Host) Local(tasks []gearcore.TaskID) {
	h.mu.Lock()
	if h.engine == nil {
		h.mu.Unlock()
		return
	}
	h.local = slices.Clone(tasks)
	h.localVersion++
	for _, a := range h.tasks {
		leaving := !slices.Contains(h.local, a.t.ctx.Task)
		if a.t.leaving.Store(leaving); !leaving {
			a.t.left.Store(false)
		}
	}
	h.mu.Unlock()
	h.wake()
}

// localLine returns the line that tells the process who is local; "" if it was told of that version.
func (h *Host) localLine(told *int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if *told == h.localVersion {
		return ""
	}
	*told = h.localVersion
	ids := make([]string, len(h.local))
	for i, id := range h.local {
		ids[i] = strconv.Itoa(int(id))
	}
	return "local " + strings.Join(ids, ",") + "\n"
}

// What a stat is about.
const (
	statEmitted  byte = 1
	statExecuted byte = 2
	statAcked    byte = 3
	statFailed   byte = 4
	statTook     byte = 5
)

// stat is what happened to n tuples of a stream that never passed Go: emitted (a: receivers in all), executed (a: busy
// nanoseconds, b: tuples that took them), acked, failed, or ended after a nanoseconds each.
type stat struct {
	what   byte
	stream uint64
	n      int
	a, b   int64
}

// count tells the hooks what Java counted.
func (t *task) count(stats []stat) error {
	if len(stats) == 0 {
		return nil
	}
	hooks, known := t.host.hooks, t.streams()
	for _, s := range stats {
		if s.stream >= known {
			return badFrame("counts of stream %d of %d", s.stream, known)
		}
		if hooks == nil {
			continue
		}
		id, stream := t.ctx.Task, gearcore.StreamID(s.stream)
		switch s.what {
		case statEmitted:
			hooks.Emitted(id, stream, s.n, int(s.a))
		case statExecuted:
			hooks.Executed(id, stream, s.n, time.Duration(s.a), int(s.b))
		case statAcked:
			hooks.Acked(id, stream, s.n)
		case statFailed:
			hooks.Failed(id, stream, s.n)
		case statTook:
			hooks.Took(id, stream, s.n, time.Duration(s.a))
		}
	}
	return nil
}
