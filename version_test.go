package gearstorm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// versionNimbus is a Nimbus whose topology is starting as version 2.
type versionNimbus struct {
	fakeNimbus
	stormrpc.Gearstorm
	starting, onTrial bool
	patience          string
	err               error  // of the versions
	asked             func() // is called when they are asked for again
	calls             int
}

func (n *versionNimbus) GetTopologyVersions(context.Context, string) ([]*stormrpc.TopologyVersion, error) {
	if n.calls++; n.calls == 2 {
		n.asked()
	}
	if n.err != nil {
		return nil, n.err
	}
	return []*stormrpc.TopologyVersion{{Version: 1}, {Version: 2, Starting: &n.starting, OnTrial: &n.onTrial}}, nil
}

func (n *versionNimbus) GetTopologyConf(context.Context, string) (string, error) {
	return `{"gearstorm.change.patience.secs":` + n.patience + `}`, nil
}

func serveVersions(t *testing.T, n *versionNimbus) (*client.Client, Options) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.addr = ln.Addr().String()
	srv, err := wire.NewServer(wire.Options{}, stormrpc.NewNimbusProcessor(n), stormrpc.NewGearstormProcessor(n))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-done
	})
	c, err := client.New(client.Options{Seeds: []string{n.addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, Options{Nimbus: []string{n.addr}}
}

// TestAwaitVersionEnds has the caller lose patience when he has been answered once.
func TestAwaitVersionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		n    *versionNimbus
		want string // what the error says
	}{
		"it runs":  {&versionNimbus{}, "<nil>"},
		"on trial": {&versionNimbus{starting: true, onTrial: true}, "not all of its tasks are at work, and it is on trial still; `gearstorm info words`"},
		"no trial": {&versionNimbus{starting: true}, "its trial is over, so it does not go back by itself"},
		"killed":   {&versionNimbus{err: &stormrpc.NotAliveException{Msg: "words is not alive"}}, "wait for version 2 of words: the topology has been killed meanwhile"},
	} {
		t.Run(name, func(t *testing.T) {
			_, o := serveVersions(t, c.n)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c.n.asked, o.Wait = cancel, time.Hour
			err := AwaitVersion(ctx, "words", 2, o)
			if !strings.Contains(fmt.Sprint(err), c.want) || ctx.Err() != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAwaitVersionUndecided(t *testing.T) {
	_, o := serveVersions(t, &versionNimbus{starting: true, asked: func() {}})
	o.Wait = time.Millisecond
	if err := AwaitVersion(t.Context(), "words", 2, o); !errors.Is(err, ErrUndecided) || !strings.Contains(err.Error(), "given up after 1ms: ") {
		t.Error(err)
	}
}

func TestSilentNimbus(t *testing.T) {
	n := &versionNimbus{starting: true, asked: func() {}}
	c, _ := serveVersions(t, n)
	s := sighting{name: "words"}
	for _, w := range []struct {
		err  error
		want string
	}{
		{nil, "not all of its tasks are at work"},
		{&wire.Refusal{Reason: client.ReasonSession, Text: "it is lost"}, "Nimbus does not answer (session lost: it is lost); the version is stored, workers go on"},
		{nil, "not all of its tasks are at work"},
	} {
		n.err = w.err
		if over, err := s.look(t.Context(), c, 2); over || err != nil || !strings.Contains(s.String(), w.want) {
			t.Errorf("after %v: %s, over %t, %v", w.err, s, over, err)
		}
	}
}

func TestVersionWait(t *testing.T) {
	n := &versionNimbus{}
	c, _ := serveVersions(t, n)
	for patience, want := range map[string]time.Duration{"30": 5 * time.Minute, "600": 20 * time.Minute, `"x"`: 5 * time.Minute, "null": 5 * time.Minute} {
		n.patience = patience
		if got := usualWait(t.Context(), c, "words"); got != want {
			t.Errorf("%s: %v", patience, got)
		}
	}
	if got := usualWait(t.Context(), c, "gone$"); got != 5*time.Minute {
		t.Errorf("of a topology that is gone: %v", got)
	}
}
