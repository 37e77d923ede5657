package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
)

const (
	// flushTuples and flushAfter say when the counter writes: after so many words, or that long after the first.
	flushTuples = 512
	flushAfter  = 5 * time.Millisecond
	// topWords is how many words each counter passes on: the largest of all are among the largest of each, because a
	// word is always counted by the same task.
	topWords = 10
)

// count is the bolt that counts. It writes every word to its ledger BEFORE it acks it, so a word that was acked cannot
// be lost by a kill; a word that was written and not acked comes again, and is a duplicate in the ledger. One write
// holds many words, so that this costs little.
//
// There is no fsync, for the same reason as in lines.
type count struct {
	ledger *os.File
	async  *storm.Async

	counts map[string]int64
	top    top
	buf    []byte        // entries not written yet
	held   []storm.Tuple // their tuples, not acked yet
	armed  bool          // a flush is on its way
}

func (b *count) Prepare(ctx *storm.Context, c *storm.Collector) error {
	o, err := readConf(ctx.Conf)
	if err != nil {
		return err
	}
	b.async, b.counts = c.Async(), map[string]int64{}
	if err := readLedgers(o.dir, fmt.Sprintf("count-%d-*.ledger", ctx.Index), func(e entry) { b.add(e.word) }); err != nil {
		return err
	}
	// A ledger of its own for every process: what a killed one left half written stays at the end of its file.
	name := fmt.Sprintf("count-%d-%d-%d.ledger", ctx.Index, time.Now().UnixNano(), os.Getpid())
	b.ledger, err = os.OpenFile(filepath.Join(o.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("create the ledger: %w", err)
	}
	return o.writePID("count", ctx.Task)
}

func (b *count) Execute(t storm.Tuple, c *storm.Collector) error {
	e := entry{int(t.Int(0)), int(t.Int(1)), int(t.Int(2)), t.String(3)}
	b.add(e.word)
	b.buf = appendEntry(b.buf, e)
	b.held = append(b.held, t)
	if len(b.held) >= flushTuples {
		return b.flush(c)
	}
	if !b.armed {
		b.armed = true
		time.AfterFunc(flushAfter, func() { b.async.Do(0, b.flushLate) })
	}
	return nil
}

// flushLate runs in the executor, some time after it was armed.
func (b *count) flushLate(c *storm.Collector) {
	b.armed = false
	if err := b.flush(c); err != nil {
		c.ReportError(err)
	}
}

// flush writes what is held and acks it, or fails it.
func (b *count) flush(c *storm.Collector) error {
	_, err := b.ledger.Write(b.buf)
	for _, t := range b.held {
		if err != nil {
			c.Fail(t)
		} else {
			c.Ack(t)
		}
	}
	clear(b.held)
	b.buf, b.held = b.buf[:0], b.held[:0]
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	return nil
}

// add counts word.
func (b *count) add(word string) {
	n := b.counts[word] + 1
	b.counts[word] = n
	b.top.offer(word, n)
}

// Tick passes the largest counts on, without an anchor: they are running totals, and a lost one is made good by the next.
func (b *count) Tick(c *storm.Collector) error {
	for _, w := range b.top.words {
		c.Emit(w.Word, w.Count)
	}
	return nil
}

// Close writes what is held; the tuples stay unacked and come again.
func (b *count) Close() {
	if b.ledger != nil {
		b.ledger.Close()
	}
}
