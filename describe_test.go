package gearstorm

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
)

func TestDescribe(t *testing.T) {
	p := Program{Name: "t", Define: func(b *storm.TopologyBuilder, args []string) error {
		if len(args) > 1 {
			return errors.New("one name")
		}
		b.SetSpout(args[0], storm.ShellSpout("python3", "a.py"), 1).Fields("x")
		b.AddConfig("own.key", int64(1)<<40)
		return nil
	}}
	var out, told bytes.Buffer
	if code := command(t.Context(), p, []string{"t", "describe", "-c", "topology.workers=2", "lines"}, &out, &told); code != 0 || told.Len() > 0 {
		t.Fatalf("exit %d: %s", code, &told)
	}
	var d Description
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	c, err := conf.ParseJSON(d.Conf)
	if err != nil {
		t.Fatal(err)
	}
	if s := d.Topology.Spouts["lines"]; d.Name != "t" || s == nil || s.SpoutObject.Shell == nil || s.SpoutObject.Shell.Script != "a.py" {
		t.Errorf("described as %s", &out)
	}
	if c["own.key"] != int64(1)<<40 || c["topology.workers"] != int64(2) {
		t.Errorf("configuration %v", c)
	}
	if code := command(t.Context(), p, []string{"t", "describe", "a", "b"}, &out, &told); code != 1 || told.String() != "t: one name\n" {
		t.Errorf("exit %d: %s", code, &told)
	}
}
