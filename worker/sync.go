package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gearstorm/gearstorm/internal/pause"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

const (
	reportEvery = time.Second // how long a supervisor holds a report when the plan does not change
	reportSoon  = 20 * time.Millisecond
	callSlack   = 10 * time.Second
)

// hold is how long the supervisor is to hold a report. While tasks of the plan are not at work, which somebody may wait for, that is a quarter of the
// time since the worker has the plan, so that the news is late by no more than that.
func (w *worker) hold(r *stormrpc.WorkerReport, now time.Time) time.Duration {
	if r.GetAtWork() && (r.Timing == nil || r.Timing.GetDagVersion() == w.plan.DagVersion) {
		return reportEvery
	}
	return pause.Growing(now.Sub(w.planned), reportSoon, reportEvery)
}

// sync reports to the supervisor and follows the plans it answers with, until ctx ends (nil) or the worker's time is
// over (errLeave). The goroutine that runs it owns w.plan.
func (w *worker) sync(ctx context.Context) error {
	var conn *wire.Client
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	away := false
	for ctx.Err() == nil {
		began := time.Now()
		if conn == nil || conn.Closed() {
			var err error
			w.statsDue = time.Time{} // a supervisor that started anew has none
			w.told = 0
			if conn, err = wire.Dial(ctx, w.spec.Supervisor, w.dial()); err != nil {
				conn = nil
				w.tellAway(ctx, &away, err)
				pause.For(ctx, time.Until(began.Add(reportEvery)))
				continue
			}
		}
		plan, every, err := w.exchange(ctx, conn, reportEvery)
		if gone := (*stormrpc.NotAliveException)(nil); errors.As(err, &gone) {
			return fmt.Errorf("%w: the topology is not alive: %s", errLeave, gone.Msg)
		}
		if err != nil {
			w.tellAway(ctx, &away, err)
			pause.For(ctx, time.Until(began.Add(reportEvery)))
			continue
		}
		if away {
			away = false
			w.log.Info("supervisor is back", slog.String("supervisor", w.spec.Supervisor))
		}
		asked := w.looks.answer(ctx, w, plan)
		changed, err := w.follow(plan)
		if err == nil {
			err = w.overdue()
		}
		if err != nil {
			return err
		}
		if !changed && !asked {
			pause.For(ctx, time.Until(began.Add(every))) // a supervisor that does not hold reports is not asked more often for it
		}
	}
	return nil
}

func (w *worker) dial() wire.DialOptions {
	d := w.cfg.Dial
	if d.MaxFrameBytes == 0 {
		d.MaxFrameBytes = w.host.set.reportBytes
	}
	return d
}

func (w *worker) tellAway(ctx context.Context, away *bool, err error) {
	if !*away && ctx.Err() == nil {
		*away = true
		w.log.Warn("supervisor is away, going on with the plan at hand", slog.String("supervisor", w.spec.Supervisor), slog.Any("err", err))
	}
}

// exchange sends one report, which may be held as long as told, and returns the plan of the answer and how long it may have been held.
func (w *worker) exchange(ctx context.Context, conn *wire.Client, atMost time.Duration) (plan *stormrpc.TopologyPlan, wait time.Duration, err error) {
	now := time.Now()
	r, upTo := w.report(now)
	wait = min(atMost, w.hold(r, now))
	ctx, cancel := context.WithTimeout(ctx, wait+callSlack)
	defer cancel()
	plan, err = stormrpc.NewGearstormClient(conn).SyncWorker(ctx, r, w.plan.PlanVersion, int32(wait/time.Millisecond))
	w.unknown = errors.As(err, new(*stormrpc.NotAliveException))
	if err == nil {
		w.host.table.DropErrors(upTo)
		w.took(r, now)
	}
	return plan, wait, err
}

// follow brings the worker to a newer plan. The error is errLeave; a plan that is older or makes no sense is ignored.
func (w *worker) follow(next *stormrpc.TopologyPlan) (changed bool, err error) {
	if next == nil {
		return false, nil
	}
	p, known, err := judge(w.plan, next, w.self)
	if errors.Is(err, errNothingHere) {
		w.links.SetAssignment(w.linkAssignment(next, p)) // so that peers hear it out
	}
	if errors.Is(err, errLeave) {
		return false, err
	}
	if err != nil {
		w.log.Error("plan is ignored", slog.Int64("version", next.PlanVersion), slog.Any("err", err))
		return false, nil
	}
	if known {
		if next.Epoch < w.plan.Epoch && w.refused != next.Epoch {
			w.refused = next.Epoch
			w.log.Warn("plan of a former leader is refused", slog.Int64("epoch", next.Epoch), slog.Int64("known", w.plan.Epoch))
		}
		return false, nil
	}
	take := w.move
	if next.DagVersion != w.plan.DagVersion {
		take = w.adopt
	}
	if err := take(next, p); errors.Is(err, errLeave) {
		return false, err
	} else if errors.Is(err, errLater) {
		w.log.Debug("plan waits", slog.Int64("version", next.PlanVersion), slog.Any("err", err))
		return false, nil // it comes again
	} else if err != nil {
		w.log.Error("plan is ignored", slog.Int64("version", next.PlanVersion), slog.Any("err", err))
		return false, nil
	}
	w.plan, w.planned = next, time.Now()
	w.gate.setActive(next.Status == stormrpc.TopologyStatus_ACTIVE)
	w.log.Info("following new plan", slog.Int64("version", next.PlanVersion), slog.Int64("epoch", next.Epoch),
		slog.String("assignment", next.AssignmentID), slog.String("status", next.Status.String()))
	if err := w.obey(next); err != nil {
		return false, err
	}
	return true, nil
}

// askWhy asks the supervisor once more for the plan, of a worker that is told to end, and returns what makes it leave if that
// is the plan. It is called when sync has ended.
func (w *worker) askWhy() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastPlan)
	defer cancel()
	conn, err := wire.Dial(ctx, w.spec.Supervisor, w.dial())
	if err != nil {
		return nil
	}
	defer conn.Close()
	plan, _, err := w.exchange(ctx, conn, 0)
	if err != nil {
		return nil // the supervisor ends too, or the topology is gone
	}
	_, err = w.follow(plan)
	return err
}

// farewell tells the supervisor of errors that it has not heard of, so that the reason of an early end is not lost.
func (w *worker) farewell() {
	if errs, _ := w.host.table.Errors(); len(errs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := wire.Dial(ctx, w.spec.Supervisor, w.dial())
	if err != nil {
		return // it is away, and the errors are in the log
	}
	defer conn.Close()
	w.statsDue = time.Time{}
	if _, _, err := w.exchange(ctx, conn, 0); err != nil {
		w.log.Debug("last report was not taken", slog.Any("err", err))
	}
}
