package zk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	zoo "github.com/go-zookeeper/zk"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// formatNumber is the layout of nodes that this release reads and writes.
const formatNumber = 1

// pastTerms is how many epochs back head tells the last transaction of. A leader that lost its connection in the middle of a
// transaction learns its fate unless more than that many others led before it is back.
const pastTerms = 16

// head is the one node that every write replaces.
type head struct {
	Format int           `json:"format"`
	Epoch  cluster.Epoch `json:"epoch"`
	// Number is that of the epoch's transaction that was applied last; 0 before the first.
	Number int64 `json:"number"`
	// Leader names the candidate that leads, for people.
	Leader string `json:"leader,omitempty"`
	// Takeover is random, so that whoever lost its connection when it wrote this epoch knows its own.
	Takeover string     `json:"takeover,omitempty"`
	Past     []pastTerm `json:"past,omitempty"` // newest first

	version int32 // of the node
	written int64 // zxid of the write
	session int64 // in which it was read or written
}

// pastTerm is the last transaction of an epoch that is over.
type pastTerm struct {
	Epoch  cluster.Epoch `json:"epoch"`
	Number int64         `json:"number"`
}

// next is the head of the epoch after h.
func (h *head) next(leader, takeover string) *head {
	past := append([]pastTerm{{h.Epoch, h.Number}}, h.Past...)
	return &head{Format: formatNumber, Epoch: h.Epoch + 1, Leader: leader, Takeover: takeover, Past: past[:min(len(past), pastTerms)]}
}

// after is h once the transaction of this number is applied.
func (h *head) after(number int64) *head {
	n := *h
	n.Number = number
	return &n
}

// put is the part of a write that replaces h by n.
func (h *head) put(p paths, n *head) *zoo.SetDataRequest {
	data, err := json.Marshal(n)
	if err != nil {
		panic(err) // numbers and texts
	}
	return &zoo.SetDataRequest{Path: p.head(), Data: data, Version: h.version}
}

// fate tells what became of a transaction.
type fate uint8

const (
	pending fate = iota // not applied; it will be if it comes before any other write
	applied
	never     // not applied and never will be
	forgotten // it cannot be told any more
)

// fate tells what became of transaction number of an epoch.
func (h *head) fate(epoch cluster.Epoch, number int64) fate {
	last := h.Number
	if h.Epoch != epoch {
		i := 0
		for ; i < len(h.Past) && h.Past[i].Epoch != epoch; i++ {
		}
		if i == len(h.Past) {
			return forgotten
		}
		last = h.Past[i].Number
	}
	switch {
	case last == number:
		return applied
	case h.Epoch == epoch && last < number:
		return pending
	}
	return never
}

// readHead reads head as it stands now in the ensemble. Where no master has led yet the error is zoo.ErrNoNode.
func (s *Store) readHead(ctx context.Context, sess *session) (*head, error) {
	if err := s.sync(ctx, sess); err != nil {
		return nil, err
	}
	return s.readHeadHere(ctx, sess)
}

// readHeadHere reads head as the server that sess is connected to knows it.
func (s *Store) readHeadHere(ctx context.Context, sess *session) (*head, error) {
	type answer struct {
		data []byte
		stat *zoo.Stat
	}
	before := sess.conn.SessionID()
	a, err := call(ctx, sess, func() (answer, error) {
		data, stat, err := sess.conn.Get(s.paths.head())
		return answer{data, stat}, err
	})
	if err != nil {
		return nil, err
	}
	h := &head{version: a.stat.Version, written: a.stat.Mzxid, session: before}
	if err := json.Unmarshal(a.data, h); err != nil {
		return nil, fmt.Errorf("decode %s: %w", s.paths.head(), errors.Join(err, errForeign))
	}
	if h.Format != formatNumber {
		return nil, fmt.Errorf("%s has format %d, this release reads %d: %w", s.paths.head(), h.Format, formatNumber, errForeign)
	}
	if sess.conn.SessionID() != before {
		return nil, errGone
	}
	return h, nil
}

// errForeign says that head was not written by this release.
var errForeign = errors.New("the nodes there are of another release, or not ours")

// sync has the server catch up with the leader of the ensemble.
func (s *Store) sync(ctx context.Context, sess *session) error {
	sent := time.Now()
	_, err := call(ctx, sess, func() (string, error) { return sess.conn.Sync(s.paths.head()) })
	if err == nil {
		sess.answered(sent)
	}
	return err
}
