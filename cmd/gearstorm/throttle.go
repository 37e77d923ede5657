package main

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/internal/metrics"
)

// leastShare is from what share of its time on a component's waiting is worth a line.
const leastShare = 0.05

// throttle is a component that holds another one back, in JSON output; the names are part of the interface.
type throttle struct {
	Component string  `json:"component"`
	Share     float64 `json:"share"`          // of the last seconds, 0 to 1
	Task      int32   `json:"task,omitempty"` // the one that is waited for, if it is one
	Now       bool    `json:"now"`
}

func throttles(ts []metrics.Throttle) []throttle {
	var out []throttle
	for _, t := range ts {
		out = append(out, throttle{t.By, t.Share, t.Task, t.Now})
	}
	return out
}

// throttleLines says by whom a component is held back, a line for each that matters.
func throttleLines(name string, by []throttle) (lines []string) {
	for _, t := range by {
		if t.Share < leastShare {
			continue
		}
		task := ""
		if t.Task > 0 {
			task = fmt.Sprintf(", above all of task %d", t.Task)
		}
		lines = append(lines, fmt.Sprintf("%s holds %s back: %s waited %.0f %% of the last seconds for room in the inbox of %s%s",
			t.Component, name, name, 100*t.Share, t.Component, task))
	}
	return lines
}

func millis(d time.Duration) float64 { return float64(d) / 1e6 }
