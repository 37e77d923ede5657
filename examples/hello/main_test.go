package main

import (
	"testing"

	"github.com/gearstorm/gearstorm/compat/storm"
)

func TestDefine(t *testing.T) {
	b := storm.NewTopologyBuilder()
	if err := define(b, []string{"Ada"}); err != nil {
		t.Fatal(err)
	}
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	script := top.Thrift.Bolts["greet"].BoltObject.Shell.Script
	if _, err := files.ReadFile("resources/" + script); err != nil {
		t.Errorf("the script of greet: %v", err)
	}
}
