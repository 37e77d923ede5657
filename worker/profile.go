package worker

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"slices"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// maxRecording bounds a profile of processor time, whoever forgets to stop it.
	maxRecording = time.Hour
	// maxDumps is how many files a worker's directory keeps; the oldest give way.
	maxDumps = 32
)

// profiler does what Storm's profiling actions ask of this worker:
//
//	JSTACK_DUMP      jstack-<pid>-<time>.txt, the stacks of all goroutines
//	JMAP_DUMP        heap-<pid>-<time>.bin, a heap profile
//	JPROFILE_START   begins a profile of processor time
//	JPROFILE_DUMP    cpu-<pid>-<time>.bin, what was recorded up to now; the recording goes on
//	JPROFILE_STOP    the same at its end. With a time in the future a recording begins, if none is under way, and ends then
//	JVM_RESTART      the worker ends, and its supervisor starts another
//
// Where the worker has a Java process, that does the same: stacks, heap, and a recording-<pid>-<time>.jfr of Java Flight
// Recorder (java_profile.go). Files are beside the worker's log; profiles are read with `go tool pprof`. Requests come with the plan and stay in it until
// the worker has told that they are done, so that none is lost. The zero value has nothing to do.
type profiler struct {
	dir string // where files go
	log *slog.Logger

	mu     sync.Mutex
	java   jvm                      // nil where there is none
	wanted []*stormrpc.WorkerAction // for this worker, in order of ids
	done   map[int64]bool           // those of wanted that are done
	news   chan struct{}            // room for one; nil until the first news or run

	// Owned by run.
	recording *recording
}

// recording is a profile of processor time under way.
type recording struct {
	buf   bytes.Buffer
	until time.Time
	ends  []int64 // requests that are done when it ends
}

// follow takes the requests that a plan names and says whether one to restart this worker is settled: it was told as done, and
// the plan does not name it any more. Until then a worker that ends would find it in its first plan again.
func (p *profiler) follow(self slot, all []*stormrpc.WorkerAction) (restart bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var wanted []*stormrpc.WorkerAction
	done := map[int64]bool{}
	for _, a := range all {
		if a != nil && a.Node == self.node && int(a.Port) == self.port {
			wanted = append(wanted, a)
			if p.done[a.ID] {
				done[a.ID] = true
			}
		}
	}
	for _, a := range p.wanted {
		if a.Action == stormrpc.ProfileAction_JVM_RESTART && p.done[a.ID] && !done[a.ID] {
			restart = true
		}
	}
	slices.SortFunc(wanted, func(a, b *stormrpc.WorkerAction) int { return cmp.Compare(a.ID, b.ID) })
	p.wanted, p.done = wanted, done
	if len(wanted) > 0 {
		wake(p.newsLocked())
	}
	return restart
}

func (p *profiler) newsLocked() chan struct{} {
	if p.news == nil {
		p.news = make(chan struct{}, 1)
	}
	return p.news
}

// wake leaves a signal for who waits for one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// finished are the requests that are done and still in the plan.
func (p *profiler) finished() []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []int64
	for id := range p.done {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// settle notes that requests are done.
func (p *profiler) settle(ids ...int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if slices.ContainsFunc(p.wanted, func(a *stormrpc.WorkerAction) bool { return a.ID == id }) {
			p.done[id] = true
		}
	}
}

// run does what is wanted until ctx ends. A recording under way is written then.
func (p *profiler) run(ctx context.Context) {
	p.mu.Lock()
	news := p.newsLocked()
	p.mu.Unlock()
	for {
		var end <-chan time.Time
		if r := p.recording; r != nil {
			end = time.After(time.Until(r.until))
		}
		select {
		case <-ctx.Done():
			p.stop()
			return
		case <-end:
			p.stop()
		case <-news:
			for _, a := range p.todo() {
				p.act(a)
			}
		}
	}
}

// todo are the requests that are neither done nor what the recording under way ends with.
func (p *profiler) todo() []*stormrpc.WorkerAction {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*stormrpc.WorkerAction
	for _, a := range p.wanted {
		if !p.done[a.ID] && !(p.recording != nil && slices.Contains(p.recording.ends, a.ID)) {
			out = append(out, a)
		}
	}
	return out
}

// act does one request. What fails is logged and counts as done: asking again is for people.
func (p *profiler) act(a *stormrpc.WorkerAction) {
	p.log.Info("profiling action", slog.String("action", a.Action.String()))
	var err error
	switch a.Action {
	case stormrpc.ProfileAction_JSTACK_DUMP:
		err = p.write("jstack", "txt", os.Getpid(), func(w io.Writer) error { return pprof.Lookup("goroutine").WriteTo(w, 2) })
		err = errors.Join(err, p.javaStacks())
	case stormrpc.ProfileAction_JMAP_DUMP:
		err = p.write("heap", "bin", os.Getpid(), func(w io.Writer) error { return pprof.Lookup("heap").WriteTo(w, 0) })
		err = errors.Join(err, p.javaHeap())
	case stormrpc.ProfileAction_JPROFILE_START:
		err = p.record(time.Now().Add(maxRecording))
	case stormrpc.ProfileAction_JPROFILE_DUMP:
		err = p.dump()
	case stormrpc.ProfileAction_JPROFILE_STOP:
		if until := time.UnixMilli(a.UntilMs); time.Now().Before(until) {
			if err = p.record(until); err == nil {
				p.recording.ends = append(p.recording.ends, a.ID)
				return
			}
			break
		}
		if p.recording == nil {
			err = errors.New("no profile is being recorded")
		}
		p.stop()
	}
	if err != nil {
		p.log.Error("profiling action was not carried out", slog.String("action", a.Action.String()), slog.Any("err", err))
	}
	p.settle(a.ID)
}

// record begins a recording that ends at a time, or has the one under way end then.
func (p *profiler) record(until time.Time) error {
	if limit := time.Now().Add(maxRecording); until.After(limit) {
		until = limit
	}
	if p.recording != nil {
		p.recording.until = until
		return nil
	}
	r := &recording{until: until}
	if err := pprof.StartCPUProfile(&r.buf); err != nil {
		return fmt.Errorf("begin profile: %w", err)
	}
	p.recording = r
	if err := p.javaRecord(); err != nil {
		p.log.Error("the Java process is not recorded", slog.Any("err", err))
	}
	return nil
}

// dump writes what was recorded and goes on.
func (p *profiler) dump() error {
	r := p.recording
	if r == nil {
		return errors.New("no profile is being recorded")
	}
	ends := r.ends
	r.ends = nil
	p.stop()
	if err := p.record(r.until); err != nil {
		p.settle(ends...)
		return err
	}
	p.recording.ends = ends
	return nil
}

// stop ends the recording, if there is one, and writes it.
func (p *profiler) stop() {
	r := p.recording
	if r == nil {
		return
	}
	p.recording = nil
	pprof.StopCPUProfile()
	err := p.write("cpu", "bin", os.Getpid(), func(w io.Writer) error { _, err := w.Write(r.buf.Bytes()); return err })
	if err = errors.Join(err, p.javaStop()); err != nil {
		p.log.Error("profile was not written", slog.Any("err", err))
	}
	p.settle(r.ends...)
}

// dumps matches the files that write makes.
var dumps = regexp.MustCompile(`^(jstack|heap|cpu|recording)-[0-9]+-[0-9T]+(\.[0-9]+)?\.(txt|bin|jfr)$`)

// dumpName names a dump of a process.
func dumpName(kind, ext string, pid int) string {
	return fmt.Sprintf("%s-%d-%s.%s", kind, pid, time.Now().UTC().Format("20060102T150405.000000"), ext)
}

// write makes a file of the worker's directory with a dump of a process.
func (p *profiler) write(kind, ext string, pid int, content func(io.Writer) error) error {
	name := dumpName(kind, ext, pid)
	f, err := os.OpenFile(filepath.Join(p.dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = content(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(f.Name()))
	}
	p.log.Info("dump is written", slog.String("file", name))
	return p.tidy()
}

// tidy removes the oldest dumps beyond maxDumps.
func (p *profiler) tidy() error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("look for old dumps: %w", err)
	}
	var old []os.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && dumps.MatchString(e.Name()) {
			old = append(old, info)
		}
	}
	slices.SortFunc(old, func(a, b os.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), cmp.Compare(b.Name(), a.Name()))
	})
	for _, info := range old[min(len(old), maxDumps):] {
		if err := os.Remove(filepath.Join(p.dir, info.Name())); err != nil {
			return fmt.Errorf("remove old dump: %w", err)
		}
	}
	return nil
}
