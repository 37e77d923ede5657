package main

import (
	"encoding/json"
	"testing"
	"time"
)

func TestReadAd(t *testing.T) {
	e := newEvents(1)
	for range 100 {
		text := string(e.next(nil, time.UnixMilli(1_700_000_000_123)))
		var want ad
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if got, err := readAd(text); err != nil || got != want {
			t.Fatalf("%s is read as %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "{", "{}", `{"ad_id":1}`, `{"ad_id":"1"`, `{"ad_id":"1",}`, `["ad_id"]`, `{"ad_id"`} {
		if a, err := readAd(text); err == nil && text != "{}" {
			t.Errorf("%s is read as %+v", text, a)
		}
	}
	if a, err := readAd(`{"ad_id":"\u0041"}`); err != nil || a.Ad != "A" {
		t.Errorf("an escape is read as %+v, %v", a, err)
	}
}

// A window counts by when its events happened, and its latency from when the last of them was sent.
func TestJudge(t *testing.T) {
	e := newEvents(1)
	now := time.UnixMilli(1_700_000_000_000)
	for i := range 3000 {
		e.next(nil, now.Add(time.Duration(i)*10*time.Millisecond))
	}
	got := map[adWindow]outcome{}
	views := int64(0)
	for w, n := range e.views {
		got[w] = outcome{n, e.last[w] + 40}
		views += n
	}
	if views < 800 || views > 1200 {
		t.Errorf("%d of 3000 events are views", views)
	}
	var r rung
	r.judge(e, got, 0, 1<<62)
	if r.wrong != 0 || r.p99 != 40*time.Millisecond || !r.sustained() {
		t.Errorf("exact counts are judged %+v", r)
	}
	for w, o := range got {
		got[w] = outcome{o.seen - 1, o.updated}
		break
	}
	got[adWindow{1, 0}] = outcome{1, 1}
	r = rung{}
	r.judge(e, got, 0, 1<<62)
	if r.wrong != 2 {
		t.Errorf("two wrong counts are judged %+v", r)
	}
}
