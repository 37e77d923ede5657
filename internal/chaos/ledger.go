package chaos

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The files of a run, all of little-endian records whose size divides a page: a killed writer leaves no part of one.
//
//	claims-<source>               claims of numbers, of all incarnations of the source's task, in the order of the file
//	acks-<source>-<incarnation>   numbers that were acked
//	sights-<task>-<incarnation>   records that reached a sink, each written before its ack
//	stop                          sources claim no more
//	slow                          relays take this many nanoseconds a record
const (
	claimBytes = 16
	ackBytes   = 8
	sightBytes = 32

	stopFile = "stop"
	slowFile = "slow"
)

// claim is one incarnation's wish for the next n numbers of its source, or with n 0 the source itself.
type claim struct {
	incarnation uint64
	n           uint32
}

// maxClaim bounds the numbers of one claim.
const maxClaim = 1 << 16

func (c claim) encode() []byte {
	b := make([]byte, claimBytes)
	binary.LittleEndian.PutUint64(b, c.incarnation)
	binary.LittleEndian.PutUint32(b[8:], c.n)
	binary.LittleEndian.PutUint32(b[12:], c.check())
	return b
}

func (c claim) check() uint32 {
	return uint32(c.incarnation) ^ uint32(c.incarnation>>32) ^ c.n ^ 0x5ea1ed
}

func decodeClaim(b []byte) (claim, error) {
	c := claim{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:])}
	if binary.LittleEndian.Uint32(b[12:]) != c.check() || c.n > maxClaim {
		return claim{}, fmt.Errorf("a damaged claim: % x", b)
	}
	return c, nil
}

// claims is what a file of claims says up to some place. Everybody who reads the same file comes to the same result, so
// appending to it is all the agreement that the incarnations of a source need: only the last one that took the source over
// gets numbers.
type claims struct {
	owner uint64
	high  uint64 // numbers 1 to high are given out
}

// apply takes the next claim. It returns the numbers that it got, first to last; none are last < first.
func (c *claims) apply(next claim) (first, last uint64) {
	if next.n == 0 {
		c.owner = next.incarnation
	} else if next.incarnation == c.owner {
		first = c.high + 1
		c.high += uint64(next.n)
		return first, c.high
	}
	return 1, 0
}

// Sight is one record that reached a sink.
type Sight struct {
	Source  uint32
	Corrupt bool // its text was not the one that belongs to its number
	Number  uint64
	// Relay is the incarnation of the relay that it came by, Count its place among all that this relay passed on.
	Relay, Count uint64
}

func (s Sight) encode(b *[sightBytes]byte) {
	binary.LittleEndian.PutUint32(b[:], s.Source)
	flags := uint32(0)
	if s.Corrupt {
		flags = 1
	}
	binary.LittleEndian.PutUint32(b[4:], flags)
	binary.LittleEndian.PutUint64(b[8:], s.Number)
	binary.LittleEndian.PutUint64(b[16:], s.Relay)
	binary.LittleEndian.PutUint64(b[24:], s.Count)
}

func decodeSight(b []byte) Sight {
	return Sight{
		Source: binary.LittleEndian.Uint32(b), Corrupt: binary.LittleEndian.Uint32(b[4:]) != 0, Number: binary.LittleEndian.Uint64(b[8:]),
		Relay: binary.LittleEndian.Uint64(b[16:]), Count: binary.LittleEndian.Uint64(b[24:]),
	}
}

// openLedger opens a file of a run for appending, made if it is not there.
func openLedger(dir, name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return f, nil
}

func claimsFile(source int) string { return fmt.Sprintf("claims-%d", source) }

func acksFile(source int, incarnation uint64) string {
	return fmt.Sprintf("acks-%d-%016x", source, incarnation)
}

func sightsFile(task int, incarnation uint64) string {
	return fmt.Sprintf("sights-%d-%016x", task, incarnation)
}

// numberOf is the number in the name of a file of a run.
func numberOf(path string) (int, bool) {
	parts := strings.Split(filepath.Base(path), "-")
	if len(parts) < 2 {
		return 0, false
	}
	n, err := strconv.Atoi(parts[1])
	return n, err == nil && n >= 0 && n < maxSources
}
