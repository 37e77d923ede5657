package multilang

import (
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// oddValues emits what marshal makes bytes of without a word, as it does of the numbers of numpy, and what it cannot write.
const oddValues = `
import array, ctypes, gearstorm

class Half(float):
    pass

class Odd(gearstorm.BasicBolt):
    def process(self, tup):
        how, odd = tup[0], ctypes.c_int(7)
        if how == "metric":
            self.metric("m", odd)
        elif how == "half metric":
            self.metric("half", Half(0.5))
        elif how == "stream":
            self.emit([odd], stream="default")
        else:
            self.emit([{
                "number": odd, "list": [1, [odd]], "tuple": (1, (odd,)), "dict": {"a": {"b": [odd]}}, "array": array.array("i", [7]), "complex": 1j,
                "half": Half(0.5), "halves": [Half(0.5), {"a": Half(1.5)}], "plain": [None, True, 1 << 70, 0.5, "x", (1, [2]), {"a": {"b": []}}],
                "buffers": [bytearray(b"x"), memoryview(b"y")], "key": {(1, 2): 1}, "set": {1},
            }[how]])

Odd().run()
`

// TestPythonEmitsWhatItCannot: what would come out as something else fails its tuple, and that alone.
func TestPythonEmitsWhatItCannot(t *testing.T) {
	bothFramings(t, map[string]func(t testing.TB) []string{"python": func(t testing.TB) []string { return python(t, oddValues) }},
		func(t *testing.T, _ string, spec Spec) {
			metrics := &countingMetrics{}
			spec.Metrics = metrics
			e := startBolt(t, spec, nil)
			e.feed("half")
			e.eventually("it works", func() bool { return len(e.acked) == 1 })
			pid := e.pid()
			bad := map[string]string{"number": "cannot hold a c_int", "list": "cannot hold a c_int", "tuple": "cannot hold a c_int", "dict": "cannot hold a c_int",
				"array": "cannot hold a array", "complex": "cannot hold a complex", "stream": "cannot hold a c_int", "metric": "cannot hold a c_int", "key": "keys must be"}
			if spec.Plain {
				bad["buffers"], bad["set"] = "cannot hold bytes", "cannot hold a set"
			}
			for how, want := range bad {
				before := e.snap()
				e.feed(how)
				e.eventually(how, func() bool { return len(e.failed) > len(before.failed) || len(e.acked) > len(before.acked) })
				got := e.snap()
				if len(got.failed) != len(before.failed)+1 || len(got.emits) != 1 || !strings.Contains(got.errs[len(got.errs)-1].Error(), want) {
					t.Errorf("%s: acked %q, failed %q, emitted %q; errors %v, want %s", how, got.acked, got.failed, got.vals(), got.errs, want)
				}
			}
			e.feed("halves", "plain", "half metric")
			e.eventually("the rest", func() bool { return len(e.acked) == 4 })
			if got := e.snap(); !slices.Equal(got.vals()[1:], []string{"[0.5 map[a:1.5]]", "[<nil> true 1180591620717411303424 0.5 x [1 [2]] map[a:map[b:[]]]]"}) {
				t.Errorf("emitted %q", got.vals())
			}
			if want := []string{"gauge 3 half 0.5"}; !slices.Equal(metrics.lines, want) || e.pid() != pid {
				t.Errorf("metrics %q, want %q; process %d, it was %d", metrics.lines, want, e.pid(), pid)
			}
		})
}

// TestPythonLogsElsewhere has a fork and a thread of a component log while the component has emitted something: nothing comes twice, and nothing
// gets among what the component writes.
func TestPythonLogsElsewhere(t *testing.T) {
	bothFramings(t, map[string]func(t testing.TB) []string{"python": func(t testing.TB) []string {
		return python(t, `
import logging, os, threading, gearstorm
log = logging.getLogger("x")

class Forks(gearstorm.BasicBolt):
    def process(self, tup):
        self.emit([tup[0]])
        pid = os.fork()
        if pid == 0:
            log.error("from a fork " + "x" * 70000)
            os._exit(0)
        os.waitpid(pid, 0)
        thread = threading.Thread(target=lambda: log.warning("from a thread"))
        thread.start()
        thread.join()
        log.warning("from the component")

Forks().run()
`)
	}}, func(t *testing.T, _ string, spec Spec) {
		e := startBolt(t, spec, nil)
		e.feed("a", "b")
		e.eventually("all are acked", func() bool { return len(e.acked) == 2 })
		for _, line := range []string{"INFO child wrote to standard error ERROR: from a fork xxx", "INFO child wrote to standard error WARNING: from a thread",
			"WARN shell log from the component"} {
			e.eventually("a line of the log", e.hasLog(line))
		}
		if got := e.snap(); !slices.Equal(got.vals(), []string{"a", "b"}) || len(got.errs) > 0 {
			t.Errorf("emitted %q; errors %v", got.vals(), got.errs)
		}
	})
}

// TestAckOfAnotherTime: in batches too a child cannot ack with the id of a tuple that it has acked, which another one may be near to by now.
func TestAckOfAnotherTime(t *testing.T) {
	e := startBolt(t, quick(python(t, `
import gearstorm

class Twice(gearstorm.Bolt):
    first = None

    def process(self, tup):
        if self.first is None:
            self.first = tup
            self.ack(tup)
        elif tup[0] == "b":
            self._write(gearstorm._dumps(self.first.id, 2))

Twice().run()
`)), nil)
	e.feed("a")
	e.eventually("the first is acked", func() bool { return len(e.acked) == 1 })
	e.feed("b")
	e.eventually("it is told", e.hasError("which does not exist or was acked or failed already"))
	e.eventually("the second is failed", func() bool { return len(e.failed) == 1 })
	if got := e.snap(); !slices.Equal(got.acked, []string{"a"}) || !slices.Equal(got.failed, []string{"b"}) {
		t.Errorf("acked %q, failed %q", got.acked, got.failed)
	}
}

// TestShortIDsOfAnotherTime: what a short id names is the tuple that it was given to, or nothing.
func TestShortIDsOfAnotherTime(t *testing.T) {
	b := &Bolt{}
	s := &session{framing: framingMarshal}
	first := b.waiting.add(gearcore.NewTuple(testLayout, 0, 2, gearcore.Str("a")))
	b.waiting.take(first)
	second := b.waiting.add(gearcore.NewTuple(testLayout, 0, 2, gearcore.Str("b")))
	old, _ := shortID(first)
	now, _ := shortID(second)
	if _, _, ok := b.known(s, uint64(old)); ok {
		t.Error("the id of a tuple that was acked names the one that has its place")
	}
	if tu, id, ok := b.known(s, uint64(now)); !ok || id != second || tu.String(0) != "b" {
		t.Errorf("the second is called %d, %v", id, ok)
	}
}
