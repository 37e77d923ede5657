package main

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
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
	if r.wrong != 2 || r.double != 1 {
		t.Errorf("two wrong counts, one of them too large, are judged %+v", r)
	}
}

// The ladder ends with the highest rate that is sustained, within its steps.
func TestSteps(t *testing.T) {
	for _, c := range []struct {
		first, limit int
		want         []int
	}{
		{10_000, 33_000, []int{10_000, 20_000, 40_000, 30_000, 35_000}},
		{10_000, 6000, []int{10_000, 5000, 7500, 6250}},
		{10_000, 500, []int{10_000, 5000, 2500, 1250}},
		{4000, 4000, []int{4000, 8000, 6000, 5000}},
	} {
		var got []int
		s := steps{}
		for rate := c.first; rate > 0; rate = s.next(rate, rate <= c.limit) {
			got = append(got, rate)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("from %d to at most %d the rates are %d, want %d", c.first, c.limit, got, c.want)
		}
	}
}

// A broker takes the batches that are written here, and gives back the events.
func TestSender(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "ads"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := newSender(ctx, cluster.ListenAddrs()[0], "ads", 2, newEvents(1))
	if err != nil {
		t.Fatal(err)
	}
	if late, err := s.send(ctx, 20_000, time.Now().Add(200*time.Millisecond), sendLate); err != nil {
		t.Fatalf("%v late: %v", late, err)
	}
	if err := s.batches(ctx, 3); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("ads"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	views, want := int64(0), int64(0)
	for _, n := range s.events.views {
		want += n
	}
	partitions := map[int32]bool{}
	for got := int64(0); got < s.events.sent; {
		f := c.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("%d of %d events came: %v", got, s.events.sent, err)
		}
		f.EachRecord(func(r *kgo.Record) {
			a, err := readAd(string(r.Value))
			if err != nil || r.Key != nil || len(r.Headers) > 0 {
				t.Fatalf("record %+v: %v", r, err)
			}
			if a.Event == eventTypes[0] {
				views++
			}
			partitions[r.Partition] = true
			got++
		})
	}
	if views != want || len(partitions) != 2 || s.events.sent < 3000 {
		t.Errorf("%d views of %d events in %d partitions, want %d in 2", views, s.events.sent, len(partitions), want)
	}
}
