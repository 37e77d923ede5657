package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/storetest"
)

// have lists what a store has, in few letters: r a record, m a manifest, f a file with the epoch it was written for, s a savepoint, h what
// is held, o an origin.
func have(t *testing.T, s checkpoint.Store, topology string) string {
	t.Helper()
	l, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, o := range l {
		if strings.HasPrefix(o.Name, "savepoints/") {
			out = append(out, "s:"+o.Name[len("savepoints/"):])
			continue
		}
		f := strings.Split(o.Name, "/")
		if f[1] != topology {
			continue
		}
		last := f[len(f)-1]
		number, _, _ := strings.Cut(last, "-")
		switch number = strings.TrimLeft(number, "0"); f[2] {
		case "log", "manifests", "files":
			out = append(out, strings.NewReplacer("log", "r", "manifests", "m", "files", "f").Replace(f[2])+number)
		case "held":
			out = append(out, "h:"+last)
		default:
			out = append(out, f[2])
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func clean(t *testing.T, l *checkpoint.Log, done uint64) checkpoint.Cleaned {
	t.Helper()
	c, err := l.Clean(t.Context(), done)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCleanKeepsWhatIsNeeded(t *testing.T) {
	s := new(checkpoint.Memory)
	l := open(t, s)
	begin(t, l)
	first := commit(t, l, s, "t", 1)
	commit(t, l, s, "t", 2, first) // its file is needed by 5
	commit(t, l, s, "t", 3)
	if err := l.Savepoint(t.Context(), "good", 2); err != nil {
		t.Fatal(err)
	}
	commit(t, l, s, "t", 4)
	put := func(epoch uint64) gearcore.File {
		f, err := checkpoint.NewVault(s, "t", epoch).Put(t.Context(), "", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	put(5) // 5 was given up
	commit(t, l, s, "t", 6, first)
	put(7) // 7 is under way
	if c := clean(t, l, 6); c != (checkpoint.Cleaned{Records: 3, Manifests: 2, Files: 1}) {
		t.Errorf("cleaned %+v", c)
	}
	if got, want := have(t, s, "t"), "f1 f2 f3 f4 f6 f7 m3 m4 m6 r4 r5 r6 s:good"; got != want {
		t.Errorf("there is %s, want %s", got, want)
	}
	if b := begin(t, open(t, s)); b.Base != 6 || len(b.FellBack) > 0 {
		t.Errorf("then begins %+v", b)
	}
	// The savepoint goes, and 7 was committed.
	if err := checkpoint.DeleteSavepoint(t.Context(), s, "good"); err != nil {
		t.Fatal(err)
	}
	l = open(t, s)
	begin(t, l)
	clean(t, l, 7)
	if got, want := have(t, s, "t"), "f1 f3 f4 f6 m3 m4 m6 r4 r5 r6 r7 r8"; got != want {
		t.Errorf("without the savepoint there is %s, want %s", got, want)
	}
}

// A savepoint has the name of one that was deleted: what is needed is what it names, not what that one did.
func TestCleanKeepsWhatASavepointOfAnOldNameNeeds(t *testing.T) {
	s := new(checkpoint.Memory)
	l := open(t, s)
	begin(t, l)
	for e := uint64(1); e <= 9; e++ {
		commit(t, l, s, "t", e)
		switch e {
		case 1:
			if err := l.Savepoint(t.Context(), "latest", 1); err != nil {
				t.Fatal(err)
			}
		case 5:
			if err := checkpoint.DeleteSavepoint(t.Context(), s, "latest"); err != nil {
				t.Fatal(err)
			}
			if err := l.Savepoint(t.Context(), "latest", 5); err != nil {
				t.Fatal(err)
			}
		}
		clean(t, l, e)
	}
	if got, want := have(t, s, "t"), "f5 f7 f8 f9 m7 m8 m9 r10 r8 r9 s:latest"; got != want {
		t.Errorf("there is %s, want %s", got, want)
	}
}

// Checkpoints that were passed over do not count among those that are kept.
func TestCleanCountsWhatCounts(t *testing.T) {
	s := new(checkpoint.Memory)
	l := open(t, s, func(c *checkpoint.LogConfig) { c.Keep = 2 })
	begin(t, l)
	for e := uint64(1); e <= 4; e++ {
		commit(t, l, s, "t", e)
	}
	if _, err := l.Begin(t.Context(), checkpoint.Start{Below: 3}); err != nil {
		t.Fatal(err)
	}
	clean(t, l, 4)
	if got, want := have(t, s, "t"), "f1 f2 m1 m2 r2 r3 r4 r5 r6"; got != want {
		t.Errorf("there is %s, want %s", got, want)
	}
}

// Cleaning is cut off at each of its calls: what is left is good to begin with, and the next cleaning does the rest.
func TestCleanMayEndAnywhere(t *testing.T) {
	gone := errors.New("gone")
	for n := 1; ; n++ {
		s := &storetest.Faulty{Store: new(checkpoint.Memory)}
		l := open(t, s)
		begin(t, l)
		for e := uint64(1); e <= 6; e++ {
			commit(t, l, s, "t", e)
		}
		before := s.Calls()
		s.On = func(_ context.Context, c storetest.Call) storetest.Fault {
			if c.N >= before+n {
				return storetest.Fault{Err: gone}
			}
			return storetest.Fault{}
		}
		_, err := l.Clean(t.Context(), 6)
		s.On = nil
		if err != nil && !errors.Is(err, gone) {
			t.Fatal(err)
		}
		if b := begin(t, open(t, s)); b.Base != 6 || len(b.FellBack) > 0 {
			t.Fatalf("after %d calls it begins with %+v", n, b)
		}
		if err == nil {
			break
		}
		l = open(t, s)
		begin(t, l)
		clean(t, l, 6)
		if got := have(t, s, "t"); !strings.HasPrefix(got, "f4 f5 f6 m4 m5 m6 r5") {
			t.Fatalf("after %d calls and another cleaning there is %s", n, got)
		}
	}
}

// A coordinator that was replaced does not clean: another one has other plans for what is there.
func TestCleanIsFenced(t *testing.T) {
	s := new(checkpoint.Memory)
	l := open(t, s)
	begin(t, l)
	for e := uint64(1); e <= 5; e++ {
		commit(t, l, s, "t", e)
	}
	begin(t, open(t, s))
	before := have(t, s, "t")
	if _, err := l.Clean(t.Context(), 5); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("it gets %v", err)
	}
	if after := have(t, s, "t"); after != before {
		t.Errorf("there is %s, before %s", after, before)
	}
}

// putting calls written for each record that is there while its writer does not know yet.
type putting struct {
	checkpoint.Store
	written func() error
}

func (p putting) PutIfAbsent(ctx context.Context, name string, content []byte) error {
	if err := p.Store.PutIfAbsent(ctx, name, content); err != nil {
		return err
	}
	if !strings.Contains(name, "/log/") {
		return nil
	}
	return p.written()
}

// A record of its own that it has no answer for yet is not another's; nothing is removed until it knows.
func TestCleanBesideAWrite(t *testing.T) {
	s := putting{new(checkpoint.Memory), func() error { return nil }}
	l := open(t, &s)
	begin(t, l)
	for e := uint64(1); e <= 5; e++ {
		commit(t, l, &s, "t", e)
	}
	s.written = func() error {
		c, err := l.Clean(t.Context(), 5)
		if c != (checkpoint.Cleaned{}) {
			t.Errorf("while a record is written, %+v is cleaned", c)
		}
		return err
	}
	commit(t, l, &s, "t", 6)
	if c := clean(t, l, 6); c.Records == 0 {
		t.Errorf("after it, %+v is cleaned", c)
	}
	lost := errors.New("no answer")
	s.written = func() error { return lost }
	if _, err := l.Commit(t.Context(), manifest(7)); !errors.Is(err, lost) {
		t.Fatalf("without an answer it gets %v", err)
	}
	if c := clean(t, l, 7); c != (checkpoint.Cleaned{}) {
		t.Errorf("while it is not known whether 7 counts, %+v is cleaned", c)
	}
	if err := l.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := have(t, &s, "t"); got != "" {
		t.Errorf("there is %q", got)
	}
}

// What a damaged manifest needs nobody knows, so no file goes.
func TestCleanStopsAtDamage(t *testing.T) {
	s := new(checkpoint.Memory)
	l := open(t, s)
	begin(t, l)
	for e := uint64(1); e <= 5; e++ {
		commit(t, l, s, "t", e)
	}
	damage(t, s, area+"manifests/"+digits(4), flip)
	if _, err := l.Clean(t.Context(), 5); !errors.Is(err, checkpoint.ErrCorrupt) || !strings.Contains(err.Error(), digits(4)) {
		t.Errorf("it ends with %v", err)
	}
	if got := have(t, s, "t"); !strings.HasPrefix(got, "f1 f2 f3 f4 f5 ") {
		t.Errorf("there is %s", got)
	}
}

func TestSavepoints(t *testing.T) {
	s := new(checkpoint.Memory)
	l := open(t, s)
	begin(t, l)
	commit(t, l, s, "t", 1)
	commit(t, l, s, "t", 2)
	for range 2 { // the answer may have been lost
		if err := l.Savepoint(t.Context(), "a", 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Savepoint(t.Context(), "a", 2); !errors.Is(err, checkpoint.ErrExists) {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := l.Savepoint(t.Context(), "b", 7); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("an epoch that is not there: %v", err)
	}
	for _, bad := range []string{"", "a/b", "..", ".x", "ä", strings.Repeat("x", 101)} {
		if l.Savepoint(t.Context(), bad, 2) == nil {
			t.Errorf("savepoint %q", bad)
		}
		if _, err := checkpoint.ReadSavepoint(t.Context(), s, bad); err == nil || checkpoint.DeleteSavepoint(t.Context(), s, bad) == nil {
			t.Errorf("savepoint %q can be read or deleted", bad)
		}
	}
	if names, err := checkpoint.Savepoints(t.Context(), s); err != nil || !slices.Equal(names, []string{"a"}) {
		t.Errorf("there are %q, %v", names, err)
	}
	if m, err := checkpoint.ReadSavepoint(t.Context(), s, "a"); err != nil || m.Epoch != 1 || m.Topology != "t" {
		t.Errorf("it is %+v, %v", m, err)
	}
}

// A topology starts from a savepoint of another. Its files stay for as long as a checkpoint of the new one names them, though the
// savepoint and the other topology are gone, and no longer.
func TestStartFromASavepoint(t *testing.T) {
	s := new(checkpoint.Memory)
	l := open(t, s)
	begin(t, l)
	old := commit(t, l, s, "t", 5)
	if err := l.Savepoint(t.Context(), "good", 5); err != nil {
		t.Fatal(err)
	}
	from := func(c *checkpoint.LogConfig) { c.Topology, c.From, c.Keep = "u", "good", 2 }
	u := open(t, s, from)
	b := begin(t, u)
	if b.Base != 5 || b.First != 6 || len(b.FellBack) > 0 {
		t.Fatalf("it begins with %+v", b)
	}
	if m, err := checkpoint.ReadManifest(t.Context(), s, "u", 5); err != nil || m.Components[0].Parts[0].Files[0] != old {
		t.Fatalf("workers find %+v, %v", m, err)
	}
	if err := checkpoint.DeleteSavepoint(t.Context(), s, "good"); err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.Purge(t.Context(), s, "t"); err != nil {
		t.Fatal(err)
	}
	if got, want := have(t, s, "t"), "f5 h:u"; got != want {
		t.Errorf("of the old one there is %s, want %s", got, want)
	}
	commit(t, u, s, "u", 6, old)
	clean(t, u, 6)
	u = open(t, s, from)
	if b := begin(t, u); b.Base != 6 || len(b.FellBack) > 0 {
		t.Errorf("after a checkpoint of its own it begins with %+v", b)
	}
	commit(t, u, s, "u", b.First+10)
	commit(t, u, s, "u", b.First+11)
	clean(t, u, b.First+11)
	if got := have(t, s, "t"); got != "" {
		t.Errorf("in the end there is %s", got)
	}
	if got := have(t, s, "u"); strings.Contains(got, "origin") {
		t.Errorf("of the new one there is %s", got)
	}
}

// The third of three topologies, each of which was started from a savepoint of the one before, needs files of the first and none of the
// second. They stay for as long as it names them, though both others and the savepoints are gone, and no longer.
func TestStartFromASavepointOfOneThatDid(t *testing.T) {
	s := new(checkpoint.Memory)
	first := open(t, s)
	begin(t, first)
	old := commit(t, first, s, "t", 1)
	if err := first.Savepoint(t.Context(), "one", 1); err != nil {
		t.Fatal(err)
	}
	second := open(t, s, func(c *checkpoint.LogConfig) { c.Topology, c.From = "u", "one" })
	begin(t, second)
	commit(t, second, s, "u", 5, old)
	if err := second.Savepoint(t.Context(), "two", 5); err != nil {
		t.Fatal(err)
	}
	from := func(c *checkpoint.LogConfig) { c.Topology, c.From, c.Keep = "v", "two", 2 }
	third := open(t, s, from)
	next := begin(t, third).First
	for _, gone := range []struct{ topology, savepoint string }{{"t", "one"}, {"u", "two"}} {
		if err := checkpoint.Purge(t.Context(), s, gone.topology); err != nil {
			t.Fatal(err)
		}
		if err := checkpoint.DeleteSavepoint(t.Context(), s, gone.savepoint); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		commit(t, third, s, "v", next, old)
		next++
	}
	clean(t, third, next-1)
	if got, want := have(t, s, "t"), "f1 h:u"; got != want {
		t.Errorf("of the first one there is %s, want %s", got, want)
	}
	third = open(t, s, from)
	b := begin(t, third)
	if b.Base != next-1 || len(b.FellBack) > 0 {
		t.Fatalf("it begins with %+v, want %d", b, next-1)
	}
	commit(t, third, s, "v", b.First)
	commit(t, third, s, "v", b.First+1)
	clean(t, third, b.First+1)
	if got := have(t, s, "t") + have(t, s, "u"); got != "" {
		t.Errorf("in the end there is %s", got)
	}
	if got := have(t, s, "v"); strings.Contains(got, "origin") {
		t.Errorf("of the third one there is %s", got)
	}
}

func TestStartFromACheckpoint(t *testing.T) {
	s := new(checkpoint.Memory)
	l := open(t, s)
	begin(t, l)
	commit(t, l, s, "t", 1)
	u := open(t, s, func(c *checkpoint.LogConfig) { c.Topology, c.From = "u", "t/1" })
	if b := begin(t, u); b.Base != 1 {
		t.Errorf("it begins with %+v", b)
	}
	for from, want := range map[string]error{"t/9": checkpoint.ErrNotFound, "nothing": checkpoint.ErrNotFound} {
		v := open(t, s, func(c *checkpoint.LogConfig) { c.Topology, c.From = "v", from })
		if _, err := v.Begin(t.Context(), checkpoint.Start{}); !errors.Is(err, want) || !strings.Contains(err.Error(), from) {
			t.Errorf("from %s: %v", from, err)
		}
	}
	v := open(t, s, func(c *checkpoint.LogConfig) { c.Topology, c.From = "v", "nothing" })
	if _, err := v.Begin(t.Context(), checkpoint.Start{}); !strings.HasSuffix(err.Error(), "start from nothing: it does not exist: `gearstorm savepoint --store URL` lists the savepoints of a store") {
		t.Errorf("from a name that is not there: %v", err)
	}
	for _, bad := range []string{"t/x", "/1", "t/0", "t/-1", "..", "a b"} {
		if _, err := checkpoint.OpenLog(checkpoint.LogConfig{Store: s, Topology: "v", From: bad}); err == nil {
			t.Errorf("from %q", bad)
		}
	}
}

// The start from a savepoint is cut off at each of its calls; the next try does it, and never from the beginning.
func TestStartFromASavepointMayEndAnywhere(t *testing.T) {
	gone := errors.New("gone")
	for n := 1; ; n++ {
		s := &storetest.Faulty{Store: new(checkpoint.Memory)}
		l := open(t, s)
		begin(t, l)
		commit(t, l, s, "t", 1)
		if err := l.Savepoint(t.Context(), "good", 1); err != nil {
			t.Fatal(err)
		}
		before := s.Calls()
		s.On = func(_ context.Context, c storetest.Call) storetest.Fault {
			if c.N == before+n {
				return storetest.Fault{Err: gone, After: n%2 == 0}
			}
			return storetest.Fault{}
		}
		from := func(c *checkpoint.LogConfig) { c.Topology, c.From = "u", "good" }
		_, err := open(t, s, from).Begin(t.Context(), checkpoint.Start{})
		s.On = nil
		if b := begin(t, open(t, s, from)); b.Base != 1 {
			t.Fatalf("after %d calls it begins with %+v", n, b)
		}
		if err == nil {
			break
		}
	}
}

// A savepoint is deleted and its topology cleans while another one starts from it: it starts with all files, or not at all.
func TestStartFromASavepointThatGoes(t *testing.T) {
	for n := 1; n < 12; n++ {
		s := &storetest.Faulty{Store: new(checkpoint.Memory)}
		l := open(t, s, func(c *checkpoint.LogConfig) { c.Keep = 2 })
		begin(t, l)
		commit(t, l, s, "t", 1)
		if err := l.Savepoint(t.Context(), "good", 1); err != nil {
			t.Fatal(err)
		}
		commit(t, l, s, "t", 2)
		commit(t, l, s, "t", 3)
		before, going := s.Calls(), false
		s.On = func(ctx context.Context, c storetest.Call) storetest.Fault {
			if c.N == before+n && !going {
				going = true
				if err := checkpoint.DeleteSavepoint(ctx, s, "good"); err != nil {
					t.Error(err)
				}
				if _, err := l.Clean(ctx, 3); err != nil {
					t.Error(err)
				}
			}
			return storetest.Fault{}
		}
		u := open(t, s, func(c *checkpoint.LogConfig) { c.Topology, c.From = "u", "good" })
		b, err := u.Begin(t.Context(), checkpoint.Start{})
		if err != nil {
			continue
		}
		m, err := checkpoint.ReadManifest(t.Context(), s, "u", b.Base)
		if err != nil || b.Base != 1 {
			t.Fatalf("%+v, %v", b, err)
		}
		r, err := checkpoint.NewVault(s, "u", 0).Get(t.Context(), m.Components[0].Parts[0].Files[0])
		if err != nil {
			t.Fatalf("gone at call %d: %v", n, err)
		}
		r.Close()
	}
}

func TestPurge(t *testing.T) {
	s := new(checkpoint.Memory)
	for _, topology := range []string{"t", "other"} {
		l := open(t, s, func(c *checkpoint.LogConfig) { c.Topology = topology })
		begin(t, l)
		for e := uint64(1); e <= 3; e++ {
			commit(t, l, s, topology, e)
		}
		if err := l.Savepoint(t.Context(), topology, 2); err != nil {
			t.Fatal(err)
		}
	}
	if err := checkpoint.Purge(t.Context(), s, "t"); err != nil {
		t.Fatal(err)
	}
	if got, want := have(t, s, "t"), "f2 s:other s:t"; got != want {
		t.Errorf("there is %s, want %s", got, want)
	}
	if got := have(t, s, "other"); !strings.HasPrefix(got, "f1 f2 f3 m1 m2 m3 r1 r2 r3 r4") {
		t.Errorf("of the other one there is %s", got)
	}
	// The last that needs them takes the files along.
	if err := checkpoint.DeleteSavepoint(t.Context(), s, "t"); err != nil {
		t.Fatal(err)
	}
	if got, want := have(t, s, "t"), "s:other"; got != want {
		t.Errorf("there is %s, want %s", got, want)
	}
}

func TestNamesOfTopologies(t *testing.T) {
	s := new(checkpoint.Memory)
	long := strings.Repeat("ü", 200)
	for i, topology := range []string{"a b", "a=20b", "a_b", ".a", "..", long + "1", long + "2", "log", "Größe-1-1700000000"} {
		l := open(t, s, func(c *checkpoint.LogConfig) { c.Topology = topology })
		if b := begin(t, l); b.Generation != 1 {
			t.Errorf("%.20q shares the records of another one", topology)
		}
		commit(t, l, s, topology, uint64(i+1))
	}
	for _, bad := range []checkpoint.LogConfig{{Store: s}, {Topology: "t"}, {Store: s, Topology: "t", Keep: -1}} {
		if _, err := checkpoint.OpenLog(bad); err == nil {
			t.Error(fmt.Sprintf("%+v opens", bad))
		}
	}
}
