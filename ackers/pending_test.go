package ackers

import (
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

func TestPendingTimesOutWithTheSecondRotation(t *testing.T) {
	var p Pending
	for r := uint64(1); r <= 4; r++ {
		p.Add(r, Entry{ID: gearcore.Long(int64(r) * 10), Task: 1})
	}
	if e, ok := p.Take(2); !ok || e.ID.Int() != 20 {
		t.Errorf("Take(2) = %v, %v", e, ok)
	}
	if _, ok := p.Take(2); ok {
		t.Error("a root was taken twice")
	}
	if out := p.Rotate(nil); len(out) != 0 {
		t.Errorf("the first rotation timed out %v", out)
	}
	p.Add(5, Entry{ID: gearcore.Long(50)})
	p.Reset(3)
	p.Reset(99)
	p.Reset(0)
	out := p.Rotate(nil)
	got := map[int64]bool{}
	for _, e := range out {
		got[e.ID.Int()] = true
	}
	if len(out) != 2 || !got[10] || !got[40] {
		t.Errorf("the second rotation timed out %v, want 10 and 40", out)
	}
	if p.Len() != 2 {
		t.Errorf("%d in flight, want 2", p.Len())
	}
	if out := p.Rotate(nil); len(out) != 2 || p.Len() != 0 {
		t.Errorf("the third rotation timed out %v and left %d", out, p.Len())
	}
}

func TestLedgerAndPendingDoNotAllocate(t *testing.T) {
	var l XOR
	var p Pending
	out := make([]gearcore.Ack, 0, 4)
	root := uint64(1)
	round := func() {
		for range 100 {
			root += 0x9e3779b97f4a7c15
			p.Add(root, Entry{ID: gearcore.Long(1)})
			out = l.Apply(gearcore.Ack{Root: root, Val: 7, Spout: 1, Op: gearcore.AckInit}, out[:0])
			out = l.Apply(gearcore.Ack{Root: root, Val: 7, Op: gearcore.AckXor}, out)
			p.Take(root)
		}
	}
	if n := testing.AllocsPerRun(100, round); n > 0 {
		t.Errorf("100 trees allocate %v times", n)
	}
	if len(out) != 1 || l.Len() != 0 || p.Len() != 0 {
		t.Errorf("left: %v, %d, %d", out, l.Len(), p.Len())
	}
}
