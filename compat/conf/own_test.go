package conf

import (
	"errors"
	"strings"
	"testing"
)

func TestUnknownKeysOfOurOwn(t *testing.T) {
	for _, c := range []struct{ key, nearest string }{
		{"gearstorm.fusoin", "gearstorm.fusion"},
		{"gearstorm.Fusion", "gearstorm.fusion"},
		{"gearstorm.transport.shn", "gearstorm.transport.shm"},
		{"gearstorm.transport.unx", "gearstorm.transport.unix"},
		{"gearstorm.hash", "gearstorm.hash.mode"},
		{"gearstorm.hashmode", "gearstorm.hash.mode"},
		{"gearstorm.multilang.max.message.byte", "gearstorm.multilang.max.message.bytes"},
		{"gearstorm.spout.wait.ms", "gearstorm.spout.wait.max.ms"},
		{"gearstorm." + strings.Repeat("x", 1<<20), "gearstorm."},
	} {
		bad := Conf{c.key: true}
		for how, err := range map[string]error{"CheckOwn": bad.CheckOwn(), "ValidateTopology": bad.ValidateTopology(), "ValidateDaemon": bad.ValidateDaemon()} {
			var ie *InvalidError
			if !errors.As(err, &ie) || len(ie.Problems) != 1 || ie.Problems[0].Key != c.key {
				t.Fatalf("%s of %.40s: %v, want one problem of that key", how, c.key, err)
			}
			text := ie.Problems[0].Text
			if len(text) > 1000 || !strings.HasPrefix(text, "unknown key "+c.key[:min(len(c.key), 30)]) || !strings.Contains(text, ": did you mean "+c.nearest) {
				t.Errorf("%s says %q, want %s named", how, text, c.nearest)
			}
		}
	}
	fine := Conf{"gearstorms": 1, "gearstor.m": 1, "topology.fusoin": 1, "streamparse.x": 1}
	for _, k := range Keys() {
		if k.Scope == OwnScope {
			fine[k.Name] = nil
		}
	}
	if err := fine.CheckOwn(); err != nil {
		t.Errorf("keys of ours and of others: %v", err)
	}
}

func TestCheckOwnValues(t *testing.T) {
	for want, c := range map[string]Conf{
		"gearstorm.state.dir must be an absolute path":        {"gearstorm.state.dir": "state"},
		"Field gearstorm.state.dir must be":                   {"gearstorm.state.dir": int64(1)},
		"Each element of the list gearstorm.state.forget":     {"gearstorm.state.forget": []any{"a", int64(1)}},
		"gearstorm.state.memory.mb must be a Positive Number": {"gearstorm.state.memory.mb": int64(-1)},
		"": {"gearstorm.state.dir": "/state", "gearstorm.state.forget": []any{"a"}, "topology.workers": "of a daemon's or Storm's: not looked at here"},
	} {
		err := c.CheckOwn()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: %v, want %q", c, err, want)
		}
	}
}

func TestChanges(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 0}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "axc", 2}, {"abc", "ac", 1}, {"ac", "abc", 1}, {"kitten", "sitting", 5}, {"ab", "ba", 2}} {
		if got := changes(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q are %d changes, want %d", c.a, c.b, got, c.want)
		}
	}
}
