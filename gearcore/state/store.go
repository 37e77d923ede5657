package state

import (
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Config says how a Store works.
type Config struct {
	// Name is what errors call it: the component and the index of the task.
	Name string
	// Hash is how the topology hashes integers.
	Hash gearcore.HashMode
	// Index and Tasks say which task of how many it belongs to, which gives its key groups; a Recovery says it again. Tasks 0: the only one.
	Index, Tasks int
	// Now is the clock of TTLs by processing time, in milliseconds since 1970. nil: the machine's, which stands still here while it has been set back:
	// what came first ends first.
	Now func() int64
	// Dir is where a state that outgrows Memory goes on in pebble; "": nowhere, all of it stays in memory. Memory is in bytes, about; 0: DefaultMemory. Any number of Stores
	// and processes may use one Dir; what killed ones left there is removed by the next that comes.
	Dir    string
	Memory int64
	// Forget are handles that a checkpoint may have and this program has no more. What they kept is dropped; without that, Restore
	// refuses a checkpoint with a handle that is not registered.
	Forget []string
}

// DefaultMemory is how large the state of a task may be in memory, if there is a disk for it.
const DefaultMemory = 64 << 20

// Store is the keyed state of one task. Its methods and those of its handles belong to the task's executor, but Save of
// what Freeze returns.
type Store struct {
	cfg         Config
	first, last int // its key groups
	tables      []anyTable
	handles     []handle
	unfit       error       // what is wrong with its handles
	broken      error       // that, or what has failed since the last Restore
	forgot      atomic.Bool // what was restored has handles of Config.Forget
	eventTime   gearcore.Watermark
	checkSize   bool // entries have come since the size was looked at
	peeking     bool // what is read is shown to people

	lim   limits
	chain *chain
	cycle cycle
	disk  *disk // nil while everything is in memory
}

// anyTable is a table of any types.
type anyTable interface {
	path() (name string, id uint16)
	setID(uint16)
	describe() tableInfo
	reset()
	entries() int
	liveBytes() int64
	sweep(n int) int
	born()
	collect(p *piece) error
	again(p *piece, i, since uint32, budget int64) (uint32, int64, error)
	loader(info tableInfo) (loader, error)
	settle()
	renew()
	inMemory() bool
	memory() int64
	slots() uint32
	evict(n int)
	copyAll(p *piece, seqs []uint32, i uint32) ([]uint32, uint32, error)
	expire(key []byte)
	expiry() int64
}

// maxTables bounds the tables of a Store; a handle has one or two.
const maxTables = 1 << 10

// New returns an empty Store.
func New(cfg Config) (*Store, error) {
	if cfg.Tasks == 0 {
		cfg.Index, cfg.Tasks = 0, 1
	}
	if cfg.Index < 0 || cfg.Index >= cfg.Tasks || cfg.Tasks > gearcore.KeyGroups {
		return nil, fmt.Errorf("state of %s: task %d of %d: there are %d key groups", cfg.Name, cfg.Index, cfg.Tasks, gearcore.KeyGroups)
	}
	if len(cfg.Forget) > maxTables {
		return nil, fmt.Errorf("state of %s: %d handles to forget, want %d at most", cfg.Name, len(cfg.Forget), maxTables)
	}
	if cfg.Now == nil {
		cfg.Now = rising(func() int64 { return time.Now().UnixMilli() })
	}
	if cfg.Memory == 0 {
		cfg.Memory = DefaultMemory
	}
	s := &Store{cfg: cfg, lim: defaultLimits, chain: newChain(defaultLimits)}
	s.first, s.last = gearcore.KeyGroupRange(cfg.Index, cfg.Tasks)
	return s, nil
}

// rising is now, but that it never goes back. It belongs to one goroutine.
func rising(now func() int64) func() int64 {
	newest := int64(0)
	return func() int64 {
		newest = max(newest, now())
		return newest
	}
}

// register gives a table its number. What is wrong with it is told by Restore and Freeze.
func (s *Store) register(t anyTable) {
	name, _ := t.path()
	for _, o := range s.tables {
		if other, _ := o.path(); other == name {
			s.refuse(fmt.Errorf("two handles are called %q", name))
		}
	}
	if name == "" || len(s.tables) == maxTables {
		s.refuse(fmt.Errorf("a handle without a name, or more than %d", maxTables))
	}
	t.setID(uint16(len(s.tables)))
	s.tables = append(s.tables, t)
}

// refuse notes what is wrong with handles: the first of that counts, whatever is restored.
func (s *Store) refuse(err error) {
	s.unfit = cmp.Or(s.unfit, fmt.Errorf("state of %s: %w", s.cfg.Name, err))
	s.broken = s.unfit
}

// Err is what has broken the Store, if anything. Restore mends what a failure of the disk broke.
func (s *Store) Err() error { return s.broken }

// SetEventTime tells the clock of TTLs by event time; it does not go back.
func (s *Store) SetEventTime(w gearcore.Watermark) {
	if w >= gearcore.Idle || w <= s.eventTime {
		return
	}
	first := s.eventTime == 0
	s.eventTime = w
	if !first {
		return
	}
	for _, t := range s.tables {
		t.born()
	}
}

// Len is how many entries are in memory, of all handles together.
func (s *Store) Len() int {
	n := 0
	for _, t := range s.tables {
		n += t.entries()
	}
	return n
}

// Failure is what operations panic with when the disk below pebble fails.
type Failure struct{ Err error }

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the disk's error.
func (f *Failure) Unwrap() error { return f.Err }

// Rescue, deferred, turns the panic of a failed operation into an error, and lets others pass.
func Rescue(err *error) {
	switch p := recover().(type) {
	case nil:
	case *Failure:
		*err = errors.Join(*err, p)
	default:
		panic(p)
	}
}

// fail breaks the Store until it is restored.
func (s *Store) fail(err error) {
	s.broken = cmp.Or(s.broken, fmt.Errorf("state of %s: %w", s.cfg.Name, err))
	panic(&Failure{s.broken})
}

func (t *table[K, V]) setID(id uint16) { t.id = id }
func (t *table[K, V]) entries() int    { return t.count }
