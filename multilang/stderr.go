package multilang

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	stderrLine    = 4 << 10 // longer lines are cut into pieces
	stderrTail    = 2 << 10 // kept for the report of a death
	stderrPerSec  = 1000    // lines logged in a second; the rest is counted
	stderrReadBuf = 16 << 10
)

// stderrPump drains a child's standard error for as long as it is open, whatever comes: a full pipe would stop the child.
// Lines go to log; a flood is thinned out, not held back.
type stderrPump struct {
	log  func(line string)
	now  func() time.Time
	done chan struct{} // closed at the end; tail may be read then
	tail []byte

	line    []byte
	window  time.Time
	logged  int
	dropped int
}

func newStderrPump(log func(string)) *stderrPump {
	return &stderrPump{log: log, now: time.Now, done: make(chan struct{})}
}

// run reads r to its end.
func (p *stderrPump) run(r io.Reader) {
	defer close(p.done)
	buf := make([]byte, stderrReadBuf)
	for {
		n, err := r.Read(buf)
		p.feed(buf[:n])
		if err != nil {
			p.emit()
			p.report()
			return
		}
	}
}

func (p *stderrPump) feed(b []byte) {
	p.tail = append(p.tail, b...)
	if len(p.tail) > 2*stderrTail {
		p.tail = append(p.tail[:0], p.tail[len(p.tail)-stderrTail:]...)
	}
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n')
		if n < 0 {
			n = len(b)
		}
		room := stderrLine - len(p.line)
		if n > room {
			p.line = append(p.line, b[:room]...)
			b = b[room:]
			p.emit()
			continue
		}
		p.line = append(p.line, b[:n]...)
		if n == len(b) {
			return
		}
		p.emit()
		b = b[n+1:]
	}
}

// emit logs the line that was collected, if the second has room for it.
func (p *stderrPump) emit() {
	line := bytes.TrimRight(p.line, "\r")
	defer func() { p.line = p.line[:0] }()
	if len(line) == 0 {
		return
	}
	if now := p.now(); now.Sub(p.window) >= time.Second {
		p.report()
		p.window, p.logged = now, 0
	}
	if p.logged >= stderrPerSec {
		p.dropped++
		return
	}
	p.logged++
	p.log(string(bytes.ToValidUTF8(line, []byte("\uFFFD"))))
}

func (p *stderrPump) report() {
	if p.dropped > 0 {
		p.log(droppedText(p.dropped))
		p.dropped = 0
	}
}

// last returns the end of what was written, for people.
func (p *stderrPump) last() string {
	t := p.tail
	if len(t) > stderrTail {
		t = t[len(t)-stderrTail:]
	}
	return withoutStack(string(bytes.ToValidUTF8(bytes.TrimSpace(t), []byte("\uFFFD"))))
}

// withoutStack leaves out of the trace of an error what stands between its message and the end of the text, as in Node and Java, but for the
// first call, and empty lines: what is shortened later keeps its beginning and its end. The log has all lines.
func withoutStack(text string) string {
	var out []string
	inStack := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		call := strings.HasPrefix(strings.TrimLeft(line, " \t"), "at ") && line[0] != 'a'
		if line != "" && !(call && inStack) {
			out = append(out, line)
		}
		inStack = call
	}
	return strings.Join(out, "\n")
}

func droppedText(n int) string {
	return fmt.Sprintf("(%d more lines of standard error were not logged: over %d a second)", n, stderrPerSec)
}
