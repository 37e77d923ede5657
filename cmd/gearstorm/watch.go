package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// errorLines is how much of an error is shown.
	errorLines = 4
	// noSlots begins what Nimbus says of a topology with executors that have no slot.
	noSlots = "Not enough slots"
)

// watcher tells in short lines what happens to the topologies of a cluster: that they start, change their status and end,
// that workers start, and the errors of components and workers. It asks Nimbus, as any client could.
type watcher struct {
	nimbus string // host:port
	logs   string // folder, as the user wrote it
	out    func(string)
	every  time.Duration
	began  int64               // seconds since 1970; older errors are not told
	seen   map[string]*watched // by topology id
	anew   atomic.Int64        // when the code changed, in seconds since 1970: errors since then are new even if told before
}

// watched is what was told of a topology.
type watched struct {
	name, status string
	workers      map[string]string // id by host:port
	unplaced     int               // looks in a row at which executors had no slot
	errors       map[shownError]bool
}

type shownError struct{ component, text string }

// run watches until ctx ends. A Nimbus that does not answer is asked again.
func (w *watcher) run(ctx context.Context) error {
	nc, err := client.New(client.Options{Seeds: []string{w.nimbus}})
	if err != nil {
		return err
	}
	defer nc.Close()
	w.seen, w.began = map[string]*watched{}, time.Now().Unix()
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	told := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := w.look(ctx, nc)
		if err != nil && ctx.Err() == nil && !told {
			w.out(timed("watch: " + explain(err)))
		}
		told = err != nil
	}
}

// renew forgets what was told of errors if the code changed.
func (w *watcher) renew() {
	if since := w.anew.Swap(0); since > 0 {
		w.began = since
		for _, t := range w.seen {
			clear(t.errors)
		}
	}
}

func (w *watcher) look(ctx context.Context, nc *client.Client) error {
	w.renew()
	all, err := nc.Nimbus().GetTopologySummaries(ctx)
	if err != nil {
		return err
	}
	alive := map[string]bool{}
	for _, t := range all {
		alive[t.ID] = true
		info, err := nc.Nimbus().GetTopologyInfo(ctx, t.ID)
		if client.KindOf(err) == client.NotAlive {
			continue // ended in between
		}
		if err != nil {
			return err
		}
		w.tell(info)
	}
	for id, t := range w.seen {
		if !alive[id] {
			w.out(timed(t.name + " ended"))
			delete(w.seen, id)
		}
	}
	return nil
}

// tell compares a topology with what was told of it.
func (w *watcher) tell(ti *stormrpc.TopologyInfo) {
	t := w.seen[ti.ID]
	if t == nil {
		t = &watched{name: ti.Name, status: ti.Status, workers: map[string]string{}, errors: map[shownError]bool{}}
		w.seen[ti.ID] = t
		w.out(timed(fmt.Sprintf("%s starts as %s, %s", ti.Name, ti.ID, strings.ToLower(ti.Status))))
	}
	if ti.Status != t.status {
		w.out(timed(fmt.Sprintf("%s is %s now", ti.Name, strings.ToLower(ti.Status))))
		t.status = ti.Status
	}
	w.tellUnplaced(ti, t)
	for _, e := range newErrors(ti, w.began, t.errors) { // before the worker that comes after the end of another
		w.out(timed(e.describe(ti.Name)))
	}
	w.tellWorkers(ti, t)
}

// tellUnplaced tells of a topology that lacks slots, once it did so at two looks: the first may come before its placing.
func (w *watcher) tellUnplaced(ti *stormrpc.TopologyInfo, t *watched) {
	if ti.Status != "ACTIVE" || !strings.HasPrefix(ti.GetSchedStatus(), noSlots) {
		t.unplaced = 0
		return
	}
	if t.unplaced++; t.unplaced == 2 {
		w.out(timed(fmt.Sprintf("%s waits: %s; kill a topology or start dev with more --slots", ti.Name, ti.GetSchedStatus())))
	}
}

// tellWorkers tells of workers that are ready for the first time, and of those that another process has taken the place of.
func (w *watcher) tellWorkers(ti *stormrpc.TopologyInfo, t *watched) {
	for _, s := range ti.Workers {
		if s.GetWorkerID() == "" || !s.GetReady() {
			continue
		}
		slot := fmt.Sprintf("%s:%d", s.Host, s.Port)
		before, known := t.workers[slot]
		switch {
		case !known:
			w.out(timed(fmt.Sprintf("%s: worker %d runs, its log is %s", ti.Name, s.Port, w.logOf(ti.ID, s.Port))))
		case before != s.GetWorkerID():
			w.out(timed(fmt.Sprintf("%s: worker %d runs again", ti.Name, s.Port)))
		}
		t.workers[slot] = s.GetWorkerID()
	}
}

func (w *watcher) logOf(topology string, port int32) string {
	return filepath.Join(w.logs, "workers-artifacts", topology, fmt.Sprint(port), "worker.log")
}

// newErrors returns the errors since then that are not in known, oldest first, and adds them. An error that comes again, be it
// with other figures, is not new; but the end of a worker always is.
func newErrors(ti *stormrpc.TopologyInfo, since int64, known map[shownError]bool) []shownError {
	var out []shownError
	when := map[shownError]int32{}
	for component, errs := range ti.Errors {
		for _, e := range errs {
			kind := shownError{component, alike(e.Error)}
			if strings.HasPrefix(component, "__") {
				kind.text = e.Error
			}
			if int64(e.ErrorTimeSecs) < since || known[kind] {
				continue
			}
			if len(known) >= maxErrorsKnown {
				clear(known)
			}
			known[kind] = true
			shown := shownError{component, e.Error}
			when[shown] = e.ErrorTimeSecs
			out = append(out, shown)
		}
	}
	slices.SortFunc(out, func(a, b shownError) int {
		return cmp.Or(cmp.Compare(when[a], when[b]), strings.Compare(a.component, b.component), strings.Compare(a.text, b.text))
	})
	return out
}

// describe is the error in a few lines.
func (e shownError) describe(topology string) string {
	who := topology + ": " + e.component + " error: "
	if strings.HasPrefix(e.component, "__") { // the node's own, which says what it is about
		who = topology + ": "
	}
	return who + strings.Join(excerpt(e.text), "\n    ")
}

// timed puts the time of day before a line.
func timed(line string) string { return time.Now().Format(time.TimeOnly) + " " + line }
