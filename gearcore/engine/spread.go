package engine

import (
	"math"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// stickyTime is how much work a shuffle gives to one receiver before it turns to another. Cheap tuples so go to one
// receiver until their batch is full or the run ends, and few batches are under way; tuples that take longer than this go
// to one receiver after the other, as in Storm.
const stickyTime = 50 * time.Microsecond

// stuckTime is how long a receiver may take nothing before it counts as if one batch more was waiting for it.
const stuckTime = 10 * time.Millisecond

// spread is a shuffle: it applies a dag.Balance and stays with what that chose.
type spread struct {
	cfg  *Config
	near bool // LocalOrShuffle with local tasks: only those
	seed uint64
	bal  *dag.Balance // made when first used
	only []int32      // near: positions of the local tasks
	at   int          // who gets the next tuples: its place in Balance
	pos  int          // and in the route
	from int          // what its outbox had taken in when its turn began
	till int          // and when the turn ends
	upto int          // till, as rows of the present batch or where that is full
}

func newSpread(e *Engine, r *dag.Route, seed uint64) *spread {
	return &spread{cfg: &e.cfg, near: r.Grouping.Kind == dag.LocalOrShuffle, seed: seed}
}

// next returns the position of the task that gets the next tuple. It changes when the batch for that task was handed
// over, or when the task got its share.
func (s *spread) next(r *route) int {
	if s.bal == nil {
		s.begin(r)
	}
	if s.till > 0 {
		b := r.boxAt(s.pos)
		if b.cur != nil && b.taken() < s.till {
			s.upto = min(b.limit, s.till-b.sent)
			return s.pos
		}
		s.bal.Took(s.at, b.taken()-s.from)
	}
	s.at = s.bal.Next(spreadTargets{s, r})
	s.pos = s.position(s.at)
	b := r.boxAt(s.pos)
	s.from = b.taken()
	s.till = s.from + b.stay()
	s.upto = min(b.limit, s.till-b.sent)
	return s.pos
}

// reserve chooses the task for a tuple that comes later, by another way.
func (s *spread) reserve(r *route) int {
	if s.bal == nil {
		s.begin(r)
	}
	i := s.bal.Next(spreadTargets{s, r})
	s.bal.Took(i, 1)
	return s.position(i)
}

func (s *spread) position(i int) int {
	if s.only != nil {
		return int(s.only[i])
	}
	return i
}

// begin makes the Balance of r.
func (s *spread) begin(r *route) {
	conf := dag.BalanceConfig{LoadAware: !s.cfg.PlainShuffle, Lower: s.cfg.LowerBound, Higher: s.cfg.HigherBound}
	for i, t := range r.tasks {
		if s.near && r.x.e.executorOf(t) != nil {
			s.only = append(s.only, int32(i))
		}
	}
	n := len(s.only)
	if n == 0 {
		n = len(r.tasks)
		conf.Scopes = r.scopes()
	}
	s.bal = dag.NewBalance(n, conf, s.seed)
}

// scopes returns how far away the tasks of r are.
func (r *route) scopes() []dag.Scope {
	out := make([]dag.Scope, len(r.tasks))
	onHost := r.x.e.cfg.OnHost
	for i, t := range r.tasks {
		switch {
		case r.x.e.executorOf(t) != nil:
			out[i] = dag.InWorker
		case onHost != nil && onHost(t):
			out[i] = dag.OnHost
		default:
			out[i] = dag.Anywhere
		}
	}
	return out
}

// anyOpen says whether a task of r has room. If none has, it asks all of them to call when they have.
func (r *route) anyOpen() bool {
	if r.x.openKin == r {
		return true
	}
	for i, b := range r.boxes {
		if r.spread.only != nil && !slices.Contains(r.spread.only, int32(i)) {
			continue
		}
		if b == nil {
			b = r.x.boxTo(r.tasks[i]) // another task of x may have opened it
		}
		if b == nil || b.waiting == 0 && b.hasRoom() {
			r.x.openKin = r
			return true
		}
	}
	for _, b := range r.boxes {
		if b != nil {
			b.arm()
		}
	}
	return false
}

// spreadTargets is what the Balance of s sees of the tasks of r.
type spreadTargets struct {
	s *spread
	r *route
}

func (t spreadTargets) Load(i int) float32 { return t.r.boxAt(t.s.position(i)).load() }

// load says how full the way to the receiver is. Where there is no room it is 1 and more, by what waits and for how long
// nothing has moved: a receiver that is stuck is the last one to get something.
func (o *outbox) load() float32 {
	l := float32(0)
	switch {
	case o.peer != nil:
		l = o.peer.load()
	case !o.hasRoom():
		l = 1
	}
	if l < 1 && o.waiting == 0 {
		return l
	}
	return 1 + float32(o.waiting) + float32(o.x.now-o.moved)/float32(stuckTime)
}

// taken returns how many tuples were ever put into o.
func (o *outbox) taken() int {
	if o.cur == nil {
		return o.sent
	}
	return o.sent + len(o.cur.Rows)
}

// stay returns how many tuples in a row the receiver should get. What a tuple costs in another process is not known, nor
// in a component that works behind the engine's back.
func (o *outbox) stay() int {
	if o.peer == nil {
		return 1
	}
	if cost := o.peer.cost.Load(); cost > 0 {
		return int(max(int64(stickyTime)/cost, 1))
	}
	return 1
}

// load says how full x's inbox is.
func (x *executor) load() float32 { return math.Float32frombits(x.in.load.Load()) }

// measure learns what a tuple costs, at the end of a run that executed some.
func (x *executor) measure() {
	if x.executed == 0 {
		return
	}
	took := int64(x.now - (x.until - runTime))
	n := int64(x.executed)
	x.executed = 0
	if x.hidden {
		x.cost.Store(int64(stickyTime))
		return
	}
	cost := max(took/n, 1)
	if old := x.cost.Load(); old > 0 {
		cost = old + (cost-old)/4
	}
	x.cost.Store(cost)
}
