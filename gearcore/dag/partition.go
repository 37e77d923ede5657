package dag

import (
	"fmt"
	"math/rand/v2"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Partitioner chooses the tasks that get a tuple on one route. It belongs to one source task and is not safe for
// concurrent use: shuffle and partial key remember.
type Partitioner interface {
	// Pick appends the chosen tasks to dst.
	Pick(vals []gearcore.Value, dst []gearcore.TaskID) []gearcore.TaskID
}

// NewPartitioner returns the partitioner of r for one source task. local tells which of the route's tasks are in this
// worker, seed makes its random choices repeatable. Direct routes have none (nil, nil): the emitter names the task.
func NewPartitioner(r *Route, mode gearcore.HashMode, local func(gearcore.TaskID) bool, seed uint64) (Partitioner, error) {
	if len(r.Tasks) == 0 && r.Grouping.Kind != Direct {
		return none{}, nil
	}
	rnd := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	switch r.Grouping.Kind {
	case Fields:
		if len(r.Fields) == 0 {
			return one{r.Tasks[0]}, nil
		}
		return &fields{tasks: r.Tasks, idx: r.Fields, mode: mode}, nil
	case Global:
		return one{r.Tasks[0]}, nil
	case All:
		return all{r.Tasks}, nil
	case None:
		return &random{tasks: r.Tasks, rnd: rnd}, nil
	case Shuffle:
		return newShuffle(r.Tasks, rnd), nil
	case LocalOrShuffle:
		var near []gearcore.TaskID
		for _, t := range r.Tasks {
			if local(t) {
				near = append(near, t)
			}
		}
		if len(near) == 0 {
			near = r.Tasks
		}
		return newShuffle(near, rnd), nil
	case PartialKey:
		return newPartialKey(r, mode), nil
	case Direct:
		return nil, nil
	}
	return nil, fmt.Errorf("route to %s: unknown grouping %v", r.Target.Name, r.Grouping.Kind)
}

type none struct{}

func (none) Pick(_ []gearcore.Value, dst []gearcore.TaskID) []gearcore.TaskID { return dst }

type one struct{ task gearcore.TaskID }

func (o one) Pick(_ []gearcore.Value, dst []gearcore.TaskID) []gearcore.TaskID {
	return append(dst, o.task)
}

type all struct{ tasks []gearcore.TaskID }

func (a all) Pick(_ []gearcore.Value, dst []gearcore.TaskID) []gearcore.TaskID {
	return append(dst, a.tasks...)
}

type fields struct {
	tasks []gearcore.TaskID
	idx   []int
	mode  gearcore.HashMode
}

func (f *fields) Pick(vals []gearcore.Value, dst []gearcore.TaskID) []gearcore.TaskID {
	return append(dst, f.tasks[gearcore.FloorMod(gearcore.FieldsHash(vals, f.idx, f.mode), len(f.tasks))])
}

type random struct {
	tasks []gearcore.TaskID
	rnd   *rand.Rand
}

func (r *random) Pick(_ []gearcore.Value, dst []gearcore.TaskID) []gearcore.TaskID {
	return append(dst, r.tasks[r.rnd.IntN(len(r.tasks))])
}

// shuffle walks a random permutation round robin.
type shuffle struct {
	tasks []gearcore.TaskID
	at    int
}

func newShuffle(tasks []gearcore.TaskID, rnd *rand.Rand) *shuffle {
	s := &shuffle{tasks: append([]gearcore.TaskID(nil), tasks...)}
	rnd.Shuffle(len(s.tasks), func(i, j int) { s.tasks[i], s.tasks[j] = s.tasks[j], s.tasks[i] })
	return s
}

func (s *shuffle) Pick(_ []gearcore.Value, dst []gearcore.TaskID) []gearcore.TaskID {
	t := s.tasks[s.at]
	if s.at++; s.at == len(s.tasks) {
		s.at = 0
	}
	return append(dst, t)
}

// partialKey is Storm's PartialKeyGrouping: two candidates from the key, the one this source has used less.
type partialKey struct {
	tasks []gearcore.TaskID
	idx   []int
	mode  gearcore.HashMode
	used  []int64
}

func newPartialKey(r *Route, mode gearcore.HashMode) *partialKey {
	return &partialKey{tasks: r.Tasks, idx: r.Fields, mode: mode, used: make([]int64, len(r.Tasks))}
}

func (p *partialKey) Pick(vals []gearcore.Value, dst []gearcore.TaskID) []gearcore.TaskID {
	a, b := PartialKeyChoices(vals, p.idx, p.mode, len(p.tasks))
	if p.used[b] < p.used[a] {
		a = b
	}
	p.used[a]++
	return append(dst, p.tasks[a])
}

// PartialKeyChoices returns the two candidate positions among n tasks for the key of vals at idx (value 0 as text if
// idx is empty): two draws of java.util.Random seeded with the Java hash of the key's bytes, which are four
// big-endian bytes of hash per field.
func PartialKeyChoices(vals []gearcore.Value, idx []int, mode gearcore.HashMode, n int) (int, int) {
	if n == 1 {
		return 0, 0
	}
	h := int32(1)
	if len(idx) == 0 {
		if len(vals) > 0 {
			for _, c := range []byte(vals[0].Text()) {
				h = 31*h + int32(int8(c))
			}
		}
	}
	for _, i := range idx {
		fh := vals[i].Hash(mode)
		for s := 24; s >= 0; s -= 8 {
			h = 31*h + int32(int8(fh>>s))
		}
	}
	r := NewJavaRandom(int64(h))
	a, b := r.Intn(n), r.Intn(n)
	if a == b {
		b = (b + 1) % n
	}
	return a, b
}

// JavaRandom is java.util.Random's linear congruential generator.
type JavaRandom struct{ seed uint64 }

// NewJavaRandom returns the generator that new Random(seed) would be.
func NewJavaRandom(seed int64) *JavaRandom {
	return &JavaRandom{(uint64(seed) ^ 0x5DEECE66D) & (1<<48 - 1)}
}

func (r *JavaRandom) next(bits int) int32 {
	r.seed = (r.seed*0x5DEECE66D + 0xB) & (1<<48 - 1)
	return int32(r.seed >> (48 - bits))
}

// Intn is Random.nextInt(n); n > 0.
func (r *JavaRandom) Intn(n int) int {
	if n&(n-1) == 0 {
		return int(int64(n) * int64(r.next(31)) >> 31)
	}
	for {
		bits := r.next(31)
		val := bits % int32(n)
		if bits-val+int32(n-1) >= 0 {
			return int(val)
		}
	}
}
