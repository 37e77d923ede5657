package transport

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// notebook is a receiver's Note.
type notebook struct {
	mu     sync.Mutex
	latest map[string][]byte // by slot and kind
	heard  int
}

func (n *notebook) note(slot string, kind byte, body []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.latest == nil {
		n.latest = map[string][]byte{}
	}
	n.heard++
	n.latest[slot+"/"+strconv.Itoa(int(kind))] = body
}

func (n *notebook) has(at string, body []byte) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	got, ok := n.latest[at]
	return ok && bytes.Equal(got, body)
}

// noting are two ends, each other's note peers.
func noting(t *testing.T, change func(*Config)) (a, b *end, atA, atB *notebook) {
	atA, atB = &notebook{}, &notebook{}
	a = startIn(t, "a", 1, func(c *Config) {
		if change != nil {
			change(c)
		}
		c.Note = atA.note
	})
	b = startIn(t, "b", 1, func(c *Config) {
		if change != nil {
			change(c)
		}
		c.Note = atB.note
	})
	members := map[string]*end{"a": a, "b": b}
	for _, e := range members {
		e.SetAssignment(byPlan(2, members))
	}
	a.SetNotePeers([]string{"b"})
	b.SetNotePeers([]string{"a"})
	return a, b, atA, atB
}

func post(t *testing.T, e *end, slot string, kind byte, body []byte) {
	t.Helper()
	if err := e.Post(slot, kind, body); err != nil {
		t.Fatal(err)
	}
}

func TestNotesGoBothWays(t *testing.T) {
	overEach(t, func(t *testing.T, change func(*Config)) {
		a, b, atA, atB := noting(t, change)
		large := bytes.Repeat([]byte("0123456789"), 3*notePiece/10)
		post(t, a, "b", 0, []byte("one"))
		post(t, a, "b", 1, large)
		post(t, b, "a", 0, nil)
		await(t, "all notes arrive", func() bool {
			return atB.has("a/0", []byte("one")) && atB.has("a/1", large) && atA.has("b/0", nil)
		})
		for i := range 1000 {
			post(t, a, "b", 0, []byte(strconv.Itoa(i)))
		}
		await(t, "the last of many arrives", func() bool { return atB.has("a/0", []byte("999")) })
	})
}

// TestNotesPassDataThatWaits posts a note while the receiver holds all the data that it lets come.
func TestNotesPassDataThatWaits(t *testing.T) {
	overEach(t, func(t *testing.T, change func(*Config)) {
		a, b, _, atB := noting(t, change)
		b.sink.mu.Lock()
		b.hold = map[gearcore.TaskID]bool{4: true}
		b.sink.mu.Unlock()
		a.to(b.Addr().String(), 4)
		o := a.Outlet(4)
		for o.Push(batch(testLayout(), 4, "x")) {
		}
		post(t, a, "b", 3, []byte("now"))
		await(t, "the note arrives", func() bool { return atB.has("a/3", []byte("now")) })
		b.release()
	})
}

// TestNotesAfterACut cuts the connection under a long note, and posts others while there is none.
func TestNotesAfterACut(t *testing.T) {
	var mu sync.Mutex
	var conns []net.Conn
	down := false
	a, _, _, atB := noting(t, func(c *Config) {
		c.TCPOnly = true
		c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return nil, errors.New("cut")
			}
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err == nil {
				conns = append(conns, conn)
			}
			return conn, err
		}
	})
	cut := func(on bool) {
		mu.Lock()
		defer mu.Unlock()
		down = on
		for _, c := range conns {
			c.Close()
		}
		conns = nil
	}
	for round := range 5 {
		body := bytes.Repeat([]byte{byte(round)}, 4<<20)
		post(t, a, "b", 0, body)
		cut(round%2 == 0)
		post(t, a, "b", 1, []byte{byte(round)})
		cut(false)
		await(t, "both notes arrive", func() bool { return atB.has("a/0", body) && atB.has("a/1", []byte{byte(round)}) })
	}
}

// TestNoteOfAPeerThatStartsAnew: a new process at the slot is told what its predecessor was.
func TestNoteOfAPeerThatStartsAnew(t *testing.T) {
	atB := &notebook{}
	a := startIn(t, "a", 1, nil)
	b := startIn(t, "b", 1, func(c *Config) { c.Note = atB.note })
	addr := b.Addr().String()
	a.SetAssignment(byPlan(2, map[string]*end{"a": a, "b": b}))
	a.SetNotePeers([]string{"b"})
	post(t, a, "b", 0, []byte("how it is"))
	await(t, "the first process has it", func() bool { return atB.has("a/0", []byte("how it is")) })
	b.stop()
	again := &notebook{}
	startIn(t, "b", 1, func(c *Config) { c.Note, c.Listen = again.note, addr })
	await(t, "the second process has it", func() bool { return again.has("a/0", []byte("how it is")) })
}

func TestNotesThatAreRefused(t *testing.T) {
	a, b, _, _ := noting(t, nil)
	if err := a.Post("b", 0, make([]byte, MaxNoteBytes+1)); !errors.Is(err, ErrNoteSize) {
		t.Errorf("too long a note: %v", err)
	}
	if err := a.Post("b", NoteKinds, nil); err == nil {
		t.Error("a kind that there is not is taken")
	}
	if err := a.Post("c", 0, nil); !errors.Is(err, ErrNoNotePeer) {
		t.Errorf("a slot without an address: %v", err)
	}
	await(t, "the link is up", a.Ready)
	a.SetNotePeers(nil)
	if err := a.Post("b", 0, nil); !errors.Is(err, ErrNoNotePeer) {
		t.Errorf("no peer any more: %v", err)
	}
	await(t, "its link ends", func() bool {
		a.Transport.mu.Lock()
		defer a.Transport.mu.Unlock()
		return len(a.links) == 0
	})
	// A link that carries data as well stays, without the notes.
	a.to(b.Addr().String(), 4)
	a.SetNotePeers([]string{"b"})
	post(t, a, "b", 0, []byte("x"))
	a.SetNotePeers(nil)
	a.Transport.mu.Lock()
	l := a.links[b.Addr().String()]
	a.Transport.mu.Unlock()
	l.mu.Lock()
	kept := len(l.notes.latest)
	l.mu.Unlock()
	if kept != 0 {
		t.Errorf("%d notes are kept for a worker that is told nothing", kept)
	}
}

// TestNotePiecesThatMakeNoSense has a reader refuse what no sender writes.
func TestNotePiecesThatMakeNoSense(t *testing.T) {
	piece := func(kind byte, total, offset, n int) []byte {
		return appendNote(nil, kind, total, offset, make([]byte, n))[frameHeader:]
	}
	for name, frames := range map[string][][]byte{
		"short":             {{frameNote, 0, 1}},
		"kind":              {piece(NoteKinds, 1, 0, 1)},
		"too long":          {piece(0, MaxNoteBytes+1, 0, 1)},
		"beyond its length": {piece(0, 4, 0, 5)},
		"no beginning":      {piece(0, 4, 2, 2)},
		"a gap":             {piece(0, 9, 0, 2), piece(0, 9, 4, 2)},
		"another kind":      {piece(0, 9, 0, 2), piece(1, 9, 2, 2)},
		"another length":    {piece(0, 9, 0, 2), piece(0, 8, 2, 2)},
		"begins anew":       {piece(0, 9, 0, 2), piece(0, 9, 0, 2)},
		"empty first piece": {piece(0, 9, 0, 0)},
		"empty piece":       {piece(0, 9, 0, 2), piece(0, 9, 2, 0)},
	} {
		var n noteReader
		var err error
		for _, f := range frames {
			_, _, whole, e := n.take(f)
			if err = e; whole {
				t.Errorf("%s: taken as whole", name)
			}
		}
		if !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzNotes(f *testing.F) {
	f.Add([]byte{0, 5, 0, 5}, []byte("hello"))
	f.Add([]byte{1, 9, 4, 4, 1, 9, 8, 4}, []byte("hello you"))
	f.Fuzz(func(t *testing.T, plan, text []byte) {
		var n noteReader
		for ; len(plan) >= 4; plan = plan[4:] {
			piece := text[:min(int(plan[3]), len(text))]
			_, note, whole, err := n.take(appendNote(nil, plan[0], int(plan[1]), int(plan[2]), piece)[frameHeader:])
			if err != nil {
				return
			}
			if whole && len(note) != int(plan[1]) {
				t.Fatalf("a note of %d bytes has %d", plan[1], len(note))
			}
			if len(n.sofar) > 255 {
				t.Fatalf("%d bytes are kept of a note of 255 at most", len(n.sofar))
			}
		}
		n.take(text)
	})
}

// TestNotesLeaveNothing ends both sides with a note half on its way.
func TestNotesLeaveNothing(t *testing.T) {
	a, b, _, _ := noting(t, func(c *Config) { c.TCPOnly = true })
	await(t, "the link is up", a.Ready)
	post(t, a, "b", 0, make([]byte, MaxNoteBytes))
	ended := make(chan struct{})
	go func() { defer close(ended); a.stop(); b.stop() }()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("a transport with a note on its way does not end")
	}
}
