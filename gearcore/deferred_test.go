package gearcore

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestDeferred(t *testing.T) {
	var parsed atomic.Int32
	whole := List([]Value{Int(1), Map([]Pair{{Str("k"), Str("v")}})})
	v := Defer(KindList, 3, "text", func(text string) Value {
		parsed.Add(1)
		if text != "text" {
			t.Errorf("asked to parse %q", text)
		}
		return whole
	})
	if d := v.Deferred(); v.Kind() != KindList || v.Map() != nil || v.Str() != "" || v.IsNull() || v.Weight() != 0 || d == nil || d.Text != "text" || d.Form != 3 {
		t.Fatalf("a deferred list says it is %v, %+v", v.Kind(), d)
	}
	if parsed.Load() != 0 {
		t.Fatal("it was parsed before anybody looked inside")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if len(v.List()) != 2 {
				t.Error("not the list that was parsed")
			}
		})
	}
	wg.Wait()
	if !v.Equal(whole) || !whole.Equal(v) || v.Hash(HashJava) != whole.Hash(HashJava) || v.Text() != whole.Text() {
		t.Error("it does not look like the list that was parsed")
	}
	if parsed.Load() != 1 {
		t.Errorf("parsed %d times", parsed.Load())
	}
	m := Defer(KindMap, 0, "", func(string) Value { return Map([]Pair{{Str("k"), Int(1)}}) })
	if m.List() != nil || len(m.Map()) != 1 || len(m.Any().(map[string]any)) != 1 {
		t.Errorf("a deferred map gave %v", m.Any())
	}
	if Int(-1).Deferred() != nil || whole.Deferred() != nil {
		t.Error("ordinary values are no deferred ones")
	}
}
