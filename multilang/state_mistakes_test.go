package multilang

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// mistaken are the same bolt for both clients: it counts each word, and tries to keep what cannot be kept, in the way that the word says.
var mistaken = map[string]func(t testing.TB) []string{
	"python": func(t testing.TB) []string {
		return python(t, `
import collections

import gearstorm

class Mistaken(gearstorm.BasicBolt):
    n = gearstorm.Value(0)
    one = gearstorm.Value()
    many = gearstorm.List()
    places = gearstorm.Map()
    due = gearstorm.Timers(clock=True)

    def process(self, tup):
        self.n.set(self.n.get() + 1)
        how = tup["sentence"]
        if how == "value":
            self.one.set({"x": object()})
        elif how == "list":
            self.many.append(1, object())
        elif how == "map":
            self.places["x"] = lambda: 1
        elif how == "set":
            self.one.set({1, 2})
        elif how == "nested":
            self.places["x"] = [1, {"a": ({3},)}]
        elif how == "class":
            self.many.append(collections.Counter("aab"))
        elif how == "bytes":
            self.one.set([bytearray(b"x")])
        elif how == "dict key":
            self.one.set({(1, 2): 3})
        elif how == "round":
            at = []
            at.append(at)
            self.one.set(at)
        elif how == "fine":
            self.one.set([None, True, 1 << 70, 0.5, "x\u20ac\U0001F600", b"y", (1, [2]), {"a\u20ac": {7: float("inf")}}])
            self.one.set(None)
        elif how == "half text":
            self.one.set([("a\udc80",)])
        elif how == "half key":
            self.places["a\udc80"] = 1
        elif how == "half dict key":
            self.many.append({"a\udc80": 1})
        elif how == "half":
            self.many.drop_first(1.5)
        elif how == "key":
            self.places[1 << 70] = 1
        elif how == "moment":
            self.due.set(-1)
        elif how == "later":
            kept = [1]
            self.one.set(kept)
            kept.append(object())
        self.emit(["%s %d %s %d %d" % (how, self.n.get(), self.one.get(), len(self.many), len(self.places))])

    def on_timer(self, timer):
        pass

Mistaken().run()
`)
	},
	"node": func(t testing.TB) []string {
		return node(t, `
const { BasicBolt, value, list, map, timers } = require('./gearstorm');

class Mistaken extends BasicBolt {
  static states = { n: value(0), one: value(), many: list(), places: map(), due: timers({ clock: true }) };

  process(tuple) {
    const { n, one, many, places, due } = this.state(tuple);
    n.set(n.get() + 1);
    const how = tuple.get('sentence');
    const kept = [1];
    if (how === 'value') one.set({ x: 1n });
    else if (how === 'list') many.append(1, () => 1);
    else if (how === 'map') places.set('x', Symbol('y'));
    else if (how === 'set') one.set(new Set([1, 2]));
    else if (how === 'nested') places.set('x', [1, { a: [NaN] }]);
    else if (how === 'class') many.append(new Date());
    else if (how === 'bytes') one.set([Buffer.from('x')]);
    else if (how === 'dict key') one.set([1, undefined]);
    else if (how === 'round') { const at = []; at.push(at); one.set(at); }
    else if (how === 'half text') one.set([['a\udc80']]);
    else if (how === 'half key') places.set('a\udc80', 1);
    else if (how === 'half dict key') many.append({ 'a\ud83d': 1 });
    else if (how === 'half') many.append(-Infinity);
    else if (how === 'nan') one.set(NaN);
    else if (how === 'function') one.set({ f() {} });
    else if (how === 'fine') {
      one.set([null, true, 0.5, 'x\u20ac\ud83d\ude00', [1, [2]], { a: { b: undefined } }, Object.create(null)]);
      one.set(null);
    } else if (how === 'key') places.set(2 ** 70, 1);
    else if (how === 'moment') due.set('soon');
    else if (how === 'later') {
      one.set(kept);
      kept.push(1n);
    }
    this.emit([how + ' ' + n.get() + ' None ' + many.length + ' ' + places.size]);
  }

  onTimer() {}
}
new Mistaken().run();
`)
	},
}

// TestWhatCannotBeKept fails the tuple that wants it, and leaves the rest alone. What is found out too late for that ends the process before any ack
// without its changes is told.
func TestWhatCannotBeKept(t *testing.T) {
	for name, command := range mistaken {
		t.Run(name, func(t *testing.T) {
			e := startKeeper(t, command(t), dag.KeyGroups, map[string]any{})
			check := func(word, want string) {
				t.Helper()
				if got := e.says(word); !slices.Equal(got, []string{want}) {
					t.Errorf("it says %q, want %q", got, want)
				}
			}
			check("a", "a 1 None 0 0")
			pid := e.pid()
			mistakes := map[string]string{"value": "cannot keep", "list": "cannot keep", "map": "cannot keep", "key": "whole number", "moment": "is no moment",
				"set": "would come back as something else", "nested": "cannot keep", "class": "would come back as something else",
				"bytes": "would come back as something else", "dict key": "cannot keep", "round": "more than 60 deep",
				"half text": "half of a surrogate pair", "half key": "half of a surrogate pair", "half dict key": "half of a surrogate pair"}
			if name == "node" {
				maps.Copy(mistakes, map[string]string{"half": "-Infinity is no number", "nan": "NaN is no number", "function": "a function cannot be kept"})
			} else {
				mistakes["half"] = "integer"
			}
			for how, want := range mistakes {
				failed, told := len(e.snap().failed), len(e.snap().errs)
				e.feed(how)
				e.eventually(how, func() bool { return len(e.failed) == failed+1 && len(e.errs) == told+1 })
				if got := e.snap().errs[told].Error(); !strings.Contains(got, want) {
					t.Errorf("%s: %s, want %s", how, got, want)
				}
			}
			check("fine", "fine 1 None 0 0")
			check("a", "a 2 None 0 0")
			if e.pid() != pid {
				t.Error("the process has ended")
			}
			e.feed("a", "later", "a")
			e.eventually("the end is told", e.hasError("has what cannot be kept"))
			acked := 0
			for _, word := range e.snap().acked {
				if word == "a" {
					acked++
				}
			}
			had := len(e.snap().emits)
			e.feed("a")
			e.eventually("another process is up", func() bool { return len(e.emits) > had && e.acked[len(e.acked)-1] == "a" })
			if last := e.snap().vals()[len(e.snap().emits)-1]; last < "a "+string(rune('1'+acked)) {
				t.Errorf("%d were acked, and then it says %q", acked, last)
			}
		})
	}
}

// growers are the same bolt for both clients: it changes what it gets in place and sets it again.
var growers = map[string]func(t testing.TB) []string{
	"python": func(t testing.TB) []string {
		return python(t, `
import gearstorm

class Grow(gearstorm.BasicBolt):
    seen = gearstorm.Value([])
    by = gearstorm.Value({"n": [0]})

    def process(self, tup):
        seen, by = self.seen.get(), self.by.get()
        seen.append(1)
        by["n"][0] += 1
        self.seen.set(seen)
        self.by.set(by)
        self.emit(["%s %d %d" % (tup["sentence"], len(seen), by["n"][0])])

Grow().run()
`)
	},
	"node": func(t testing.TB) []string {
		return node(t, `
const { BasicBolt, value } = require('./gearstorm');

class Grow extends BasicBolt {
  static states = { seen: value([]), by: value({ n: [0] }) };

  process(tuple) {
    const state = this.state(tuple);
    const [seen, by] = [state.seen.get(), state.by.get()];
    seen.push(1);
    by.n[0]++;
    state.seen.set(seen);
    state.by.set(by);
    this.emit([[tuple.get('sentence'), seen.length, by.n[0]].join(' ')]);
  }
}
new Grow().run();
`)
	},
}

// TestInitialValuesAreOfEachKey has keys change what they begin with in place: no other key sees that.
func TestInitialValuesAreOfEachKey(t *testing.T) {
	for name, command := range growers {
		t.Run(name, func(t *testing.T) {
			e := startKeeper(t, command(t), dag.Fields, map[string]any{})
			if got, want := e.says("a", "a", "b", "a", "b"), []string{"a 1 1", "a 2 2", "b 1 1", "a 3 3", "b 2 2"}; !slices.Equal(got, want) {
				t.Errorf("it says %q, want %q", got, want)
			}
		})
	}
}
