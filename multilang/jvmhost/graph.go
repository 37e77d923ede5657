package jvmhost

import (
	"strconv"
	"strings"
)

// Versions of the graph. The process is told what it has to know of each by a value (Tell), before any task works by it, and forgets it
// when none does any more and there is a later one. A task goes from one to the next where its engine does, in the order of its channel:
// what it got before was executed by the one before. What Java has emitted by then may name receivers of the one before, and arrives.

// versionName begins the names of values that are about versions; their numbers follow.
const versionName = "version."

// SetVersion makes a version of the topology's graph known, now and in all lives for as long as it is the newest or a task works by it. what is
// for the program (Program.told, under "version." and the number), and is kept; streams is how many streams there are, of all versions up to this
// one. Numbers grow.
func (h *Host) SetVersion(number int64, streams int, what []byte) {
	h.mu.Lock()
	h.newest, h.streams = number, streams
	h.tellLocked(versionName+strconv.FormatInt(number, 10), what)
	h.forgetVersionsLocked()
	h.mu.Unlock()
	h.wake()
}

// forgetVersionsLocked has the process forget versions that nobody needs.
func (h *Host) forgetVersionsLocked() {
	used := map[int64]bool{h.newest: true}
	for _, a := range h.tasks {
		used[a.t.graph.Load()] = true
	}
	for name, t := range h.told {
		digits, ok := strings.CutPrefix(name, versionName)
		if n, err := strconv.ParseInt(digits, 10, 64); ok && err == nil && !t.gone && !used[n] {
			h.forgetLocked(name)
		}
	}
}

// Retire has Run return when the last task is closed; no task may be opened any more.
func (h *Host) Retire() {
	h.mu.Lock()
	h.retired = true
	h.endRetiredLocked()
	h.mu.Unlock()
}

// Retired says whether Retire was called.
func (h *Host) Retired() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.retired
}

func (h *Host) endRetiredLocked() {
	if h.retired && len(h.tasks) == 0 && h.end != nil {
		h.end()
	}
}

// Follow implements gearcore.Follower.
func (t *task) Follow(version int64) {
	if t.graph.Load() == version {
		return
	}
	t.graph.Store(version)
	t.followed = true
	t.tellGraph()
	t.host.mu.Lock()
	t.host.forgetVersionsLocked()
	t.host.mu.Unlock()
	t.host.wake()
}

// tellGraph tells Java by which version the task works, unless it knows.
func (t *task) tellGraph() {
	if v := t.graph.Load(); t.cur != nil && t.cur.graph != v {
		t.cur.graph = v
		t.cur.send(func(buf []byte) []byte { return appendNumber(buf, frameGraph, uint64(v)) })
	}
}

// streams is how many streams may be counted.
func (t *task) streams() uint64 {
	t.host.mu.Lock()
	defer t.host.mu.Unlock()
	return uint64(max(t.host.streams, len(t.ctx.Layout.Streams)))
}
