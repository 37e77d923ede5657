package storm

import (
	"errors"

	"github.com/gearstorm/gearstorm/gearcore"
)

// SourceFactory is a spout that is one of the engine's sources, as those of gearcore/connect. It is called once for each task, in the process
// that runs it.
type SourceFactory func() (gearcore.Source, error)

// TaskFactory is a bolt that is one of the engine's tasks, as the sinks of gearcore/connect.
type TaskFactory func() (gearcore.Task, error)

var errNothing = errors.New("the factory returned nil")

func (f SourceFactory) newSpout() (gearcore.Source, error) {
	s, err := f()
	if err == nil && s == nil {
		err = errNothing
	}
	return s, err
}

func (f TaskFactory) newBolt() (gearcore.Task, error) {
	t, err := f()
	if err == nil && t == nil {
		err = errNothing
	}
	return t, err
}
