package checkpoint

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// ErrFenced is what a Log returns once another coordinator has begun: this one has to stop.
var ErrFenced = errors.New("another coordinator has taken over")

// errTaken is that another Log's record has the next number.
var errTaken = fmt.Errorf("%w: its record stands where the next one belongs", ErrFenced)

// ErrNothingLeft is what Begin returns if none of the checkpoints can be read and the topology's beginning is too long ago.
var ErrNothingLeft = errors.New("no checkpoint can be read any more")

// LogConfig says where a topology's records are.
type LogConfig struct {
	Store    Store
	Topology string // its id
	// Keep is how many checkpoints are kept: the newest ones; default 3. 1 is taken for 2, as a task may build on the one before
	// the newest.
	Keep int
	// From, if not "", is where a topology begins that has no records yet: the name of a savepoint, or the id of a topology and an
	// epoch with a "/" between.
	From string
	// Now is the clock of what people read; default time.Now.
	Now func() time.Time
}

// Log is the chain of a topology's records as one coordinator writes it: each record by a conditional put at the next
// number. Whoever finds the number taken by somebody else is fenced and stays so. Where a put has ended without an answer, the next
// one finds out what became of it, for it takes the same number.
//
// One goroutine calls its methods, but Clean, which another one may call at the same time.
type Log struct {
	conf   LogConfig
	area   area
	writer string
	seq    uint64

	mu      sync.Mutex // for Clean; only the one goroutine writes
	chain   chain
	begun   Began // Generation 0: not begun
	fenced  bool
	renewed []string // savepoints that were written since Clean has read any; guarded by mu

	clean   cleaner
	sweeps  chan struct{} // whoever put something in: Clean, or a Begin that goes back further than what Clean leaves
	noClean bool          // Begin did
}

// OpenLog returns the Log of a topology. Nothing is read or written before Begin.
func OpenLog(c LogConfig) (*Log, error) {
	if c.Keep == 0 {
		c.Keep = 3
	}
	if c.Keep < 0 {
		return nil, fmt.Errorf("keep %d checkpoints: at least 1 has to be kept", c.Keep)
	}
	c.Keep = max(c.Keep, 2)
	if c.Store == nil || c.Topology == "" {
		return nil, errors.New("a log of checkpoints needs a store and a topology")
	}
	if c.From != "" {
		if _, err := place(c.From); err != nil {
			return nil, err
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	var id [8]byte
	rand.Read(id[:])
	return &Log{conf: c, area: areaOf(c.Topology), writer: hex.EncodeToString(id[:]), sweeps: make(chan struct{}, 1)}, nil
}

// Start is what a generation begins with.
type Start struct {
	Plan   int64 // a plan older than that of a generation before is refused with ErrFenced
	Reason string
	// Below, if not 0, leaves checkpoints from it on aside.
	Below uint64
	// Next, if not 0, is the first epoch that whoever asks has not cut. It counts only if this Log has begun a generation before.
	Next uint64
}

// Began is a generation that has begun.
type Began struct {
	Generation uint64
	// Base is the checkpoint it begins with, 0 the beginning; Limit the last epoch that may be cut before the next record.
	Base, Limit uint64
	// First is the first epoch that nobody can have cut.
	First uint64
	// FellBack says which newer checkpoints and records were passed over, and why.
	FellBack []FellBack
}

// FellBack is a checkpoint that counted and cannot be used, or a record that cannot be read.
type FellBack struct {
	Epoch  uint64 // 0: a record, that of number Record
	Record uint64
	Why    string
}

// Begin writes the begin record of a new generation, from the newest checkpoint that is there with all its files. The first call
// reads the chain, again if one before is still writing to it.
func (l *Log) Begin(ctx context.Context, s Start) (Began, error) {
	const tries = 10
	for try := 1; ; try++ {
		b, err := l.begin(ctx, s)
		if err == nil {
			return b, nil
		}
		first := l.begun.Generation == 0
		if first && errors.Is(err, errTaken) && try < tries {
			continue
		}
		if errors.Is(err, ErrFenced) {
			l.fenced = true
		}
		return Began{}, fmt.Errorf("begin a generation of %s: %w", l.conf.Topology, err)
	}
}

func (l *Log) begin(ctx context.Context, s Start) (Began, error) {
	if err := l.load(ctx); err != nil {
		return Began{}, err
	}
	var b Began
	defer l.letClean()
	err := l.write(ctx, func() (Record, error) {
		if s.Plan < l.chain.plan {
			return Record{}, fmt.Errorf("%w: it has plan %d, this one %d", ErrFenced, l.chain.plan, s.Plan)
		}
		base, fell, err := l.base(ctx, s.Below)
		if err != nil {
			return Record{}, err
		}
		first := max(l.chain.limit, base) + 1
		if l.begun.Generation > 0 && s.Next > 0 {
			first = max(s.Next, base+1)
		}
		b = Began{Generation: l.chain.next, Base: base, First: first, Limit: max(l.chain.limit, first-1+ahead), FellBack: fell}
		return Record{Kind: Begins, Generation: b.Generation, Epoch: base, Limit: b.Limit, Plan: s.Plan, Reason: s.Reason[:min(len(s.Reason), maxReason)]}, nil
	})
	if err != nil {
		return Began{}, err
	}
	l.mu.Lock()
	l.begun = b
	l.chain.lost = nil
	l.mu.Unlock()
	return b, nil
}

// load reads the chain, unless this Log has begun already. What it holds is then the truth, or it is fenced.
func (l *Log) load(ctx context.Context) error {
	if l.fenced {
		return ErrFenced
	}
	if l.begun.Generation > 0 {
		return nil
	}
	c, err := readChain(ctx, l.conf.Store, l.area)
	if err != nil {
		return fmt.Errorf("read the checkpoints of %s: %w", l.conf.Topology, err)
	}
	l.mu.Lock()
	l.chain = c
	l.mu.Unlock()
	if c.next == 1 && l.conf.From != "" {
		return l.adopt(ctx)
	}
	return nil
}

// base finds the newest checkpoint below a bound that is complete.
func (l *Log) base(ctx context.Context, below uint64) (uint64, []FellBack, error) {
	var fell []FellBack
	for _, p := range l.chain.lost {
		fell = append(fell, FellBack{Record: p.number, Why: p.err.Error()})
	}
	sizes := sizes{store: l.conf.Store}
	for i := len(l.chain.counts) - 1; i >= 0; i-- {
		epoch := l.chain.counts[i].epoch
		if i < len(l.chain.counts)-l.conf.Keep && !l.noClean {
			if err := l.sweep(ctx); err != nil {
				return 0, nil, err
			}
			l.noClean = true
		}
		if below > 0 && epoch >= below {
			fell = append(fell, FellBack{Epoch: epoch, Why: "a task could not read it"})
			continue
		}
		m, err := readManifest(ctx, l.conf.Store, l.area.manifest(epoch))
		if err == nil {
			err = sizes.complete(ctx, m)
		}
		if err == nil {
			return epoch, fell, nil
		}
		if !Lost(err) {
			return 0, nil, err
		}
		fell = append(fell, FellBack{Epoch: epoch, Why: err.Error()})
	}
	if !l.chain.whole || l.conf.From != "" {
		why := "none is left"
		if len(fell) > 0 {
			why = fmt.Sprintf("%d were tried, the newest: %s", len(fell), fell[0].Why)
		}
		return 0, nil, fmt.Errorf("%w: %s; bring their files back, or kill the topology and submit it with gearstorm.checkpoint.from, from a savepoint if there is one",
			ErrNothingLeft, why)
	}
	return 0, fell, nil
}

// sweep waits until nobody cleans and keeps others from it.
func (l *Log) sweep(ctx context.Context) error {
	select {
	case l.sweeps <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of a cleaning: %w", ctx.Err())
	}
}

func (l *Log) letClean() {
	if l.noClean {
		l.noClean = false
		<-l.sweeps
	}
}

// unwritten is the error of a commit whose record is surely not in the log. After any other it may be.
type unwritten struct{ error }

func (u unwritten) Unwrap() error { return u.error }

// Commit makes a checkpoint count: it writes m and then the record. m's Topology and Time are set here. After an error it may count
// nevertheless, and the next record will be written behind that.
func (l *Log) Commit(ctx context.Context, m *Manifest) (limit uint64, err error) {
	if err := l.ready(); err != nil {
		return 0, err
	}
	m.Topology, m.Time = l.conf.Topology, l.conf.Now().UTC()
	b, err := m.seal()
	if err != nil {
		return 0, unwritten{err}
	}
	if err := putOnce(ctx, l.conf.Store, l.area.manifest(m.Epoch), b); err != nil {
		return 0, unwritten{fmt.Errorf("write the manifest of epoch %d: %w", m.Epoch, err)}
	}
	err = l.write(ctx, func() (Record, error) {
		limit = max(l.chain.limit, m.Epoch+ahead)
		return Record{Kind: Commits, Generation: l.begun.Generation, Epoch: m.Epoch, Limit: limit, Plan: max(l.chain.plan, m.Plan)}, nil
	})
	l.fenced = errors.Is(err, ErrFenced)
	if err != nil {
		return 0, fmt.Errorf("commit epoch %d: %w", m.Epoch, err)
	}
	return limit, nil
}

// Reserve lets the coordinator cut more epochs.
func (l *Log) Reserve(ctx context.Context) (limit uint64, err error) {
	if err := l.ready(); err != nil {
		return 0, err
	}
	err = l.write(ctx, func() (Record, error) {
		limit = l.chain.limit + ahead
		return Record{Kind: Reserves, Generation: l.begun.Generation, Limit: limit, Plan: l.chain.plan}, nil
	})
	l.fenced = errors.Is(err, ErrFenced)
	if err != nil {
		return 0, fmt.Errorf("reserve epochs: %w", err)
	}
	return limit, nil
}

func (l *Log) ready() error {
	if l.fenced {
		return ErrFenced
	}
	if l.begun.Generation == 0 {
		return errors.New("no generation has begun yet")
	}
	return nil
}

// write puts the record that build returns at the next number. If one that this Log wrote before without an answer stands there, it
// goes on behind that, and build is asked again.
func (l *Log) write(ctx context.Context, build func() (Record, error)) error {
	l.seq++
	for {
		r, err := build()
		if err != nil {
			return err
		}
		r.Number, r.Writer, r.Seq, r.Time = l.chain.next, l.writer, l.seq, l.conf.Now().UTC()
		b, err := seal("record", r)
		if err != nil {
			return err
		}
		err = l.conf.Store.PutIfAbsent(ctx, l.area.record(r.Number), b)
		if err == nil {
			if err = l.holds(ctx, r.Number); err == nil {
				l.take(r)
			}
			return err
		}
		if errors.Is(err, ErrFull) {
			return unwritten{err}
		}
		if !errors.Is(err, ErrExists) {
			return err
		}
		found, err := readRecord(ctx, l.conf.Store, l.area, r.Number)
		switch {
		case Lost(err):
			return fmt.Errorf("%w, and cannot be read: %w", errTaken, err)
		case err != nil:
			return err
		case found.Writer != l.writer:
			return errTaken
		}
		if err := l.holds(ctx, found.Number); err != nil {
			return err
		}
		l.take(found)
		if found.Seq == l.seq {
			return nil
		}
	}
}

// holds says whether record n, which was put, is part of the chain. It is not if others wrote a record of that number and removed it again, while
// this one slept: they remove records from the oldest on, so the one before it is gone too then.
func (l *Log) holds(ctx context.Context, n uint64) error {
	if n > 1 {
		_, err := readRecord(ctx, l.conf.Store, l.area, n-1)
		switch {
		case errors.Is(err, ErrNotFound):
			return errTaken
		case errors.Is(err, ErrCorrupt):
			return nil
		}
		return err
	}
	list, err := l.conf.Store.List(ctx, l.area.dir("log"))
	if err == nil && len(list) > 1 {
		return errTaken
	}
	return err
}

func (l *Log) take(r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chain.add(r)
}

// sizes looks up what files are there, a list for each directory.
type sizes struct {
	store Store
	dirs  map[string]map[string]int64
}

// complete says whether all files of m are there with their sizes: Lost errors if not.
func (s *sizes) complete(ctx context.Context, m *Manifest) error {
	for f := range m.files {
		if err := s.there(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *sizes) there(ctx context.Context, f gearcore.File) error {
	dir, err := filesDir(f.Name)
	if err != nil {
		return err
	}
	if s.dirs[dir] == nil {
		list, err := s.store.List(ctx, dir)
		if err != nil {
			return fmt.Errorf("list the files of checkpoints: %w", err)
		}
		if s.dirs == nil {
			s.dirs = map[string]map[string]int64{}
		}
		s.dirs[dir] = make(map[string]int64, len(list))
		for _, o := range list {
			s.dirs[dir][o.Name] = o.Bytes
		}
	}
	n, ok := s.dirs[dir][f.Name]
	switch {
	case !ok:
		return fmt.Errorf("file %s: %w", f.Name, ErrNotFound)
	case n != f.Bytes:
		return fmt.Errorf("file %s: %w: %d bytes of %d", f.Name, ErrCorrupt, n, f.Bytes)
	}
	return nil
}
