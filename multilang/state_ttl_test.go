package multilang

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// aging are the same bolt for both clients. What it has lives for 100 ms of event time: a count, an entry and an element for each tuple; "read" lives on as long as it
// is read. "clock" lives for 40 ms of the clock: the word "set" sets it.
var aging = map[string]func(t testing.TB) []string{
	"python": func(t testing.TB) []string {
		return python(t, `
import gearstorm
from gearstorm import TTL

class Aging(gearstorm.BasicBolt):
    total = gearstorm.Value(0, ttl=TTL(100, event_time=True))
    seen = gearstorm.Map(ttl=TTL(100, event_time=True))
    last = gearstorm.List(ttl=TTL(100, event_time=True))
    read = gearstorm.Value(ttl=TTL(100, event_time=True, on_read=True))
    at = gearstorm.Map(ttl=TTL(100, event_time=True, on_read=True))
    clock = gearstorm.Value(ttl=TTL(40))

    def process(self, tup):
        n = self.total.get() + 1
        self.total.set(n)
        self.seen[n] = n
        self.last.append(n)
        if len(self.last) == 4:
            self.last.drop_first()
        if tup[0].startswith("set"):
            self.read.set("r")
            self.at.set("x", "a")
            self.clock.set("c")
        self.emit(["%d %s %s %s%s%s" % (n, ",".join(str(k) for k in sorted(self.seen)), ",".join(str(x) for x in self.last),
                  self.read.get() or "", self.at.get("x", ""), self.clock.get() or "")])

Aging().run()
`)
	},
	"node": func(t testing.TB) []string {
		return node(t, `
const { BasicBolt, value, list, map } = require('./gearstorm');
const ttl = { ttlMs: 100, eventTime: true };

class Aging extends BasicBolt {
  static states = {
    total: value(0, ttl), seen: map(ttl), last: list(ttl), read: value(null, { ...ttl, onRead: true }), at: map({ ...ttl, onRead: true }),
    clock: value(null, { ttlMs: 40 }),
  };

  process(tuple) {
    const { total, seen, last, read, at, clock } = this.state(tuple);
    const n = total.get() + 1;
    total.set(n);
    seen.set(n, n);
    last.append(n);
    if (last.length === 4) last.dropFirst();
    if (tuple.get(0).startsWith('set')) {
      read.set('r');
      at.set('x', 'a');
      clock.set('c');
    }
    this.emit([[n, [...seen].map(([k]) => k).sort(), [...last], (read.get() ?? '') + (at.get('x') ?? '') + (clock.get() ?? '')].join(' ')]);
  }
}
new Aging().run();
`)
	},
}

// kept is what the worker's side has of a key, as the child says it, without what goes by the clock.
func (e *fakeEngine) kept(key string) (said string) {
	e.t.Helper()
	e.onBolt(func(b *Bolt) error {
		found, err := b.Inspect(gearcore.StateQuery{Key: key, HasKey: true})
		for _, f := range found {
			if f.State != "clock" {
				said += f.State + f.Kind + string(f.JSON) + " "
			}
		}
		return err
	})
	return said
}

// TestStatesOfChildrenAge lets what a child has end, by event time and by the clock: the child and the worker agree, also with a child that is sent everything
// anew.
func TestStatesOfChildrenAge(t *testing.T) {
	for name, command := range aging {
		t.Run(name, func(t *testing.T) {
			e := startKeeper(t, command(t), dag.KeyGroups, map[string]any{"gearstorm.event.time": "true"})
			says := func(word, want string) {
				t.Helper()
				if got := e.says(word); len(got) != 1 || strings.TrimRight(strings.TrimSuffix(got[0], "c"), " ") != want {
					t.Errorf("%s: it says %q, want %q", word, got, want)
				}
			}
			again := func() { // the child is another one, and has nothing
				t.Helper()
				had := len(e.snap().errs)
				if err := syscall.Kill(e.pid(), syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				e.eventually("the end is noticed", func() bool { return len(e.errs) > had })
			}
			says("set", "1 1 1 ra")
			says("set", "2 1,2 1,2 ra") // there is no event time yet
			e.advance(1000)
			says("set", "3 1,2,3 1,2,3 ra")
			e.advance(1050)
			says("set", "4 1,2,3,4 2,3,4 ra")
			if got, want := e.kept("set"), `atmap{"x":"a"} lastlist[2,3,4] readvalue"r" seenmap{"1":1,"2":2,"3":3,"4":4} totalvalue4 `; got != want {
				t.Errorf("kept is %s, want %s", got, want)
			}
			e.advance(1101) // what was there before 1050 ends, what was read then does not
			if got, want := e.kept("set"), `atmap{"x":"a"} lastlist[4] readvalue"r" seenmap{"4":4} totalvalue4 `; got != want {
				t.Errorf("kept is %s, want %s", got, want)
			}
			says("set", "5 4,5 4,5 ra")
			again()
			says("set", "6 4,5,6 4,5,6 ra")
			e.advance(1151)
			says("set", "7 5,6,7 5,6,7 ra")
			e.advance(1300)
			if got := e.kept("set"); got != "" {
				t.Errorf("kept is %s, want nothing", got)
			}
			says("set", "1 1 1 ra")
		})
	}
}

// TestReadingKeeps has a child only read.
func TestReadingKeeps(t *testing.T) {
	for name, command := range aging {
		t.Run(name, func(t *testing.T) {
			e := startKeeper(t, command(t), dag.KeyGroups, map[string]any{"gearstorm.event.time": true})
			e.says("r")
			e.onBolt(func(b *Bolt) error { // as if the child had set them
				n, _, err := b.states.keys.hold([]gearcore.Value{gearcore.Str("r")}, 7)
				if err != nil {
					return err
				}
				i := func(name string) int32 {
					return int32(slices.IndexFunc(b.states.decls, func(d stateDecl) bool { return d.name == name }))
				}
				if err := b.states.apply(change{n, i("read"), 0}, []gearcore.Value{gearcore.Str("r")}); err != nil {
					return err
				}
				if err := b.states.apply(change{n, i("clock"), 0}, []gearcore.Value{gearcore.Str("c")}); err != nil {
					return err
				}
				b.states.keys.settled(7)
				b.states.keys.reset() // it is sent again
				return nil
			})
			for w := gearcore.Watermark(1000); w < 1500; w += 60 {
				e.advance(w)
				if got := e.says("r"); !strings.Contains(got[0], " r") {
					t.Fatalf("at %d: %q", w, got)
				}
			}
			for strings.HasSuffix(e.says("r")[0], "c") { // what goes by the clock is read as well, and ends
			}
			e.advance(1700)
			if got := e.says("r"); strings.TrimSpace(got[0]) != "1 1 1" {
				t.Errorf("nobody has read it for 200 ms: %q", got)
			}
		})
	}
}

// TestChangesOfAgingListsAreChecked gives a task changes that no client of ours makes.
func TestChangesOfAgingListsAreChecked(t *testing.T) {
	e := startKeeper(t, aging["python"](t), dag.Fields, map[string]any{"gearstorm.event.time": true})
	e.says("a")
	num, text := gearcore.Long(3), gearcore.Str("x")
	e.onBolt(func(b *Bolt) error {
		n, _, err := b.states.keys.hold([]gearcore.Value{gearcore.Str("a")}, 99)
		if err != nil {
			return err
		}
		last := int32(slices.IndexFunc(b.states.decls, func(d stateDecl) bool { return d.name == "last" }))
		for _, c := range []struct {
			n    int64
			vals []gearcore.Value
			want string
		}{
			{0, nil, "0 values"}, {0, []gearcore.Value{num}, "1 values"}, {0, []gearcore.Value{text, num}, "from x to 0"}, {0, []gearcore.Value{num, gearcore.Long(-1)}, "from -1 on"},
			{1 << 60, []gearcore.Value{num, num}, "go"}, {1 << 50, []gearcore.Value{gearcore.Long(0), num, text}, ""},
		} {
			if err := b.states.apply(change{n, last, c.n}, c.vals); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v: %v, want %q", c.vals, err, c.want)
			}
		}
		found, err := b.Inspect(gearcore.StateQuery{State: "last", Key: "a", HasKey: true})
		if err != nil || len(found) != 1 || string(found[0].JSON) != `["x"]` {
			t.Errorf("the list is %v, %v", found, err)
		}
		return nil
	})
}

// brief are the same bolt for both clients: it keeps a word for 100 ms of event time, and says after 50 and 150 whether it is there.
var brief = map[string]func(t testing.TB) []string{
	"python": func(t testing.TB) []string {
		return python(t, `
import gearstorm

class Brief(gearstorm.BasicBolt):
    word = gearstorm.Value("", ttl=gearstorm.TTL(100, event_time=True))
    due = gearstorm.Timers()

    def process(self, tup):
        self.word.set(tup[0])
        now = self.event_time() or 0
        self.due.set(now + 50)
        self.due.set(now + 150)
        self.emit(["at %d" % now])

    def on_timer(self, timer):
        self.emit(["%d %d %s" % (timer.at, self.event_time(), self.word.get())])

Brief().run()
`)
	},
	"node": func(t testing.TB) []string {
		return node(t, `
const { BasicBolt, value, timers } = require('./gearstorm');

class Brief extends BasicBolt {
  static states = { word: value('', { ttlMs: 100, eventTime: true }), due: timers() };

  process(tuple) {
    const { word, due } = this.state(tuple);
    word.set(tuple.get(0));
    const now = this.eventTime() ?? 0;
    due.set(now + 50);
    due.set(now + 150);
    this.emit(['at ' + now]);
  }

  onTimer(timer) {
    this.emit([timer.at + ' ' + this.eventTime() + ' ' + this.state(timer).word.get()]);
  }
}
new Brief().run();
`)
	},
}

// TestTimersBeforeWhatExpires: a timer finds what has not expired by its moment, also when the watermark goes far beyond it at once.
func TestTimersBeforeWhatExpires(t *testing.T) {
	for name, command := range brief {
		t.Run(name, func(t *testing.T) {
			e := startKeeper(t, command(t), dag.KeyGroups, map[string]any{"gearstorm.event.time": true})
			says := e.wants
			says("first", "at 0")
			e.fires(1000, "50 1000 first", "150 1000 first") // what is written before there is an event time begins to age with it
			says("a", "at 1000")
			e.fires(1020)
			says("b", "at 1020")
			e.fires(5000, "1050 1050 a", "1070 1070 b", "1150 1150 ", "1170 1170 ")
			says("c", "at 5000")
			e.fires(gearcore.End, "5050 5050 c", "5150 5150 ")
		})
	}
}
