package stream

import "time"

// Env is what a runner gives the tasks that it makes. The zero Env is the real world.
type Env struct {
	// Clock is the time of processing. Default: the real one.
	Clock Clock
}

// Clock is a source of processing time.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in d, from any goroutine; f does not block. stop ends that if it has not happened yet.
	AfterFunc(d time.Duration, f func()) (stop func())
}

func (e Env) orReal() Env {
	if e.Clock == nil {
		e.Clock = realClock{}
	}
	return e
}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}
