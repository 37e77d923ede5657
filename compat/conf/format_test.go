package conf

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var compareBig = cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })

func TestJSONKeepsKinds(t *testing.T) {
	text := `{"a":1,"b":1.0,"c":4096.0,"d":9007199254740993,"e":12345678901234567890,"f":1.0E7,"g":"<é>","h":[null,true],"i":{},"j":0.05,"k":-0.0,"l":1.0E-4}`
	c, err := ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := Conf{"a": int64(1), "b": 1.0, "c": 4096.0, "d": int64(9007199254740993), "e": new(big.Int).SetUint64(12345678901234567890),
		"f": 1e7, "g": "<é>", "h": []any{nil, true}, "i": map[string]any{}, "j": 0.05, "k": math.Copysign(0, -1), "l": 1e-4}
	if diff := cmp.Diff(want, c, compareBig); diff != "" {
		t.Error(diff)
	}
	out, err := c.JSON()
	if err != nil || string(out) != text {
		t.Errorf("written as %s, %v", out, err)
	}
}

func TestJSONRefuses(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+2) + strings.Repeat("]", MaxDepth+2)
	for name, text := range map[string]string{
		"empty": "", "null": "null", "list": "[]", "trailing": "{} {}", "broken": "{", "huge double": `{"a":1e999}`,
		"digits": `{"a":` + strings.Repeat("9", 2000) + `}`, "deep": `{"a":` + deep + `}`,
		"many": `{"a":[` + strings.Repeat("1,", MaxNodes) + `1]}`, "large": `"` + strings.Repeat("x", MaxJSONBytes) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := ParseJSON([]byte(text))
			if err == nil {
				t.Fatalf("accepted as %v", c)
			}
			if tooLarge := name == "deep" || name == "many" || name == "large"; errors.Is(err, ErrTooLarge) != tooLarge {
				t.Errorf("error %v", err)
			}
		})
	}
	for name, c := range map[string]Conf{"NaN": {"a": math.NaN()}, "channel": {"a": make(chan int)}} {
		if out, err := c.JSON(); err == nil {
			t.Errorf("%s written as %s", name, out)
		}
	}
	loop := map[string]any{}
	loop["a"] = loop
	if _, err := Conf(loop).JSON(); err == nil {
		t.Error("a map that holds itself was written")
	}
}

func TestJavaDouble(t *testing.T) {
	for want, f := range map[string]float64{"0.0": 0, "1.0": 1, "0.001": 0.001, "9.99E-4": 0.000999, "9999999.0": 9999999,
		"1.0E7": 1e7, "1.2345E10": 12345000000, "-2.5": -2.5, "4.9E-324": 5e-324, "1.7976931348623157E308": math.MaxFloat64} {
		// Java's older algorithm wrote the smallest double as 4.9E-324; the shortest form is 5.0E-324.
		if want == "4.9E-324" {
			want = "5.0E-324"
		}
		if got := javaDouble(f); got != want {
			t.Errorf("%g written as %s, want %s", f, got, want)
		}
	}
}

func TestYAML(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       Conf
	}{
		{"empty", "", Conf{}},
		{"only a comment", "# nothing\n", Conf{}},
		{"booleans of YAML 1.1", "topology.debug: on\nui.actions.enabled: no\nstorm.zookeeper.ssl.enable: Off\n",
			Conf{"topology.debug": true, "ui.actions.enabled": false, "storm.zookeeper.ssl.enable": false}},
		{"quoted is text", "topology.debug: \"on\"\n", Conf{"topology.debug": "on"}},
		{"sexagesimal", "nimbus.task.timeout.secs: 1:30\nsome.time: 1:30\n", Conf{"nimbus.task.timeout.secs": int64(90), "some.time": "1:30"}},
		{"underscores", "topology.workers: 1_000\n", Conf{"topology.workers": int64(1000)}},
		{"octal and hex", "a: 010\nb: 0x1F\nc: 0o17\n", Conf{"a": int64(8), "b": int64(31), "c": int64(15)}},
		{"declared text", "topology.version: 1.0\nnimbus.seeds: [10.0, true]\ntopology.environment: {A: on, B: 1}\n",
			Conf{"topology.version": "1.0", "nimbus.seeds": []any{"10.0", "true"}, "topology.environment": map[string]any{"A": "on", "B": "1"}}},
		{"kinds", "a: 1\nb: 1.0\nc: ~\nd: [x, 2]\ne: {f: {g: 1.5}}\nh: 12345678901234567890\ni: 2020-01-02\n",
			Conf{"a": int64(1), "b": 1.0, "c": nil, "d": []any{"x", int64(2)}, "e": map[string]any{"f": map[string]any{"g": 1.5}},
				"h": new(big.Int).SetUint64(12345678901234567890), "i": "2020-01-02"}},
		{"keys that are numbers", "isolation.scheduler.machines: {1: 2}\n", Conf{"isolation.scheduler.machines": map[string]any{"1": int64(2)}}},
		{"anchors and merge", "base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\nsame: *b\n",
			Conf{"base": map[string]any{"x": int64(1), "y": int64(2)}, "more": map[string]any{"x": int64(1), "y": int64(3)}, "same": map[string]any{"x": int64(1), "y": int64(2)}}},
		{"tags of others are ignored", "a: !!java.net.URL http://x\n", Conf{"a": "http://x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseYAML("f.yaml", []byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, compareBig, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestYAMLRefuses(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 9; i++ {
		prev := "*a" + string(rune('0'+i-1))
		bomb += "a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.Repeat(prev+",", 9) + prev + "]\n"
	}
	for _, tc := range []struct{ name, text, want string }{
		{"no map", "- a\n", "f.yaml:1: a configuration must be a map of keys"},
		{"same key twice", "a: 1\nb: 2\na: 3\n", `f.yaml:3: key "a" stands there twice`},
		{"broken", "a: 1\nb: [\n", "f.yaml:"},
		{"complex key", "? [a]\n: 1\n", "f.yaml:1: a key must be a plain value"},
		{"infinity", "a: 1\nb: .inf\n", "f.yaml:2: .inf is not allowed"},
		{"binary", "a: !!binary aGk=\n", "f.yaml:1: binary values are not allowed"},
		{"bomb", bomb, "more than 262144 values"},
		{"cycle", "a: &a [*a]\n", "nested deeper than 64"},
		{"deep", "a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n", "nested deeper than 64"},
		{"large", strings.Repeat("#", MaxFileBytes+1), "configuration too large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseYAML("f.yaml", []byte(tc.text))
			if err == nil {
				t.Fatalf("accepted as %v", got)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
}

func FuzzParseYAML(f *testing.F) {
	f.Add(defaultsText[:2000])
	f.Add([]byte("a: &a [1, *a]\nb: {<<: *a}\n"))
	f.Add([]byte("topology.debug: on\nnimbus.task.timeout.secs: 1:30\nx: !!int \"9\"\n? [a]\n: b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseYAML("f", data)
		if err != nil {
			return
		}
		out, err := c.JSON()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := ParseJSON(out); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	f.Add([]byte(`{"topology.workers":3,"a":[1.5,{"b":null}],"c":12345678901234567890}`))
	f.Add([]byte(`{"a":1e400}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseJSON(data)
		if err != nil {
			return
		}
		out, err := c.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseJSON(out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if diff := cmp.Diff(c, again, compareBig); diff != "" {
			t.Fatal(diff)
		}
	})
}
