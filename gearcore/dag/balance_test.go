package dag

import (
	"fmt"
	"slices"
	"testing"
)

// lab is Targets with loads that tests set, and counts what each target got.
type lab struct {
	load  []float32
	got   []int
	asked int
}

func newLab(n int) *lab { return &lab{load: make([]float32, n), got: make([]int, n)} }

func (l *lab) Load(i int) float32 { l.asked++; return l.load[i] }

// send gives times turns of tuples that size says.
func (l *lab) send(b *Balance, times int, size func(turn int) int) {
	for turn := range times {
		i, n := b.Next(l), size(turn)
		b.Took(i, n)
		l.got[i] += n
	}
}

func each(n int) func(int) int { return func(int) int { return n } }

func aware(scopes ...Scope) BalanceConfig {
	return BalanceConfig{LoadAware: true, Lower: 0.2, Higher: 0.8, Scopes: scopes}
}

// Whatever the turns are like, the shares are equal up to one turn, or little more where there are very many targets.
func TestBalanceIsEven(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		conf BalanceConfig
		size func(int) int
		off  int
	}{
		{"single tuples", 7, aware(), each(1), 1},
		{"plain", 7, BalanceConfig{}, each(1), 1},
		{"batches", 48, aware(), each(256), 256},
		{"large and small by turns", 2, aware(), func(i int) int { return 1 + 255*(i%2) }, 256},
		{"many targets", 1000, aware(), each(1), 4},
	} {
		l := newLab(c.n)
		l.send(NewBalance(c.n, c.conf, 1), 100*c.n, c.size)
		if lo, hi := slices.Min(l.got), slices.Max(l.got); hi-lo > c.off {
			t.Errorf("%s: between %d and %d tuples", c.name, lo, hi)
		}
	}
}

func TestBalanceStartsAtRandom(t *testing.T) {
	first := map[int]int{}
	for seed := range uint64(400) {
		first[NewBalance(4, aware(), seed).Next(newLab(4))]++
	}
	for i := range 4 {
		if first[i] < 60 {
			t.Errorf("target %d was first %d of 400 times", i, first[i])
		}
	}
}

// A target without room gets nothing, and when it is back it gets its share, but not all that it has missed.
func TestBalancePassesOverAFullTarget(t *testing.T) {
	l, b := newLab(4), NewBalance(4, aware(), 1)
	l.load[2] = 1
	l.send(b, 40_000, each(1))
	if l.got[2] != 0 || l.got[0]+l.got[1]+l.got[3] != 40_000 {
		t.Fatalf("%v with the third one full", l.got)
	}
	l.load[2] = 0
	clear(l.got)
	l.send(b, 40_000, each(1))
	if l.got[2] < 10_000 || l.got[2] > 10_000+catchUp {
		t.Errorf("the target that is back got %d of 40,000", l.got[2])
	}
	plain := NewBalance(4, BalanceConfig{}, 1)
	clear(l.got)
	l.load[2] = 1
	l.send(plain, 400, each(1))
	if l.got[2] != 100 {
		t.Errorf("without regard to load the full one got %d of 400", l.got[2])
	}
}

// A slow target gets what it can take: here each tuple fills a thousandth, and targets empty at different speeds.
func TestBalanceFollowsSpeed(t *testing.T) {
	l, b := newLab(3), NewBalance(3, aware(), 1)
	speed := []float32{0.002, 0.002, 0.0002}
	worst := float32(0)
	for range 100_000 {
		i := b.Next(l)
		b.Took(i, 1)
		l.got[i]++
		l.load[i] += 0.001
		for j := range l.load {
			l.load[j] = max(l.load[j]-speed[j]/3, 0)
		}
		worst = max(worst, slices.Max(l.load))
	}
	if share := float64(l.got[2]) / 100_000; share < 0.04 || share > 0.12 {
		t.Errorf("a target with a tenth of the speed got %.3f", share)
	}
	if worst > tolerance+0.1 {
		t.Errorf("a target was loaded to %.2f while others were idle", worst)
	}
}

func TestBalanceWithoutRoomAnywhere(t *testing.T) {
	l, b := newLab(3), NewBalance(3, aware(), 1)
	copy(l.load, []float32{5, 2, 9})
	l.send(b, 10, each(1))
	if l.got[1] != 10 {
		t.Errorf("%v: the one where least waits should get all", l.got)
	}
}

// Tuples stay near while that is not too much, go further when it is, and come back.
func TestBalanceLocality(t *testing.T) {
	l, b := newLab(5), NewBalance(5, aware(Anywhere, InWorker, OnHost, InWorker, Anywhere), 1)
	for _, c := range []struct {
		loads []float32
		scope Scope
		gets  []bool
	}{
		{[]float32{0, 0, 0, 0, 0}, InWorker, []bool{false, true, false, true, false}},
		{[]float32{0, 0.5, 0, 0.5, 0}, InWorker, []bool{false, true, false, true, false}},
		{[]float32{0, 1, 0, 1, 0}, OnHost, []bool{false, false, true, false, false}},
		{[]float32{0, 1, 1, 1, 0}, Anywhere, []bool{true, false, false, false, true}},
		{[]float32{0, 0.5, 0.5, 0.5, 0.5}, Anywhere, []bool{true, false, false, false, false}},
		{[]float32{0.1, 0.1, 0.1, 0.1, 0.1}, InWorker, []bool{false, true, false, true, false}},
	} {
		copy(l.load, c.loads)
		l.send(b, 2000, each(1)) // time to notice
		clear(l.got)
		l.send(b, 100, each(1))
		var gets []bool
		for _, n := range l.got {
			gets = append(gets, n > 0)
		}
		if b.Scope() != c.scope || !slices.Equal(gets, c.gets) {
			t.Errorf("loads %v: scope %d, tuples %v; want scope %d", c.loads, b.Scope(), l.got, c.scope)
		}
	}
	far := NewBalance(2, aware(Anywhere, Anywhere), 1)
	if far.Scope() != Anywhere {
		t.Errorf("without near targets the scope is %d", far.Scope())
	}
	// A load between the bounds changes nothing, also of the wider scope when the near ones are what is asked about.
	flips, last := 0, b.Scope()
	copy(l.load, []float32{0.5, 0.5, 0.5, 0.5, 0.5})
	for range 10_000 {
		l.send(b, 1, each(1))
		if b.Scope() != last {
			flips, last = flips+1, b.Scope()
		}
	}
	if flips > 1 {
		t.Errorf("the scope changed %d times under a steady load", flips)
	}
}

func TestBalanceAllocatesNothing(t *testing.T) {
	l, b := newLab(100), NewBalance(100, aware(), 1)
	l.load[3] = 1
	if n := testing.AllocsPerRun(1000, func() { b.Took(b.Next(l), 1) }); n != 0 {
		t.Errorf("a turn allocates %v times", n)
	}
}

func BenchmarkBalance(b *testing.B) {
	for _, n := range []int{4, 48, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, bal := newLab(n), NewBalance(n, aware(), 1)
			for b.Loop() {
				bal.Took(bal.Next(l), 1)
			}
		})
	}
}
