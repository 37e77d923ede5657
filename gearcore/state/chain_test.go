package state

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

var small = limits{slack: 4 << 10, files: 20, cycleLeast: 200, cycleShare: 2, tail: 1000, tailShare: 32, inline: 300, segment: 10_000, sweep: 50, growth: 16}

// TestChainStaysBounded makes many checkpoints that change a little each, in memory and on disk: what they name stays a few times what
// lives, a Freeze writes in proportion to what has changed, and the last one has everything.
func TestChainStaysBounded(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
	}{{"memory", Config{}}, {"disk", Config{Dir: t.TempDir(), Memory: 40_000}}} {
		t.Run(c.name, func(t *testing.T) {
			s, v := large(t, c.cfg)
			defer s.Close()
			s.lim, s.chain.lim = small, small
			const n = 2000
			vault := newVault()
			var part gearcore.Part
			want := map[string]string{}
			for epoch := range uint64(300) {
				change := n / 50
				if epoch == 0 {
					change = n
				}
				for i := range change {
					k := benchKey((int(epoch)*37 + i) % n)
					want[k] = fmt.Sprint(text(i), epoch)
					v.Set(k, want[k])
				}
				if gone := benchKey(int(epoch*11) % n); epoch%3 == 0 {
					v.Delete(gone)
					delete(want, gone)
				}
				before := vault.put
				part, _, _ = save(t, s, epoch+1, vault)
				if wrote := vault.put - before; epoch > 0 && wrote > 50_000 {
					t.Fatalf("checkpoint %d wrote %d bytes", epoch, wrote)
				}
				vault.retain([]gearcore.TaskPart{{Part: part}})
				s.Commit(epoch + 1)
				if err := s.Trim(); err != nil {
					t.Fatal(err)
				}
				named, total := 0, int64(0)
				for _, f := range part.Files {
					named++
					total += f.Bytes
				}
				if named > 120 || total > n*100*5 {
					t.Fatalf("checkpoint %d names %d files of %d bytes, for %d", epoch, named, total, n*100)
				}
			}
			if on := s.disk != nil; on != (c.cfg.Dir != "") {
				t.Fatalf("on disk: %v", on)
			}
			if s.chain.floor == 0 {
				t.Error("no cycle came to its end")
			}
			for _, again := range []Config{{}, {Dir: t.TempDir(), Memory: 1000}} {
				s, v := large(t, again)
				if err := s.Restore(recovery(part, vault)); err != nil {
					t.Fatal(err)
				}
				got := 0
				v.Each(func(k, x string) bool {
					if got++; want[k] != x {
						t.Fatalf("%s is %s, want %s", k, x, want[k])
					}
					return true
				})
				if got != len(want) || (s.disk != nil) != (again.Dir != "") {
					t.Fatalf("%d entries, want %d; on disk %v", got, len(want), s.disk != nil)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestNothingChangedCostsNothing makes checkpoints of a state that does not change.
func TestNothingChangedCostsNothing(t *testing.T) {
	s, v := large(t, Config{})
	for i := range 20_000 {
		v.Set(benchKey(i), text(i))
	}
	vault := newVault()
	first, _, _ := save(t, s, 1, vault)
	s.Commit(1)
	put := vault.put
	for epoch := uint64(2); epoch < 5; epoch++ {
		p, _, _ := save(t, s, epoch, vault)
		if len(p.Files) != len(first.Files) || vault.put != put {
			t.Errorf("checkpoint %d wrote %d bytes", epoch, vault.put-put)
		}
		s.Commit(epoch)
	}
	if n := testing.AllocsPerRun(20, func() {
		f, err := s.Freeze(9)
		if err != nil {
			t.Fatal(err)
		}
		f.Drop()
	}); n > 50 {
		t.Errorf("a Freeze of what has not changed allocates %v times", n)
	}
}

// TestUncommittedFilesAreNotNamedAgain: a file that was written for a checkpoint that never counted may be removed from the store.
func TestUncommittedFilesAreNotNamedAgain(t *testing.T) {
	s, v := large(t, Config{})
	vault := newVault()
	for i := range 5000 {
		v.Set(benchKey(i), text(i))
	}
	lost, _, _ := save(t, s, 1, vault) // never committed
	v.Set("later", "x")
	p, _, _ := save(t, s, 2, vault)
	for _, f := range p.Files {
		if f.Name == lost.Files[0].Name {
			t.Fatal("a file of a checkpoint that does not count is named")
		}
	}
	vault.retain([]gearcore.TaskPart{{Part: p}})
	s, v = large(t, Config{})
	if err := s.Restore(recovery(p, vault)); err != nil {
		t.Fatal(err)
	}
	if x, ok := v.Get("later"); s.Len() != 5001 || x != "x" || !ok {
		t.Errorf("%d entries, later is %q", s.Len(), x)
	}
}

// TestPiecesWithoutCommitsAreMerged: while no checkpoint counts, what is kept for the next one stays in proportion to the state.
func TestPiecesWithoutCommitsAreMerged(t *testing.T) {
	s, v := large(t, Config{})
	s.lim, s.chain.lim = small, small
	vault := newVault()
	vault.fail = 1 << 30
	for epoch := range uint64(400) {
		for i := range 100 {
			v.Set(benchKey((int(epoch)*10+i)%1000), text(i+int(epoch)))
		}
		f, err := s.Freeze(epoch + 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Save(context.Background(), vault); err == nil {
			t.Fatal("saved in a store that is full")
		}
		total := int64(0)
		for _, p := range s.chain.pieces {
			total += p.bytes
		}
		if total > 5*1000*100 {
			t.Fatalf("checkpoint %d: %d bytes wait in %d pieces", epoch, total, len(s.chain.pieces))
		}
	}
	vault.fail = 0
	p, _, _ := save(t, s, 1000, vault)
	s, _ = large(t, Config{})
	if err := s.Restore(recovery(p, vault)); err != nil || s.Len() != 1000 {
		t.Errorf("%d entries, %v", s.Len(), err)
	}
}

// TestDiskWithoutCheckpoints changes much more than there is memory for while no checkpoint counts: pieces do not gather, and the next
// checkpoint has everything.
func TestDiskWithoutCheckpoints(t *testing.T) {
	s, v := large(t, Config{Dir: t.TempDir(), Memory: 100_000})
	defer s.Close()
	s.lim, s.chain.lim = small, small
	vault := newVault()
	const n = 3000
	work := func(round int) {
		for i := range n {
			v.Set(benchKey(i), fmt.Sprint(round, text(i)))
			if i%97 == round {
				v.Delete(benchKey(i))
			}
			if err := s.Trim(); err != nil {
				t.Fatal(err)
			}
		}
		waiting := int64(0)
		for _, p := range s.chain.pieces {
			waiting += p.bytes
		}
		if waiting > 200_000 || s.memory() > 200_000 {
			t.Fatalf("round %d: %d bytes in %d pieces, %d in memory", round, waiting, len(s.chain.pieces), s.memory())
		}
	}
	for round := range 5 {
		work(round)
	}
	lost, _, _ := save(t, s, 1, vault)
	work(5)
	s.Commit(1) // too late: that checkpoint says nothing about how to go on
	p, _, _ := save(t, s, 2, vault)
	s.Commit(2)
	v.Set("later", "x")
	last, _, _ := save(t, s, 3, vault)
	for round, part := range map[int]gearcore.Part{4: lost, 5: p, 6: last} {
		s, v := large(t, Config{})
		if err := s.Restore(recovery(part, vault)); err != nil {
			t.Fatal(err)
		}
		want := 0
		for i := range n {
			x, ok := v.Get(benchKey(i))
			if gone := i%97 == min(round, 5); ok == gone || ok && x != fmt.Sprint(min(round, 5), text(i)) {
				t.Fatalf("round %d: entry %d is %q, %v", round, i, x, ok)
			} else if ok {
				want++
			}
		}
		if _, ok := v.Get("later"); ok != (round == 6) {
			t.Errorf("round %d: the entry that came later: %v", round, ok)
		}
		if s.Len() != want+round/6 {
			t.Errorf("round %d: %d entries, want %d", round, s.Len(), want+round/6)
		}
	}
}

// TestDeletedBeforeACommitIsHeardOf: that a checkpoint counts is heard when the next one is frozen already. What was deleted in between stands in what a
// cold cycle wrote for the first, and stays deleted.
func TestDeletedBeforeACommitIsHeardOf(t *testing.T) {
	open := func(cfg Config) (*Store, *Value[string, string]) {
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ends := WithTTL(TTL{After: time.Hour}) // so there is a cycle all the time
		return s, NewValue(s, "v", Strings[string](), Codec[string](Strings[string]()), ends)
	}
	s, v := open(Config{Dir: t.TempDir(), Memory: 100_000})
	defer s.Close()
	s.lim, s.chain.lim = small, small
	const n, more = 1500, 50
	for i := range n {
		v.Set(benchKey(i), "x")
		if err := s.Trim(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range more {
		v.Set(benchKey(n+i), "x")
	}
	vault := newVault()
	save(t, s, 1, vault)
	for i := 0; i < n; i += 2 {
		v.Delete(benchKey(i))
	}
	save(t, s, 2, vault)
	s.Commit(1)
	s.Commit(2)
	if based := slices.ContainsFunc(s.chain.files, func(u use) bool { return u.base }); !based || len(s.chain.pieces) > 0 {
		t.Fatalf("a cycle has written something: %v, and %d pieces wait", based, len(s.chain.pieces))
	}
	part, _, _ := save(t, s, 3, vault)
	again, w := open(Config{})
	if err := again.Restore(recovery(part, vault)); err != nil {
		t.Fatal(err)
	}
	for i := range n + more {
		if want := i >= n || i%2 == 1; w.Has(benchKey(i)) != want {
			t.Fatalf("entry %d is there: %v", i, !want)
		}
	}
}

// Checkpoints that come to nothing for long leave nothing behind, and the next one that counts is built on as any other.
func TestCheckpointsThatNeverCount(t *testing.T) {
	s, v := large(t, Config{})
	defer s.Close()
	vault := newVault()
	const n = 200
	for epoch := range uint64(n) {
		v.Set(benchKey(int(epoch)), text(1))
		save(t, s, epoch+1, vault)
	}
	if got := len(s.chain.saved); got > maxSaved {
		t.Errorf("of %d checkpoints it is remembered what was written", got)
	}
	s.Commit(n)
	if len(s.chain.saved) != 0 {
		t.Errorf("%d checkpoints are remembered after one that counts", len(s.chain.saved))
	}
}
