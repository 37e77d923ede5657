package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// timingInfo is the time of a topology in JSON output; the names are part of the interface.
type timingInfo struct {
	State       string           `json:"state"`
	Generation  int64            `json:"generation"`
	Watermark   watermark        `json:"watermark"`
	Stalled     string           `json:"stalled,omitempty"`
	Trouble     string           `json:"trouble,omitempty"` // why the worker that told this is not at work
	IntervalMs  int64            `json:"checkpoint_interval_ms,omitempty"`
	Store       string           `json:"store,omitempty"`
	Clocks      []clockInfo      `json:"clocks"`
	Checkpoints []checkpointInfo `json:"checkpoints,omitempty"`
	Savepoints  []savepointInfo  `json:"savepoints,omitempty"`
}

// clockInfo is how far a component is.
type clockInfo struct {
	Component string    `json:"component"`
	Watermark watermark `json:"watermark"`
	Out       watermark `json:"out"`
	Task      int32     `json:"task"`
	Stuck     []int32   `json:"stuck,omitempty"`
}

type checkpointInfo struct {
	Epoch     int64      `json:"epoch"`
	State     string     `json:"state"` // committed, failed or under way
	Why       string     `json:"why,omitempty"`
	Begun     time.Time  `json:"begun"`
	TookMs    int64      `json:"took_ms,omitempty"`
	Bytes     int64      `json:"bytes"`
	Watermark watermark  `json:"watermark"`
	Parts     []partInfo `json:"components,omitempty"`
}

type partInfo struct {
	Component string    `json:"component"`
	Source    bool      `json:"source"`
	Tasks     int32     `json:"tasks"`
	Watermark watermark `json:"watermark"`
	Bytes     int64     `json:"bytes"`
	Notes     []string  `json:"notes,omitempty"`
}

type savepointInfo struct {
	Name      string    `json:"name"`
	Topology  string    `json:"topology"` // its id
	Epoch     int64     `json:"epoch"`
	Time      time.Time `json:"time"`
	Bytes     int64     `json:"bytes"`
	Watermark watermark `json:"watermark"`
}

// watermark is an event time in JSON: a number of milliseconds, "idle", "end", or null where none is known.
type watermark int64

// MarshalJSON implements json.Marshaler.
func (w watermark) MarshalJSON() ([]byte, error) {
	switch gearcore.Watermark(w) {
	case 0:
		return []byte("null"), nil
	case gearcore.Idle, gearcore.End:
		return []byte(strconv.Quote(w.String())), nil
	}
	return strconv.AppendInt(nil, int64(w), 10), nil
}

// recent is where watermarks begin to be shown as times of day. Below they are the numbers of a test or an example.
const recent = 100_000_000_000

func (w watermark) String() string {
	switch gearcore.Watermark(w) {
	case 0:
		return "-"
	case gearcore.Idle:
		return "idle"
	case gearcore.End:
		return "end"
	}
	if w > math.MinInt64/2 && w < recent {
		return strconv.FormatInt(int64(w), 10)
	}
	return time.UnixMilli(int64(w)).Format("2006-01-02 15:04:05.000")
}

func timingOf(t *stormrpc.TopologyTiming) *timingInfo {
	if t == nil {
		return nil
	}
	out := &timingInfo{State: t.State, Generation: t.Generation, Watermark: watermark(t.WatermarkMs), Stalled: t.GetStalled(),
		IntervalMs: t.GetIntervalMs(), Store: t.GetStore(), Clocks: []clockInfo{}}
	for _, c := range t.Clocks {
		out.Clocks = append(out.Clocks, clockInfo{c.Component, watermark(c.WatermarkMs), watermark(c.OutMs), c.Task, c.Stuck})
	}
	for _, c := range t.Checkpoints {
		out.Checkpoints = append(out.Checkpoints, checkpointOf(c))
	}
	for _, s := range t.Savepoints {
		out.Savepoints = append(out.Savepoints, savepointOf(s))
	}
	return out
}

func checkpointOf(c *stormrpc.CheckpointSummary) checkpointInfo {
	out := checkpointInfo{Epoch: c.Epoch, State: "committed", Why: c.GetFailed(), Begun: time.UnixMilli(c.BegunMs).UTC(), TookMs: c.GetTookMs(),
		Bytes: c.GetBytes(), Watermark: watermark(c.GetWatermarkMs())}
	switch {
	case c.IsSetFailed():
		out.State = "failed"
	case !c.IsSetTookMs():
		out.State, out.Why = "under way", c.GetWaiting()
	}
	for _, p := range c.Parts {
		if p != nil {
			out.Parts = append(out.Parts, partInfo{p.Component, p.Source, p.Tasks, watermark(p.WatermarkMs), p.Bytes, p.Notes})
		}
	}
	return out
}

func savepointOf(s *stormrpc.Savepoint) savepointInfo {
	return savepointInfo{s.Name, s.Topology, s.Epoch, time.UnixMilli(s.TimeMs).UTC(), s.Bytes, watermark(s.WatermarkMs)}
}

// printClocks writes how far the components are.
func printClocks(w io.Writer, t *timingInfo) error {
	fmt.Fprintf(w, "\nclock %s  %s  generation %d\n", t.Watermark, t.State, t.Generation)
	if t.Stalled != "" {
		fmt.Fprintf(w, "%s\n", t.Stalled)
	}
	if len(t.Clocks) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "COMPONENT\tWATERMARK\tOUT\tTASK\tSTUCK")
	for _, c := range t.Clocks {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\n", c.Component, c.Watermark, c.Out, c.Task, numbers(c.Stuck))
	}
	return tw.Flush()
}

// timingLines says in a line or two how far a topology is; none for one without a clock.
func timingLines(t *timingInfo) []string {
	if t == nil {
		return nil
	}
	line := fmt.Sprintf("clock %s  %s", t.Watermark, t.State)
	for _, c := range t.Checkpoints {
		if c.State == "committed" {
			line += fmt.Sprintf("  checkpoint %d took %v, %s", c.Epoch, time.Duration(c.TookMs)*time.Millisecond, bytesText(c.Bytes))
			break
		}
	}
	if t.Stalled != "" {
		return []string{line, t.Stalled}
	}
	return []string{line}
}

// numbers writes task ids.
func numbers(ids []int32) string {
	var out []string
	for _, id := range ids {
		out = append(out, strconv.Itoa(int(id)))
	}
	return strings.Join(out, " ")
}

// bytesText writes a size for people.
func bytesText(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), -1
	for v >= 1<<10 && unit < 3 {
		v, unit = v/(1<<10), unit+1
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGT"[unit])
}
