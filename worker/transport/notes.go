package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Notes say how things are with a worker; what they mean is their users'. A newer note of a kind takes the place of an
// older one to the same worker that was not sent yet, and every connection begins with the newest of each kind, so that the last
// one arrives, perhaps several times, and those before it perhaps not. They take no credit: data that waits does not hold them
// back. A note longer than a piece is sent in several, between frames of data:
//
//	frameNote, kind, 32-bit length of the note, 32-bit offset of the piece, piece
//
// The pieces of one note follow each other, and no other note comes between.
const (
	// MaxNoteBytes bounds a note.
	MaxNoteBytes = 16 << 20
	// NoteKinds is how many kinds there are, from 0 on.
	NoteKinds = 8

	notePiece  = 32 << 10
	noteHeader = 1 + 1 + 4 + 4
)

var (
	// ErrNoteSize is wrapped by what Post says of a note that is too long.
	ErrNoteSize = errors.New("note is too long")
	// ErrNoNotePeer is wrapped by what Post says of a worker that SetNotePeers did not name, or that has no address.
	ErrNoNotePeer = errors.New("no notes go to this worker")
)

// SetNotePeers says to the workers of which slots notes may go. Links to them are kept up, as those to the tasks of SetPeers are;
// the addresses are those of Assignment.Slots at this moment, so it is called after SetAssignment. A slot without an address is left out.
func (t *Transport) SetNotePeers(slots []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	to, kept := map[string]string{}, map[string]bool{}
	for _, s := range slots {
		if addr := t.assignment.Slots[s]; addr != "" {
			to[s], kept[addr] = addr, true
		}
	}
	t.notePeers = to
	for addr := range kept {
		t.linkLocked(addr)
	}
	for addr, l := range t.links {
		if !kept[addr] {
			l.forgetNotes()
		}
	}
	t.retireUnusedLocked()
}

// Post has the worker of a slot told of body, which belongs to the transport from then on and is not to be changed. It does not wait.
func (t *Transport) Post(slot string, kind byte, body []byte) error {
	if len(body) > MaxNoteBytes {
		return fmt.Errorf("%w: %d bytes, allowed are %d", ErrNoteSize, len(body), MaxNoteBytes)
	}
	if kind >= NoteKinds {
		return fmt.Errorf("post a note of kind %d: there are %d kinds", kind, NoteKinds)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.links[t.notePeers[slot]]
	if l == nil || l.addr == "" {
		return fmt.Errorf("%w: slot %q", ErrNoNotePeer, slot)
	}
	l.mu.Lock()
	l.notes.post(kind, body)
	l.mu.Unlock()
	l.kick()
	return nil
}

func (l *link) forgetNotes() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = notes{}
}

// notePieces appends the next piece of a note to buf, if there is one.
func (l *link) notePieces(buf []byte) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.notes.next(buf)
}

// notes is what a link has to tell of; link.mu guards it.
type notes struct {
	latest map[byte][]byte
	turn   []byte // kinds whose latest is to be sent
	body   []byte // what is being sent
	kind   byte
	at     int // how much of it is sent
	midway bool
}

func (n *notes) post(kind byte, body []byte) {
	if n.latest == nil {
		n.latest = map[byte][]byte{}
	}
	n.latest[kind] = body
	if !slices.Contains(n.turn, kind) {
		n.turn = append(n.turn, kind)
	}
}

// restart begins a connection.
func (n *notes) restart() {
	n.turn = slices.Sorted(maps.Keys(n.latest))
	n.body, n.midway = nil, false
}

func (n *notes) next(buf []byte) []byte {
	if !n.midway {
		if len(n.turn) == 0 {
			return buf
		}
		n.kind, n.turn = n.turn[0], n.turn[1:]
		n.body, n.at, n.midway = n.latest[n.kind], 0, true
	}
	end := min(n.at+notePiece, len(n.body))
	buf = appendNote(buf, n.kind, len(n.body), n.at, n.body[n.at:end])
	if n.at = end; n.at == len(n.body) {
		n.body, n.midway = nil, false
	}
	return buf
}

func appendNote(buf []byte, kind byte, total, offset int, piece []byte) []byte {
	at := len(buf)
	buf = append(append(buf, zeros[:frameHeader]...), frameNote, kind)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(total))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(offset))
	buf = append(buf, piece...)
	seal(buf, at)
	return buf
}

// noteReader puts the notes of one connection together. It holds what has arrived, never what a length claims.
type noteReader struct {
	kind   byte
	total  int
	sofar  []byte
	midway bool
}

// take adds the body of a note frame. whole tells whether that was the last piece; the note is the caller's then.
func (n *noteReader) take(body []byte) (kind byte, note []byte, whole bool, err error) {
	if len(body) < noteHeader || body[0] != frameNote {
		return 0, nil, false, badFrame("%d bytes is no note", len(body))
	}
	kind, total, offset := body[1], binary.LittleEndian.Uint32(body[2:]), binary.LittleEndian.Uint32(body[6:])
	piece := body[noteHeader:]
	if kind >= NoteKinds || total > MaxNoteBytes || uint64(offset)+uint64(len(piece)) > uint64(total) {
		return 0, nil, false, badFrame("note of kind %d with %d bytes at %d of %d", kind, len(piece), offset, total)
	}
	if n.midway && (kind != n.kind || int(total) != n.total || int(offset) != len(n.sofar) || len(piece) == 0) || !n.midway && offset != 0 {
		return 0, nil, false, badFrame("a piece at %d of a note does not follow what came before", offset)
	}
	n.kind, n.total, n.midway = kind, int(total), true
	if n.sofar = append(n.sofar, piece...); len(n.sofar) < n.total {
		if len(piece) == 0 {
			return 0, nil, false, badFrame("an empty piece of a note")
		}
		return 0, nil, false, nil
	}
	note = n.sofar
	n.sofar, n.midway = nil, false
	return kind, note, true, nil
}
