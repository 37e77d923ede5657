package main

// position is a place in the text: line is a number within the file, both from 0. It is the first one not yet done.
type position struct{ file, line int }

// inFlight is one line that was emitted.
type inFlight struct {
	at   position
	text string
	done bool
}

// window holds the lines that are under way, in the order in which they were emitted, under increasing message ids. A
// line leaves it when it and all lines before it are acked; so the window's start is the position from which a new
// spout has to go on.
type window struct {
	lines []inFlight
	base  int64 // id of lines[0]
}

// add puts a line in and returns its id.
func (w *window) add(at position, text string) int64 {
	w.lines = append(w.lines, inFlight{at: at, text: text})
	return w.base + int64(len(w.lines)) - 1
}

// get returns the line with that id, nil if it is done.
func (w *window) get(id int64) *inFlight {
	i := id - w.base
	if i < 0 || i >= int64(len(w.lines)) || w.lines[i].done {
		return nil
	}
	return &w.lines[i]
}

// ack marks the line done and reports whether the start of the window moved.
func (w *window) ack(id int64) bool {
	l := w.get(id)
	if l == nil {
		return false
	}
	l.done, l.text = true, ""
	n := 0
	for n < len(w.lines) && w.lines[n].done {
		n++
	}
	w.lines = w.lines[n:]
	w.base += int64(n)
	return n > 0
}

// start returns the position of the first line not yet acked: next, that of the reader, if the window is empty.
func (w *window) start(next position) position {
	if len(w.lines) == 0 {
		return next
	}
	return w.lines[0].at
}
