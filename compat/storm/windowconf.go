package storm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
)

// Storm's keys of windowed bolts.
const (
	keyWindowCount = "topology.bolts.window.length.count"
	keyWindowTime  = "topology.bolts.window.length.duration.ms"
	keySlideCount  = "topology.bolts.window.sliding.interval.count"
	keySlideTime   = "topology.bolts.window.sliding.interval.duration.ms"
	keyLag         = "topology.bolts.tuple.timestamp.max.lag.ms"
	keyWatermark   = "topology.bolts.watermark.event.interval.ms"
	keyLate        = "topology.bolts.late.tuple.stream"
	keyTimeouts    = "topology.enable.message.timeouts"
)

// windowConf is the configuration of a windowed bolt. Times are in milliseconds; of length and slide either the count or the time is
// above 0.
type windowConf struct {
	length, slide counted
	lag           int64
	watermark     time.Duration
	late          string
}

type counted struct {
	count int
	ms    int64
}

// windowConfOf reads the configuration of a windowed bolt, with time from tuples or not.
func windowConfOf(c conf.Conf, fromTuples bool, outputs []string) (windowConf, error) {
	var w windowConf
	var err error
	if w.length, err = extent(c, keyWindowCount, keyWindowTime); err != nil {
		return w, err
	}
	if w.length == (counted{}) {
		return w, errors.New("window length is not specified")
	}
	if w.slide, err = extent(c, keySlideCount, keySlideTime); err != nil {
		return w, err
	}
	if w.late, err = c.StringOr(keyLate, ""); err != nil {
		return w, err
	}
	if err = w.checkLate(fromTuples, outputs); err != nil {
		return w, err
	}
	interval := int64(0)
	if w.lag, err = atLeast(c, keyLag, 0, 0); err != nil {
		return w, err
	}
	if interval, err = atLeast(c, keyWatermark, 1000, 1); err != nil {
		return w, err
	}
	w.watermark = time.Duration(interval) * time.Millisecond
	if w.slide == (counted{}) {
		w.slide.count = 1
	}
	return w, nil
}

func extent(c conf.Conf, count, duration string) (counted, error) {
	n, err := atLeast(c, count, 0, 0)
	if err != nil {
		return counted{}, err
	}
	ms, err := atLeast(c, duration, 0, 0)
	if err != nil {
		return counted{}, err
	}
	if n > 0 && ms > 0 {
		return counted{}, fmt.Errorf("both %s and %s are set", count, duration)
	}
	return counted{int(n), ms}, nil
}

// atLeast reads an integer; a key that is set must be at least low, and above 0 if low is 0 but for the lag.
func atLeast(c conf.Conf, key string, usual, low int64) (int64, error) {
	n, err := c.IntOr(key, usual)
	if err != nil {
		return 0, err
	}
	if c.Has(key) && low == 0 && key != keyLag {
		low = 1
	}
	if n < low || n > math.MaxInt32 {
		return 0, fmt.Errorf("%s is %d, want %d to %d", key, n, low, math.MaxInt32)
	}
	return n, nil
}

func (w *windowConf) checkLate(fromTuples bool, outputs []string) error {
	switch {
	case w.late == "":
		return nil
	case !fromTuples:
		return errors.New("late tuple stream can be defined only when specifying a timestamp field")
	case !slices.Contains(outputs, w.late):
		return fmt.Errorf("stream for late tuples must be declared: the component has no stream %s", w.late)
	}
	return nil
}

// checkAcks refuses windows whose tuples would fail before they could be acked: those that are acked when they leave the window, and
// (atOnce) those that are acked with the next of Storm's transactions. Tuples of windows in the engine's checkpoints (kept) wait for
// nothing.
func (w *windowConf) checkAcks(c conf.Conf, atOnce, kept bool) error {
	switch {
	case kept:
		return nil
	case atOnce:
		return checkTransactions(c)
	}
	if err := w.checkTimeout(c); err != nil {
		return err
	}
	return w.checkPending(c)
}

// timeoutOf returns after how many milliseconds tuples fail; on is false if they never do.
func timeoutOf(c conf.Conf) (ms int64, on bool, err error) {
	if on, err = c.BoolOr(keyTimeouts, true); err != nil || !on {
		return 0, false, err
	}
	secs, err := c.IntOr(keyTimeout, 30)
	return secs * 1000, true, err
}

func checkTransactions(c conf.Conf) error {
	timeout, on, err := timeoutOf(c)
	if err != nil || !on {
		return err
	}
	interval, err := c.IntOr(keyStateCheckpoints, 1000)
	if err == nil && interval > timeout {
		err = fmt.Errorf("%s value %d is more than %s value %d", keyStateCheckpoints, interval, keyTimeout, timeout)
	}
	return err
}

func (w *windowConf) checkTimeout(c conf.Conf) error {
	timeout, on, err := timeoutOf(c)
	if err != nil || !on {
		return err
	}
	if sum := w.length.ms + w.slide.ms; sum > timeout {
		return fmt.Errorf("window duration (length and sliding interval) value %d is more than %s value %d", sum, keyTimeout, timeout)
	}
	return nil
}

func (w *windowConf) checkPending(c conf.Conf) error {
	if c[keyMaxPending] == nil {
		return nil
	}
	most, err := c.Int(keyMaxPending)
	if err != nil {
		return err
	}
	if sum := int64(w.length.count + w.slide.count); sum > most {
		return fmt.Errorf("window count (length and sliding interval) value %d is more than %s value %d", sum, keyMaxPending, most)
	}
	return nil
}

// streamsOf lists the names of the streams that a component puts out.
func streamsOf(l *gearcore.Layout, component string) []string {
	var out []string
	for _, s := range l.Streams {
		if s.Component == component {
			out = append(out, s.Name)
		}
	}
	return out
}
