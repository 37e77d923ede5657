package integration

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// history is what clients of the masters did and saw, for a check that it could have come from one master that never failed: a
// topology whose submit was answered is listed from then on, one whose kill was answered never again, by whichever master.
type history struct {
	began time.Time

	mu    sync.Mutex
	ops   []porcupine.Operation
	names map[string]time.Time // those that are looked for, and until when; zero: no end yet
}

type callKind string

const (
	submits callKind = "submit"
	kills   callKind = "kill"
	looks   callKind = "look"
)

type masterCall struct {
	kind callKind
	name string
}

// masterAnswer is of a call whose effect is known, or not: it failed, and may have been done all the same, also later.
type masterAnswer struct{ known, there bool }

type topologyIs int

const (
	absent topologyIs = iota
	there
	gone
)

// masterModel is one master that never fails, for each name by itself.
var masterModel = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		byName := map[string][]porcupine.Operation{}
		for _, o := range all {
			name := o.Input.(masterCall).name
			byName[name] = append(byName[name], o)
		}
		return slices.Collect(maps.Values(byName))
	},
	Init: func() any { return absent },
	Step: func(state, input, output any) (bool, any) {
		was, c, a := state.(topologyIs), input.(masterCall), output.(masterAnswer)
		switch {
		case c.kind == looks:
			return a.there == (was == there), was
		case c.kind == submits && was == absent:
			return true, there
		case c.kind == kills && was == there:
			return true, gone
		}
		return !a.known, was
	},
}

func newHistory() *history { return &history{began: time.Now(), names: map[string]time.Time{}} }

// do makes a call that changes something and writes it down.
func (h *history) do(kind callKind, name string, call func() error) error {
	h.mu.Lock()
	if _, ok := h.names[name]; !ok {
		h.names[name] = time.Time{}
	}
	h.mu.Unlock()
	from := time.Since(h.began)
	err := call()
	h.mu.Lock()
	defer h.mu.Unlock()
	o := porcupine.Operation{Input: masterCall{kind, name}, Output: masterAnswer{known: err == nil}, Call: int64(from), Return: int64(time.Since(h.began))}
	if err != nil {
		o.Return = math.MaxInt64
	}
	h.ops = append(h.ops, o)
	if kind == kills {
		h.names[name] = time.Now().Add(10 * time.Second)
	}
	return err
}

// look lists the topologies, through one master after the other, until ctx ends.
func (h *history) look(ctx context.Context, masters []*client.Client) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		h.lookOnce(ctx, masters[i%len(masters)])
	}
}

func (h *history) lookOnce(ctx context.Context, master *client.Client) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	h.mu.Lock()
	var names []string // before the call: one that comes later may be listed or not
	for name, until := range h.names {
		if until.IsZero() || time.Now().Before(until) {
			names = append(names, name)
		}
	}
	h.mu.Unlock()
	from := int64(time.Since(h.began))
	all, err := master.Nimbus().GetTopologySummaries(ctx)
	if err != nil {
		return // a master that is away tells nothing
	}
	to := int64(time.Since(h.began))
	listed := map[string]bool{}
	for _, s := range all {
		listed[s.Name] = s.Status != "KILLED"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range names {
		h.ops = append(h.ops, porcupine.Operation{Input: masterCall{looks, name}, Output: masterAnswer{known: true, there: listed[name]}, Call: from, Return: to})
	}
}

// check returns what is wrong, and how many calls there were.
func (h *history) check() (wrong []string, calls int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, part := range masterModel.Partition(h.ops) {
		switch porcupine.CheckOperationsTimeout(masterModel, part, time.Minute) {
		case porcupine.Illegal:
			wrong = append(wrong, "no single master could have answered so: "+story(part))
		case porcupine.Unknown:
			wrong = append(wrong, "the history of "+part[0].Input.(masterCall).name+" could not be judged within a minute")
		}
	}
	return wrong, len(h.ops)
}

// story tells the calls of one name in order, looks that saw the same in a row as one.
func story(ops []porcupine.Operation) string {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	text := ops[0].Input.(masterCall).name
	last := ""
	for _, o := range ops {
		c, a := o.Input.(masterCall), o.Output.(masterAnswer)
		what := fmt.Sprintf("%s known=%v", c.kind, a.known)
		if c.kind == looks {
			what = fmt.Sprintf("listed=%v", a.there)
		}
		if what != last {
			text += fmt.Sprintf(", %v..%v %s", time.Duration(o.Call).Round(time.Millisecond), time.Duration(o.Return).Round(time.Millisecond), what)
		}
		last = what
	}
	return text
}

// TestHistoryIsJudged shows that the check finds what it is for.
func TestHistoryIsJudged(t *testing.T) {
	op := func(kind callKind, known, there bool, from, to int64) porcupine.Operation {
		return porcupine.Operation{Input: masterCall{kind, "a"}, Output: masterAnswer{known, there}, Call: from, Return: to}
	}
	never := int64(math.MaxInt64)
	for _, c := range []struct {
		name string
		ops  []porcupine.Operation
		good bool
	}{
		{"in order", []porcupine.Operation{op(looks, true, false, 0, 1), op(submits, true, false, 2, 3), op(looks, true, true, 4, 5), op(kills, true, false, 6, 7), op(looks, true, false, 8, 9)}, true},
		{"listed while it is submitted, or not", []porcupine.Operation{op(submits, true, false, 0, 9), op(looks, true, false, 1, 2), op(looks, true, true, 3, 4)}, true},
		{"a submit that failed and was done", []porcupine.Operation{op(submits, false, false, 0, never), op(looks, true, false, 5, 6), op(looks, true, true, 7, 8)}, true},
		{"not listed after its submit", []porcupine.Operation{op(submits, true, false, 0, 1), op(looks, true, false, 2, 3)}, false},
		{"listed after its kill", []porcupine.Operation{op(submits, true, false, 0, 1), op(kills, true, false, 2, 3), op(looks, true, true, 4, 5)}, false},
		{"listed, then not", []porcupine.Operation{op(submits, false, false, 0, never), op(looks, true, true, 1, 2), op(looks, true, false, 3, 4)}, false},
		{"never submitted", []porcupine.Operation{op(looks, true, true, 1, 2)}, false},
	} {
		h := newHistory()
		h.ops = c.ops
		if wrong, _ := h.check(); (len(wrong) == 0) != c.good {
			t.Errorf("%s: %v", c.name, wrong)
		}
	}
}
