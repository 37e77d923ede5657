package worker

import (
	"errors"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
)

// Names of what the Java process is told, at its start and when it changes.
const (
	toldCredentials = "credentials"
	toldLevels      = "levels"
	toldTasks       = "tasks"
)

var errRetired = errors.New("the Java process hears of nothing any more")

// followCredentials tells the process of the topology's credentials. They go by its standard input, never through a file.
func (j *javaSide) followCredentials() {
	var mu sync.Mutex // so that the newest ones are told last
	tell := func() error {
		mu.Lock()
		defer mu.Unlock()
		if j.host.Retired() {
			return errRetired
		}
		j.tell(toldCredentials, j.node.credentials.Values())
		return nil
	}
	j.untold = j.node.credentials.Notify(tell)
	_ = tell()
}

// setLevels tells the process of the log levels in force.
func (j *javaSide) setLevels(levels map[string]string) { j.tell(toldLevels, levels) }

func (j *javaSide) tell(name string, values map[string]string) {
	var pairs []gearcore.Pair
	for k, v := range values {
		pairs = append(pairs, gearcore.Pair{Key: gearcore.Str(k), Val: gearcore.Str(v)})
	}
	j.tellValue(name, gearcore.Map(pairs))
}

func (j *javaSide) tellValue(name string, v gearcore.Value) {
	data, err := codec.Append(nil, v)
	if err != nil { // texts and integers can always be written
		j.node.log.Error("the Java process is not told", "what", name, "err", err)
		return
	}
	j.host.Tell(name, data)
}
