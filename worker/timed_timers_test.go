package worker

import (
	"fmt"
	"maps"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// keyTimers is a bolt that sets a timer for each record and counts those that come, for each of our clients. The clock's timers are beside them and count nothing.
var keyTimers = map[string]childBolt{
	"python": {"python3", `import time
import gearstorm

class Count(gearstorm.BasicBolt):
    fired = gearstorm.Value(0)
    sum = gearstorm.Value(0)
    due = gearstorm.Timers()
    bell = gearstorm.Timers(clock=True)

    def process(self, tup):
        self.due.set(tup["n"] + 500)
        self.bell.set(time.time() * 1000 + tup["n"] % 50)

    def on_timer(self, timer):
        if timer.name == "bell":
            return
        self.fired.set(self.fired.get() + 1)
        self.sum.set(self.sum.get() + timer.at - 500)

Count().run()
`},
	"node": {"node", `const { BasicBolt, value, timers } = require('./gearstorm');

class Count extends BasicBolt {
  static states = { fired: value(0), sum: value(0), due: timers(), bell: timers({ clock: true }) };

  process(tuple) {
    const { due, bell } = this.state(tuple);
    due.set(tuple.get('n') + 500);
    bell.set(Date.now() + (tuple.get('n') % 50));
  }

  async onTimer(timer) {
    const { fired, sum } = this.state(timer);
    if (timer.name === 'bell') return;
    fired.set(fired.get() + 1);
    sum.set(sum.get() + timer.at - 500);
  }
}
new Count().run();
`},
}

// dated is a positioned source whose records are of the event time that their number is.
type dated struct{ positioned }

func (s *dated) Watermark() gearcore.Watermark {
	if s.next == countedRecords {
		return gearcore.End
	}
	return gearcore.Watermark(s.next)
}

// TestChildrenTimersFireOnce kills the children of a bolt with timers at random moments: each timer counts once.
func TestChildrenTimersFireOnce(t *testing.T) {
	for name, bolt := range keyTimers {
		t.Run(name, func(t *testing.T) {
			l, tasks := countKilled(t, bolt, func(p positioned) gearcore.Source { return &dated{p} }, "fired", 6)
			for k := range countedKeys {
				sum := 0
				for n := k; n < countedRecords; n += countedKeys {
					sum += n
				}
				want := map[string]string{"fired": fmt.Sprint(countedRecords / countedKeys), "sum": fmt.Sprint(sum)}
				if got := keptOf(t, l, tasks, fmt.Sprint("k", k)); !maps.Equal(got, want) {
					t.Errorf("key k%d: %v, want %v", k, got, want)
				}
			}
			if left := inspect(t, l, tasks, gearcore.StateQuery{State: "due", Key: "k1", HasKey: true}); len(left) > 0 {
				t.Errorf("timers are left: %s", left[0].JSON)
			}
		})
	}
}
