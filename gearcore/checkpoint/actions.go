package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What a Coordinator wants done. Actions on the store (Start, Commit, Reserve, Keep, Clean) are for Log.Do, whose answer
// is the next event; the coordinator has at most one of them under way, and a Clean besides.
type (
	// Action is one of Start, Commit, Reserve, Keep, Clean, Send, Notice and Stop.
	Action any
	// Commit is to write a checkpoint's manifest and its record.
	Commit struct{ Manifest *Manifest }
	// Reserve is to raise the limit of epochs.
	Reserve struct{}
	// Keep is to keep a checkpoint under a name.
	Keep struct {
		Name  string
		Epoch uint64
	}
	// Clean is to remove what is not needed, of epochs up to Done.
	Clean struct{ Done uint64 }
	// Send is to tell all workers what is wanted, now and again each second.
	Send struct{ Order Order }
	// Stop is that another coordinator has taken over: nothing more is to be sent.
	Stop struct{ Why string }
)

// What happens to a Coordinator.
type (
	// Event is one of Plan, Report, Ask, Tick, Began, Committed, Reserved, Kept, Cleaned and Failed.
	Event any
	// Tick is that time has passed; a few each second are enough.
	Tick struct{}
	// Ask is that somebody wants a checkpoint at once, to be kept as Name.
	Ask struct{ Name string }
	// Committed is that a checkpoint counts.
	Committed struct{ Epoch, Limit uint64 }
	// Reserved is the new limit of epochs.
	Reserved struct{ Limit uint64 }
	// Kept is that a savepoint was written.
	Kept struct {
		Name  string
		Epoch uint64
	}
	// Failed is that an action on the store came to nothing.
	Failed struct {
		Action Action
		Err    error
	}
)

// NoticeKind is what a Notice tells.
type NoticeKind string

// The kinds of notices.
const (
	NoticeBegan   NoticeKind = "began"    // a generation has begun with checkpoint Epoch because of Why
	NoticeRests   NoticeKind = "rests"    // the next one waits for Took: it is the Count-th in a row that broke, because of Why
	NoticeGo      NoticeKind = "go"       // everybody is restored; it took Took
	NoticeFell    NoticeKind = "fell"     // checkpoint Epoch, or a record if 0, cannot be used because of Why
	NoticeCut     NoticeKind = "cut"      // checkpoint Epoch has begun
	NoticeCommit  NoticeKind = "commit"   // checkpoint Epoch counts; it took Took and has Bytes
	NoticeDropped NoticeKind = "dropped"  // checkpoint Epoch was given up because of Why, the Count-th in a row; 0: no failure
	NoticeKept    NoticeKind = "kept"     // savepoint Name is checkpoint Epoch
	NoticeUnkept  NoticeKind = "unkept"   // there will be no savepoint Name, because of Why
	NoticeBirth   NoticeKind = "birth"    // all are ready for graph version Count, which comes into force with checkpoint Epoch
	NoticeBorn    NoticeKind = "born"     // all tasks of graph version Count are at work, Took after that checkpoint was cut
	NoticeCleaned NoticeKind = "cleaned"  // Count objects were removed
	NoticeStore   NoticeKind = "store"    // the store did not do what it was asked, because of Why; it is asked again
	NoticeStart   NoticeKind = "start"    // what the topology is to start from cannot be had, because of Why; it is asked for again
	NoticeAlarm   NoticeKind = "alarm"    // Count checkpoints in a row were given up, the last because of Why
	NoticeRelief  NoticeKind = "relieved" // the alarm is over
)

// Notice tells people, logs and metrics what happened.
type Notice struct {
	Kind       NoticeKind
	Generation uint64
	Epoch      uint64
	Name, Why  string
	Took       time.Duration
	Bytes      int64
	Count      int
}

// Do carries out an action on the store and returns what to tell the coordinator. ok is false for other actions. It blocks: Start,
// Commit, Reserve and Keep are for one goroutine, Clean may be for another.
func (l *Log) Do(ctx context.Context, a Action) (e Event, ok bool) {
	var err error
	switch a := a.(type) {
	case Start:
		e, err = event(l.Begin(ctx, a))
	case Commit:
		var limit uint64
		limit, err = l.Commit(ctx, a.Manifest)
		e = Committed{a.Manifest.Epoch, limit}
	case Reserve:
		var limit uint64
		limit, err = l.Reserve(ctx)
		e = Reserved{limit}
	case Keep:
		err = l.Savepoint(ctx, a.Name, a.Epoch)
		e = Kept(a)
	case Clean:
		e, err = event(l.Clean(ctx, a.Done))
	default:
		return nil, false
	}
	if err != nil {
		return Failed{a, err}, true
	}
	return e, true
}

func event[E any](e E, err error) (Event, error) { return e, err }

func (f Failed) fenced() bool { return errors.Is(f.Err, ErrFenced) }

// String is for people.
func (n Notice) String() string {
	s := string(n.Kind)
	if n.Generation > 0 {
		s += fmt.Sprintf(" generation=%d", n.Generation)
	}
	if n.Epoch > 0 {
		s += fmt.Sprintf(" epoch=%d", n.Epoch)
	}
	if n.Name != "" {
		s += " name=" + n.Name
	}
	if n.Took > 0 {
		s += fmt.Sprintf(" took=%v", n.Took)
	}
	if n.Bytes > 0 {
		s += fmt.Sprintf(" bytes=%d", n.Bytes)
	}
	if n.Count > 0 {
		s += fmt.Sprintf(" count=%d", n.Count)
	}
	if n.Why != "" {
		s += fmt.Sprintf(" why=%q", n.Why)
	}
	return s
}
