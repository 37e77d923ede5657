package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is where batches become visible in these tests.
type world struct {
	mu      sync.Mutex
	rng     *rand.Rand
	visible []string
	owner   map[string]*side
	newest  map[string]uint64
}

func newWorld(seed uint64) *world {
	return &world{rng: rand.New(rand.NewPCG(seed, 0)), owner: map[string]*side{}, newest: map[string]uint64{}}
}

func (w *world) seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.visible)
}

// side is a process's view of the world.
type side struct {
	w    *world
	dead bool
}

var errFault = errors.New("a fault")

func (s *side) kill() {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.dead = true
}

func (s *side) Claim(_ context.Context, id string, first bool) (uint64, bool, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.dead {
		return 0, false, errFault
	}
	s.w.owner[id] = s
	n, known := s.w.newest[id]
	if !known && first {
		s.w.newest[id] = 0
	}
	return n, known, nil
}

func (s *side) Publish(_ context.Context, id string, b Batch) error {
	var got []string
	if err := b.Read(func(r []byte) error { got = append(got, string(r)); return nil }); err != nil {
		return err
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.dead || s.w.owner[id] != s || s.w.rng.IntN(4) == 0 {
		return errFault
	}
	if int64(len(got)) != b.Count {
		return fmt.Errorf("%d records, not %d", len(got), b.Count)
	}
	s.w.visible = append(s.w.visible, got...)
	s.w.newest[id] = b.Number
	if s.w.rng.IntN(4) == 0 {
		return errFault // and nobody knows that it is done
	}
	return nil
}

func (s *side) Settle(_ context.Context, id string) (uint64, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	switch {
	case s.dead:
		return 0, errFault
	case s.w.owner[id] != s:
		return 0, ErrFenced
	}
	return s.w.newest[id], nil
}

func (s *side) Release(string) {}

// task is a sink around a Box.
type task struct {
	*Box
	opts    Options
	gathers bool // batches as soon as two checkpoints were given up
	world   *world
	side    *side
	ctx     *gearcore.Context
}

func (s *task) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	s.Box, s.ctx = New(s.opts, c.Async()), ctx
	if s.gathers {
		s.apart = 1
	}
	return nil
}

func (s *task) kill() {
	s.side.kill()
	s.loop.Stop()
}

func (s *task) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	return s.Add([]byte(t.String(0)), c)
}

func (s *task) Restore(r *gearcore.Recovery) (err error) {
	for range 50 { // as a coordinator does that begins new generations
		if err = s.Box.Restore(r, fmt.Sprintf("id-%d", r.Index), s.side); !errors.Is(err, errFault) {
			break
		}
	}
	return err
}

func TestExactlyOnce(t *testing.T) {
	for seed := range uint64(40) {
		w := newWorld(seed)
		opts := Options{Dir: t.TempDir()}
		if seed%2 == 0 {
			opts.MemoryBytes = 20
		}
		connecttest.SinkTest{
			New: func(testing.TB, int) (gearcore.Task, func()) {
				s := &task{opts: opts, gathers: seed%5 < 3, world: w, side: &side{w: w}}
				return s, s.kill
			},
			Values: func(text string) []any {
				if seed%3 == 0 {
					text += strings.Repeat(" ", 3000)
				}
				return []any{text}
			},
			Visible: func(testing.TB) (out []string) {
				for _, v := range w.seen() {
					out = append(out, strings.TrimSpace(v))
				}
				return out
			},
		}.Run(t, seed)
		if t.Failed() {
			return
		}
	}
}

// begin returns a box of one task that was restored from parts.
func begin(t *testing.T, o Options, target Target, parts ...gearcore.TaskPart) (*Box, *connecttest.Executor, error) {
	t.Helper()
	e := connecttest.NewExecutor(0, 1)
	b := New(o, e.Async())
	t.Cleanup(b.Close)
	return b, e, b.Restore(&gearcore.Recovery{Epoch: uint64(len(parts)), Parts: parts, Tasks: 1, Vault: connecttest.NewVault()}, "id", target)
}

// calm is a target that does what it is told, when it is let.
type calm struct {
	side
	gate chan struct{} // nil: open
}

func (c *calm) Publish(ctx context.Context, id string, b Batch) error {
	if c.gate != nil {
		select {
		case <-c.gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for {
		err := c.side.Publish(ctx, id, b)
		if n, _ := c.Settle(ctx, id); n >= b.Number || !errors.Is(err, errFault) {
			return nil
		}
	}
}

func newCalm() *calm { return &calm{side: side{w: newWorld(1)}} }

func (c *calm) Claim(ctx context.Context, id string, first bool) (uint64, bool, error) {
	n, known, err := c.side.Claim(ctx, id, first)
	c.w.owner[id] = &c.side
	return n, known, err
}

func freeze(t *testing.T, b *Box, epoch uint64) gearcore.TaskPart {
	t.Helper()
	return freezeIn(t, b, epoch, connecttest.NewVault())
}

func freezeIn(t *testing.T, b *Box, epoch uint64, v gearcore.Vault) gearcore.TaskPart {
	t.Helper()
	f, err := b.Freeze(epoch)
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Save(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return gearcore.TaskPart{Part: p}
}

// The part of a checkpoint that was given up is written after that of the next one, which counts. Later ones name the file that is kept.
func TestPartsThatAreWrittenOutOfOrder(t *testing.T) {
	target := newCalm()
	target.gate = make(chan struct{})
	defer close(target.gate)
	b, e, err := begin(t, Options{}, target)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Add(make([]byte, inlineBatch+1), e.C); err != nil {
		t.Fatal(err)
	}
	frozen := func(epoch uint64) gearcore.Frozen {
		t.Helper()
		f, err := b.Freeze(epoch)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	vault := connecttest.NewVault()
	save := func(f gearcore.Frozen) gearcore.File {
		t.Helper()
		p, err := f.Save(t.Context(), vault)
		if err != nil || len(p.Files) != 1 {
			t.Fatalf("%d files, %v", len(p.Files), err)
		}
		return p.Files[0]
	}
	givenUp, counts := frozen(1), frozen(2)
	kept := save(counts)
	save(givenUp)
	b.Commit(2)
	if got := save(frozen(3)); got.Name != kept.Name {
		t.Errorf("checkpoint 3 names %s, which nothing keeps, and not %s", got.Name, kept.Name)
	}
}

func TestNothingWithoutCheckpoints(t *testing.T) {
	e := connecttest.NewExecutor(0, 1)
	b := New(Options{}, e.Async())
	if err := b.Add(nil, e.C); !errors.Is(err, ErrNoCheckpoints) {
		t.Errorf("error %v", err)
	}
}

func TestInputWaitsForATargetThatIsBehind(t *testing.T) {
	target := newCalm()
	target.gate = make(chan struct{})
	b, e, err := begin(t, Options{BehindBytes: 10}, target)
	if err != nil {
		t.Fatal(err)
	}
	add := func(text string) {
		t.Helper()
		if err := b.Add([]byte(text), e.C); err != nil {
			t.Fatal(err)
		}
	}
	add("more than ten bytes")
	freeze(t, b, 1)
	add("a")
	if e.Paused {
		t.Error("paused by what does not count yet")
	}
	b.Commit(1)
	add("b")
	if !e.Paused {
		t.Error("not paused")
	}
	close(target.gate)
	for e.Run() == 0 {
		if t.Context().Err() != nil {
			t.Fatal("nothing resumes")
		}
	}
	if e.Paused || b.Waiting() != 0 {
		t.Errorf("paused %v, %d wait", e.Paused, b.Waiting())
	}
}

func TestFencedTaskStops(t *testing.T) {
	target := newCalm()
	target.gate = make(chan struct{})
	b, e, err := begin(t, Options{}, fencing{target})
	if err != nil {
		t.Fatal(err)
	}
	b.Add([]byte("a"), e.C)
	freeze(t, b, 1)
	b.Commit(1)
	for err = nil; err == nil && t.Context().Err() == nil; {
		err = b.Add([]byte("b"), e.C)
	}
	if !errors.Is(err, ErrFenced) {
		t.Errorf("error %v", err)
	}
	if _, err := b.Freeze(2); !errors.Is(err, ErrFenced) {
		t.Errorf("freeze: %v", err)
	}
	if got := target.w.seen(); len(got) != 0 {
		t.Errorf("visible %q", got)
	}
}

// fencing is a target whose identity another has.
type fencing struct{ *calm }

func (fencing) Publish(context.Context, string, Batch) error          { return errFault }
func (fencing) Settle(ctx context.Context, id string) (uint64, error) { return 0, ErrFenced }

// TestTargetThatPanics: a panic is an error of the task, and what it leaves open is settled before the next try.
func TestTargetThatPanics(t *testing.T) {
	target := &clumsy{calm: newCalm()}
	b, e, err := begin(t, Options{}, target)
	if err != nil {
		t.Fatal(err)
	}
	b.Add([]byte("a"), e.C)
	freeze(t, b, 1)
	b.Commit(1)
	for b.Waiting() > 0 && t.Context().Err() == nil {
		runtime.Gosched()
	}
	if got := target.w.seen(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("visible %q", got)
	}
	e.Run()
	if len(e.Errors) != 1 || !errors.As(e.Errors[0], new(*gearcore.PanicError)) {
		t.Errorf("errors %v", e.Errors)
	}
}

// clumsy is a target that panics: in its first Settle, and in its first two Publishes, in the second of which the batch became visible.
type clumsy struct {
	*calm
	published, settled int
}

func (c *clumsy) Publish(ctx context.Context, id string, b Batch) error {
	if c.published++; c.published == 1 {
		panic("a bug")
	}
	c.calm.Publish(ctx, id, b)
	panic("a bug")
}

func (c *clumsy) Settle(ctx context.Context, id string) (uint64, error) {
	if c.settled++; c.settled == 1 {
		panic("a bug")
	}
	return c.calm.Settle(ctx, id)
}

// The target's memory is gone: whether batch 1 was published nobody knows.
func TestLostMemory(t *testing.T) {
	b, e, err := begin(t, Options{}, newCalm())
	if err != nil {
		t.Fatal(err)
	}
	b.Add([]byte("a"), e.C)
	part := freeze(t, b, 1)
	for lost, want := range map[Lost]struct {
		err     error
		visible int
	}{LostFail: {ErrUnknown, 0}, LostPublish: {nil, 1}, LostSkip: {nil, 0}} {
		target := newCalm()
		b, _, err := begin(t, Options{Lost: lost}, target, part)
		if !errors.Is(err, want.err) {
			t.Errorf("%s: error %v", lost, err)
		}
		if got := target.w.seen(); len(got) != want.visible {
			t.Errorf("%s: visible %q", lost, got)
		}
		if err == nil && b.next != 2 {
			t.Errorf("%s: goes on with %d", lost, b.next)
		}
	}
}

// A topology that begins anew under an old name goes on behind the numbers that the target knows.
func TestNumbersGrow(t *testing.T) {
	target := newCalm()
	target.w.newest["id"] = 50
	b, e, err := begin(t, Options{}, target)
	if err != nil {
		t.Fatal(err)
	}
	b.Add([]byte("a"), e.C)
	part := freeze(t, b, 1)
	if _, _, err = begin(t, Options{}, target, part); err != nil {
		t.Fatal(err)
	}
	if got := target.w.seen(); len(got) != 1 || target.w.newest["id"] != 51 {
		t.Errorf("visible %q, newest %d", got, target.w.newest["id"])
	}
}

func TestEpochIsBounded(t *testing.T) {
	b, e, err := begin(t, Options{EpochBytes: 10}, newCalm())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Add(make([]byte, 11), e.C); !errors.Is(err, ErrTooMuch) {
		t.Errorf("error %v", err)
	}
}

func TestDamagedRecords(t *testing.T) {
	for _, in := range []string{"\x05abc", "\xff\xff\xff\xff\xff\x0f", "\x80"} {
		_, err := newRecords(strings.NewReader(in)).Next()
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", in, err)
		}
	}
	if _, err := newRecords(strings.NewReader("")).Next(); err != io.EOF {
		t.Error(err)
	}
}
