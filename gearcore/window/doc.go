// Package window groups records of a key by time or number and says when a group's result is due. It is pure: it reads no
// clock and does no I/O; times come in as values, state is behind two small interfaces that package state's Map and Timers satisfy.
//
// A Core is one window step of one task:
//
//	core, err := window.New(window.Config{Windows: window.Sliding(time.Minute, time.Second), Lateness: 5 * time.Second},
//		window.Aggregator[int64, Click, int64]{
//			Add:    func(n *int64, _ Click) { *n++ },
//			Merge:  func(into, from *int64) { *into += *from },
//			Result: func(n *int64) int64 { return *n },
//		}, window.State[string, int64]{Panes: panes, Ends: ends, Early: early}, emit)
//	outcome, err := core.Add(user, click, at) // late and absurd ones are told apart: they go to a side output
//	out, err := core.AdvanceTo(watermark)     // emits what is complete
//
// # Cost
//
// A record is added to one accumulator if windows do not overlap. Sliding windows whose aggregator can merge share theirs: time is cut
// where some window begins or ends, a record is added to one such slice, and a window's result is merged of its slices (at most two for each slide
// in it). Otherwise a record is added to every window that it is in. Nothing is scanned when time goes on: what is due stands in timers.
//
// # When there is a pane
//
// A window [Start, End) is complete when the watermark reaches End: then comes its pane OnTime, unless
// panes hold what is new and nothing is since an early one. Before that there may be Early ones, by
// number of new records or time since the first of them; after it, for as long as Lateness, a Late one for every record. With Accumulate
// a pane holds all of its window so far, else what is new since the last one. A window with no records has no pane.
package window
