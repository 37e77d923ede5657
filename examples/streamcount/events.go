package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Event is a word that somebody said at some time.
type Event struct {
	Word string
	At   int64 // milliseconds since 1970
}

// Time is when it was said.
func (e Event) Time() time.Time { return time.UnixMilli(e.At) }

const (
	windowSize = 10 * time.Second
	every      = 2 * time.Millisecond // from one event to the next
	lateShare  = 0.2
	mostDelay  = 4 * time.Second
)

// begin is when the first word is said.
var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// events returns n events in the order in which they were said.
func events(n int) []Event {
	rnd := rand.New(rand.NewPCG(1, 2))
	out := make([]Event, n)
	for i := range out {
		// Some words are said much more often than others.
		word := fmt.Sprintf("word%02d", int(40*rnd.Float64()*rnd.Float64()))
		out[i] = Event{word, begin.Add(time.Duration(i) * every).UnixMilli()}
	}
	return out
}

// delayed returns the events in the order in which they come: a fifth of them up to mostDelay late.
func delayed(said []Event) []Event {
	type arrival struct {
		Event
		comes int64
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	all := make([]arrival, len(said))
	for i, e := range said {
		all[i] = arrival{e, e.At}
		if rnd.Float64() < lateShare {
			all[i].comes += rnd.Int64N(mostDelay.Milliseconds())
		}
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return cmp.Compare(a.comes, b.comes) })
	out := make([]Event, len(all))
	for i, a := range all {
		out[i] = a.Event
	}
	return out
}

// result is the count of each word in each window, by "word begin-of-window".
type result map[string]int64

func (r result) add(word string, start, n int64) { r[fmt.Sprint(word, " ", start)] += n }

// sequential counts one event after the other.
func sequential(said []Event) result {
	r := result{}
	for _, e := range said {
		r.add(e.Word, e.At-e.At%windowSize.Milliseconds(), 1)
	}
	return r
}
