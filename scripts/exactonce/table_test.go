package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// The table says what checkpoints hold: offsets of all partitions, states of all tasks, those in files too.
func TestTable(t *testing.T) {
	store := new(checkpoint.Memory)
	log, err := checkpoint.OpenLog(checkpoint.LogConfig{Store: store, Topology: "t", Keep: 100})
	if err != nil {
		t.Fatal(err)
	}
	begun, err := log.Begin(t.Context(), checkpoint.Start{Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	counters := []*counts{}
	for i := range 2 {
		c, err := newCounts(i, 2)
		if err != nil {
			t.Fatal(err)
		}
		c.byKey.Set("a", int64(10*(i+1)))
		c.byKey.Set("b", 5)
		counters = append(counters, c)
	}
	// 40 records are counted: a first checkpoint says so of the source, a second one is one short
	for n, offsets := range []string{`{"in":{"partitions":2,"at":{"0":{"next":30},"1":{"next":10}}}}`, `{"in":{"partitions":2,"at":{"0":{"next":39}}}}`} {
		epoch := begun.First + uint64(n)
		m := &checkpoint.Manifest{Epoch: epoch, Components: []checkpoint.Component{
			{Name: sourceName, Source: true, Parts: []gearcore.TaskPart{{Part: gearcore.Part{Inline: []byte(offsets)}}, {Index: 1}}}, {Name: counterName},
		}}
		for i, c := range counters {
			frozen, err := c.store.Freeze(epoch)
			if err != nil {
				t.Fatal(err)
			}
			part, err := frozen.Save(t.Context(), checkpoint.NewVault(store, "t", epoch))
			if err != nil {
				t.Fatal(err)
			}
			m.Components[1].Parts = append(m.Components[1].Parts, gearcore.TaskPart{Index: i, Part: part})
		}
		if _, err := log.Commit(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	tab := table{store: store, topology: "t"}
	for range 2 { // reading again adds nothing
		if err := tab.read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(tab.rows) != 2 || tab.rows[0].offset != 40 || tab.rows[0].state != 40 || tab.rows[1].offset != 39 || tab.rows[1].state != 40 {
		t.Errorf("the rows are %+v", tab.rows)
	}
	var out bytes.Buffer
	if tab.print(&out) != 1 || strings.Count(out.String(), " equal\n") != 1 || strings.Count(out.String(), " UNEQUAL\n") != 1 {
		t.Errorf("it prints\n%s", &out)
	}
}
