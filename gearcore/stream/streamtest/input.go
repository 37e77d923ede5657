package streamtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/stream"
)

// Event is a value for Send.
type Event struct{ item stream.Item }

// At is a value with the time of its event, in seconds since 1970.
func At(seconds float64, v any) Event { return AtTime(moment(seconds), v) }

// AtTime is a value with the time of its event.
func AtTime(t time.Time, v any) Event { return Event{stream.Item{Value: v, At: t}} }

// In is e as an event of that split.
func (e Event) In(split string) Event {
	e.item.Split = split
	return e
}

func moment(seconds float64) time.Time {
	return time.UnixMilli(int64(math.Round(seconds * 1000)))
}

// itemOf returns what Send was given as what a source emits.
func itemOf(v any) stream.Item {
	if e, ok := v.(Event); ok {
		return e.item
	}
	return stream.Item{Value: v}
}

// lanes is what a source was sent: a list for each task that it had when the test began. Other numbers of tasks share them out.
type lanes struct {
	items [][]stream.Item
	sent  int
}

// add gives the next task in turn an item.
func (l *lanes) add(it stream.Item) {
	i := l.sent % len(l.items)
	l.sent++
	l.items[i] = append(l.items[i], it)
}

// all gives all tasks an item.
func (l *lanes) all(it stream.Item) {
	for i := range l.items {
		l.items[i] = append(l.items[i], it)
	}
}

// input is what one task of a source reads.
type input struct {
	from *lanes
	at   map[int]int // by lane: how many items were read
	turn int
}

func newInput(from *lanes, task, tasks int) *input {
	in := &input{from: from, at: map[int]int{}}
	in.take(task, tasks, nil)
	return in
}

// take makes the lanes of the task those that it reads, from where they were read up to.
func (in *input) take(task, tasks int, at map[int]int) {
	in.at = map[int]int{}
	for i := range in.from.items {
		if i%tasks == task {
			in.at[i] = at[i]
		}
	}
}

// Next implements stream.Input. An end counts once all lanes of the task have come to it; a task without any has nothing to wait for.
func (in *input) Next() (stream.Item, bool) {
	if len(in.at) == 0 {
		return stream.Item{End: true}, true
	}
	for range in.from.items {
		in.turn = (in.turn + 1) % len(in.from.items)
		at, own := in.at[in.turn]
		if !own || at == len(in.from.items[in.turn]) {
			continue
		}
		it := in.from.items[in.turn][at]
		if it.End && in.left() > 0 {
			continue
		}
		if !it.End {
			in.at[in.turn]++
		}
		return it, true
	}
	return stream.Item{}, false
}

// left counts the lanes that have something before their end, or no end.
func (in *input) left() (n int) {
	for i, at := range in.at {
		if items := in.from.items[i]; at == len(items) || !items[at].End {
			n++
		}
	}
	return n
}

// Freeze implements gearcore.Checkpointed.
func (in *input) Freeze(uint64) (gearcore.Frozen, error) {
	b, err := json.Marshal(in.at)
	return position(b), err
}

// Restore implements gearcore.Checkpointed.
func (in *input) Restore(r *gearcore.Recovery) error {
	at := map[int]int{}
	for _, p := range r.Parts {
		if err := json.Unmarshal(p.Inline, &at); err != nil {
			return fmt.Errorf("read a position: %w", err)
		}
	}
	in.take(r.Index, r.Tasks, at)
	return nil
}

type position []byte

func (p position) Save(context.Context, gearcore.Vault) (gearcore.Part, error) {
	return gearcore.Part{Inline: p}, nil
}

func (position) Drop() {}
