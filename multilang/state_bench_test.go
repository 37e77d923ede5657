package multilang

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// stateBolts are bolts with a state, by what they do with it for each tuple: one read and one change.
var stateBolts = map[string]map[string]string{
	"gearstorm.py": {
		"value": "s = gearstorm.Value(0)|self.s.set(self.s.get() + 1)",
		"ttl":   "s = gearstorm.Value(0, ttl=gearstorm.TTL(3600000))|self.s.set(self.s.get() + 1)",
		"map":   "s = gearstorm.Map()|self.s.set('n', self.s.get('n', 0) + 1)",
		"list":  "s = gearstorm.List()|self.s.append(1)\n        if len(self.s) > 10: self.s.drop_first()",
		"timer": "s = gearstorm.Timers(clock=True)|self.s.set(1 << 50)",
	},
	"gearstorm.js": {
		"value": "value(0)|s.set(s.get() + 1);",
		"ttl":   "value(0, { ttlMs: 3600000 })|s.set(s.get() + 1);",
		"map":   "map()|s.set('n', (s.get('n') ?? 0) + 1);",
		"list":  "list()|s.append(1); if (s.length > 10) s.dropFirst();",
		"timer": "timers({ clock: true })|s.set(2 ** 50);",
	},
}

// BenchmarkState measures source -> a bolt that keeps state by key -> sink, acked: in/s are tuples with their read and change of state. "100k keys" are more
// than a child holds, so that most come with what they have.
func BenchmarkState(b *testing.B) {
	for client, bolts := range stateBolts {
		command := func(b *testing.B, kind string) []string {
			state, work, _ := strings.Cut(bolts[kind], "|")
			if client == "gearstorm.py" {
				return python(b, "import gearstorm\nclass S(gearstorm.BasicBolt):\n    "+state+"\n    def on_timer(self, timer): pass\n    def process(self, tup):\n        "+work+
					"\n        self.emit(tup.values)\nS().run()\n")
			}
			return node(b, "const { BasicBolt, value, list, map, timers } = require('./gearstorm');\nclass S extends BasicBolt {\n  static states = { s: "+state+
				" };\n  onTimer() { this.log(''); }\n  process(t) { const { s } = this.state(t); "+work+" this.emit(t.values); }\n}\nnew S().run();\n")
		}
		run := func(name, kind string, keys int) {
			b.Run(client+"/"+name, func(b *testing.B) {
				texts := make([]gearcore.Value, keys)
				for i := range texts {
					texts[i] = gearcore.Str(fmt.Sprint("key", i))
				}
				benchLines(b, texts, dag.Grouping{Kind: dag.Fields, Fields: []string{"s"}}, 1, map[string]any{}, command(b, kind))
			})
		}
		for _, kind := range []string{"value", "ttl", "map", "list", "timer"} {
			run(kind, kind, 1000)
		}
		run("value, 100k keys", "value", 100_000)
	}
}
