package stream

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
)

// slow is Transactions of which each commit waits for a word, if there is to be one.
type slow struct {
	committed []string
	begun     chan string   // of commits; nil: they do not wait
	word      chan struct{} // for them to go on
}

func (w *slow) Open(*gearcore.Context) error         { return nil }
func (w *slow) Write(string, time.Time) error        { return nil }
func (w *slow) Prepare(epoch uint64) (string, error) { return fmt.Sprint(epoch), nil }
func (w *slow) Abort([]string) error                 { return nil }
func (w *slow) Close()                               {}
func (w *slow) Commit(name string) error {
	if w.begun != nil {
		w.begun <- name
		<-w.word
	}
	w.committed = append(w.committed, name)
	return nil
}

// TestRestoreDuringACommit goes back while a transaction is being committed: that comes to its end, and nothing else.
func TestRestoreDuringACommit(t *testing.T) {
	w := &slow{begun: make(chan string), word: make(chan struct{})}
	s := &transactional[string]{to: w, r: &run{env: Env{}.orReal()}}
	if _, err := s.Freeze(1); err != nil {
		t.Fatal(err)
	}
	s.Commit(1)
	<-w.begun
	restored := make(chan error)
	go func() { restored <- s.Restore(&gearcore.Recovery{Tasks: 1}) }()
	for halted := false; !halted; runtime.Gosched() {
		s.mu.Lock()
		halted = s.life > 0
		s.mu.Unlock()
	}
	close(w.word)
	if err := <-restored; err != nil {
		t.Fatal(err)
	}
	if want := []string{"1"}; !slices.Equal(w.committed, want) {
		t.Errorf("committed %v, want %v", w.committed, want)
	}
}

// TestCloseCommitsWhatCounts ends a sink before what it was told counts has been committed.
func TestCloseCommitsWhatCounts(t *testing.T) {
	w := &slow{}
	s := &transactional[string]{to: w, r: &run{env: Env{Go: func(func()) {}}.orReal()}} // what is to be done elsewhere has not begun
	for epoch := range uint64(3) {
		if _, err := s.Freeze(epoch + 1); err != nil {
			t.Fatal(err)
		}
	}
	s.Commit(2)
	s.Close()
	if want := []string{"1", "2"}; !slices.Equal(w.committed, want) {
		t.Errorf("committed %v, want %v", w.committed, want)
	}
}

// TestManyTransactions makes so many checkpoints that do not count that the names of their transactions are longer than what a checkpoint holds itself.
func TestManyTransactions(t *testing.T) {
	const checkpoints = 3000
	s, v := &transactional[string]{to: &slow{}}, connecttest.NewVault()
	for epoch := range uint64(checkpoints - 1) {
		if _, err := s.Freeze(epoch + 1); err != nil {
			t.Fatal(err)
		}
	}
	part := connecttest.Part(t, s, checkpoints, v)
	w := &slow{}
	if err := connecttest.Restore(&transactional[string]{to: w}, v, part); err != nil {
		t.Fatal(err)
	}
	if len(w.committed) != checkpoints || len(part.Inline) > gearcore.MaxInline {
		t.Errorf("%d are committed of %d, %d bytes are in the checkpoint itself", len(w.committed), checkpoints, len(part.Inline))
	}
}

// TestBecomesTransactional has a sink go on from a checkpoint of one that took no part in checkpoints.
func TestBecomesTransactional(t *testing.T) {
	if err := connecttest.Restore(&transactional[string]{to: &slow{}}, nil, gearcore.TaskPart{}); err != nil {
		t.Error(err)
	}
}
