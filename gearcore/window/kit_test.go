package window

import (
	"cmp"
	"fmt"
	"slices"
)

// plain is State in ordinary maps.
type plain[A any] struct {
	panes map[string]map[Span]*Acc[A]
	refs  int
}

func (p *plain[A]) Get(k string, s Span) (Acc[A], bool) {
	if a := p.panes[k][s]; a != nil {
		return *a, true
	}
	return Acc[A]{}, false
}

func (p *plain[A]) Ref(k string, s Span) (*Acc[A], bool) {
	p.refs++
	if a := p.panes[k][s]; a != nil {
		return a, true
	}
	if p.panes[k] == nil {
		p.panes[k] = map[Span]*Acc[A]{}
	}
	p.panes[k][s] = &Acc[A]{}
	return p.panes[k][s], false
}

func (p *plain[A]) Delete(k string, s Span) bool {
	_, ok := p.panes[k][s]
	delete(p.panes[k], s)
	if len(p.panes[k]) == 0 {
		delete(p.panes, k)
	}
	return ok
}

func (p *plain[A]) Each(k string, f func(s Span, a *Acc[A]) bool) {
	for s, a := range p.panes[k] {
		if !f(s, a) {
			return
		}
	}
}

func (p *plain[A]) size() int {
	n := 0
	for _, m := range p.panes {
		n += len(m)
	}
	return n
}

// alarms are Timers in a sorted list.
type alarms struct{ all []alarm }

type alarm struct {
	at int64
	k  string
}

func compareAlarms(a, b alarm) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.k, b.k)) }

func (l *alarms) Set(k string, at int64) {
	if i, ok := slices.BinarySearchFunc(l.all, alarm{at, k}, compareAlarms); !ok {
		l.all = slices.Insert(l.all, i, alarm{at, k})
	}
}

func (l *alarms) Delete(k string, at int64) bool {
	i, ok := slices.BinarySearchFunc(l.all, alarm{at, k}, compareAlarms)
	if ok {
		l.all = slices.Delete(l.all, i, i+1)
	}
	return ok
}

func (l *alarms) Next() (int64, bool) {
	if len(l.all) == 0 {
		return 0, false
	}
	return l.all[0].at, true
}

func (l *alarms) Due(upTo int64, f func(k string, at int64) error) error {
	for len(l.all) > 0 && l.all[0].at <= upTo {
		a := l.all[0]
		l.all = l.all[1:]
		if err := f(a.k, a.at); err != nil {
			return err
		}
	}
	return nil
}

// listing is an aggregator that shows which records are in a pane: their numbers, sorted.
func listing(merge bool) Aggregator[[]int, int, string] {
	a := Aggregator[[]int, int, string]{
		Add:    func(acc *[]int, v int) { *acc = append(*acc, v) },
		Result: func(acc *[]int) string { return fmt.Sprint(sorted(*acc)) },
	}
	if merge {
		a.Merge = func(into, from *[]int) { *into = append(slices.Clone(*into), *from...) }
	}
	return a
}

func sorted(list []int) []int {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// kit is a Core over plain state that remembers its panes.
type kit struct {
	*Core[string, []int, int, string]
	panes *plain[[]int]
	ends  *alarms
	early *alarms
	got   []string
	out   int64    // the output watermark that was told
	older []string // panes that are older than that, where none may be
}

func newKit(cfg Config, merge bool) (*kit, error) {
	k := &kit{panes: &plain[[]int]{panes: map[string]map[Span]*Acc[[]int]{}}, ends: &alarms{}, early: &alarms{}}
	var err error
	k.Core, err = New(cfg, listing(merge), State[string, []int]{k.panes, k.ends, k.early}, func(p Pane[string, string]) error {
		k.got = append(k.got, show(p))
		if p.Time < k.out && (cfg.HoldLate || cfg.Lateness == 0) {
			k.older = append(k.older, fmt.Sprint(show(p), " behind ", k.out))
		}
		return nil
	})
	return k, err
}

func show(p Pane[string, string]) string {
	return fmt.Sprintf("%s [%d %d) %v %s @%d", p.Key, p.Span.Start, p.Span.End, p.Timing, p.Out, p.Time)
}

// take returns the panes since the last take, sorted: the order of keys is not fixed.
func (k *kit) take() []string {
	got := k.got
	k.got = nil
	slices.Sort(got)
	return got
}
