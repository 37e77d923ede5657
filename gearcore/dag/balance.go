package dag

import (
	"math/rand/v2"
	"slices"
)

// Scope says how far a task is from the one that emits to it.
type Scope uint8

// The scopes, from near to far. Storm has racks between the last two; here all hosts are one rack, as in Storm without
// a topography plugin.
const (
	InWorker Scope = iota
	OnHost
	Anywhere
	scopes = iota
)

// Targets is what a Balance asks about those it chooses among, by position in Route.Tasks.
type Targets interface {
	// Load is how full the way to target i is: 0 empty, 1 and more no room.
	Load(i int) float32
}

// BalanceConfig says how a Balance chooses. The zero value ignores load and locality.
type BalanceConfig struct {
	// Scopes has the distance of each target; nil: all are Anywhere.
	Scopes []Scope
	// LoadAware makes loads and scopes count.
	LoadAware bool
	// Lower and Higher are the average loads below which a Balance narrows its scope, and above which it widens it
	// (topology.localityaware.lower.bound and higher.bound).
	Lower, Higher float64
}

// Balance chooses the receivers of a shuffle for one source task: the target that got the least of those that are in
// scope and not busier than the others. The shares are equal in the long run; a slow target gets what it can take, and
// one without room gets nothing while another one has some.
//
// The scope follows the rule of Storm's LoadAwareShuffleGrouping: it begins with the nearest targets, widens by a step
// when their average load is above Higher, and narrows when that of the nearer ones is below Lower. Storm divides by
// weights that it adjusts every second, from loads that are seconds old; a Balance sees the load of a target when it is
// about to choose it and needs neither.
//
// A Balance is pure and not safe for concurrent use.
type Balance struct {
	conf  BalanceConfig
	order []int32     // targets in random order, those of each scope together, near ones first
	end   [scopes]int // order[:end[s]] are the targets within scope s
	scope Scope
	at    int      // where in order to look first
	given []uint64 // what each target got
	level uint64   // the largest of given when it was chosen
	least float32  // the smallest load seen of late
	busy  uint64   // places in order of targets that had more to do than others, if there are at most lookAt
	fresh int      // turns for which busy counts
	// Loads, averaged over the last looks: of targets in scope, and of those nearer than that.
	all, near float32
}

const (
	lookAt = 64 // targets considered at a time, of very many
	// tolerance is how much more loaded than the least loaded a target may be and still get its share.
	tolerance = 0.25
	// catchUp is how many tuples a target that was passed over may get in a row when it is back.
	catchUp = 1024
)

// NewBalance returns a Balance over n targets, n > 0. conf.Scopes is kept. seed makes the order repeatable.
func NewBalance(n int, conf BalanceConfig, seed uint64) *Balance {
	b := &Balance{conf: conf, order: make([]int32, n), given: make([]uint64, n), scope: Anywhere}
	rnd := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	for i := range b.order {
		b.order[i] = int32(i)
	}
	rnd.Shuffle(n, func(i, j int) { b.order[i], b.order[j] = b.order[j], b.order[i] })
	b.end = [scopes]int{Anywhere: n}
	if !conf.LoadAware || conf.Scopes == nil {
		return b
	}
	slices.SortStableFunc(b.order, func(i, j int32) int { return int(conf.Scopes[i]) - int(conf.Scopes[j]) })
	for s := range b.end {
		for b.end[s] < n && int(conf.Scopes[b.order[b.end[s]]]) <= s {
			b.end[s]++
		}
		if s+1 < scopes {
			b.end[s+1] = b.end[s]
		}
	}
	for b.scope = InWorker; b.end[b.scope] == 0; {
		b.scope++
	}
	return b
}

// Scope returns how far away the targets may be that tuples go to now.
func (b *Balance) Scope() Scope { return b.scope }

// Next chooses the target of the next tuples. Took must tell how many they were.
func (b *Balance) Next(t Targets) int {
	b.rescope()
	set := b.order[:b.end[b.scope]]
	if b.at++; b.at >= len(set) {
		b.at = 0
	}
	if b.fresh--; b.fresh <= 0 {
		b.busy, b.fresh = 0, len(set)/2
	}
	best := b.first(set)
	if b.conf.LoadAware {
		for tries := 1; !b.idle(set, best, t); tries++ {
			if best = b.first(set); best < 0 || tries == 2 || len(set) > lookAt {
				best = b.lessLoaded(set, t)
				break
			}
		}
	}
	i := int(set[best])
	if b.given[i]+catchUp < b.level {
		b.given[i] = b.level - catchUp
	}
	b.level = max(b.level, b.given[i])
	return i
}

// Took says that target i got n tuples since it was chosen.
func (b *Balance) Took(i, n int) { b.given[i] += uint64(n) }

// first returns the place in set of the target that got the least, of those at at and behind it that are not known to be
// busy; -1 if all are.
func (b *Balance) first(set []int32) int {
	best := -1
	least := uint64(0)
	p := b.at
	for range min(len(set), lookAt) {
		if g := b.given[set[p]]; (best < 0 || g < least) && b.busy>>(p%lookAt)&1 == 0 {
			best, least = p, g
		}
		if p++; p == len(set) {
			p = 0
		}
	}
	return best
}

// idle looks at the load of set[p], and says whether it is little enough. If not it is not looked at again for some turns.
func (b *Balance) idle(set []int32, p int, t Targets) bool {
	load := t.Load(int(set[p]))
	b.saw(int(set[p]), load, 16)
	if load < 1 && load <= b.least+tolerance {
		b.least = min(b.least, load)
		return true
	}
	if len(set) <= lookAt {
		b.busy |= 1 << p
	}
	return false
}

// lessLoaded looks at the loads of all targets from at on, because some have more than the least loaded had when they were
// last looked at, and returns the place of the one that got the least of those that have little.
func (b *Balance) lessLoaded(set []int32, t Targets) int {
	n := min(len(set), lookAt)
	var loads [lookAt]float32
	p := b.at
	for k := range n {
		loads[k] = t.Load(int(set[p]))
		if k == 0 || loads[k] < b.least {
			b.least = loads[k]
		}
		b.saw(int(set[p]), loads[k], float32(4*n))
		if p++; p == len(set) {
			p = 0
		}
	}
	best := -1
	b.busy = 0
	p = b.at
	for k := range n {
		if loads[k] > b.least+tolerance {
			if len(set) <= lookAt {
				b.busy |= 1 << p
			}
		} else if best < 0 || b.given[set[p]] < b.given[set[best]] {
			best = p
		}
		if p++; p == len(set) {
			p = 0
		}
	}
	return best
}

// saw adds a load to the averages, the older ones of which count over as many looks.
func (b *Balance) saw(i int, load, over float32) {
	load = min(load, 1)
	b.all += (load - b.all) / over
	if b.conf.Scopes != nil && b.conf.Scopes[i] < b.scope {
		b.near += (load - b.near) / over
	}
}

// rescope widens or narrows the scope.
func (b *Balance) rescope() {
	if !b.conf.LoadAware {
		return
	}
	switch {
	case float64(b.all) > b.conf.Higher && b.end[b.scope] < len(b.order):
		b.near = b.all
		for have := b.end[b.scope]; b.end[b.scope] == have; {
			b.scope++
		}
		b.all = float32(b.conf.Lower+b.conf.Higher) / 2
	case b.scope > InWorker && b.end[b.scope-1] > 0 && float64(b.near) < b.conf.Lower && b.end[b.scope-1] < b.end[b.scope]:
		b.scope--
		b.all, b.near = b.near, 1
	default:
		return
	}
	b.at, b.least, b.busy = 0, 0, 0
}
