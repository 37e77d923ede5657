package engine

import "time"

// Clock is the engine's idea of now: the time since some fixed moment. It never goes back and is safe for concurrent
// use.
type Clock interface{ Now() time.Duration }

type realClock struct{ start time.Time }

func (c realClock) Now() time.Duration { return time.Since(c.start) }
