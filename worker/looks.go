package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

const (
	maxLooks      = 16 // questions that are being answered at the same time
	maxLookWait   = time.Minute
	maxStateJSON  = 128 << 10 // bytes of what is shown of one state
	maxReplyBytes = 512 << 10 // of all that one worker shows
)

// looks answers questions about the state of tasks, which come with the plan and are no part of it. Each task's executor looks for itself,
// between two tuples; the reply goes to the supervisor by a call of its own. The zero value is ready.
type looks struct {
	wg sync.WaitGroup
	mu sync.Mutex
	n  int // guarded by mu: under way
}

// answer begins to answer the questions of a plan and says whether there were any. Until ctx ends nobody waits for it.
func (l *looks) answer(ctx context.Context, w *worker, plan *stormrpc.TopologyPlan) bool {
	if plan == nil {
		return false
	}
	for _, q := range plan.Questions {
		if q == nil || q.Query == nil || q.TopologyID != w.spec.Topology || !l.begin() {
			continue
		}
		o := look{w: w, q: q, component: w.host.plan().Graph.Processor(q.Query.Component), tasks: w.host.plan().TasksOf(q.Query.Component)}
		l.wg.Go(func() {
			defer l.end()
			o.run(ctx)
		})
	}
	return len(plan.Questions) > 0
}

func (l *looks) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == maxLooks {
		return false // who asked hears that nobody answers
	}
	l.n++
	return true
}

func (l *looks) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n--
}

// look is one question.
type look struct {
	w         *worker
	q         *stormrpc.StateQuestion
	component *dag.Processor // nil: there is none
	tasks     []gearcore.TaskID
	bytes     int
}

func (l *look) run(ctx context.Context) {
	inTime, cancel := context.WithTimeout(ctx, min(time.Duration(l.q.Query.WaitMs)*time.Millisecond, maxLookWait))
	defer cancel()
	rows := l.rows(inTime)
	if len(rows) == 0 {
		return
	}
	if err := l.reply(ctx, rows); err != nil && ctx.Err() == nil {
		l.w.log.Warn("a reply about state did not arrive", slog.String("component", l.q.Query.Component), slog.Any("err", err))
	}
}

// rows is what the tasks that are here say in time.
func (l *look) rows(ctx context.Context) (rows []*stormrpc.StateRow) {
	q := gearcore.StateQuery{State: l.q.Query.GetState(), Key: l.q.Query.GetKey(), HasKey: l.q.Query.Key != nil}
	type said struct {
		task  gearcore.TaskID
		found []gearcore.StateEntry
		err   error
	}
	answers, asked := make(chan said, len(l.tasks)), 0
	for _, id := range l.tasks {
		err := l.w.host.engine.Inspect(id, q, func(found []gearcore.StateEntry, err error) { answers <- said{id, found, err} })
		switch {
		case errors.Is(err, engine.ErrNotHere):
			continue
		case err != nil:
			answers <- said{task: id, err: err}
		}
		asked++
	}
	for range asked {
		select {
		case a := <-answers:
			rows = append(rows, l.of(a.task, a.found, a.err)...)
		case <-ctx.Done():
			return rows
		}
	}
	return rows
}

// of makes rows of what a task says: one at least, which says that it has nothing.
func (l *look) of(task gearcore.TaskID, found []gearcore.StateEntry, err error) (rows []*stormrpc.StateRow) {
	if err != nil {
		if errors.Is(err, gearcore.ErrNoState) {
			err = l.without()
		}
		text := err.Error()
		return []*stormrpc.StateRow{{Task: int32(task), Error: &text}}
	}
	for _, e := range found {
		r := &stormrpc.StateRow{Task: int32(task), State: &e.State, Kind: &e.Kind}
		if e.JSON != nil {
			text, err := l.text(e)
			r.JSON, r.Error = text, err
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		rows = []*stormrpc.StateRow{{Task: int32(task)}}
	}
	return rows
}

// text is what is shown of e, or why it is not.
func (l *look) text(e gearcore.StateEntry) (text, why *string) {
	var s string
	switch n := len(e.JSON); {
	case n > maxStateJSON:
		s = fmt.Sprintf("it takes %d bytes as JSON, at most %d are shown", n, maxStateJSON)
	case l.bytes+n > maxReplyBytes:
		s = fmt.Sprintf("a worker shows at most %d bytes at a time: ask for one state by its name", maxReplyBytes)
	default:
		l.bytes += n
		s = string(e.JSON)
		return &s, nil
	}
	return nil, &s
}

// without says why the component has no state that can be looked at.
func (l *look) without() error {
	if l.component != nil && l.component.Impl.Kind == dag.ImplJava {
		return errors.New("its state is objects of Java, which only its own code can read")
	}
	return gearcore.ErrNoState
}

func (l *look) reply(ctx context.Context, rows []*stormrpc.StateRow) error {
	ctx, cancel := context.WithTimeout(ctx, callSlack)
	defer cancel()
	conn, err := wire.Dial(ctx, l.w.spec.Supervisor, l.w.dial())
	if err != nil {
		return err
	}
	defer conn.Close()
	return stormrpc.NewGearstormClient(conn).ReplyState(ctx, &stormrpc.StateReply{
		ID: l.q.ID, TopologyID: l.w.spec.Topology, Port: int32(l.w.spec.Port), WorkerID: l.w.spec.Worker, Rows: rows, Token: &l.w.spec.Token,
	})
}
