package transport

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// SecretBytes is the length of a topology's link secret.
const SecretBytes = 32

// maxIDBytes bounds the ids in a handshake.
const maxIDBytes = 255

// Config says who a transport is and how its links behave. The fields up to Deliver are required; the rest have
// defaults.
type Config struct {
	Secret     []byte // the topology's, SecretBytes long; kept
	TopologyID string
	WorkerID   string
	// Assignment is what this worker runs by; its ID is required. See Assignment.Slots for who is refused.
	Assignment Assignment
	Listen     string // host:port; port 0 takes a free one, see Addr
	// Layout is given to every batch received. Peers that run the same version of the graph must have the same streams in the same
	// order.
	Layout *gearcore.Layout
	// Graph is the version of the topology's graph. Peers must run the same one, or one that goes with it: not older than
	// GraphFrom of the newer one, whose streams are then those of the older one and more. 0: only its own goes with it.
	Graph, GraphFrom int64
	// Deliver takes a received batch; Batch.Plan is what its sender knew (Assignment.Plan). It is called by one goroutine per link and must not block. The transport sets
	// Batch.Done on batches with rows; the consumer must call it. An error drops the batch.
	Deliver func(*gearcore.Batch) error

	// Note, if set, is told of the notes of other workers (Transport.Post), by their slot. It is called by one goroutine per link
	// and must not block; body is its own.
	Note func(slot string, kind byte, body []byte)

	// Slot is where this worker is, one of Assignment.Slots. Where those are nil it may be empty.
	Slot string
	// Runs says whether a task is in this worker at present, and TakeBack takes a batch that was pushed for a task that is, as
	// it had been elsewhere; waited says that the outlet held it when the task came, all by the goroutine of SetPeers and in order. TakeBack
	// must not block, and calls b.Done; it says no if the task is not here. Both are nil where tasks do not come.
	Runs     func(gearcore.TaskID) bool
	TakeBack func(b *gearcore.Batch, waited bool) bool

	// Keeps, if set, says what the consumer of a task's batches may hold after Done: what it may not is used again. It is
	// asked for every batch. Default: KeepsAll.
	Keeps func(gearcore.TaskID) Keeps
	// Tracker keeps the books of trees; nil where nothing is tracked.
	Tracker Tracker
	// MessageTimeout is how long a tree may take. What a peer has not settled after three of it is forgotten. 0: never.
	MessageTimeout time.Duration

	// Lost, if set, is told of rows and why they will not arrive: rows that cannot be encoded (a codec.ErrObject, say), and
	// what a peer that is gone had not received (ErrPeerGone), markers without rows too. It is called by a link's goroutine or by whoever
	// pushes, must not block and may not keep b. Trees of the rows fail by themselves.
	Lost func(b *gearcore.Batch, err error)
	Log  *slog.Logger // default: none

	// TCPOnly keeps links to workers of the same host and user on TCP too; NoRing lets them use a Unix socket alone
	// instead of shared memory. Either side's wish is enough. Both are for comparison and for systems that are odd.
	TCPOnly bool
	NoRing  bool

	// Bind makes the listener of Listen, Dial a connection to a peer; nil: net.Listen and a net.Dialer. Local links are never
	// made by them.
	Bind func(network, addr string) (net.Listener, error)
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	ExclusiveBatches int           // batches under way that a target has for itself; default 2
	FloatingBatches  int           // more of them, shared by the targets of a link; default 16
	TargetBytes      int           // bytes under way to a target beyond which a second batch waits; default 1 MiB
	QueueBatches     int           // batches an outlet holds before it has no room; default 8
	MaxFrameBytes    int           // bound of a frame, so of a tuple; default 4 MiB, least 64 KiB
	HandshakeTimeout time.Duration // from accept or dial to the end of the handshake; default 5 s
	MaxHandshakes    int           // connections that may be in the handshake; the oldest is closed; default 64
	MaxSessions      int           // sessions a receiver remembers, least recently connected forgotten; more at once are refused; default 4096
	PeerTimeout      time.Duration // how long an absent peer's data is kept; default 15 s
	EarlyTimeout     time.Duration // how long what comes for a later version of the graph waits for SetGraph; default 30 s
	FailTimeout      time.Duration // how long it may be away before the tuples that it has not settled fail; default 5 s, at most PeerTimeout
	IdleTimeout      time.Duration // silence after which a connection counts as dead; default 5 s
	MinBackoff       time.Duration // first wait before dialling again, doubled each time; default 2 ms
	MaxBackoff       time.Duration // longest such wait; default 200 ms
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c *Config) withDefaults() Config {
	d := *c
	def(&d.Log, slog.New(slog.DiscardHandler))
	def(&d.ExclusiveBatches, 2)
	def(&d.FloatingBatches, 16)
	def(&d.TargetBytes, 1<<20)
	def(&d.QueueBatches, 8)
	def(&d.MaxFrameBytes, 4<<20)
	def(&d.HandshakeTimeout, 5*time.Second)
	def(&d.MaxHandshakes, 64)
	def(&d.MaxSessions, 4096)
	def(&d.PeerTimeout, 15*time.Second)
	def(&d.IdleTimeout, 5*time.Second)
	def(&d.EarlyTimeout, 30*time.Second)
	def(&d.FailTimeout, min(5*time.Second, d.PeerTimeout))
	def(&d.MinBackoff, 2*time.Millisecond)
	def(&d.MaxBackoff, 200*time.Millisecond)
	if d.Keeps == nil {
		d.Keeps = func(gearcore.TaskID) Keeps { return KeepsAll }
	}
	if d.Bind == nil {
		d.Bind = net.Listen
	}
	if d.Dial == nil {
		d.Dial = new(net.Dialer).DialContext
	}
	if d.Lost == nil {
		d.Lost = func(*gearcore.Batch, error) {}
	}
	return d
}

func (c *Config) validate() error {
	if len(c.Secret) != SecretBytes {
		return fmt.Errorf("transport config: Secret has %d bytes, want %d", len(c.Secret), SecretBytes)
	}
	for _, f := range []struct{ name, id string }{{"TopologyID", c.TopologyID}, {"WorkerID", c.WorkerID}, {"Assignment.ID", c.Assignment.ID}} {
		if f.id == "" || len(f.id) > maxIDBytes {
			return fmt.Errorf("transport config: %s has %d bytes, want 1 to %d", f.name, len(f.id), maxIDBytes)
		}
	}
	if len(c.Slot) > maxIDBytes {
		return fmt.Errorf("transport config: Slot has %d bytes, want at most %d", len(c.Slot), maxIDBytes)
	}
	if (c.Runs == nil) != (c.TakeBack == nil) {
		return fmt.Errorf("transport config: Runs and TakeBack go together")
	}
	if c.Layout == nil || c.Deliver == nil {
		return fmt.Errorf("transport config: Layout and Deliver are required")
	}
	for _, f := range []struct {
		name        string
		v, min, max int
	}{
		{"ExclusiveBatches", c.ExclusiveBatches, 1, 1 << 15}, {"FloatingBatches", c.FloatingBatches, 1, 1 << 15},
		{"TargetBytes", c.TargetBytes, 1, 1 << 30}, {"QueueBatches", c.QueueBatches, 1, 1 << 15},
		{"MaxFrameBytes", c.MaxFrameBytes, 64 << 10, 1 << 30}, {"MaxHandshakes", c.MaxHandshakes, 1, 1 << 20},
		{"MaxSessions", c.MaxSessions, 1, 1 << 20},
	} {
		if f.v < f.min || f.v > f.max {
			return fmt.Errorf("transport config: %s is %d, want %d to %d", f.name, f.v, f.min, f.max)
		}
	}
	for _, f := range []struct {
		name string
		v    time.Duration
	}{
		{"HandshakeTimeout", c.HandshakeTimeout}, {"PeerTimeout", c.PeerTimeout}, {"FailTimeout", c.FailTimeout}, {"IdleTimeout", c.IdleTimeout}, {"EarlyTimeout", c.EarlyTimeout},
		{"MinBackoff", c.MinBackoff}, {"MaxBackoff", c.MaxBackoff},
	} {
		if f.v < time.Millisecond {
			return fmt.Errorf("transport config: %s is %v, want at least 1 ms", f.name, f.v)
		}
	}
	return nil
}
