package wire

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestGateCountsByOrigin(t *testing.T) {
	g := gate{max: 100, maxPerOrigin: 2}
	enter := func(addr string, want bool) {
		t.Helper()
		if got, why := g.enter(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v %q, want %v", addr, got, why, want)
		}
	}
	enter("10.0.0.1", true)
	enter("10.0.0.1", true)
	enter("10.0.0.1", false)
	enter("10.0.0.2", true)
	enter("2001:db8::1", true)
	enter("2001:db8::2", true)
	enter("2001:db8::3", false) // the same /64
	enter("2001:db8:0:1::3", true)
	g.leave(netip.MustParseAddr("10.0.0.1"))
	enter("10.0.0.1", true)
	for range 3 { // no address, no cap of its own
		if ok, why := g.enter(netip.Addr{}); !ok {
			t.Error(why)
		}
	}
	if g.open != 9 || len(g.byOrigin) != 5 {
		t.Errorf("%d open, %d origins", g.open, len(g.byOrigin))
	}
}

func TestQuietLog(t *testing.T) {
	q := quietLog{}
	now := time.Unix(100, 0)
	passed := 0
	for range perSecond + 30 {
		if _, ok := q.admit(now); ok {
			passed++
		}
	}
	if passed != perSecond {
		t.Errorf("%d records passed, want %d", passed, perSecond)
	}
	if dropped, ok := q.admit(now.Add(time.Second)); !ok || dropped != 30 {
		t.Errorf("next second: %v, %d dropped before", ok, dropped)
	}
	if dropped, ok := q.admit(now.Add(time.Second)); !ok || dropped != 0 {
		t.Errorf("again: %v, %d dropped before", ok, dropped)
	}

	log := &logbook{}
	q = quietLog{log: slog.New(slog.NewTextHandler(log, nil)), dropped: 7}
	q.write(slog.LevelWarn, "hello")
	if !strings.Contains(log.String(), "suppressed=7") {
		t.Errorf("log: %s", log)
	}
}
