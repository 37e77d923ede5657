package worker

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// keyTimers is a bolt that sets a timer for each record and counts those that come, for each of our clients. The clock's timers are beside them and count nothing.
var keyTimers = map[string]struct{ program, script string }{
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
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			rnd := rand.New(rand.NewPCG(seed, 5))
			var rounds atomic.Int64
			l := countLocal(t, bolt.program, bolt.script, &dated{positioned{rounds: &rounds}})
			tasks := l.host.plan().TasksOf("count")
			kills := 0
			for fired := 0; fired < countedRecords; {
				if pids := childrenWith(t, "count.script"); kills < 6 && len(pids) > 0 && fired > kills*countedRecords/8 {
					if err := syscall.Kill(pids[rnd.IntN(len(pids))], syscall.SIGKILL); err == nil {
						kills++
					}
				}
				time.Sleep(time.Duration(rnd.Int64N(int64(50 * time.Millisecond)))) // the moment is the point
				if fired = sumOf(t, l, tasks, "fired"); fired > countedRecords {
					t.Fatalf("%d timers came of %d", fired, countedRecords)
				}
			}
			if kills == 0 || rounds.Load() < 2 {
				t.Errorf("%d children were killed, and the topology began %d times", kills, rounds.Load())
			}
			for k := range countedKeys {
				want, got := map[string]string{"fired": fmt.Sprint(countedRecords / countedKeys)}, map[string]string{}
				sum := 0
				for n := k; n < countedRecords; n += countedKeys {
					sum += n
				}
				want["sum"] = fmt.Sprint(sum)
				for _, e := range inspect(t, l, tasks, gearcore.StateQuery{Key: fmt.Sprint("k", k), HasKey: true}) {
					got[e.State] += string(e.JSON)
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("key k%d: %v, want %v", k, got, want)
				}
			}
			if left := inspect(t, l, tasks, gearcore.StateQuery{State: "due", Key: "k1", HasKey: true}); len(left) > 0 {
				t.Errorf("timers are left: %s", left[0].JSON)
			}
		})
	}
}
