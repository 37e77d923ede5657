package chaos

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
)

// relay passes records on and numbers what it passes on.
type relay struct {
	t           Topology
	incarnation uint64
	count       int64
	slow        switchFile
}

// Prepare implements storm.Bolt.
func (r *relay) Prepare(*storm.Context, *storm.Collector) error {
	r.incarnation, r.slow = rand.Uint64(), switchFile{path: filepath.Join(r.t.Dir, slowFile)}
	return nil
}

// Execute implements storm.Bolt.
func (r *relay) Execute(t storm.Tuple, c *storm.Collector) error {
	if r.slow.on(time.Now()) {
		if nanos, err := strconv.ParseInt(strings.TrimSpace(r.slow.text), 10, 64); err == nil {
			time.Sleep(time.Duration(nanos))
		}
	}
	r.count++
	c.EmitAnchored(t, t.Int(0), t.Int(1), t.String(2), t.String(3), int64(r.incarnation), r.count)
	c.Ack(t)
	return nil
}

// sink writes down what arrives.
type sink struct {
	t      Topology
	ledger *os.File
}

// Prepare implements storm.Bolt.
func (s *sink) Prepare(ctx *storm.Context, _ *storm.Collector) (err error) {
	s.ledger, err = openLedger(s.t.Dir, sightsFile(ctx.Index, rand.Uint64()))
	return err
}

// Execute implements storm.Bolt. What cannot be written down is not acked.
func (s *sink) Execute(t storm.Tuple, c *storm.Collector) error {
	seen := Sight{Source: uint32(t.Int(0)), Number: uint64(t.Int(1)), Relay: uint64(t.Int(4)), Count: uint64(t.Int(5))}
	seen.Corrupt = t.String(3) != textOf(s.t.Run, int(seen.Source), seen.Number) || t.String(2) != keyOf(seen.Number)
	var rec [sightBytes]byte
	seen.encode(&rec)
	if _, err := s.ledger.Write(rec[:]); err != nil {
		return err
	}
	c.Ack(t)
	return nil
}

// Close implements storm.Closer.
func (s *sink) Close() {
	if s.ledger != nil {
		s.ledger.Close()
	}
}
