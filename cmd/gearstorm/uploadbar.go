package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// barEvery is how often a bar is redrawn, barCells how wide it is.
const (
	barEvery = 100 * time.Millisecond
	barCells = 30
)

// uploadBar shows on a terminal how far an upload is, and nothing elsewhere. It belongs to one goroutine.
type uploadBar struct {
	on    *screen
	what  string
	total int64 // 0: not known
	began time.Time
	drawn time.Time
}

func newUploadBar(w io.Writer, what string, total int64) *uploadBar {
	return &uploadBar{on: newScreen(w), what: what, total: total, began: time.Now()}
}

// sent tells how many bytes were sent so far.
func (b *uploadBar) sent(bytes int64) {
	if now := time.Now(); b.on.live() && now.Sub(b.drawn) >= barEvery {
		b.drawn = now
		b.on.show([]string{b.text(bytes, now.Sub(b.began))})
	}
}

// end takes the bar away.
func (b *uploadBar) end() { b.on.show(nil) }

// text is the bar's line.
func (b *uploadBar) text(bytes int64, passed time.Duration) string {
	const mb = 1e6
	rate := float64(bytes) / mb / max(passed.Seconds(), 1e-3)
	if b.total <= 0 {
		return fmt.Sprintf("%s  %.1f MB  %.1f MB/s", b.what, float64(bytes)/mb, rate)
	}
	share := min(float64(bytes)/float64(b.total), 1)
	full := int(share * barCells)
	return fmt.Sprintf("%s  [%s%s] %3.0f %%  %.1f of %.1f MB  %.1f MB/s", b.what, strings.Repeat("#", full), strings.Repeat(".", barCells-full),
		100*share, float64(bytes)/mb, float64(b.total)/mb, rate)
}

// of is sent with the whole size.
func (b *uploadBar) of(bytes, total int64) {
	b.total = total
	b.sent(bytes)
}
