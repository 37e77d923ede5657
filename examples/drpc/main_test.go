package main

import (
	"testing"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/storm"
)

func TestDefine(t *testing.T) {
	b := storm.NewTopologyBuilder()
	if err := define(b, nil); err != nil {
		t.Fatal(err)
	}
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if f := compat.DRPCFunctions(top.Thrift); len(f) != 1 || f[0] != "shout" {
		t.Errorf("it serves %v", f)
	}
	script := top.Thrift.Bolts["mark"].BoltObject.Shell.Script
	if _, err := files.ReadFile("resources/" + script); err != nil {
		t.Errorf("the script of mark: %v", err)
	}
}
