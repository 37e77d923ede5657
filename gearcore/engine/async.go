package engine

import (
	"bytes"
	"runtime"
	"strconv"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
)

// posted is a closure that waits for its executor.
type posted struct {
	t *task
	f func(*gearcore.Collector)
}

// poster is the engine's side of an Async.
type poster struct {
	x *executor
	t *task
}

// Post implements gearcore.Poster. A caller that is the executor's own run is never made to wait, since nobody else
// could make room for it; nor is one while the task is restored, for Restore may wait for the caller.
func (p poster) Post(size int, f func(*gearcore.Collector)) error {
	x := p.x
	x.mu.Lock()
	for x.postSize > maxPosted && !x.closed && !x.restoring() {
		if x.e.disp.single() || x.timed != nil && x.timed.restoring.Load() || x.state == running && x.goroutine == goroutineID() {
			break
		}
		if x.postRoom == nil {
			x.postRoom = sync.NewCond(&x.mu)
		}
		x.posters++
		x.postRoom.Wait()
		x.posters--
	}
	if x.closed {
		x.mu.Unlock()
		return gearcore.ErrClosed
	}
	x.posts = append(x.posts, posted{p.t, f})
	x.postSize += max(size, 0) + 64
	x.wakeLocked(nil)
	return nil
}

// Report implements gearcore.Reporter.
func (p poster) Report(err error) error {
	p.x.mu.Lock()
	closed := p.x.closed
	p.x.mu.Unlock()
	if closed {
		return gearcore.ErrClosed
	}
	p.x.e.report(p.t.id, err)
	return nil
}

// restoring says whether the task is being restored. Who posts must not wait then: Restore may wait for him.
func (x *executor) restoring() bool { return x.timed != nil && x.timed.restoring.Load() }

// runPosts runs what was posted, in order, unless a full batch waits for room: then callers of Async wait as well,
// once their bytes are used up.
func (x *executor) runPosts() {
	for !x.stuck {
		if x.todoAt == len(x.todo) && !x.takePosts() {
			return
		}
		p := x.todo[x.todoAt]
		x.todo[x.todoAt] = posted{}
		x.todoAt++
		x.calling = p.t
		p.f(p.t.c)
		x.called()
		if x.spend(1) {
			return
		}
	}
}

func (x *executor) takePosts() bool {
	if !x.posted {
		return false
	}
	x.posted = false
	x.mu.Lock()
	x.todo, x.posts = x.posts, x.todo[:0]
	x.todoAt, x.postSize = 0, 0
	if x.posters > 0 {
		x.postRoom.Broadcast()
	}
	x.mu.Unlock()
	if len(x.todo) > 0 && x.role == roleSpout {
		x.stir()
	}
	return len(x.todo) > 0
}

// goroutineID returns the number of the calling goroutine, from the header of its stack trace. It takes about a
// microsecond: for the start of a run loop and for callers that are about to wait anyway.
func goroutineID() uint64 {
	var buf [64]byte
	s := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	if i := bytes.IndexByte(s, ' '); i > 0 {
		s = s[:i]
	}
	id, _ := strconv.ParseUint(string(s), 10, 64)
	return id
}
