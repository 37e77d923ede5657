package conf

import (
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTables(t *testing.T) {
	if _, err := parseKeys(keysText); err != nil {
		t.Fatal(err)
	}
	declared := 0
	for _, k := range Keys() {
		if k.Scope != OwnScope {
			declared++
		}
	}
	// 469 final constants of Config and DaemonConfig, the 23 of DaemonConfig that are not final, and two that have no constant.
	if declared != 494 {
		t.Errorf("%d declared keys of Storm, want 494", declared)
	}
	d := Defaults()
	if len(d) != 286 {
		t.Errorf("%d defaults, want 286", len(d))
	}
	if err := d.ValidateDaemon(); err != nil {
		t.Errorf("the defaults break a rule: %v", err)
	}
	if len(d.Unknown()) != 0 {
		t.Errorf("unknown keys among the defaults: %v", d.Unknown())
	}
	facts := Conf{
		"nimbus.thrift.port":                       int64(6627),
		"topology.acker.executors":                 nil,
		"topology.message.timeout.secs":            int64(30),
		"topology.stats.sample.rate":               0.05,
		"supervisor.memory.capacity.mb":            4096.0,
		"supervisor.slots.ports":                   []any{int64(6700), int64(6701), int64(6702), int64(6703)},
		"topology.ras.constraint.max.state.search": int64(10000),
	}
	for k, want := range facts {
		if diff := cmp.Diff(want, d[k]); diff != "" {
			t.Errorf("%s: %s", k, diff)
		}
	}
	d["supervisor.slots.ports"].([]any)[0] = int64(1)
	if Defaults()["supervisor.slots.ports"].([]any)[0] != int64(6700) {
		t.Error("Defaults shares its lists with callers")
	}
}

func TestMergeIsFlat(t *testing.T) {
	got := Merge(Conf{"a": map[string]any{"x": 1}, "b": "keep", "n": 1}, Conf{"a": map[string]any{"y": 2}, "n": nil})
	want := Conf{"a": map[string]any{"y": 2}, "b": "keep", "n": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGetters(t *testing.T) {
	c := Conf{"int": int64(3), "double": 3.0, "text": "3", "half": 2.5, "halftext": " 2.5", "yes": "yes", "true": true,
		"word": "abc", "list": []any{"a", nil, int64(1)}, "maps": []any{map[string]any{}}, "null": nil,
		"big": new(big.Int).Lsh(big.NewInt(1), 80), "2^63": 9223372036854775808.0, "ports": []any{int64(1), "2"}, "badport": []any{int64(70000)}}
	for _, tc := range []struct {
		name      string
		got       func() (any, error)
		want      any
		wantError string
	}{
		{"int", func() (any, error) { return c.Int("int") }, int64(3), ""},
		{"int of double", func() (any, error) { return c.Int("double") }, int64(3), ""},
		{"int of text", func() (any, error) { return c.Int("text") }, int64(3), ""},
		{"int of half", func() (any, error) { return c.Int("half") }, nil, "half must be a whole number, not 2.5 (a decimal number)"},
		{"int of 2^63", func() (any, error) { return c.Int("2^63") }, nil, "2^63 must be a whole number, not 9.223372036854776E18 (a decimal number)"},
		{"int of big", func() (any, error) { return c.Int("big") }, nil, "big must be a whole number, not 1208925819614629174706176 (a whole number)"},
		{"int of null", func() (any, error) { return c.Int("null") }, nil, "null must be a whole number, but it is not set"},
		{"int default", func() (any, error) { return c.IntOr("null", 7) }, int64(7), ""},
		{"int default with wrong value", func() (any, error) { return c.IntOr("word", 7) }, nil, "word must be a whole number, not abc (text)"},
		{"float of int", func() (any, error) { return c.Float("int") }, 3.0, ""},
		{"float of text", func() (any, error) { return c.Float("halftext") }, 2.5, ""},
		{"float of word", func() (any, error) { return c.Float("word") }, nil, "word must be a number, not abc (text)"},
		{"float default", func() (any, error) { return c.FloatOr("none", 1.5) }, 1.5, ""},
		{"bool", func() (any, error) { return c.Bool("true") }, true, ""},
		{"bool of yes", func() (any, error) { return c.Bool("yes") }, true, ""},
		{"bool of int", func() (any, error) { return c.Bool("int") }, nil, "int must be true or false, not 3 (a whole number)"},
		{"bool default", func() (any, error) { return c.BoolOr("none", true) }, true, ""},
		{"string of int", func() (any, error) { return c.String("int") }, "3", ""},
		{"string of list", func() (any, error) { return c.String("list") }, nil, "list must be text, not [a, null, 1] (a list)"},
		{"string default", func() (any, error) { return c.StringOr("none", "d") }, "d", ""},
		{"list", func() (any, error) { return c.StringList("list") }, []string{"a", "1"}, ""},
		{"list of one text", func() (any, error) { return c.StringList("word") }, []string{"abc"}, ""},
		{"list of null", func() (any, error) { return c.StringList("null") }, []string(nil), ""},
		{"list of maps", func() (any, error) { return c.StringList("maps") }, nil, "maps must be a list of texts, not [{}] (a list)"},
		{"list of int", func() (any, error) { return c.StringList("int") }, nil, "int must be a text or a list of texts, not 3 (a whole number)"},
		{"ports", func() (any, error) { return c.Ports("ports") }, []int{1, 2}, ""},
		{"bad port", func() (any, error) { return c.Ports("badport") }, nil, "badport must be a list of port numbers, not [70000] (a list)"},
		{"seconds", func() (any, error) { return c.Secs("half") }, 2500 * time.Millisecond, ""},
		{"millis", func() (any, error) { return c.Millis("text") }, 3 * time.Millisecond, ""},
		{"seconds of word", func() (any, error) { return c.Secs("word") }, nil, "word must be a number of seconds, not abc (text)"},
		{"seconds too many", func() (any, error) { return c.Secs("big") }, nil, "big must be a number of seconds, not 1208925819614629174706176 (a whole number)"},
		{"seconds default", func() (any, error) { return c.SecsOr("none", time.Minute) }, time.Minute, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.got()
			if tc.wantError != "" {
				var ve *ValueError
				if !errors.As(err, &ve) || err.Error() != tc.wantError {
					t.Fatalf("error %v, want %s", err, tc.wantError)
				}
				return
			}
			if err != nil || !cmp.Equal(got, tc.want) {
				t.Errorf("got %v, %v; want %v", got, err, tc.want)
			}
		})
	}
}

func TestMasked(t *testing.T) {
	c := Conf{"ui.https.keystore.password": "p", "nimbus.thrift.tls.client.truststore.password": "q", "ui.port": int64(1)}
	want := Conf{"ui.https.keystore.password": "*****", "nimbus.thrift.tls.client.truststore.password": "*****", "ui.port": int64(1)}
	if diff := cmp.Diff(want, c.Masked()); diff != "" {
		t.Error(diff)
	}
	if c["ui.https.keystore.password"] != "p" {
		t.Error("Masked changed its receiver")
	}
}

func TestComponentConf(t *testing.T) {
	topology := Conf{"topology.debug": false, "topology.workers": int64(3), "mine": "t", "topology.tick.tuple.freq.secs": nil}
	component := Conf{"topology.debug": true, "topology.workers": int64(9), "topology.tasks": int64(4), "mine": "c",
		"topology.tick.tuple.freq.secs": int64(5), "topology.bolts.watermark.event.interval.ms": int64(50), "nimbus.host": "x", "ui.port": int64(1)}
	want := Conf{"topology.debug": true, "topology.workers": int64(3), "mine": "c", "topology.tick.tuple.freq.secs": int64(5),
		"topology.bolts.watermark.event.interval.ms": int64(50), "nimbus.host": "x", "ui.port": int64(1)}
	if diff := cmp.Diff(want, ComponentConf(topology, component)); diff != "" {
		t.Error(diff)
	}
	if topology["topology.debug"] != false {
		t.Error("the topology's conf was changed")
	}
}

func TestLoad(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "storm.yaml"), "nimbus.seeds: [a, b]\nui.port: 9090\nui.tittle: x\n")
	write(filepath.Join(dir, "gearstorm.yaml"), "gearstorm.hash.mode: value\n")
	write(filepath.Join(dir, "other.yaml"), "ui.port: 1\n")
	write(filepath.Join(home, ".storm", "storm.yaml"), "ui.port: 7\n")
	env := func(m map[string]string) func(string) string { return func(k string) string { return m[k] } }
	both := env(map[string]string{"STORM_CONF_DIR": dir, "HOME": home})

	l, err := Load(Sources{Getenv: both, Overrides: []string{"ui.port=[1", "topology.debug=true", "ui.port=9091"}})
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]any{"ui.port": int64(9091), "topology.debug": true, "gearstorm.hash.mode": "value",
		"nimbus.seeds": []any{"a", "b"}, "nimbus.thrift.port": int64(6627)} {
		if !cmp.Equal(l.Conf[k], want) {
			t.Errorf("%s is %v, want %v", k, l.Conf[k], want)
		}
	}
	if diff := cmp.Diff([]string{"unknown configuration key ui.tittle"}, l.Warnings); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{filepath.Join(dir, "storm.yaml"), filepath.Join(dir, "gearstorm.yaml")}, l.Files); diff != "" {
		t.Error(diff)
	}

	for _, tc := range []struct {
		name  string
		from  Sources
		port  int64
		error string
	}{
		{"home", Sources{Getenv: env(map[string]string{"HOME": home})}, 7, ""},
		{"file by path", Sources{File: filepath.Join(dir, "other.yaml"), Getenv: both}, 1, ""},
		{"file by name in the conf dir", Sources{File: "other.yaml", Getenv: both}, 1, ""},
		{"nothing there", Sources{Getenv: env(map[string]string{"HOME": dir})}, 8080, ""},
		{"file not there", Sources{File: "none.yaml", Getenv: both}, 0, "none.yaml is not there"},
		{"broken rule", Sources{Getenv: both, Overrides: []string{"ui.port=-1"}}, 0, "Field UI_PORT must be a Positive Number (ui.port: -1)"},
		{"unknown key of ours", Sources{Getenv: both, Overrides: []string{"gearstorm.fusoin=true"}}, 0, "unknown key gearstorm.fusoin: did you mean gearstorm.fusion?"},
		{"option without value", Sources{Getenv: both, Overrides: []string{"ui.port"}}, 0, `option "ui.port" must have the form key=value`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, err := Load(tc.from)
			if tc.error != "" {
				if err == nil || !strings.Contains(err.Error(), tc.error) {
					t.Fatalf("error %v, want %s", err, tc.error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := l.Int("ui.port"); got != tc.port {
				t.Errorf("ui.port %d, want %d", got, tc.port)
			}
		})
	}

	write(filepath.Join(dir, "gearstorm.yaml"), "ui.port: 3\n")
	if _, err := Load(Sources{Getenv: both}); err == nil || !strings.Contains(err.Error(), "key ui.port belongs into storm.yaml") {
		t.Errorf("a foreign key in gearstorm.yaml gave %v", err)
	}
	write(filepath.Join(dir, "gearstorm.yaml"), "gearstorm.fusoin: false\n")
	if _, err := Load(Sources{Getenv: both}); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "gearstorm.yaml")+": unknown key gearstorm.fusoin: did you mean gearstorm.fusion?") {
		t.Errorf("an unknown key of ours gave %v", err)
	}
	write(filepath.Join(dir, "storm.yaml"), strings.Repeat("#", MaxFileBytes+1))
	if _, err := Load(Sources{Getenv: both}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a file over the bound gave %v", err)
	}
}

func TestStormOptions(t *testing.T) {
	got, err := ParseStormOptions(`topology.workers=4,a=%7B%22x%22%3A1%2C%22y%22%3A2%7D,raw={"x":[1,2]},noequals,text=a+b%2Cc`)
	if err != nil {
		t.Fatal(err)
	}
	want := Conf{"topology.workers": int64(4), "a": map[string]any{"x": int64(1), "y": int64(2)},
		"raw": map[string]any{"x": []any{int64(1), int64(2)}}, "text": "a b,c"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := ParseStormOptions("a=%zz"); err == nil {
		t.Error("a bad escape was accepted")
	}
}

// TestLoadNamesOptions: an error says where it was read.
func TestLoadNamesOptions(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(Sources{Overrides: []string{`topology.state.provider.config={"a":1}`}, Getenv: func(name string) string {
		if name == "HOME" {
			return dir
		}
		return ""
	}})
	if err == nil || !strings.HasPrefix(err.Error(), "configuration of -c: ") {
		t.Errorf("got %v", err)
	}
}
