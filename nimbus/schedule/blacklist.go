package schedule

import (
	"slices"
	"time"
)

// Blacklist remembers where workers were lost, as Storm's blacklist scheduler does: a slot, or a node, with Count losses within
// Window is avoided for Resume. What is avoided is still used where there is nothing else. The zero Count avoids nothing.
type Blacklist struct {
	Count          int           // blacklist.scheduler.tolerance.count
	Window, Resume time.Duration // blacklist.scheduler.tolerance.time.secs and .resume.time.secs
	// Whole counts losses in the slots of a node for the node (blacklist.scheduler.assume.supervisor.bad.based.on.bad.slot).
	Whole bool

	losses map[Slot][]time.Time // Port 0 is the node
	since  map[Slot]time.Time   // when the worker that was lost last in a slot had been placed there
	until  map[Slot]time.Time
}

// Lost notes that a worker that was placed in slot at placed is dead; telling so again changes nothing. Port 0 is a node that
// is gone.
func (l *Blacklist) Lost(slot Slot, placed, now time.Time) {
	if l.Count <= 0 {
		return
	}
	if l.losses == nil {
		l.losses, l.since, l.until = make(map[Slot][]time.Time), make(map[Slot]time.Time), make(map[Slot]time.Time)
	}
	if was, ok := l.since[slot]; ok && was.Equal(placed) {
		return
	}
	l.since[slot] = placed
	l.note(slot, now)
	if l.Whole && slot.Port != 0 {
		l.note(Slot{Node: slot.Node}, now)
	}
}

func (l *Blacklist) note(slot Slot, now time.Time) {
	l.losses[slot] = append(l.losses[slot], now)
	l.forget(slot, now)
	if len(l.losses[slot]) >= l.Count {
		l.until[slot] = now.Add(l.Resume)
		delete(l.losses, slot)
	}
}

// forget drops losses of a slot that are older than the window.
func (l *Blacklist) forget(slot Slot, now time.Time) {
	l.losses[slot] = slices.DeleteFunc(l.losses[slot], func(t time.Time) bool { return now.Sub(t) > l.Window })
	if len(l.losses[slot]) == 0 {
		delete(l.losses, slot)
	}
}

// Reset forgets everything.
func (l *Blacklist) Reset() { l.losses, l.since, l.until = nil, nil, nil }

// Expire forgets what is over. Call it now and then.
func (l *Blacklist) Expire(now time.Time) {
	for slot, until := range l.until {
		if !now.Before(until) {
			delete(l.until, slot)
		}
	}
	for slot := range l.losses {
		l.forget(slot, now)
	}
	for slot := range l.since {
		if _, avoided := l.until[slot]; !avoided && l.losses[slot] == nil {
			delete(l.since, slot)
		}
	}
}

// Avoided tells whether a slot, or with Port 0 a node as a whole, is to be avoided now.
func (l *Blacklist) Avoided(slot Slot, now time.Time) bool {
	until, ok := l.until[slot]
	return ok && now.Before(until)
}
