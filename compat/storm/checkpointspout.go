package storm

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
)

// Names of Storm's protocol of states (CheckpointSpout).
const (
	checkpointSpoutID   = "$checkpointspout"
	checkpointStream    = "$checkpoint"
	keyStateCheckpoints = "topology.state.checkpoint.interval.ms"
	leastStateInterval  = 100
)

// txnAction is what a checkpoint tuple wants: its values are (txid, action).
type txnAction string

const (
	txnPrepare  txnAction = "PREPARE"
	txnCommit   txnAction = "COMMIT"
	txnRollback txnAction = "ROLLBACK"
	txnInit     txnAction = "INITSTATE"
)

// txnPhase is how far a transaction is.
type txnPhase uint8

const (
	committed txnPhase = iota
	preparing
	committing
)

// txnState is where the spout of checkpoints is (CheckPointState).
//
//	COMMITTED(n) --PREPARE--> PREPARING(n+1) --acked, COMMIT--> COMMITTING(n+1) --acked--> COMMITTED(n+1)
//
// After a failure a transaction that was being prepared is rolled back, one that was being committed is committed again, and
// then states that are new are begun (INITSTATE).
type txnState struct {
	tx    int64
	phase txnPhase
}

// action is the next step, in recovery or not.
func (s txnState) action(recovering bool) txnAction {
	switch {
	case s.phase == preparing && recovering:
		return txnRollback
	case s.phase == committing:
		return txnCommit
	case s.phase == committed && recovering:
		return txnInit
	}
	return txnPrepare
}

// next is the state after the step was acked everywhere; without recovery, COMMITTED goes on when PREPARE is sent.
func (s txnState) next(recovering bool) txnState {
	switch {
	case s.phase == preparing && recovering:
		return txnState{s.tx - 1, committed}
	case s.phase == preparing:
		return txnState{s.tx, committing}
	case s.phase == committing:
		return txnState{s.tx, committed}
	case recovering:
		return s
	}
	return txnState{s.tx + 1, preparing}
}

// checkpointSpout sends the steps of transactions through the topology, one at a time. It keeps nothing: a new one begins
// with a recovery.
type checkpointSpout struct {
	interval   time.Duration
	state      txnState
	recovering bool
	underWay   bool // a step was sent and not answered
	last       time.Time
}

func newCheckpointSpout() Spout {
	return &checkpointSpout{state: txnState{-1, committed}, recovering: true}
}

func (s *checkpointSpout) Open(ctx *Context, _ *Collector) error {
	ms, err := conf.Conf(ctx.Conf).IntOr(keyStateCheckpoints, 1000)
	if err != nil {
		return err
	}
	if ms < leastStateInterval {
		return fmt.Errorf("%s is %d, want at least %d", keyStateCheckpoints, ms, leastStateInterval)
	}
	s.interval = time.Duration(ms) * time.Millisecond
	return nil
}

func (s *checkpointSpout) Next(c *Collector) error {
	switch {
	case s.underWay:
		return ErrIdle
	case s.recovering:
	case s.state.phase == committed && time.Since(s.last) < s.interval:
		return ErrIdle
	}
	action := s.state.action(s.recovering)
	if action == txnPrepare && s.state.phase == committed {
		s.state, s.last = s.state.next(false), time.Now()
	}
	s.underWay = true
	c.Stream(checkpointStream).EmitID(gearcore.Long(s.state.tx), s.state.tx, string(action))
	return nil
}

// Ack implements Acker: the step was done everywhere.
func (s *checkpointSpout) Ack(id Value, _ *Collector) {
	s.underWay = false
	if id.Int() != s.state.tx {
		return
	}
	if next := s.state.next(s.recovering); next != s.state {
		s.state = next
	} else {
		s.recovering = false
	}
}

// Fail implements Failer.
func (s *checkpointSpout) Fail(Value, *Collector) {
	s.underWay, s.recovering = false, true
}
