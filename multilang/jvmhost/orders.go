package jvmhost

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"time"
)

// The process reads its orders from standard input, a line each: first the socket and the token, then any of
//
//	tell <name> <value in base64>   a value that every life is told, now and when it changes; without one it is to be forgotten
//	local <task>,<task>...          the tasks that run in the process from now on; see Host.Local
//	begin                           what was told before is all that there is at the start
//	open <channel>
//	ping
//
// It dials one more channel, controlChannel, before it begins, and answers each ping with a frame there.
const controlChannel = 0

// framePong answers a ping; it has no body. It is the only kind on the control channel.
const framePong byte = 12

// Tell gives the process a value by a name, in this life and in all that come, in place of the one before. What names mean is
// between the caller and the program. The value is kept.
func (h *Host) Tell(name string, value []byte) {
	h.mu.Lock()
	h.tellLocked(name, value)
	h.mu.Unlock()
	h.wake()
}

func (h *Host) tellLocked(name string, value []byte) {
	if h.told == nil {
		h.told = map[string]told{}
	}
	h.edition++
	h.told[name] = told{value: value, edition: h.edition}
}

// forgetLocked has the process told an empty value by that name, and lives to come nothing.
func (h *Host) forgetLocked(name string) {
	h.tellLocked(name, nil)
	h.told[name] = told{edition: h.edition, gone: true}
}

// told is a value that the process is told, with the number of the change that brought it.
type told struct {
	value   []byte
	edition uint64
	gone    bool
}

// toTell writes the orders that tell all that has changed since an edition, in the order of names. A new life (0) has nothing to forget.
func (h *Host) toTell(since uint64) (orders []byte, edition uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if since == 0 {
		maps.DeleteFunc(h.told, func(_ string, t told) bool { return t.gone })
	}
	for _, name := range slices.Sorted(maps.Keys(h.told)) {
		if t := h.told[name]; t.edition > since {
			orders = fmt.Appendf(orders, "tell %s %s\n", name, base64.StdEncoding.EncodeToString(t.value))
		}
	}
	return orders, h.edition
}

// order writes the orders of one life until the process has ended. A process that does not read them holds up nothing else.
func (h *Host) order(l *life, path string, in io.Writer) {
	orders, edition := h.toTell(0)
	local := 0
	w := bufio.NewWriter(in)
	fmt.Fprintf(w, "%s %s\n", path, hex.EncodeToString(l.token[:]))
	w.Write(orders)
	w.WriteString(h.localLine(&local))
	fmt.Fprintf(w, "begin\n")
	for {
		now := time.Now()
		for _, id := range h.toOpen(now) {
			fmt.Fprintf(w, "open %d\n", id)
		}
		if w.Flush() != nil { // the process has ended, or closed its input, and then it is lost for its silence
			return
		}
		h.reconsider()
		wait := time.NewTimer(h.next(now))
		select {
		case <-wait.C:
		case <-h.changed:
			orders, edition = h.toTell(edition)
			w.Write(orders)
			w.WriteString(h.localLine(&local))
		case <-l.pings:
			fmt.Fprintf(w, "ping\n")
		case <-l.ended:
			wait.Stop()
			return
		}
		wait.Stop()
	}
}

// Causes of a LostError where this side gave the process up.
var (
	// ErrNotOpened: it did not open a channel in time.
	ErrNotOpened = errors.New("no channel was opened")
	// ErrSilent: it was asked and did not answer.
	ErrSilent = errors.New("the process does not answer")
)

// beats is in how many parts of Config.Silence it is counted.
const beats = 6

// watch kills the process when it does not open its channels in time or does not answer, with the stacks of its threads in the
// log. A part of a silence in which this side stood still itself is not counted.
func (h *Host) watch(l *life) {
	began, beat := time.Now(), h.cfg.Silence/beats
	tick := time.NewTicker(beat)
	defer tick.Stop()
	late := time.NewTimer(h.cfg.StartTimeout)
	defer late.Stop()
	silent, last := 0, began
	for {
		wait := h.cfg.StartTimeout
		now := time.Now()
		due, waiting := h.due()
		if !l.answers() && (!waiting || began.Add(h.cfg.StartTimeout).Before(due)) {
			due, waiting = began.Add(h.cfg.StartTimeout), true
		}
		if waiting {
			if wait = due.Sub(now); wait <= 0 {
				h.giveUp(l, fmt.Errorf("%w within %v", ErrNotOpened, h.cfg.StartTimeout))
				return
			}
		}
		late.Reset(wait)
		select {
		case <-l.ended:
			return
		case <-late.C:
		case <-l.changed:
		case <-tick.C:
			now := time.Now()
			ownPause := now.Sub(last) > beat+beat/2
			last = now
			if l.heard.Swap(false) || !l.answers() || ownPause {
				silent = 0
			} else if silent++; silent >= beats {
				h.giveUp(l, fmt.Errorf("%w for %v", ErrSilent, h.cfg.Silence))
				return
			}
			select {
			case l.pings <- struct{}{}:
			default: // the one before was not even written
			}
		}
	}
}

// reconsider has the watch of the present life look again.
func (h *Host) reconsider() {
	h.mu.Lock()
	l := h.now
	h.mu.Unlock()
	if l != nil {
		select {
		case l.changed <- struct{}{}:
		default:
		}
	}
}

// control reads the answers of a process from its connection until that ends.
func (h *Host) control(l *life, conn net.Conn) {
	l.heard.Store(true)
	var frame [5]byte
	var err error
	for err == nil {
		if _, err = io.ReadFull(conn, frame[:]); err == nil {
			if binary.LittleEndian.Uint32(frame[:]) != 1 || frame[4] != framePong {
				err = badFrame("%x on the control channel", frame)
				l.kill(err)
			}
			l.heard.Store(true)
		}
	}
	conn.Close()
}
