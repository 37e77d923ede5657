package invocations

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/compat/storm/stormtest"
	"github.com/gearstorm/gearstorm/drpc"
)

func openResults(t *testing.T, keys map[string]any) *stormtest.Bolt {
	t.Helper()
	b := stormtest.NewBolt(t, storm.BoltFactory(func() storm.Bolt { return bolt{NewResults()} }), nil, keys)
	b.Input("last", "default", "result", "return-info")
	b.Input("last", "short", "result")
	return b
}

// settled waits until n tuples are acked or failed.
func settled(b *stormtest.Bolt, n int) {
	for len(b.Acked())+len(b.Failed()) < n {
		b.Wait()
	}
}

func TestResults(t *testing.T) {
	srv := startServer(t, drpc.Ports{})
	p := openSpout(t, NewSpout("f"), srv.keys())
	b := openResults(t, srv.keys())
	for _, c := range []struct {
		name   string
		result any
		want   string // of a result
		says   string // of a failure
	}{
		{"text", "done", "done", ""},
		{"empty", "", "", ""},
		{"number", 7, "", "only text can be returned"},
	} {
		call := srv.execute(t, "f", c.name)
		info := emitted(p)[0].Values[1]
		n := len(b.Acked())
		b.Send("last", "default", c.result, info)
		settled(b, n+1)
		switch a := <-call; {
		case c.says == "" && (a.err != nil || a.result != c.want):
			t.Errorf("%s: %q, %v", c.name, a.result, a.err)
		case c.says != "" && (a.err == nil || !strings.Contains(a.err.Error(), c.says)):
			t.Errorf("%s: %q, %v", c.name, a.result, a.err)
		}
	}
	if len(b.Failed()) != 0 || len(b.Errors()) != 1 {
		t.Errorf("failed %v, errors %v", b.Failed(), b.Errors())
	}
}

// What nobody can be told fails; who does not want to be told is no mistake.
func TestResultsOfBadInput(t *testing.T) {
	srv := startServer(t, drpc.Ports{})
	b := openResults(t, srv.keys())
	b.Send("last", "default", "x", nil)
	b.Tick()
	if len(b.Acked()) != 2 {
		t.Errorf("%d acked, want 2", len(b.Acked()))
	}
	for i, info := range []any{"", "{", `{"id":"1"}`, `{"id":"1","host":"h","port":0}`, `{"id":"1","host":"h","port":"x"}`, 7} {
		b.Send("last", "default", "x", info)
		if len(b.Failed()) != i+1 || len(b.Errors()) != i+1 {
			t.Errorf("return-info %v: %d failed, errors %v", info, len(b.Failed()), b.Errors())
		}
	}
	b.Send("last", "short", "x")
	if n := len(b.Errors()); n != 7 || !strings.Contains(b.Errors()[6].Error(), "1 values") {
		t.Errorf("errors %v", b.Errors())
	}
	// an id that is not open is no failure: the caller has left
	b.Send("last", "default", "x", fmt.Sprintf(`{"id":"99","host":"127.0.0.1","port":%d}`, srv.Ports().Invocations))
	settled(b, 2+7+1)
	if len(b.Acked()) != 3 {
		t.Errorf("%d acked, want 3", len(b.Acked()))
	}
}

// A server that is gone fails the tuple after three tries.
func TestResultsWithoutServer(t *testing.T) {
	srv := startServer(t, drpc.Ports{})
	b := openResults(t, srv.keys())
	info := fmt.Sprintf(`{"id":"1","host":"127.0.0.1","port":%d}`, srv.Ports().Invocations)
	srv.stop()
	b.Send("last", "default", "x", info)
	settled(b, 1)
	if len(b.Failed()) != 1 || len(b.Errors()) != 1 || !strings.Contains(b.Errors()[0].Error(), "return a result") {
		t.Errorf("failed %v, errors %v", b.Failed(), b.Errors())
	}
}

// More answers than maxUnsent stop the input until they are told.
func TestResultsPause(t *testing.T) {
	srv := startServer(t, drpc.Ports{})
	b := openResults(t, srv.keys())
	info := fmt.Sprintf(`{"id":"1","host":"127.0.0.1","port":%d}`, srv.Ports().Invocations)
	for range maxUnsent {
		b.Send("last", "default", "x", info)
	}
	if !b.Paused() {
		t.Error("the input goes on")
	}
	settled(b, maxUnsent)
	if b.Paused() {
		t.Error("the input is still stopped")
	}
}

func TestServersAreBounded(t *testing.T) {
	r := NewResults()
	defer r.Close()
	for i := range maxServers {
		if _, err := r.sender(fmt.Sprintf("127.0.0.1:%d", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.sender("127.0.0.1:1000"); err == nil {
		t.Error("one more was taken")
	}
}
