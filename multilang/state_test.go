package multilang

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// keepers are the same bolt for both clients: it counts each word, keeps the last three counts in a list and two entries in a map, and says what it has. The
// part of a word before a dash is what is done beside that; the words "fail" fail, whatever they have changed.
var keepers = map[string]func(t testing.TB) []string{
	"python": func(t testing.TB) []string {
		return python(t, `
import gearstorm

class Keep(gearstorm.Bolt):
    total = gearstorm.Value(0)
    last = gearstorm.List()
    places = gearstorm.Map(name="spots")

    def process(self, tup):
        word = tup["sentence"]
        self.total.set(self.total.get() + 1)
        n = self.total.get()
        self.last.append(n)
        if len(self.last) > 3:
            self.last.drop_first()
        self.places["p%d" % (n % 3)] = [n, "ö"]
        if n % 3 == 2:
            self.places.delete("p0")
        if word.startswith("clear"):
            self.last.clear()
            self.last.append(-n)
            self.places.clear()
            self.places.set(7, n)
        if word.startswith("forget"):
            self.total.delete()
        if word.startswith("late"):
            self.ack(tup)
            self.total.get()
        places = sorted(str(k) + "=" + str(v[0] if isinstance(v, list) else v) for k, v in self.places.items())
        self.emit(["%s %d %s %s" % (word, n, "".join(str(x) + "," for x in self.last), ",".join(places))], anchors=[tup])
        self.fail(tup) if word == "fail" else self.ack(tup)

    def tick(self, tup):
        self.total.get()

Keep().run()
`)
	},
	"node": func(t testing.TB) []string {
		return node(t, `
const { Bolt, value, list, map } = require('./gearstorm');

class Keep extends Bolt {
  static states = { total: value(0), last: list(), spots: map() };

  process(tuple) {
    const word = tuple.get('sentence');
    const { total, last, spots } = this.state(tuple);
    total.set(total.get() + 1);
    const n = total.get();
    last.append(n);
    if (last.length > 3) last.dropFirst();
    spots.set('p' + (n % 3), [n, 'ö']);
    if (n % 3 === 2) spots.delete('p0');
    if (word.startsWith('clear')) {
      last.clear();
      last.append(-n);
      spots.clear();
      spots.set(7, n);
    }
    if (word.startsWith('forget')) total.delete();
    if (word.startsWith('late')) {
      this.ack(tuple);
      total.get();
    }
    const shown = [...spots].map(([k, v]) => k + '=' + (Array.isArray(v) ? v[0] : v)).sort();
    this.emit([word + ' ' + n + ' ' + [...last].map((x) => x + ',').join('') + ' ' + shown.join(',')], { anchors: [tuple] });
    if (word === 'fail') this.fail(tuple);
    else this.ack(tuple);
  }

  tick(tuple) { this.state(tuple); }
}
new Keep().run();
`)
	},
}

// startKeeper starts the bolt as the only task of its component.
func startKeeper(t *testing.T, command []string, kind dag.GroupingKind, conf map[string]any) *fakeEngine {
	t.Helper()
	spec := quick(command)
	spec.Wiring.Sources = map[string]map[string]dag.Grouping{"src": {"default": {Kind: kind, Fields: []string{"sentence"}}}}
	spec.Wiring.SourceFields = map[string]map[string][]string{"src": {"default": {"sentence"}}}
	e := newEngine(t, conf)
	e.ctx.Tasks = []gearcore.TaskID{3}
	e.start(NewBolt(spec), nil)
	return e
}

// says feeds words and waits for what is emitted for them.
func (e *fakeEngine) says(words ...string) []string {
	e.t.Helper()
	had := len(e.snap().emits)
	e.feed(words...)
	e.eventually(fmt.Sprintf("%d are answered", len(words)), func() bool { return len(e.emits) == had+len(words) })
	return e.snap().vals()[had:]
}

// memVault keeps files in memory.
type memVault map[string][]byte

func (v memVault) Put(_ context.Context, name string, content io.Reader) (gearcore.File, error) {
	b, err := io.ReadAll(content)
	name = fmt.Sprintf("%s-%d", name, len(v))
	v[name] = b
	return gearcore.File{Name: name, Bytes: int64(len(b))}, err
}

func (v memVault) Get(_ context.Context, f gearcore.File) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(v[f.Name])), nil
}

// onBolt runs f in the executor.
func (e *fakeEngine) onBolt(f func(b *Bolt) error) {
	e.t.Helper()
	done := make(chan error)
	e.do(func(*gearcore.Collector) { done <- f(e.bolt.(*Bolt)) })
	if err := <-done; err != nil {
		e.t.Fatal(err)
	}
}

// save makes a checkpoint of the states.
func (e *fakeEngine) save(vault memVault) (part gearcore.Part) {
	e.t.Helper()
	e.onBolt(func(b *Bolt) error {
		f, err := b.Freeze(1)
		if err == nil {
			part, err = f.Save(e.t.Context(), vault)
		}
		return err
	})
	return part
}

// backTo is the way back to such a checkpoint, for a task that has all keys.
func backTo(vault memVault, part gearcore.TaskPart) *gearcore.Recovery {
	part.Task = 3
	return &gearcore.Recovery{Epoch: 1, Generation: 2, Tasks: 1, Last: gearcore.KeyGroups - 1, Vault: vault, Parts: []gearcore.TaskPart{part}}
}

// TestChildrenKeepState plays what a child may do with its states, the end of the process, a checkpoint and a rollback to it.
func TestChildrenKeepState(t *testing.T) {
	for name, command := range keepers {
		t.Run(name, func(t *testing.T) {
			e := startKeeper(t, command(t), dag.KeyGroups, map[string]any{})
			check := func(got []string, want ...string) {
				t.Helper()
				if !slices.Equal(got, want) {
					t.Errorf("it says %q, want %q", got, want)
				}
			}
			check(e.says("a", "b", "a", "a", "a", "fail"), "a 1 1, p1=1", "b 1 1, p1=1", "a 2 1,2, p1=1,p2=2", "a 3 1,2,3, p0=3,p1=1,p2=2", "a 4 2,3,4, p0=3,p1=4,p2=2",
				"fail 1 1, p1=1")
			check(e.says("clear-1", "clear-1", "forget", "forget"), "clear-1 1 -1, 7=1", "clear-1 2 -2, 7=2", "forget 1 1, p1=1", "forget 1 1,1, p1=1")
			e.eventually("all are settled", func() bool { return len(e.acked) == 9 && len(e.failed) == 1 })

			// Another process finds all of it again.
			pid := e.pid()
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			e.eventually("the end is noticed", func() bool { return len(e.errs) > 0 })
			check(e.says("a", "b", "clear-1"), "a 5 3,4,5, p1=4,p2=5", "b 2 1,2, p1=1,p2=2", "clear-1 3 -3, 7=3")

			// A rollback to a checkpoint takes back what came after it.
			vault := memVault{}
			part := e.save(vault)
			check(e.says("a", "new"), "a 6 4,5,6, p0=6,p1=4,p2=5", "new 1 1, p1=1")
			e.onBolt(func(b *Bolt) error { return b.Restore(backTo(vault, gearcore.TaskPart{Part: part})) })
			check(e.says("a", "new", "forget"), "a 6 4,5,6, p0=6,p1=4,p2=5", "new 1 1, p1=1", "forget 1 1,1,1, p1=1")

			e.onBolt(func(b *Bolt) error {
				found, err := b.Inspect(gearcore.StateQuery{Key: "a", HasKey: true})
				got := ""
				for _, f := range found {
					got += f.State + "=" + string(f.JSON) + " "
				}
				if want := `last=[4,5,6] spots={"p0":[6,"ö"],"p1":[4,"ö"],"p2":[5,"ö"]} total=6 `; got != want {
					t.Errorf("state of a is %q, want %q", got, want)
				}
				return err
			})
			had := len(e.snap().errs)
			e.feed("late")
			e.feedTuples(gearcore.NewTuple(e.layout, 1, -1, gearcore.Long(1)))
			e.eventually("two mistakes are told", func() bool { return len(e.errs) == had+2 })
			for i, part := range []string{"after the ack or fail", "grouped by fields"} {
				if got := e.snap().errs[had+i]; !strings.Contains(got.Error(), part) {
					t.Errorf("%v, want %q", got, part)
				}
			}
		})
	}
}

// TestChildHoldsFewKeys has far more keys than a child is let to hold: those that are not in use are sent again when they come.
func TestChildHoldsFewKeys(t *testing.T) {
	for name, command := range keepers {
		t.Run(name, func(t *testing.T) {
			e := startKeeper(t, command(t), dag.Fields, map[string]any{})
			e.says("first")
			e.onBolt(func(b *Bolt) error {
				b.states.keys.limit = 5
				return nil
			})
			want := map[string]int{"first": 1}
			for round := range 20 {
				var words, expect []string
				for i := range 50 {
					w := strconv.Itoa(i * i % (13 + round))
					words = append(words, w)
					want[w]++
					expect = append(expect, fmt.Sprint(w, " ", want[w], " "))
				}
				for i, got := range e.says(words...) {
					if !strings.HasPrefix(got, expect[i]) {
						t.Fatalf("round %d: %q, want %q", round, got, expect[i])
					}
				}
			}
			e.eventually("all are acked", func() bool { return len(e.acked) == 1001 })
			e.onBolt(func(b *Bolt) error {
				if n := len(b.states.keys.slots); n > 150 || len(b.states.keys.byKey) > n {
					t.Errorf("the child holds %d keys in %d places", len(b.states.keys.byKey), n)
				}
				return nil
			})
		})
	}
}

// TestStatesThatCannotBe are refused before a tuple goes to the child.
func TestStatesThatCannotBe(t *testing.T) {
	child := func(states string) string {
		return "import gearstorm\nclass B(gearstorm.Bolt):\n" + states + "\nB().run()\n"
	}
	one := child("    x = gearstorm.Value()")
	for _, c := range []struct {
		name, text string
		kind       dag.GroupingKind
		conf       map[string]any
		want       string
	}{
		{"no key", one, dag.Shuffle, nil, "no input of it is grouped by fields"},
		{"no groups", one, dag.Fields, map[string]any{"gearstorm.checkpoint.interval.ms": int64(1000)}, "KEY_GROUPS"},
		{"two of a name", child("    x = gearstorm.Value(name='n')\n    y = gearstorm.List(name='n')"), dag.Fields, nil, "two states are called n"},
		{"long name", child("    x = gearstorm.Value(name='n' * 300)"), dag.Fields, nil, "a name of 300 bytes"},
		{"no batches", one, dag.Fields, map[string]any{"gearstorm.multilang.batch": false}, "this parent keeps no state"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := startKeeper(t, python(t, c.text), c.kind, c.conf)
			e.eventually(c.want, e.hasError(c.want))
		})
	}
}

// TestChangesAreChecked gives a task changes that no client of ours makes.
func TestChangesAreChecked(t *testing.T) {
	e := startKeeper(t, keepers["python"](t), dag.Fields, map[string]any{})
	e.says("a")
	text, num := gearcore.Str("x"), gearcore.Int(1)
	e.onBolt(func(b *Bolt) error {
		n, _, err := b.states.keys.hold([]gearcore.Value{text}, 99)
		if err != nil {
			return err
		}
		for _, c := range []struct {
			change change
			vals   []gearcore.Value
			want   string
		}{
			{change{n, 9, 0}, nil, "state 9 of 3"}, {change{n + 1, 0, 0}, nil, "which the child has not got"}, {change{n, 2, 0}, []gearcore.Value{num, num}, "2 values at once"},
			{change{n, 1, 0}, []gearcore.Value{num}, "1 keys and values"}, {change{n, 1, 0}, []gearcore.Value{gearcore.Bool(true), num}, "as key of an entry"},
			{change{n, 0, 1 << 60}, []gearcore.Value{num}, ""},
		} {
			if err := b.states.apply(c.change, c.vals); fmt.Sprint(err) != "<nil>" && c.want == "" || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v: %v, want %q", c.change, err, c.want)
			}
		}
		return nil
	})
}
