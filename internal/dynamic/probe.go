package dynamic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

const (
	// noted is how long a gap is that is written down.
	noted = time.Millisecond
	// lastEvery is how often a task's memo is written down.
	lastEvery = time.Millisecond

	// startsFile has a line for each task that began to work, Start.
	startsFile = "starts"
)

// gapsFile and lastFile are the files of a task.
func gapsFile(dir, component string, index int) string {
	return filepath.Join(dir, fmt.Sprintf("gaps-%s.%d", component, index))
}

func lastFile(dir, component string, index int) string {
	return filepath.Join(dir, fmt.Sprintf("last-%s.%d", component, index))
}

// memo is what a task leaves for the next process that has it: the moment of its last call, and its id.
type memo [16]byte

func (m *memo) last() int64           { return int64(binary.LittleEndian.Uint64(m[:])) }
func (m *memo) task() gearcore.TaskID { return gearcore.TaskID(binary.LittleEndian.Uint64(m[8:])) }

// Start is what a task writes down of itself when its first tuple comes.
type Start struct {
	Component    string
	Language     Language
	Config, Code int
	Index, Tasks int
	At           int64 // nanoseconds since 1970
}

// startForm is a Start as a line, for Sprintf, Sscanf and scripts.
const startForm = "%s %s %d %d %d %d %d\n"

// String is the line in the file of starts.
func (s Start) String() string {
	return fmt.Sprintf(startForm, s.Component, s.Language, s.Config, s.Code, s.Index, s.Tasks, s.At)
}

// probe measures how long a task stands still though it has something to do. It belongs to the task's executor.
type probe struct {
	dir        string
	gaps, memo *os.File
	task       gearcore.TaskID
	last       int64 // nanoseconds since 1970 of the last call; 0: none yet
	written    int64 // last as it was when it was written down
	fresh      bool  // since last the task began anew
	start      Start // not written down yet while At is 0
}

func (p *probe) open(ctx *gearcore.Context) (err error) {
	if p.gaps, err = os.OpenFile(gapsFile(p.dir, ctx.Component, ctx.Index), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	if p.memo, err = os.OpenFile(lastFile(p.dir, ctx.Component, ctx.Index), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	p.task = ctx.Task
	var b memo
	// Of a component that may get nothing for long, a task with another id came with an edit: its first tuple may come much later.
	if n, _ := p.memo.ReadAt(b[:], 0); n == len(b) && (steady(ctx.Component) || b.task() == ctx.Task) {
		p.last, p.fresh = b.last(), true
	}
	config, _ := ctx.Conf[configKey].(int64)
	p.start = Start{Component: ctx.Component, Language: Go, Config: int(config), Index: ctx.Index, Tasks: len(ctx.Tasks)}
	return nil
}

// appendLine adds a line to a file that others may add to as well.
func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}

// steady says whether a component gets something all the time. Of those that are shuffled to, a task that is far may get nothing for long.
func steady(component string) bool {
	return slices.Contains([]string{sourceName, keyName, countName, sinkName}, component)
}

// run says that a call begins now, for a tuple that was emitted at that moment (0: there was something to do all the time). It returns the
// moment, in nanoseconds since 1970.
func (p *probe) run(sent int64) int64 {
	now := time.Now().UnixNano()
	since := p.last
	if !p.fresh || !steady(p.start.Component) {
		since = max(since, sent)
	}
	if p.last != 0 && (p.fresh || now-since >= int64(noted)) {
		fmt.Fprintf(p.gaps, "%d %d %t\n", since, now-since, p.fresh) // a gap that cannot be written down is not measured
	}
	p.last, p.fresh = now, false
	if p.start.At == 0 {
		p.start.At = now
		appendLine(filepath.Join(p.dir, startsFile), p.start.String()) // an edit whose line is missing is not through
	}
	if now-p.written >= int64(lastEvery) {
		p.keep()
	}
	return now
}

// keep writes down the moment of the last call.
func (p *probe) keep() {
	var b memo
	binary.LittleEndian.PutUint64(b[:], uint64(p.last))
	binary.LittleEndian.PutUint64(b[8:], uint64(p.task))
	if _, err := p.memo.WriteAt(b[:], 0); err == nil {
		p.written = p.last
	}
}

// restored says that the task begins anew.
func (p *probe) restored() { p.fresh = true }

// pause says that the task has nothing to do until it is called again.
func (p *probe) pause() {
	p.last = 0
	p.keep()
}

func (p *probe) close() {
	for _, f := range []*os.File{p.gaps, p.memo} {
		if f != nil {
			f.Close()
		}
	}
}
