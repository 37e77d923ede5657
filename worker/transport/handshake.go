package transport

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// The handshake, dialler D and acceptor A, before which nothing else is read:
//
//	D -> A  hello      magic, version, 32 random bytes                         fixed size
//	A -> D  challenge  magic, version, 32 random bytes                         fixed size
//	D -> A  proof      16-bit length, HMAC-SHA256 over all so far, identity    at most maxProof
//	A -> D  welcome    16-bit length, HMAC-SHA256 over all so far, answer      at most maxProof
//
// A dialler that would rather have a local link says so in its identity; an acceptor that has a local address then
// answers with it and nothing else, and the dialler goes there (local_linux.go) or comes back without the wish.
//
// The keys are the secret, the MACs start with different labels, so neither side's can be played back as the other's.
// An identity is parsed after its MAC was checked. A peer that fails the proof gets no answer.
const (
	magic       = "GSLINK"
	version     = 4
	nonceBytes  = 32
	helloBytes  = len(magic) + 2 + nonceBytes
	macBytes    = sha256.Size
	maxProof    = macBytes + 5*(1+maxIDBytes) + 91
	labelDial   = "gearstorm link dial v4\x00"
	labelAccept = "gearstorm link accept v4\x00"
)

// Errors of a handshake.
var (
	ErrProof    = errors.New("link peer does not prove that it holds the topology's secret")
	ErrStale    = errors.New("link refused: the worker is of an older assignment and has no part in the present one")
	ErrTopology = errors.New("link refused: another topology")
	ErrLayout   = errors.New("link refused: the worker runs another version of the topology's graph")
	ErrBusy     = errors.New("link refused: the session is still in use, or there is no room for another")
	errGreeting = errors.New("not a link of this version")
)

// Answers of a welcome.
const (
	answerOK byte = iota
	answerStale
	answerTopology
	answerLayout
	answerBusy
	answerLocal // not an error: come to welcome.local
)

var answers = map[byte]error{answerStale: ErrStale, answerTopology: ErrTopology, answerLayout: ErrLayout, answerBusy: ErrBusy}

// identity is what a side says of itself.
type identity struct {
	topology, worker, assignment string
	slot                         string // where it is, as Assignment.Slots names it; "" where slots are not known
	epoch                        int64
	plan                         uint64 // version of the plan it knows; grows during a connection (framePlan)
	process                      uint64 // random, of this life of the worker
	graph, from                  int64  // Graph.Version and From
	layout                       uint64 // fingerprint of the graph's streams
	session                      uint64 // of the link, chosen by the dialler; never 0
	local                        bool   // a dialler's: a local address would be welcome
}

// welcome is the acceptor's answer.
type welcome struct {
	code     byte
	self     identity
	resumed  bool   // the session is known; else it starts anew
	received uint64 // number of the last frame received in it
	refused  bool   // the one after it came several times and could not be read: it is to be skipped
	win      window
	maxFrame uint32 // largest body the acceptor takes
	local    string // with answerLocal: the acceptor's address on this host
}

func appendIdentity(b []byte, id *identity) []byte {
	for _, s := range []string{id.topology, id.worker, id.assignment, id.slot} {
		b = append(append(b, byte(len(s))), s...)
	}
	for _, n := range []uint64{uint64(id.epoch), id.plan, id.process, uint64(id.graph), uint64(id.from), id.layout, id.session} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return appendBool(b, id.local)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// shortText reads a text with one byte of length in front.
func shortText(r *codec.Reader) string { return string(r.Take(int(r.Byte()))) }

func parseIdentity(r *codec.Reader) (id identity) {
	for _, s := range []*string{&id.topology, &id.worker, &id.assignment, &id.slot} {
		*s = shortText(r)
	}
	var epoch, graph, from uint64
	for _, n := range []*uint64{&epoch, &id.plan, &id.process, &graph, &from, &id.layout, &id.session} {
		*n = r.Uint64()
	}
	id.epoch, id.graph, id.from, id.local = int64(epoch), int64(graph), int64(from), r.Byte() == 1
	return id
}

func appendWelcome(b []byte, w *welcome) []byte {
	b = appendIdentity(append(b, w.code), &w.self)
	b = appendBool(binary.LittleEndian.AppendUint64(appendBool(b, w.resumed), w.received), w.refused)
	for _, n := range []uint32{uint32(w.win.exclusive), uint32(w.win.floating), uint32(w.win.targetBytes), w.maxFrame} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return append(append(b, byte(len(w.local))), w.local...)
}

func parseWelcome(p []byte) (w welcome, err error) {
	r := codec.NewReader(p, ErrFrame)
	w.code = r.Byte()
	w.self = parseIdentity(&r)
	w.resumed = r.Byte() == 1
	w.received = r.Uint64()
	w.refused = r.Byte() == 1
	for _, n := range []*int{&w.win.exclusive, &w.win.floating, &w.win.targetBytes} {
		*n = int(r.Uint32())
	}
	w.maxFrame = r.Uint32()
	w.local = shortText(&r)
	if r.Err == nil && (len(r.Rest) != 0 || w.win.exclusive < 1 || w.win.floating < 1 || w.win.targetBytes < 1 || w.maxFrame < 64<<10) {
		r.Fail("a welcome that makes no sense")
	}
	return w, r.Err
}

// transcript is the handshake so far, as one side sees it.
type transcript struct {
	secret []byte
	seen   []byte
}

func greeting() []byte {
	b := make([]byte, helloBytes)
	copy(b, magic)
	binary.LittleEndian.PutUint16(b[len(magic):], version)
	rand.Read(b[len(magic)+2:])
	return b
}

func (t *transcript) readGreeting(c io.Reader) error {
	var b [helloBytes]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return fmt.Errorf("read link greeting: %w", err)
	}
	if string(b[:len(magic)]) != magic || binary.LittleEndian.Uint16(b[len(magic):]) != version {
		return errGreeting
	}
	t.seen = append(t.seen, b[:]...)
	return nil
}

func (t *transcript) writeGreeting(c io.Writer) error {
	b := greeting()
	t.seen = append(t.seen, b...)
	_, err := c.Write(b)
	return err
}

func (t *transcript) mac(label string, body []byte) []byte {
	h := hmac.New(sha256.New, t.secret)
	h.Write([]byte(label))
	h.Write(t.seen)
	h.Write(body)
	return h.Sum(nil)
}

func (t *transcript) writeProof(c io.Writer, label string, body []byte) error {
	b := binary.LittleEndian.AppendUint16(nil, uint16(macBytes+len(body)))
	b = append(append(b, t.mac(label, body)...), body...)
	t.seen = append(t.seen, b...)
	_, err := c.Write(b)
	return err
}

// readProof returns the body behind a MAC that is right, else ErrProof.
func (t *transcript) readProof(c io.Reader, label string) ([]byte, error) {
	var b [2 + maxProof]byte
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return nil, fmt.Errorf("read link proof: %w", err)
	}
	n := int(binary.LittleEndian.Uint16(b[:]))
	if n < macBytes || n > maxProof {
		return nil, ErrProof
	}
	if _, err := io.ReadFull(c, b[2:2+n]); err != nil {
		return nil, fmt.Errorf("read link proof: %w", err)
	}
	body := b[2+macBytes : 2+n]
	if !hmac.Equal(b[2:2+macBytes], t.mac(label, body)) {
		return nil, ErrProof
	}
	t.seen = append(t.seen, b[:2+n]...)
	return append([]byte(nil), body...), nil
}

// dialHandshake is the dialler's half. The caller sets the deadline.
func dialHandshake(c io.ReadWriter, secret []byte, self *identity) (welcome, error) {
	t := &transcript{secret: secret}
	if err := t.writeGreeting(c); err != nil {
		return welcome{}, fmt.Errorf("write link greeting: %w", err)
	}
	if err := t.readGreeting(c); err != nil {
		return welcome{}, err
	}
	if err := t.writeProof(c, labelDial, appendIdentity(nil, self)); err != nil {
		return welcome{}, fmt.Errorf("write link proof: %w", err)
	}
	body, err := t.readProof(c, labelAccept)
	if err != nil {
		return welcome{}, err
	}
	w, err := parseWelcome(body)
	if err != nil {
		return welcome{}, err
	}
	if w.code != answerOK && w.code != answerLocal {
		if err := answers[w.code]; err != nil {
			return w, err
		}
		return w, badFrame("answer %d to the handshake", w.code)
	}
	if w.self.topology != self.topology {
		return w, ErrTopology
	}
	return w, nil
}

// acceptHandshake is the acceptor's half up to the proof: on success the peer holds the secret and is who it says.
// The answer is then sent with t.writeProof(c, labelAccept, ...).
func acceptHandshake(c io.ReadWriter, secret []byte) (*transcript, identity, error) {
	t := &transcript{secret: secret}
	if err := t.readGreeting(c); err != nil {
		return nil, identity{}, err
	}
	if err := t.writeGreeting(c); err != nil {
		return nil, identity{}, fmt.Errorf("write link greeting: %w", err)
	}
	body, err := t.readProof(c, labelDial)
	if err != nil {
		return nil, identity{}, err
	}
	r := codec.NewReader(body, ErrFrame)
	id := parseIdentity(&r)
	if r.Err == nil && (len(r.Rest) != 0 || id.session == 0) {
		r.Fail("an identity that makes no sense")
	}
	return t, id, r.Err
}
