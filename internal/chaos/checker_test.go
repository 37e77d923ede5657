package chaos

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// history is a run of one source whose numbers 1 to 100 were all sent, acked and seen, in order, by one relay and sink.
func history(t *testing.T) *Checker {
	t.Helper()
	c := NewChecker(1)
	for n := uint64(1); n <= 100; n++ {
		c.Ack(0, n)
	}
	for n := uint64(1); n <= 100; n++ {
		c.Sight("a", Sight{Number: n, Relay: 7, Count: n})
	}
	claimed(t, c, claim{1, 0}, claim{1, 60}, claim{1, 40})
	return c
}

func claimed(t *testing.T, c *Checker, all ...claim) {
	t.Helper()
	for _, cl := range all {
		if err := c.Claim(0, cl); err != nil {
			t.Fatal(err)
		}
	}
}

// The checker finds what was planted, and nothing in a run in which nothing was.
func TestCheckerFindsWhatWasPlanted(t *testing.T) {
	clean := Totals{Claimed: 100, Acked: 100, Seen: 100}
	for _, tc := range []struct {
		name    string
		plant   func(c *Checker)
		want    Totals
		missing int
		open    int
	}{
		{"nothing", func(*Checker) {}, clean, 0, 0},
		{"an arrival twice", func(c *Checker) { c.Sight("a", Sight{Number: 50, Relay: 7, Count: 101}) },
			Totals{Claimed: 100, Acked: 100, Seen: 100, Duplicated: 1}, 0, 0},
		{"a number that was sent and never came", func(c *Checker) { claimed(t, c, claim{1, 1}) },
			Totals{Claimed: 101, Acked: 100, Seen: 100}, 1, 1},
		{"a number that was acked and never came", func(c *Checker) { claimed(t, c, claim{1, 1}); c.Ack(0, 101) },
			Totals{Claimed: 101, Acked: 101, Seen: 100, Unseen: 1}, 1, 0},
		{"an ack twice", func(c *Checker) { c.Ack(0, 3) }, clean, 0, 0},
		{"a number that nobody claimed", func(c *Checker) { c.Sight("a", Sight{Number: 101, Relay: 7, Count: 101}) },
			Totals{Claimed: 100, Acked: 100, Seen: 101, Foreign: 1}, 0, 0},
		{"a source that does not exist", func(c *Checker) { c.Sight("a", Sight{Source: 1, Number: 1, Relay: 7, Count: 101}) },
			Totals{Claimed: 100, Acked: 100, Seen: 100, Foreign: 1}, 0, 0},
		{"a number beyond all reason", func(c *Checker) { c.Sight("a", Sight{Number: 1 << 62, Relay: 7, Count: 101}) },
			Totals{Claimed: 100, Acked: 100, Seen: 100, Foreign: 1}, 0, 0},
		{"an ack of nothing", func(c *Checker) { c.Ack(0, 0) }, Totals{Claimed: 100, Acked: 100, Seen: 100, Foreign: 1}, 0, 0},
		{"a damaged text", func(c *Checker) {
			claimed(t, c, claim{1, 1})
			c.Sight("a", Sight{Number: 101, Relay: 7, Count: 101, Corrupt: true})
		}, Totals{Claimed: 101, Acked: 100, Seen: 101, Corrupt: 1}, 0, 1},
		{"another order", func(c *Checker) {
			claimed(t, c, claim{1, 2})
			c.Sight("a", Sight{Number: 102, Relay: 7, Count: 102})
			c.Sight("a", Sight{Number: 101, Relay: 7, Count: 101})
		}, Totals{Claimed: 102, Acked: 100, Seen: 102, Disordered: 1}, 0, 2},
		{"another relay's order", func(c *Checker) { claimed(t, c, claim{1, 1}); c.Sight("a", Sight{Number: 101, Relay: 8, Count: 1}) },
			Totals{Claimed: 101, Acked: 100, Seen: 101}, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := history(t)
			tc.plant(c)
			if d := cmp.Diff(tc.want, c.Totals()); d != "" {
				t.Errorf("totals (-want +got):\n%s", d)
			}
			if got := c.Missing(c.Mark()); got != tc.missing {
				t.Errorf("%d missing, want %d", got, tc.missing)
			}
			if got := c.Open(c.Mark()); got != tc.open {
				t.Errorf("%d open, want %d", got, tc.open)
			}
		})
	}
}

// Whatever numbers are left out at random are missing, to the last one.
func TestCheckerCountsRandomLosses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := NewChecker(1)
	want := 0
	for count, n := range r.Perm(10_000) {
		if r.IntN(50) == 0 {
			want++
			continue
		}
		c.Sight("a", Sight{Number: uint64(n) + 1, Relay: 1, Count: uint64(count) + 1})
	}
	claimed(t, c, claim{1, 0}, claim{1, 10_000})
	if got := c.Missing(c.Mark()); got != want || want == 0 {
		t.Errorf("%d missing, want %d", got, want)
	}
	if before := c.Missing(Mark{0}); before != 0 {
		t.Errorf("%d missing of none", before)
	}
}

// Only the last incarnation that took a source over gets numbers, and every reader agrees which.
func TestClaims(t *testing.T) {
	var c claims
	for i, step := range []struct {
		claim       claim
		first, last uint64
	}{
		{claim{5, 10}, 1, 0}, // before it took the source over
		{claim{1, 0}, 1, 0},
		{claim{1, 10}, 1, 10},
		{claim{1, 5}, 11, 15},
		{claim{2, 0}, 1, 0},
		{claim{1, 10}, 1, 0}, // a predecessor that still runs
		{claim{2, 10}, 16, 25},
		{claim{1, 10}, 1, 0},
	} {
		if first, last := c.apply(step.claim); first != step.first || last != step.last {
			t.Errorf("step %d gives %d to %d, want %d to %d", i, first, last, step.first, step.last)
		}
	}
}

func TestClaimIsNotBelievedWhenDamaged(t *testing.T) {
	good := claim{incarnation: 0xdeadbeefcafe, n: 100}.encode()
	if c, err := decodeClaim(good); err != nil || c.n != 100 {
		t.Fatalf("%v, %v", c, err)
	}
	for i := range good {
		bad := append([]byte{}, good...)
		bad[i] ^= 0x10
		if c, err := decodeClaim(bad); err == nil {
			t.Errorf("byte %d damaged and still read as %v", i, c)
		}
	}
}

// A tail reads what is appended once, and leaves a record that is not whole yet.
func TestTail(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) {
		t.Helper()
		f, err := openLedger(dir, name)
		if err == nil {
			_, err = f.Write(b)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ack := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
	c := NewChecker(1)
	tl := newTail(dir, c)
	defer tl.close()
	poll := func(want Totals) {
		t.Helper()
		if err := tl.poll(); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, c.Totals()); d != "" {
			t.Errorf("totals (-want +got):\n%s", d)
		}
	}
	poll(Totals{})
	write(claimsFile(0), append(claim{1, 0}.encode(), claim{1, 10}.encode()...))
	var rec [sightBytes]byte
	Sight{Number: 1, Relay: 1, Count: 1}.encode(&rec)
	write(sightsFile(3, 9), rec[:])
	write(acksFile(0, 1), append(ack(1), 2, 0, 0)) // and three bytes of the next
	poll(Totals{Claimed: 10, Acked: 1, Seen: 1})
	poll(Totals{Claimed: 10, Acked: 1, Seen: 1})
	write(acksFile(0, 1), []byte{0, 0, 0, 0, 0})
	write(acksFile(0, 2), ack(1))
	poll(Totals{Claimed: 10, Acked: 2, Seen: 1, Unseen: 1})
	if err := os.WriteFile(filepath.Join(dir, "acks-x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tl.poll(); err == nil {
		t.Error("a file of no source is read without an error")
	}
}

func TestSightKeepsItsFields(t *testing.T) {
	want := Sight{Source: 3, Corrupt: true, Number: 1 << 40, Relay: 1<<63 + 5, Count: 9}
	var b [sightBytes]byte
	want.encode(&b)
	if got := decodeSight(b[:]); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestTextsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for n := range uint64(1000) {
		for s := range 2 {
			seen[textOf(1, s, n)] = true
		}
	}
	if len(seen) != 2000 || seen[textOf(2, 0, 5)] {
		t.Errorf("%d texts of 2000 records", len(seen))
	}
}
