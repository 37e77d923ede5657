package checkpoint

import (
	"fmt"
	"time"
)

// Config says how a Coordinator behaves. The zero value has all defaults and makes checkpoints only for savepoints.
type Config struct {
	// Interval is from the beginning of a checkpoint to that of the next, or longer if one takes longer; at least 100 ms. 0: checkpoints are
	// made for savepoints only.
	Interval time.Duration
	// Timeout is how long a checkpoint may take, from Cut to its record; default 2 min.
	Timeout time.Duration
	// AlignLimit is how long a task may wait for the markers of a checkpoint; default 30 s.
	AlignLimit time.Duration
	// Silence is how long a worker that says nothing counts as there; default 10 s.
	Silence time.Duration
	// Alarm is how many checkpoints in a row may be given up before NoticeAlarm; default 3. The topology goes on in any case.
	Alarm int
}

// leastInterval bounds what checkpoints cost.
const leastInterval = 100 * time.Millisecond

// EnsureDefaults fills in what is zero.
func (c *Config) EnsureDefaults() {
	for _, d := range []struct {
		at    *time.Duration
		usual time.Duration
	}{{&c.Timeout, 2 * time.Minute}, {&c.AlignLimit, 30 * time.Second}, {&c.Silence, 10 * time.Second}} {
		if *d.at == 0 {
			*d.at = d.usual
		}
	}
	if c.Alarm == 0 {
		c.Alarm = 3
	}
}

// Validate says what cannot be.
func (c *Config) Validate() error {
	if c.Interval != 0 && c.Interval < leastInterval {
		return fmt.Errorf("a checkpoint every %v: want 0 (none) or %v and more", c.Interval, leastInterval)
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"a checkpoint's timeout", c.Timeout}, {"the limit of an alignment", c.AlignLimit}, {"the silence of a worker", c.Silence}} {
		if d.d <= 0 {
			return fmt.Errorf("%s is %v, want more than 0", d.name, d.d)
		}
	}
	if c.Alarm < 1 {
		return fmt.Errorf("alarm after %d checkpoints that were given up, want at least 1", c.Alarm)
	}
	return nil
}
