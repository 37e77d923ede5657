package keeper

import (
	"context"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// answersKept is how many answers are told again and again.
	answersKept = 32
	// lookAgain is when a list of savepoints that could not be read is read again.
	lookAgain = 2 * time.Second
	// listAfter is when it is read again though nothing was done here: other topologies share the store, and people look into it themselves.
	listAfter = 30 * time.Second
)

// savepoints is what is known and asked of savepoints; Keeper.mu guards it.
type savepoints struct {
	known    map[int64]bool     // requests that were taken in
	toAsk    []string           // names for the coordinator
	waiting  map[string][]int64 // requests, by the name that the coordinator was asked for
	toRemove []*stormrpc.SavepointRequest
	toRead   []string              // that were kept, and whose answer is due
	list     []*stormrpc.Savepoint // of the store
	listed   bool
	listedAt time.Time
	answers  []*stormrpc.SavepointAnswer
}

func (s *savepoints) ask(requests []*stormrpc.SavepointRequest) {
	still := make(map[int64]bool, len(requests))
	for _, r := range requests {
		if r == nil {
			continue
		}
		still[r.ID] = true
		switch {
		case s.known[r.ID]:
		case r.Remove:
			s.toRemove = append(s.toRemove, r)
		default:
			if s.waiting == nil {
				s.waiting = map[string][]int64{}
			}
			s.waiting[r.Name] = append(s.waiting[r.Name], r.ID)
			s.toAsk = append(s.toAsk, r.Name)
		}
	}
	s.known = still
}

// take returns the names that the coordinator is to be asked for.
func (s *savepoints) take() []string {
	names := s.toAsk
	s.toAsk = nil
	return names
}

// answer answers all requests for a name.
func (s *savepoints) answer(name string, made *stormrpc.Savepoint, why string) {
	for _, id := range s.waiting[name] {
		s.tell(id, made, why)
	}
	delete(s.waiting, name)
}

func (s *savepoints) tell(id int64, made *stormrpc.Savepoint, why string) {
	a := &stormrpc.SavepointAnswer{ID: id, Savepoint: made}
	if why != "" {
		a.Error = &why
	}
	s.answers = append(s.answers[max(0, len(s.answers)-answersKept+1):], a)
}

// savepointJobs is what is to be done on the store.
type savepointJobs struct {
	remove []*stormrpc.SavepointRequest
	read   []string
	list   bool
}

func (s *savepoints) jobs() (j savepointJobs) {
	j = savepointJobs{s.toRemove, s.toRead, !s.listed || len(s.toRead)+len(s.toRemove) > 0 || time.Since(s.listedAt) >= listAfter}
	s.toRemove, s.toRead, s.listed = nil, nil, true
	return j
}

// serveSavepoints removes savepoints and looks up those that there are, until ctx ends.
func (k *Keeper) serveSavepoints(ctx context.Context) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	k.mu.Lock()
	k.saves.listed = false
	for name := range k.saves.waiting { // the coordinator before this one was asked
		k.saves.toAsk = append(k.saves.toAsk, name)
	}
	k.mu.Unlock()
	for {
		k.mu.Lock()
		j := k.saves.jobs()
		k.mu.Unlock()
		k.doSavepoints(ctx, j)
		select {
		case <-ctx.Done():
			return
		case <-k.errand:
		case <-tick.C: // for a list that could not be read, or is old
		}
	}
}

func (k *Keeper) doSavepoints(ctx context.Context, j savepointJobs) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for _, r := range j.remove {
		why := ""
		if err := checkpoint.DeleteSavepoint(ctx, k.cfg.Store, r.Name); err != nil {
			why = err.Error()
		}
		k.mu.Lock()
		k.saves.tell(r.ID, nil, why)
		k.mu.Unlock()
	}
	for _, name := range j.read {
		made, err := k.readSavepoint(ctx, name)
		why := ""
		if err != nil {
			why = err.Error()
		}
		k.mu.Lock()
		k.saves.answer(name, made, why)
		k.mu.Unlock()
	}
	if !j.list {
		return
	}
	names, err := checkpoint.Savepoints(ctx, k.cfg.Store)
	var list []*stormrpc.Savepoint
	for _, name := range names {
		if made, e := k.readSavepoint(ctx, name); e == nil { // one of a name that was there may be another one
			list = append(list, made)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.saves.listed = err == nil; err == nil {
		k.saves.list, k.saves.listedAt = list, time.Now()
	}
}

func (k *Keeper) readSavepoint(ctx context.Context, name string) (*stormrpc.Savepoint, error) {
	m, err := checkpoint.ReadSavepoint(ctx, k.cfg.Store, name)
	if err != nil {
		return nil, err
	}
	return &stormrpc.Savepoint{Name: name, Topology: m.Topology, Epoch: int64(m.Epoch), TimeMs: m.Time.UnixMilli(), Bytes: m.Bytes(), WatermarkMs: int64(m.Watermark)}, nil
}
