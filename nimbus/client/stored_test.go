package client

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func TestStoredForms(t *testing.T) {
	c := conf.Conf{"int": int64(4), "double": 4.0, "null": nil, "list": []any{"a", true}}
	raw, err := EncodeConf(c)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeConf(raw)
	if diff := cmp.Diff(c, back); err != nil || diff != "" {
		t.Errorf("configuration (-want +got):\n%s %v", diff, err)
	}
	top := &stormrpc.StormTopology{Spouts: map[string]*stormrpc.SpoutSpec{}, Bolts: map[string]*stormrpc.Bolt{},
		StateSpouts: map[string]*stormrpc.StateSpoutSpec{}, DependencyJars: []string{"a.jar"}}
	if raw, err = EncodeTopology(top); err != nil {
		t.Fatal(err)
	}
	got, err := DecodeTopology(raw)
	if err != nil || !top.Equals(got) {
		t.Errorf("topology %v, %v", got, err)
	}
	for _, key := range []string{JarKey("t-1-2"), CodeKey("t-1-2"), ConfKey("t-1-2")} {
		if !bytes.HasPrefix([]byte(key), []byte("t-1-2-storm")) {
			t.Errorf("key %s", key)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{`{"a": 1}`, "", "\x0d\x00\x01"} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write([]byte(text))
		z.Close()
		f.Add(b.Bytes())
	}
	f.Add([]byte("no gzip"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := DecodeConf(data); (err == nil) != (c != nil) {
			t.Errorf("configuration %v with error %v", c, err)
		}
		if top, err := DecodeTopology(data); (err == nil) != (top != nil) {
			t.Errorf("topology %v with error %v", top, err)
		}
	})
}
