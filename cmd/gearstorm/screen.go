package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// screen is where a command says what happens: lines that stay and, on a terminal, a block below them that is redrawn.
// Its methods may be called from any goroutine.
type screen struct {
	mu    sync.Mutex
	w     io.Writer
	size  func() (columns, rows int, ok bool) // of the terminal; ok is false if w is none
	block []string                            // drawn last
	ended bool
}

func newScreen(w io.Writer) *screen {
	return &screen{w: w, size: func() (int, int, bool) { return terminalSize(w) }}
}

// live reports whether a block would be shown.
func (s *screen) live() bool {
	_, _, ok := s.size()
	return ok
}

// line prints text, of one or more lines, above the block.
func (s *screen) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.erased()
	if _, _, ok := s.size(); ok {
		before += "\r\x1b[K" // what the terminal shows of a Ctrl-C
	}
	io.WriteString(s.w, before+strings.TrimRight(text, "\n")+"\n"+joined(s.block))
}

// show replaces the block, cut to the terminal. Elsewhere it does nothing.
func (s *screen) show(block []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	columns, rows, ok := s.size()
	if !ok || s.ended {
		return
	}
	erase := s.erased()
	if len(block) >= rows {
		block = block[:max(rows-1, 0)]
	}
	s.block = make([]string, len(block))
	for i, l := range block {
		s.block[i] = cut(l, columns)
	}
	io.WriteString(s.w, erase+joined(s.block))
}

// end leaves the block as it is and shows none from then on.
func (s *screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.block, s.ended = nil, true
}

// erased is what removes the block and puts the cursor where it began.
func (s *screen) erased() string {
	if len(s.block) == 0 {
		return ""
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", len(s.block))
}

func joined(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// cut shortens a line to that many characters.
func cut(line string, columns int) string {
	if utf8.RuneCountInString(line) <= columns {
		return line
	}
	return string([]rune(line)[:max(columns, 0)])
}

// terminalSize is ok for a terminal that understands our two escape sequences.
func terminalSize(w io.Writer) (columns, rows int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || os.Getenv("TERM") == "dumb" {
		return 0, 0, false
	}
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 || ws.Row == 0 {
		return 0, 0, false
	}
	return int(ws.Col), int(ws.Row), true
}
