package transport

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// check states what must hold of a link's flow between calls.
func (f *flow) check(t *testing.T, os []*Outlet) {
	t.Helper()
	floating := 0
	for i, o := range os {
		floating += max(o.underWay()-f.win.exclusive, 0)
		sum := 0
		for _, n := range o.sizes.items[o.sizes.head:] {
			sum += n
		}
		if o.underWay() < 0 || o.sizes.len() != o.underWay() || sum != o.bytes {
			t.Fatalf("outlet %d: %d under way, %d sizes of %d bytes, counted %d", i, o.underWay(), o.sizes.len(), sum, o.bytes)
		}
		if slices.Contains(f.ready.items[f.ready.head:], o) != o.scheduled || slices.Contains(f.starved, o) != o.starved || o.scheduled && o.starved {
			t.Fatalf("outlet %d: scheduled %v, starved %v, and the lists differ", i, o.scheduled, o.starved)
		}
	}
	if floating != f.floating {
		t.Fatalf("%d floating credits in use, counted %d", floating, f.floating)
	}
	for i, o := range os {
		if o.queue.len() > 0 && f.credit(o) && !o.scheduled {
			t.Fatalf("outlet %d may send and is forgotten", i)
		}
	}
}

func TestFlowForgetsNobody(t *testing.T) {
	tr := &Transport{cfg: (&Config{}).withDefaults()}
	l := testLayout()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		f := &flow{win: window{1 + r.IntN(3), 1 + r.IntN(4), 200 + r.IntN(400)}}
		var os []*Outlet
		for i := range 1 + r.IntN(6) {
			os = append(os, &Outlet{t: tr, task: gearcore.TaskID(i)})
		}
		pushed, taken := map[*Outlet]int{}, map[*Outlet]int{}
		take := func(n int) {
			jobs, _ := f.take(nil, n, nil)
			for _, j := range jobs {
				taken[j.outlet]++
				if got := int(j.batch.Seq); got != taken[j.outlet] {
					t.Fatalf("seed %d: batch %d taken as number %d", seed, got, taken[j.outlet])
				}
				switch r.IntN(10) {
				case 0:
					f.uncharge(j.outlet)
				case 1:
					f.charge(j.outlet, 0)
				}
			}
		}
		for range 300 {
			o := os[r.IntN(len(os))]
			switch r.IntN(6) {
			case 0, 1:
				b := batch(l, o.task, "some text")
				pushed[o]++
				b.Seq = uint64(pushed[o])
				o.queue.push(b)
				o.queued += b.Bytes()
				f.schedule(o)
			case 2, 3:
				take(r.IntN(500))
			case 4:
				f.processed(o, o.processed+uint64(r.IntN(4)))
			case 5:
				if r.IntN(20) == 0 {
					f.remove(o)
					f.check(t, slices.DeleteFunc(slices.Clone(os), func(x *Outlet) bool { return x == o }))
					f.schedule(o)
				}
			}
			f.check(t, os)
		}
		for i := range 10000 {
			if i > 5000 {
				t.Fatalf("seed %d: the queues do not empty", seed)
			}
			take(1 << 20)
			left := 0
			for _, o := range os {
				f.processed(o, o.sent)
				left += o.queue.len()
			}
			f.check(t, os)
			if left == 0 {
				break
			}
		}
	}
}
