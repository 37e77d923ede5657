package jvmhost

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	magic         = "GSJV"
	version       = 5
	helloBytes    = 4 + 2 + 8 + len(token{})
	handshakeWait = 5 * time.Second
	maxHandshakes = 16 // at once; more connections wait
)

// Answers to a hello.
const (
	welcome      byte = 0
	otherVersion byte = 1
	notWelcome   byte = 2
)

// token is what a process has to show for its connections; each life has its own.
type token [32]byte

func newToken() (t token) {
	rand.Read(t[:]) // never fails
	return t
}

var (
	errVersion = errors.New("the Java side speaks another version")
	errRefused = errors.New("no such channel for this token")
)

// greet reads the hello of a connection and answers. open says whether a channel with that token is wanted.
func greet(conn net.Conn, open func(channel uint64, t *token) bool) (channel uint64, err error) {
	if err := conn.SetDeadline(time.Now().Add(handshakeWait)); err != nil {
		return 0, err
	}
	var hello [helloBytes]byte
	if _, err := io.ReadFull(conn, hello[:]); err != nil {
		return 0, fmt.Errorf("read the hello: %w", err)
	}
	if string(hello[:4]) != magic {
		return 0, badFrame("no hello")
	}
	status := welcome
	v := binary.LittleEndian.Uint16(hello[4:])
	channel = binary.LittleEndian.Uint64(hello[6:])
	if v != version {
		status, err = otherVersion, fmt.Errorf("%w: %d, this one is %d", errVersion, v, version)
	} else if !open(channel, (*token)(hello[14:])) {
		status, err = notWelcome, errRefused
	}
	answer := append(binary.LittleEndian.AppendUint16([]byte(magic), version), status)
	if _, werr := conn.Write(answer); err == nil && werr != nil {
		err = fmt.Errorf("answer the hello: %w", werr)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	return channel, err
}

func (t *token) equal(u *token) bool { return subtle.ConstantTimeCompare(t[:], u[:]) == 1 }
