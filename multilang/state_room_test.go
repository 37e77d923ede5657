package multilang

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// growing are the same bolt for both clients: it does what a file says, where "NAME+" puts many bytes into a state and "NAME-" takes some away,
// and says how much there is.
var growing = map[string]func(t testing.TB) []string{
	"python": func(t testing.TB) []string {
		return python(t, `
import gearstorm

class Growing(gearstorm.BasicBolt):
    one = gearstorm.Value("")
    many = gearstorm.List()
    aging = gearstorm.List(ttl=gearstorm.TTL(10**9))
    places = gearstorm.Map()

    def process(self, tup):
        with open(self.conf["file"]) as f:
            todo = f.read().split()
        for how in todo:
            if how == "one+":
                self.one.set("x" * 40000)
            elif how == "one-":
                self.one.delete()
            elif how == "many+":
                self.many.append("y" * 10000)
            elif how == "many-":
                self.many.clear()
            elif how == "aging+":
                self.aging.append("z" * 10000)
            elif how == "aging-":
                self.aging.clear()
            elif how == "places+":
                self.places[len(self.places)] = "p" * 10000
            elif how == "places-":
                self.places.delete(0)
        self.emit(["%d %d %d %d" % (len(self.one.get()), len(self.many), len(self.aging), len(self.places))])

Growing().run()
`)
	},
	"node": func(t testing.TB) []string {
		return node(t, `
const fs = require('fs');
const { BasicBolt, value, list, map } = require('./gearstorm');

class Growing extends BasicBolt {
  static states = { one: value(''), many: list(), aging: list({ ttlMs: 1e9 }), places: map() };

  process(tuple) {
    const { one, many, aging, places } = this.state(tuple);
    for (const how of fs.readFileSync(this.conf.file, 'utf8').split(' ')) {
      if (how === 'one+') one.set('x'.repeat(40000));
      else if (how === 'one-') one.delete();
      else if (how === 'many+') many.append('y'.repeat(10000));
      else if (how === 'many-') many.clear();
      else if (how === 'aging+') aging.append('z'.repeat(10000));
      else if (how === 'aging-') aging.clear();
      else if (how === 'places+') places.set(places.size, 'p'.repeat(10000));
      else if (how === 'places-') places.delete(0);
    }
    this.emit([[one.get().length, many.length, aging.length, places.size].join(' ')]);
  }
}
new Growing().run();
`)
	},
}

// TestKeyOutgrowsMessage refuses what would make the state of a key too large to be sent to the next process: so far tuples of that key
// failed for ever from then on.
func TestKeyOutgrowsMessage(t *testing.T) {
	for name, command := range growing {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "todo")
			e := startKeeper(t, command(t), dag.Fields, map[string]any{maxMessageKey: int64(64 << 10), "file": file})
			do := func(how string) string {
				if err := os.WriteFile(file, []byte(how), 0o600); err != nil {
					t.Fatal(err)
				}
				return "k"
			}
			check := func(how, want string) {
				t.Helper()
				if got := e.says(do(how)); len(got) != 1 || got[0] != want {
					t.Errorf("%s: it says %q, want %q", how, got, want)
				}
			}
			refused := func(how string) {
				t.Helper()
				failed, told := len(e.snap().failed), len(e.snap().errs)
				e.feed(do(how))
				e.eventually(how+" is refused", func() bool { return len(e.failed) > failed && len(e.errs) > told })
				if got := e.snap().errs[told].Error(); !strings.Contains(got, "bytes of state, of which there may be 61440 (15/16 of "+maxMessageKey+")") || !strings.Contains(got, "key k would have 7") {
					t.Errorf("%s is told as %s", how, got)
				}
			}
			check("one+", "40000 0 0 0")
			check("many+", "40000 1 0 0")
			check("one+ one+ one+ one+", "40000 1 0 0") // in the place of what there is
			check("aging+", "40000 1 1 0")
			refused("places+")
			check("", "40000 1 1 0") // in another process
			refused("many+")
			check("many-", "40000 0 1 0")
			check("aging-", "40000 0 0 0")
			check("places+", "40000 0 0 1")
			check("places-", "40000 0 0 0")
			check("one-", "0 0 0 0")
			check("places+ places+", "0 0 0 2")
		})
	}
}

// TestChangesOfManyKeys has children change more at once, of many keys, than a message may have: no frame of them is larger for that.
func TestChangesOfManyKeys(t *testing.T) {
	for name, command := range growing {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "todo")
			if err := os.WriteFile(file, []byte("one+"), 0o600); err != nil {
				t.Fatal(err)
			}
			e := startKeeper(t, command(t), dag.Fields, map[string]any{maxMessageKey: int64(64 << 10), "file": file})
			var words []string
			for i := range 60 {
				words = append(words, strconv.Itoa(i))
			}
			for i, got := range e.says(words...) {
				if got != "40000 0 0 0" {
					t.Errorf("of key %d it says %q", i, got)
				}
			}
			if errs := e.snap().errs; len(errs) > 0 {
				t.Errorf("errors %v", errs)
			}
		})
	}
}
