package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/nimbus"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// startMaster runs a Nimbus until the test ends.
func startMaster(t *testing.T, store cluster.Store) *nimbus.Nimbus {
	t.Helper()
	n, err := nimbus.New(nimbus.Config{Store: store, BlobDir: t.TempDir(), Listen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestNimbuses(t *testing.T) {
	state := mem.New()
	defer state.Close()
	var seeds []string
	for range 2 {
		seeds = append(seeds, startMaster(t, state.Peer()).Addr())
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := ln.Addr().String()
	ln.Close()
	seeds = append(seeds, dead)
	roles := make(map[string]string)
	for deadline := time.Now().Add(20 * time.Second); len(roles) < 3 && time.Now().Before(deadline); {
		for _, r := range nimbusRows(t.Context(), seeds) {
			roles[r.Addr] = r.Role
		}
	}
	var leaders, followers int
	for _, at := range seeds[:2] {
		switch roles[at] {
		case "leader":
			leaders++
		case "follower":
			followers++
		}
	}
	if leaders != 1 || followers != 1 || roles[dead] != "no answer" {
		t.Errorf("roles %v of seeds %v", roles, seeds)
	}
	var out strings.Builder
	if err := plainNimbuses(&out, []nimbusRow{{"a:1", "leader", "2.8.3", 61}, {"b:1", "no answer", "", 0}}); err != nil {
		t.Fatal(err)
	}
	if want := "NIMBUS  ROLE       UPTIME  VERSION\na:1     leader     1m1s    2.8.3\nb:1     no answer  -       \n"; out.String() != want {
		t.Errorf("printed\n%s", out.String())
	}
}

// A topology whose blobs are gone is named in the list with the reason.
func TestBrokenTopologyInList(t *testing.T) {
	why := "BROKEN, it stays where it runs: its code is missing"
	ts := []*stormrpc.TopologySummary{{Name: "good", ID: "good-1", Status: "ACTIVE"}, {Name: "bad", ID: "bad-1", Status: "ACTIVE", SchedStatus: &why}}
	var out strings.Builder
	if err := plainList(&out, ts); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), "\nbad: "+why+"\n") {
		t.Errorf("printed\n%s", out.String())
	}
	if rows := listJSON(ts); rows[0].Broken != "" || rows[1].Broken != why {
		t.Errorf("rows %+v", rows)
	}
}
