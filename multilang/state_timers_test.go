package multilang

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// alarmed are the same bolt for both clients: a tuple "key 100 -200 bell" sets a timer for 100, takes one for 200 back and sets one by the clock. What is
// counted is one for a tuple and ten for a timer. The key "die" ends the process the first time that a timer of it is due, "bad" fails.
var alarmed = map[string]func(t testing.TB) []string{
	"python": func(t testing.TB) []string {
		return python(t, `
import os, time
import gearstorm

class Alarm(gearstorm.Bolt):
    n = gearstorm.Value(0)
    due = gearstorm.Timers()
    bell = gearstorm.Timers(clock=True)

    def process(self, tup):
        self.n.set(self.n.get() + 1)
        for word in tup["sentence"].split()[1:]:
            if word == "bell":
                self.bell.set(time.time() * 1000 + 20)
            elif word.startswith("-"):
                self.due.delete(int(word[1:]))
            else:
                self.due.set(int(word))
        self.emit(["%d %s" % (self.n.get(), self.event_time() or 0)], anchors=[tup])
        self.ack(tup)

    def on_timer(self, timer):
        key = timer.key[0]
        if key.startswith("die") and not os.path.exists("died"):
            open("died", "w").close()
            os._exit(1)
        if key.startswith("bad"):
            raise ValueError("oh no")
        self.n.set(self.n.get() + 10)
        if timer.at == 50:
            self.due.set(60)
        at = 0 if timer.name == "bell" else timer.at
        self.emit(["%s %s %d %d" % (key.split()[0], timer.name, at, self.n.get())], anchors=[timer] if at == 60 else ())

Alarm().run()
`)
	},
	"node": func(t testing.TB) []string {
		return node(t, `
const fs = require('fs');
const { Bolt, value, timers } = require('./gearstorm');

class Alarm extends Bolt {
  static states = { n: value(0), due: timers(), bell: timers({ clock: true }) };

  process(tuple) {
    const { n, due, bell } = this.state(tuple);
    n.set(n.get() + 1);
    for (const word of tuple.get('sentence').split(' ').slice(1)) {
      if (word === 'bell') bell.set(Date.now() + 20);
      else if (word.startsWith('-')) due.delete(-Number(word));
      else due.set(Number(word));
    }
    this.emit([n.get() + ' ' + (this.eventTime() ?? 0)], { anchors: [tuple] });
    this.ack(tuple);
  }

  async onTimer(timer) {
    await null;
    const key = timer.key[0];
    if (key.startsWith('die') && !fs.existsSync('died')) {
      fs.writeFileSync('died', '');
      process.exit(1);
    }
    if (key.startsWith('bad')) throw new Error('oh no');
    const { n, due } = this.state(timer);
    n.set(n.get() + 10);
    if (timer.at === 50) due.set(60);
    const at = timer.name === 'bell' ? 0 : timer.at;
    this.emit([key.split(' ')[0] + ' ' + timer.name + ' ' + at + ' ' + n.get()], { anchors: at === 60 ? [timer] : [] });
  }
}
new Alarm().run();
`)
	},
}

// advance has the bolt's event time go on, again and again until it holds nothing after it, as the engine does.
func (e *fakeEngine) advance(w gearcore.Watermark) {
	e.t.Helper()
	type told struct {
		out     gearcore.Watermark
		holding bool
	}
	for done := false; !done; {
		answer := make(chan told, 1)
		e.do(func(c *gearcore.Collector) {
			b := e.bolt.(*Bolt)
			if b.Holding() {
				answer <- told{holding: true}
				return
			}
			out, err := b.Advance(w, c)
			if err != nil {
				e.t.Error(err)
			}
			answer <- told{out, b.Holding()}
		})
		a := <-answer
		if done = !a.holding; done && a.out != w {
			e.t.Errorf("event time is %d, and %d is told on", w, a.out)
		}
	}
}

// wants sends a word, and wants this one answer.
func (e *fakeEngine) wants(word, want string) {
	e.t.Helper()
	if got := e.says(word); !slices.Equal(got, []string{want}) {
		e.t.Errorf("%s: it says %q, want %q", word, got, want)
	}
}

// fires has event time go on and wants these emits.
func (e *fakeEngine) fires(w gearcore.Watermark, want ...string) {
	e.t.Helper()
	had := len(e.snap().emits)
	e.advance(w)
	if got := e.snap().vals()[had:]; !slices.Equal(got, want) {
		e.t.Errorf("at %d it says %q, want %q", w, got, want)
	}
}

// TestChildrenHaveTimers sets timers by event time and by the clock, takes some back, loses the child in one, and goes back to a checkpoint.
func TestChildrenHaveTimers(t *testing.T) {
	for name, command := range alarmed {
		t.Run(name, func(t *testing.T) {
			e := startKeeper(t, command(t), dag.KeyGroups, map[string]any{"gearstorm.event.time": true})
			says := e.wants
			says("a 100 50 200 -200", "1 0")
			e.fires(40)
			e.fires(55, "a due 50 11")
			e.fires(150, "a due 60 21", "a due 100 31")
			grows := func(word string, want ...string) {
				t.Helper()
				had := len(e.snap().emits)
				e.feed(word)
				e.eventually(word, func() bool { return len(e.emits) >= had+len(want) })
				if got := e.snap().vals()[had:]; !slices.Equal(got, want) {
					t.Errorf("%s: it says %q, want %q", word, got, want)
				}
			}
			grows("a 100 50 200 -200", "32 150", "a due 50 42", "a due 100 52", "a due 60 62") // all are over: at once
			grows("c bell", "1 150", "c bell 0 11")

			says("bad 300", "1 150")
			had := len(e.snap().errs)
			e.fires(310)
			if got := e.snap().errs[had:]; len(got) != 1 || !strings.Contains(got[0].Error(), "oh no") {
				t.Errorf("errors %v, want one", got)
			}
			if got := e.snap().lost; len(got) != 1 || !strings.Contains(got[0].Error(), "timer 300 of state due of me failed") {
				t.Errorf("lost %v, want the timer that failed", got)
			}

			says("die 400", "1 310")
			e.fires(410, "die due 400 11")
			e.eventually("the end is told", e.hasError("restart 1"))
			if got := e.snap().lost; len(got) != 2 || !strings.Contains(got[1].Error(), "restart 1") {
				t.Errorf("lost %v, want the child as well", got)
			}
			says("a", "1 410")

			// A rollback to a checkpoint takes back what came after it, and event time.
			says("r 500 600", "1 410")
			vault := memVault{}
			part := e.save(vault)
			e.fires(550, "r due 500 11")
			says("later 560", "1 550")
			e.onBolt(func(b *Bolt) error { return b.Restore(backTo(vault, gearcore.TaskPart{Part: part, Watermark: 410})) })
			says("a", "2 410")
			e.onBolt(func(b *Bolt) error {
				found, err := b.Inspect(gearcore.StateQuery{State: "due", Key: "r 500 600", HasKey: true})
				if err == nil && (len(found) != 1 || string(found[0].JSON) != "[500,600]" || found[0].Kind != "timers") {
					t.Errorf("state due is %s", found)
				}
				return err
			})
			e.fires(700, "r due 500 11", "r due 600 21")
			e.fires(gearcore.End)
			says("end", "1 700")
		})
	}
}

// TestManyTimersAtOnce has far more timers due than a child is given at a time; what came before the watermark ends before it.
func TestManyTimersAtOnce(t *testing.T) {
	for name, command := range alarmed {
		t.Run(name, func(t *testing.T) {
			e := startKeeper(t, command(t), dag.KeyGroups, map[string]any{"gearstorm.checkpoint.interval.ms": int64(1000)})
			e.restore()
			const each = 5 * timersAtOnce
			var words []string
			for _, key := range []string{"a", "b"} {
				text := key
				for i := range each {
					text += fmt.Sprint(" ", 1000+i)
				}
				words = append(words, text)
			}
			e.says(words...)
			e.advance(999 + each)
			got := e.snap().vals()[2:]
			if len(got) != 2*each {
				t.Fatalf("%d timers were done, want %d", len(got), 2*each)
			}
			last := 0
			for i, text := range got {
				var key, name string
				var at, n int
				if _, err := fmt.Sscan(text, &key, &name, &at, &n); err != nil || at < last || n != 1+10*(at-999) {
					t.Fatalf("timer %d: %q behind %d, %v", i, text, last, err)
				}
				last = at
			}
			e.onBolt(func(b *Bolt) error {
				if n := len(b.states.timers.given); n > 0 || b.states.timers.handles[0].q.Len() > 0 || b.Holding() {
					t.Errorf("%d timers are given, holding %v", n, b.Holding())
				}
				return nil
			})
		})
	}
}

// TestTimersThatCannotBe are refused before a tuple goes to the child.
func TestTimersThatCannotBe(t *testing.T) {
	const head = "import gearstorm\nclass B(gearstorm.Bolt):\n"
	for _, c := range []struct{ name, text, want string }{
		{"no event time", head + "    x = gearstorm.Timers()\n    def on_timer(self, timer): pass\nB().run()\n", "goes by event time, and the topology has none"},
		{"no event time for a ttl", head + "    x = gearstorm.Value(ttl=gearstorm.TTL(5, event_time=True))\nB().run()\n", "goes by event time, and the topology has none"},
		{"no callback", head + "    x = gearstorm.Timers(clock=True)\nB().run()\n", "on_timer(self, timer)"},
		{"no ttl", head + "    x = gearstorm.Value(ttl=gearstorm.TTL(0))\nB().run()\n", "milliseconds from 1 on"},
		{"a list that is read", head + "    x = gearstorm.List(ttl=gearstorm.TTL(9, on_read=True))\nB().run()\n", "whether they are read or not"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := startKeeper(t, python(t, c.text), dag.Fields, nil)
			e.eventually(c.want, e.hasError(c.want))
		})
	}
}

// TestDeclarationsAreChecked reads declarations that no client of ours makes.
func TestDeclarationsAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "a list of at most 64", `[["x"]]`: "a name, a kind", `[["x","value",{},1]]`: "a name, a kind", `[["x","queue"]]`: "of kind", `[["x","value",5]]`: "a map",
		`[["x","value",{"ttl":1.5}]]`: "milliseconds", `[["x","value",{"tll":5}]]`: "is not known", `[["x","value",{"read":true}]]`: "without one",
		`[["x","value",{"ttl":5,"event":"yes"}]]`: "true or false", `[["x","value",{"ttl":5,"read":1}]]`: "true or false",
		`[["x","clock",{"ttl":5}]]`: "timers have no ttl", `[["x","value",{"ttl":281474976710656}]]`: "", `[["x","map",{"ttl":5,"event":true,"read":true}]]`: "",
	} {
		s := newScanner([]byte(text), &Limits{Depth: 9, Values: 99, Digits: 99}, new(gearcore.Chunk))
		v, err := s.value(0, true)
		if err != nil {
			t.Fatal(err)
		}
		decls, err := readStates(v)
		if want == "" && (err != nil || decls[0].ttl.After <= 0) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestTimersToTheChild checks what a child gets, in both framings.
func TestTimersToTheChild(t *testing.T) {
	for kind, loads := range map[framing]string{framingJSON: "json.loads(data)", framingMarshal: "marshal.loads(data)"} {
		frame := batchOf(t, kind, func(o *outbox) {
			key := []gearcore.Value{gearcore.Str("k"), gearcore.Long(7)}
			for i, ref := range []keyRef{{number: 3, content: gearcore.List([]gearcore.Value{gearcore.Null(), gearcore.Str("x")})}, {number: 3}} {
				if _, sent, err := o.addTimer(1<<32|uint64(i), dueTimer{h: &timerHandle{index: 2}, at: 1 << 45}, key, &ref); err != nil || sent != uint64(i+1) {
					t.Fatal(sent, err)
				}
			}
			ref := keyRef{number: 4, content: gearcore.OpaqueValue(&gearcore.Opaque{Class: "x.Y"})}
			if _, _, err := o.addTimer(1<<32|9, dueTimer{h: &timerHandle{}}, key, &ref); err == nil {
				t.Error("an opaque value was sent")
			}
			if err := o.addCommand("watermark", gearcore.Long(1<<44)); err != nil {
				t.Fatal(err)
			}
		})
		cmd := exec.Command(tool(t, "python3"), "-c", "import json, marshal, sys\ndata = sys.stdin.buffer.read()\nprint(json.dumps("+loads+`, separators=(",", ":")))`)
		cmd.Stdin = bytes.NewReader(frame)
		out, err := cmd.CombinedOutput()
		const want = `[[-1,"__system","__timer"],[0,-1,0,[2,35184372088832,"k",7],3,[null,"x"]],[1,-1,0,[2,35184372088832,"k",7],3,null],["watermark",17592186044416]]`
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("framing %d gave %v: %s, want %s", kind, err, got, want)
		}
	}
}
