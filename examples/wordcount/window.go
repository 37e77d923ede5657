package main

// position is a place in the text: line is a number within the file, both from 0.
type position struct{ file, line int }

// progress is how far a spout has come: every line before start is acked, and so many of those after it.
type progress struct {
	start position
	ahead int
}

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
	ahead int   // lines that are done but wait for an earlier one
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

// ack marks the line done.
func (w *window) ack(id int64) {
	l := w.get(id)
	if l == nil {
		return
	}
	l.done, l.text = true, ""
	w.ahead++
	n := 0
	for n < len(w.lines) && w.lines[n].done {
		n++
	}
	w.lines = w.lines[n:]
	w.base += int64(n)
	w.ahead -= n
}

// progress returns how far the window is; next is the position of the reader, which counts if the window is empty.
func (w *window) progress(next position) progress {
	if len(w.lines) == 0 {
		return progress{start: next}
	}
	return progress{w.lines[0].at, w.ahead}
}
