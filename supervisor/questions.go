package supervisor

import (
	"slices"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// maxQuestions bounds the questions that workers of the node have not been told; the oldest give way.
const maxQuestions = 64

// questions are what Nimbus asks the workers of this node beside their plans. Every worker of the topology is told each of them once, with the
// answer to its held call; what a worker has not fetched in time is dropped. The zero value has none.
type questions struct {
	mu   sync.Mutex
	open []*question
	news chan struct{} // closed with the next one, nil while nobody waits
}

type question struct {
	*stormrpc.StateQuestion
	until time.Time
	told  map[string]bool // workers
}

// put takes questions of Nimbus in.
func (s *questions) put(list []*stormrpc.StateQuestion) {
	if len(list) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.open = slices.DeleteFunc(s.open, func(q *question) bool { return q.until.Before(now) })
	for _, q := range list {
		if q == nil || q.Query == nil {
			continue
		}
		s.open = append(s.open, &question{q, now.Add(time.Duration(q.Query.WaitMs) * time.Millisecond), map[string]bool{}})
	}
	s.open = s.open[max(0, len(s.open)-maxQuestions):]
	if s.news != nil {
		close(s.news)
		s.news = nil
	}
}

// take returns what a worker was not told, and a channel that is closed when there is more.
func (s *questions) take(topology, worker string) (list []*stormrpc.StateQuestion, news <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, q := range s.open {
		if q.TopologyID == topology && !q.told[worker] && now.Before(q.until) {
			q.told[worker] = true
			list = append(list, q.StateQuestion)
		}
	}
	if s.news == nil {
		s.news = make(chan struct{})
	}
	return list, s.news
}

// withQuestions returns a plan that asks them; plan itself is not changed.
func withQuestions(plan *stormrpc.TopologyPlan, list []*stormrpc.StateQuestion) *stormrpc.TopologyPlan {
	if len(list) == 0 {
		return plan
	}
	asks := *plan
	asks.Questions = list
	return &asks
}
